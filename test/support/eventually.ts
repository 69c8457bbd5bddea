/** Waits for what sends no event. */
import { vi } from 'vitest';

/** Repeats an assertion until it holds. Rejects with its error after 20 seconds: vitest's own second is too short on a busy machine. */
export function eventually<Result>(assertion: () => Result | Promise<Result>): Promise<Result> {
  return vi.waitFor(assertion, 20_000);
}
