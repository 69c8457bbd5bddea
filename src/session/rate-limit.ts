/**
 * The pace of one connection: how many messages may be served now, and when the next one.
 *
 * The virtual scheduling form of the generic cell rate algorithm (ITU-T I.371): it keeps one number, the time at which the
 * next message is due.
 */
export class RateLimit {
  readonly #intervalMs: number;
  readonly #burstMs: number;
  readonly #toleranceMs: number;
  #due: number;

  /**
   * @param perSecond messages a second, above 0
   * @param burst how many messages may come at once after a pause
   */
  constructor(perSecond: number, burst: number, now: number) {
    this.#intervalMs = 1000 / perSecond;
    this.#burstMs = (burst - 1) * this.#intervalMs;
    this.#toleranceMs = this.#burstMs + (this.#intervalMs < timerSlackMs ? timerSlackMs : 0);
    this.#due = now - this.#burstMs;
  }

  /** Admits up to `wanted` messages and says how many. */
  admit(wanted: number, now: number): number {
    const due = Math.max(this.#due, now - this.#toleranceMs);
    if (due > now) return 0;
    const admitted = Math.min(wanted, 1 + Math.floor((now - due) / this.#intervalMs));
    this.#due = due + admitted * this.#intervalMs;
    return admitted;
  }

  /** Whether the whole burst may come again: it is as if there had been nothing before. */
  isFull(now: number): boolean {
    return this.#due <= now - this.#burstMs;
  }

  /** When the next message may be served. */
  get due(): number {
    return this.#due;
  }
}

/** Timers are late by a millisecond or more: a fast pace may catch up so much, or it would not be kept. A slow one is a true sleep. */
const timerSlackMs = 5;
