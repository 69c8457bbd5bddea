/** Time as sessions and clients see it, so that tests can control it. */
import { type Linked, LinkedSet } from '../linked-set.ts';

/** A clock: the real one, or a test's. */
export interface Clock {
  /** Monotonic time in milliseconds; not the time of day. */
  now(): number;
  /** Calls `run` once after `delayMs`. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls `run` once, after the I/O that is ready now has been delivered. */
  soon(run: () => void): void;
}

/** A timer that has not fired yet. */
export interface Timer {
  cancel(): void;
}

/** The real time. */
export const realClock: Clock = {
  now: () => performance.now(),
  after: (delayMs, run) => new RealTimer(delayMs, run),
  soon: (run) => void setImmediate(run),
};

/**
 * How long a timer is only an entry in a list. A connection that is closed within this time, or a request that is
 * answered, never needs a timer of the runtime: creating and clearing one costs Node 1 us and 1 KB of garbage, a seventh
 * of all that a short connection allocates.
 */
const youngMs = 250;

/** Timers younger than `youngMs`, the oldest first. */
const young = new LinkedSet<RealTimer>();
/** Sweeps `young`. Without young timers it does not keep the process alive. */
let sweeper: ReturnType<typeof setTimeout> | undefined;

class RealTimer implements Timer, Linked<RealTimer> {
  memberOf: object | undefined;
  previousMember: RealTimer | undefined;
  nextMember: RealTimer | undefined;
  readonly setAt: number;
  readonly #delayMs: number;
  readonly #run: () => void;
  #timeout: ReturnType<typeof setTimeout> | undefined;

  constructor(delayMs: number, run: () => void) {
    this.setAt = performance.now();
    this.#delayMs = delayMs;
    this.#run = run;
    if (delayMs < 2 * youngMs) this.#timeout = setTimeout(run, delayMs);
    else addYoung(this);
  }

  cancel(): void {
    if (this.#timeout) clearTimeout(this.#timeout);
    else if (young.delete(this) && young.size === 0) sweeper?.unref();
  }

  /** Hands the rest of the delay to a timer of the runtime. */
  mature(now: number): void {
    young.delete(this);
    this.#timeout = setTimeout(this.#run, Math.ceil(this.setAt + this.#delayMs - now));
  }
}

function addYoung(timer: RealTimer): void {
  young.add(timer);
  if (!sweeper) sweeper = setTimeout(sweep, youngMs);
  else if (young.size === 1) sweeper.ref();
}

function sweep(): void {
  const now = performance.now();
  for (let timer = young.first; timer && timer.setAt <= now - youngMs; timer = young.first) timer.mature(now);
  sweeper = young.size === 0 ? undefined : setTimeout(sweep, youngMs);
}
