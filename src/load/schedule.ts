/** A process's share of a rate: message number `offset` of the run, and every `every`-th one after it. */
export interface ScheduleOptions {
  /** When the run starts, in milliseconds. */
  readonly start: number;
  /** Messages per second of the whole run. */
  readonly rate: number;
  readonly every: number;
  readonly offset: number;
}

/** When the messages of a process are due. They are numbered from 0. */
export interface DueTimes {
  /** When a message is due, in milliseconds. */
  dueAt(number: number): number;
  /** The number of messages due at `now` or earlier. */
  countUpTo(now: number): number;
}

/** When messages are due: at even intervals. They are numbered from 0. */
export class Schedule implements DueTimes {
  readonly #first: number;
  readonly #interval: number;

  constructor({ start, rate, every, offset }: ScheduleOptions) {
    this.#first = start + (offset * 1000) / rate;
    this.#interval = (every * 1000) / rate;
  }

  dueAt(number: number): number {
    return this.#first + number * this.#interval;
  }

  countUpTo(now: number): number {
    return Math.max(0, Math.floor((now - this.#first) / this.#interval) + 1);
  }
}
