/** A limit for what is done at the same time: the rest waits, first come, first served. */
import { Queue } from './queue.ts';

/** See the top of the file. */
export class Slots {
  #left: number;
  readonly #waiting = new Queue<() => void>();

  /** @param count how many tasks run at a time */
  constructor(count: number) {
    this.#left = count;
  }

  /** Runs a task once a slot is free, and returns what it returns. */
  async run<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#left === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#left--;
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      // The slot is the next one's.
      if (next) next();
      else this.#left++;
    }
  }
}
