/** One timer for any number of deadlines. */
import type { Clock, Timer } from './clock.ts';

/** Whose deadlines they are. */
export interface DeadlineOwner {
  /** The earliest deadline that was set has come. It may have moved since: then the timer is to be set again. */
  onDeadline(): void;
}

/**
 * Rings at the earliest time it was set to. It is not set back when a deadline moves away, as happens with every message:
 * it rings at the old time, and its owner looks at what is due and sets it again. So a timer is created once per
 * time-out and not once per message.
 */
export class DeadlineTimer {
  readonly #clock: Clock;
  readonly #owner: DeadlineOwner;
  #timer: Timer | undefined;
  #at = 0;

  constructor(clock: Clock, owner: DeadlineOwner) {
    this.#clock = clock;
    this.#owner = owner;
  }

  /** Makes sure that it rings at this time of the clock, or earlier. Infinity sets nothing. */
  set(at: number): void {
    if (at === Number.POSITIVE_INFINITY || (this.#timer && this.#at <= at)) return;
    this.#timer?.cancel();
    this.#at = at;
    this.#timer = this.#clock.after(Math.max(1, Math.ceil(at - this.#clock.now())), this.#ring);
  }

  readonly #ring = (): void => {
    this.#timer = undefined;
    this.#owner.onDeadline();
  };

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
