/** What is expensive to make, for any number of requests. */
import type { Clock } from '../clock.ts';

/** On average it is made at most once in this time; more rarely if it takes longer. In milliseconds. */
const intervalMs = 1000;
/** So often it may be made one after another, for people who look several times. */
const burst = 3;

/**
 * Makes a value on request. Requests that come while it is made share it, and so do those that come too soon after several
 * others: they get the last value, which is at most one interval old.
 */
export class Shared<Value> {
  readonly #make: () => Promise<Value>;
  readonly #clock: Pick<Clock, 'now'>;
  #making: Promise<Value> | undefined;
  /** When everything made so far would be over if it had been made in intervals. */
  #paidUntil = Number.NEGATIVE_INFINITY;
  #last: Value | undefined;

  constructor(make: () => Promise<Value>, clock: Pick<Clock, 'now'>) {
    this.#make = make;
    this.#clock = clock;
  }

  /** @throws what making it throws */
  async get(): Promise<Value> {
    const isTooSoon = this.#paidUntil > this.#clock.now() + (burst - 1) * intervalMs;
    if (this.#last !== undefined && isTooSoon && !this.#making) return this.#last;
    this.#making ??= this.#makeNow().finally(() => {
      this.#making = undefined;
    });
    return await this.#making;
  }

  async #makeNow(): Promise<Value> {
    const before = this.#clock.now();
    this.#last = await this.#make();
    const tookMs = this.#clock.now() - before;
    this.#paidUntil = Math.max(this.#paidUntil, before) + Math.max(intervalMs, tookMs);
    return this.#last;
  }
}
