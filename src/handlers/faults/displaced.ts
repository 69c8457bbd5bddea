/** Messages that others overtake. */
import type { Clock, Timer } from '../../clock.ts';

interface Waiting<Entry> {
  readonly entry: Entry;
  /** The number of messages that still overtake it. */
  left: number;
  readonly timer: Timer;
}

/** Messages that wait until others have passed them, or for a time. */
export class Displaced<Entry> {
  readonly #clock: Clock;
  readonly #release: (entry: Entry) => void;
  #waiting: Waiting<Entry>[] = [];

  /** @param release takes a message that has waited long enough */
  constructor(clock: Clock, release: (entry: Entry) => void) {
    this.#clock = clock;
    this.#release = release;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Keeps a message until `distance` others have passed, or `within` milliseconds. */
  add(entry: Entry, { distance, within }: { readonly distance: number; readonly within: number }): void {
    const timer = this.#clock.after(within, () => this.#releaseThose((one) => one.entry === entry));
    this.#waiting.push({ entry, left: distance, timer });
  }

  /** A message has passed those that wait. */
  passed(): void {
    if (this.isEmpty) return;
    for (const one of this.#waiting) one.left--;
    this.#releaseThose(({ left }) => left <= 0);
  }

  /** No others come. */
  releaseAll(): void {
    this.#releaseThose(() => true);
  }

  drop(): void {
    for (const { timer } of this.#waiting) timer.cancel();
    this.#waiting = [];
  }

  #releaseThose(test: (one: Waiting<Entry>) => boolean): void {
    const released = this.#waiting.filter(test);
    this.#waiting = this.#waiting.filter((one) => !released.includes(one));
    for (const { entry, timer } of released) {
      timer.cancel();
      this.#release(entry);
    }
  }
}
