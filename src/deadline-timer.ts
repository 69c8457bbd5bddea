/** One timer for any number of deadlines. */
import type { Clock, Timer } from './clock.ts';

/** The owner of the deadlines. */
export interface DeadlineOwner {
  /** The earliest deadline that was set is due. It may have moved since; the owner then sets the timer again. */
  onDeadline(): void;
}

/**
 * Fires at the earliest time it was set to. It is not reset when a deadline moves later, as happens with every message: it
 * fires at the old time, and its owner checks what is due and sets it again. So a timer is created once per time-out and
 * not once per message.
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

  /** Makes sure that it fires at this time of {@link Clock.ran}, or earlier. Infinity sets nothing. */
  set(at: number): void {
    if (at === Number.POSITIVE_INFINITY || (this.#timer && this.#at <= at)) return;
    this.#timer?.cancel();
    this.#at = at;
    this.#timer = this.#clock.deadline(Math.max(1, Math.ceil(at - this.#clock.ran())), this.#fire);
  }

  readonly #fire = (): void => {
    this.#timer = undefined;
    this.#owner.onDeadline();
  };

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
