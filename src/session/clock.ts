/** Time as sessions and clients see it, so that tests can turn it by hand. */
export interface Clock {
  /** Milliseconds that only ever grow; not the time of day. */
  now(): number;
  /** Calls `run` once after `delayMs`. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls `run` once, after the I/O that is ready now has been delivered. */
  soon(run: () => void): void;
}

/** A timer that has not gone off yet. */
export interface Timer {
  cancel(): void;
}

/** The real time. */
export const realClock: Clock = {
  now: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  soon: (run) => void setImmediate(run),
};
