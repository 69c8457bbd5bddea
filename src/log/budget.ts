/**
 * How much of the log is formatted. A line costs the event loop about a microsecond, and a peer can cause a hundred thousand of
 * them with one packet's worth of bytes. So a number of lines per second is formatted, and the rest is only counted.
 *
 * The last half of what is available is a reserve, of which a source can take the less, the more it has used already. So a
 * peer that floods the server does not silence the others, and among many that do, those that send little are preferred.
 */

/** Long lines count as several, one for each of this number of characters. */
const lineLength = 256;
/** What is available at once: a tenth of a second's worth, at least this number of lines, and the same again in reserve. */
const minBurst = 2000;
/** A source can take a line of the reserve while this many times what it has used is available: 50 floods leave something. */
const fairness = 16;
/** Above this part of a burst a source is heavy. */
const heavy = 1 / 8;

/** Lines per second, shared by sources. */
export class Budget {
  readonly #perMs: number;
  readonly #reserved: number;
  #available: number;
  #filledAt = 0;

  /** @param rate lines per second */
  constructor(rate: number) {
    this.#perMs = rate / 1000;
    this.#reserved = Math.max(minBurst, rate / 10);
    this.#available = 2 * this.#reserved;
  }

  /** Adds what has become available. @param now the time in milliseconds; it may jump */
  fill(now: number): void {
    const elapsed = now - this.#filledAt;
    if (elapsed === 0) return;
    this.#filledAt = now;
    if (elapsed > 0) this.#available = Math.min(2 * this.#reserved, this.#available + elapsed * this.#perMs);
  }

  /** Whether a source that has spent this much in the current interval can have a line. */
  allows(spent: number): boolean {
    return this.#available > Math.min(this.#reserved, spent * fairness);
  }

  /** Whether a source that has spent this much is one of those that the others are protected from. */
  isHeavy(spent: number): boolean {
    return spent >= this.#reserved * heavy;
  }

  /** Takes a line of this length, and returns its cost in lines. */
  take(length: number): number {
    const cost = 1 + length / lineLength;
    this.#available -= cost;
    return cost;
  }
}
