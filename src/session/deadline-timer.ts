/** One timer for any number of deadlines. */
import type { Clock, Timer } from './clock.ts';

/**
 * Rings at the earliest time it was set to. It is not set back when a deadline moves away, which happens with each
 * message: it rings then, and whoever hears it looks what is due and sets it again. So a timer is made once a
 * time-out and not once a message.
 */
export class DeadlineTimer {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #timer: Timer | undefined;
  #at = 0;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Makes sure that it rings at this time of the clock, or before. Infinity asks for nothing. */
  set(at: number): void {
    if (at === Number.POSITIVE_INFINITY || (this.#timer && this.#at <= at)) return;
    this.#timer?.cancel();
    this.#at = at;
    this.#timer = this.#clock.after(Math.max(1, Math.ceil(at - this.#clock.now())), () => {
      this.#timer = undefined;
      this.#ring();
    });
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
