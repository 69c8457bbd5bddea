/**
 * A rate limit: how many messages (or connections) may be served now, and when the next one is due.
 *
 * The virtual scheduling form of the generic cell rate algorithm (ITU-T I.371). Its state is one number: the time at which
 * the next message is due.
 */
export class RateLimit {
  readonly #intervalMs: number;
  readonly #burstMs: number;
  readonly #toleranceMs: number;
  #due: number;

  /**
   * @param perSecond messages per second, above 0
   * @param burst the number of messages that may arrive at once after a pause
   */
  constructor(perSecond: number, burst: number, now: number) {
    this.#intervalMs = 1000 / perSecond;
    this.#burstMs = (burst - 1) * this.#intervalMs;
    this.#toleranceMs = this.#burstMs + (this.#intervalMs < timerSlackMs ? timerSlackMs : 0);
    this.#due = now - this.#burstMs;
  }

  /**
   * Admits up to `requested` messages. Returns the number admitted.
   *
   * @param stalledMs the time until now in which nothing was read: what arrived at the allowed rate meanwhile is admitted at once
   */
  admit(requested: number, now: number, stalledMs = 0): number {
    const due = Math.max(this.#due, now - this.#toleranceMs - stalledMs);
    const intervals = (now + roundingMs - due) / this.#intervalMs;
    if (intervals < 0) return 0;
    const admitted = Math.min(requested, 1 + Math.floor(intervals));
    this.#due = due + admitted * this.#intervalMs;
    return admitted;
  }

  /** Whether the whole burst is available again, as if nothing had been admitted before. */
  isFull(now: number): boolean {
    return this.#due <= now - this.#burstMs;
  }

  /** When the next message may be served. */
  get due(): number {
    return this.#due;
  }
}

/** A third of a second is not exact: without this, the third of three messages per second could be one too many. */
const roundingMs = 1e-3;
/** Timers fire late by a millisecond or more. A fast rate may catch up by this much; otherwise it would not be reached. */
const timerSlackMs = 5;
