/** A time-out for something that has to make progress. */
import type { Clock, Timer } from '../clock.ts';

/**
 * Calls `expired` when it has run for `limitMs` without progress. Progress costs a clock reading, not a timer: the timer fires at
 * its old time, and is set again for the rest.
 */
export class ProgressTimer {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #expired: () => void;
  #timer: Timer | undefined;
  #since = 0;

  /** @param limitMs 0: never */
  constructor(clock: Clock, limitMs: number, expired: () => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#expired = expired;
  }

  /** Starts to count, unless it does already. */
  start(): void {
    if (this.#timer || this.#limitMs === 0) return;
    this.#since = this.#clock.ran();
    this.#set(this.#limitMs);
  }

  /** Counts from now on, if it counts. */
  progress(): void {
    if (this.#timer) this.#since = this.#clock.ran();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #set(delayMs: number): void {
    this.#timer = this.#clock.deadline(delayMs, () => {
      this.#timer = undefined;
      const left = this.#since + this.#limitMs - this.#clock.ran();
      if (left > 0) this.#set(Math.ceil(left));
      else this.#expired();
    });
  }
}
