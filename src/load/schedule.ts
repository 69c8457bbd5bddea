/** When the messages of an open loop are to be sent, whether or not the earlier ones were answered. */

/** A process's share of a rate: of all messages of the run, number `offset`, and from there each `every`-th. */
export interface ScheduleOptions {
  /** When the run begins; milliseconds. */
  readonly start: number;
  /** Messages a second of the whole run. */
  readonly rate: number;
  readonly every: number;
  readonly offset: number;
}

/** Messages at even distances in time. They are numbered from 0. */
export class Schedule {
  readonly #first: number;
  readonly #distance: number;

  constructor({ start, rate, every, offset }: ScheduleOptions) {
    this.#first = start + (offset * 1000) / rate;
    this.#distance = (every * 1000) / rate;
  }

  /** When a message is due; milliseconds. */
  dueAt(number: number): number {
    return this.#first + number * this.#distance;
  }

  /** How many messages are due at `now` or were before. */
  countUpTo(now: number): number {
    return Math.max(0, Math.floor((now - this.#first) / this.#distance) + 1);
  }
}
