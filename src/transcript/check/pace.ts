/** The shortest and the longest quiet time, in milliseconds. */
const shortest = 200;
const longest = 1000;

/**
 * How long a server may be quiet between two messages, learned from the conversation. After a message that is not as expected,
 * this decides whether others follow: waiting until the time limit would cost seconds for each difference.
 */
export class Pace {
  readonly #given: number | undefined;
  #longestWait = 0;

  /** @param given the quiet time to use instead, in milliseconds */
  constructor(given?: number) {
    this.#given = given;
  }

  /** A message was waited for and came. */
  waited(ms: number): void {
    this.#longestWait = Math.max(this.#longestWait, ms);
  }

  /** Milliseconds without a message after which none is likely to follow. */
  get quietMs(): number {
    return this.#given ?? Math.min(longest, Math.max(shortest, 2 * this.#longestWait));
  }
}
