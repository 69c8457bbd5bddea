/** Time under the control of a test. */
import type { Clock, Timer } from '../../src/clock.ts';
import { longestDuration } from '../../src/options.ts';

interface FakeTimer {
  at: number;
  readonly isDeadline: boolean;
  readonly run: () => void;
}

/** A clock that moves only in `advance`. */
export class FakeClock implements Clock {
  #now = 1_000_000;
  #timers: FakeTimer[] = [];
  #lost = 0;
  #lastStall = 0;

  now(): number {
    return this.#now;
  }

  ran(): number {
    return this.#now - this.#lost;
  }

  stalled(): number {
    return this.#lastStall;
  }

  /** The process does not run for this time. Rates allow for it until the next `advance`. */
  stall(milliseconds: number): void {
    this.#now += milliseconds;
    this.#lost += milliseconds;
    this.#lastStall = milliseconds;
    for (const timer of this.#timers) if (timer.isDeadline) timer.at += milliseconds;
  }

  /** The number of pending timers. */
  get waiting(): number {
    return this.#timers.length;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#add({ at: this.#now + delayMs, isDeadline: false, run });
  }

  deadline(delayMs: number, run: () => void): Timer {
    return this.#add({ at: this.#now + delayMs, isDeadline: true, run });
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

  soon(run: () => void): void {
    setImmediate(run);
  }

  /** Moves the time forward. Timers that expire in that time run at their due time, in order. */
  async advance(milliseconds: number): Promise<void> {
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
}

/** Resolves after several rounds of microtasks and immediates, so that everything ready has run. */
export async function settled(): Promise<void> {
  for (let round = 0; round < 8; round++) await new Promise((resolve) => setImmediate(resolve));
}
