/** Receives what a function of the program has thrown. */
export type Report = (thrown: unknown) => void;

/** Calls a function of the program. What it throws, or rejects with, is reported, and the caller goes on. */
export function callBack<Given extends unknown[]>(
  report: Report,
  callback: ((...given: Given) => unknown) | undefined,
  ...given: Given
): void {
  try {
    const returned = callback?.(...given);
    if (returned instanceof Promise) returned.catch(report);
  } catch (thrown) {
    report(thrown);
  }
}
