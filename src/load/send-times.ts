import type { LatencyRecorder } from './latency-log.ts';

/**
 * The times at which the unanswered messages were sent, as a queue of runs: a hundred messages sent in one write are one
 * entry, and are timed together if their replies arrive together.
 */
export class SendTimes {
  #times = new Float64Array(8);
  #counts = new Float64Array(8);
  #first = 0;
  /** The number of runs. */
  #length = 0;

  /** Adds messages sent, or due, at `time`. */
  push(time: number, count: number): void {
    if (this.#length === this.#times.length) this.#grow();
    const at = (this.#first + this.#length) & (this.#times.length - 1);
    this.#times[at] = time;
    this.#counts[at] = count;
    this.#length++;
  }

  /** Removes the oldest `count` messages, which must exist, and records their latencies. */
  take(count: number, now: number, latencies?: LatencyRecorder): void {
    let left = count;
    while (left > 0) {
      const waiting = this.#counts[this.#first] as number;
      const taken = left < waiting ? left : waiting;
      latencies?.record(now - (this.#times[this.#first] as number), taken);
      left -= taken;
      if (taken < waiting) {
        this.#counts[this.#first] = waiting - taken;
        return;
      }
      this.#first = (this.#first + 1) & (this.#times.length - 1);
      this.#length--;
    }
  }

  /** When the oldest message was sent; Infinity when there is none. */
  get oldest(): number {
    return this.#length === 0 ? Number.POSITIVE_INFINITY : (this.#times[this.#first] as number);
  }

  /** The number of messages sent at `time` or earlier. */
  countUpTo(time: number): number {
    let count = 0;
    for (let run = 0; run < this.#length; run++) {
      const at = (this.#first + run) & (this.#times.length - 1);
      if ((this.#times[at] as number) > time) break;
      count += this.#counts[at] as number;
    }
    return count;
  }

  clear(): void {
    this.#length = 0;
  }

  #grow(): void {
    const size = this.#times.length;
    const times = new Float64Array(size * 2);
    const counts = new Float64Array(size * 2);
    for (let run = 0; run < size; run++) {
      const at = (this.#first + run) & (size - 1);
      times[run] = this.#times[at] as number;
      counts[run] = this.#counts[at] as number;
    }
    this.#times = times;
    this.#counts = counts;
    this.#first = 0;
  }
}
