/**
 * Turns of the event loop. The runtime's functions are kept as they are now: a test may replace the global ones later, with the fake
 * timers of its framework.
 */
const immediate = globalThis.setImmediate;
const timeout = globalThis.setTimeout;

/** Modules that are being loaded: what a test waits for may depend on them. */
let loading: Promise<unknown> | undefined;

/** Loads modules. {@link settled} waits for them: time must not pass before the call that needs them has begun. */
export async function loaded<Modules>(modules: Promise<Modules>): Promise<Modules> {
  const all = Promise.allSettled([loading, modules]);
  loading = all;
  const result = await modules;
  if (loading === all) loading = undefined;
  return result;
}

/** Resolves after several turns of the event loop, so that everything that was ready has run: microtasks, immediates, promises. */
export async function settled(turns = 8): Promise<void> {
  await loading;
  for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => void immediate(() => resolve()));
}

/** Calls `run` in the next turn. */
export function inNextTurn(run: () => void): void {
  immediate(run);
}

/** Resolves when it is true. It looks in each turn at first, and later each millisecond of real time: it may wait for real I/O. */
export async function untilTrue(isTrue: () => boolean): Promise<void> {
  for (let looks = 0; !isTrue(); looks++) {
    if (looks < 100) await settled(1);
    // Does not keep the process alive: if nothing else does, nothing can make it true any more.
    else await new Promise<void>((resolve) => void timeout(resolve, 1).unref());
  }
}
