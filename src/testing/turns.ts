/**
 * Turns of the event loop. The runtime's functions are kept as they are now: a test may replace the global ones later, with the fake
 * timers of its framework.
 */
const immediate = globalThis.setImmediate;
const timeout = globalThis.setTimeout;

/** Resolves after several turns of the event loop, so that everything that was ready has run: microtasks, immediates, promises. */
export async function settled(turns = 8): Promise<void> {
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
