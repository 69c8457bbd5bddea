/** The clock of sessions and clients, which tests can replace. */
import { type Linked, LinkedSet } from './linked-set.ts';

/** A clock: real time, or a fake in tests. */
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
 * For this long, a new timer is only an entry in a list. A connection that is closed, or a request that is answered,
 * within this time never needs a timer of the runtime: creating and clearing one costs Node 1 us and 1 KB of garbage, a
 * seventh of all that a short connection allocates.
 */
const deferMs = 250;

/** Timers set less than `deferMs` ago, the oldest first. */
const deferred = new LinkedSet<RealTimer>();
/** Sweeps `deferred`. It keeps the process alive only while there are deferred timers. */
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
    if (delayMs < 2 * deferMs) this.#timeout = setTimeout(run, delayMs);
    else defer(this);
  }

  cancel(): void {
    if (this.#timeout) clearTimeout(this.#timeout);
    else if (deferred.delete(this) && deferred.size === 0) sweeper?.unref();
  }

  /** Sets a timer of the runtime for the rest of the delay. */
  setRuntimeTimer(now: number): void {
    deferred.delete(this);
    this.#timeout = setTimeout(this.#run, Math.ceil(this.setAt + this.#delayMs - now));
  }
}

function defer(timer: RealTimer): void {
  deferred.add(timer);
  if (!sweeper) sweeper = setTimeout(sweep, deferMs);
  else if (deferred.size === 1) sweeper.ref();
}

function sweep(): void {
  const now = performance.now();
  const before = now - deferMs;
  for (let timer = deferred.first; timer && timer.setAt <= before; timer = deferred.first) timer.setRuntimeTimer(now);
  sweeper = deferred.size === 0 ? undefined : setTimeout(sweep, deferMs);
}
