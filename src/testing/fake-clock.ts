/** Time under the control of a test. */
import type { Clock, Timer } from '../clock.ts';
import { longestDuration } from '../options.ts';
import { inNextTurn, settled } from './turns.ts';

interface FakeTimer {
  at: number;
  readonly isDeadline: boolean;
  readonly run: () => void;
}

/**
 * A clock that moves only when a test says so: for time-outs, rates, back-off, keep-alive and latency of servers and clients.
 *
 * ```ts
 * const clock = fakeClock();
 * const server = await serve({ clock, idleTimeout: 60_000 });
 * await clock.advance(60_000); // closes sessions that were idle
 * ```
 *
 * It is the clock of yodel only, also of `session.after`: other timers that a handler sets are those of the runtime, or of the test framework.
 */
export class FakeClock implements Clock {
  #now = 1_000_000;
  #timers: FakeTimer[] = [];
  #lost = 0;
  #lastStall = 0;

  /** Milliseconds; the beginning is arbitrary. */
  now(): number {
    return this.#now;
  }

  /** See `Clock.ran`. */
  ran(): number {
    return this.#now - this.#lost;
  }

  /** See `Clock.stalled`. */
  stalled(): number {
    return this.#lastStall;
  }

  /** The number of timers that have not fired. */
  get waiting(): number {
    return this.#timers.length;
  }

  /** See `Clock.after`. */
  after(delayMs: number, run: () => void): Timer {
    return this.#add({ at: this.#now + delayMs, isDeadline: false, run });
  }

  /** See `Clock.deadline`. */
  deadline(delayMs: number, run: () => void): Timer {
    return this.#add({ at: this.#now + delayMs, isDeadline: true, run });
  }

  /** See `Clock.soon`. */
  soon(run: () => void): void {
    inNextTurn(run);
  }

  /**
   * Moves the time forward. Timers that expire meanwhile run at their due time, in order, and after each of them everything that is
   * ready: promises, replies, what has arrived. Resolves when all of that is done.
   */
  async advance(milliseconds: number): Promise<void> {
    if (!(milliseconds >= 0)) throw new RangeError(`advance() takes milliseconds from 0, not ${milliseconds}`);
    const end = this.#now + milliseconds;
    await settled();
    this.#lastStall = 0;
    for (;;) {
      const next = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#now = Math.max(this.#now, next.at);
      this.#timers = this.#timers.filter((timer) => timer !== next);
      next.run();
      await settled();
    }
    this.#now = end;
    await settled();
  }

  /**
   * The process does not run for this time, as when a computer sleeps: time-outs do not count it, and rates allow for it until the next
   * {@link advance}.
   */
  stall(milliseconds: number): void {
    this.#now += milliseconds;
    this.#lost += milliseconds;
    this.#lastStall = milliseconds;
    for (const timer of this.#timers) if (timer.isDeadline) timer.at += milliseconds;
  }

  #add(timer: FakeTimer): Timer {
    if (timer.at - this.#now > longestDuration) throw new Error('the timers of the runtimes would fire at once');
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((one) => one !== timer);
      },
    };
  }
}

/** Creates a clock for `serve()`, `connect()` and the transport in memory. */
export function fakeClock(): FakeClock {
  return new FakeClock();
}
