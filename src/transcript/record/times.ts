/** The times in a recording. */
import { formatQuantity } from '../../format/units.ts';

/**
 * How a recording notes how long it took from one line to the next: as comments, which only `serve --pace` and `replay` read;
 * as pauses, which everything plays; or not at all.
 */
export const recordedTimes = ['comments', 'wait', 'none'] as const;

/** One of {@link recordedTimes}. */
export type RecordedTimes = (typeof recordedTimes)[number];

/** Less than this is not noted, so that the messages of one turn stay together. It counts towards the next time. */
export const shortestTimeMs = 5;

/** Writes a line with the time that has passed before each line for which that was long enough. */
export class TimeLines {
  readonly #form: RecordedTimes;
  readonly #now: (() => number) | undefined;
  /** The time that the lines so far account for. Their sum is never further from the truth than the shortest time. */
  #noted: number;

  /** @param now a clock in milliseconds; undefined: no times */
  constructor(form: RecordedTimes, now: (() => number) | undefined) {
    this.#form = form;
    this.#now = form === 'none' ? undefined : now;
    this.#noted = this.#now?.() ?? 0;
  }

  /** The line that precedes what happens now; empty if no time has passed. */
  before(): string {
    if (!this.#now) return '';
    const passed = Math.floor(this.#now() - this.#noted);
    if (passed < shortestTimeMs) return '';
    this.#noted += passed;
    return `${this.#form === 'wait' ? '@wait' : '#+'} ${formatQuantity('duration', passed)}\n`;
  }
}
