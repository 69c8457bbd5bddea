/**
 * Judges by its beats whether an event loop is blocked. Time is the sum of the intervals between looks, and none of them
 * counts for much more than it should last: while the whole process was stopped, by a signal or because the machine slept,
 * the loop was not blocked.
 */

/** What has changed: the loop is blocked for longer than the threshold, or runs again. */
export type StallChange = 'blocked' | 'over';

/** The most that the time between two looks counts, as a multiple of the interval. */
const maxFactor = 1.5;

/** One event loop. Times are milliseconds. */
export class Stall {
  readonly #thresholdMs: number;
  readonly #intervalMs: number;
  #beat: number | undefined;
  #blockedMs = 0;
  /** How long the last stall that is over lasted. */
  #lastMs = 0;

  /** @param intervalMs between two looks, and at least between two beats */
  constructor(thresholdMs: number, intervalMs: number) {
    this.#thresholdMs = thresholdMs;
    this.#intervalMs = intervalMs;
  }

  /** How long the loop has been blocked; when it runs again, how long it was. */
  get blockedMs(): number {
    return this.#blockedMs || this.#lastMs;
  }

  /** Whether it is blocked for longer than the threshold. */
  get isBlocked(): boolean {
    return this.#blockedMs >= this.#thresholdMs;
  }

  /** @param beat the number of beats so far @param elapsedMs since the last look */
  look(beat: number, elapsedMs: number): StallChange | undefined {
    const wasBlocked = this.isBlocked;
    const countedMs = Math.min(elapsedMs, maxFactor * this.#intervalMs);
    if (beat !== this.#beat) {
      this.#beat = beat;
      this.#lastMs = this.#blockedMs + countedMs;
      this.#blockedMs = 0;
      return wasBlocked ? 'over' : undefined;
    }
    this.#blockedMs += countedMs;
    return this.isBlocked && !wasBlocked ? 'blocked' : undefined;
  }
}
