import { bucketOf } from './histogram.ts';

/** Records latencies. */
export interface LatencyRecorder {
  record(value: number, count?: number): void;
}

/** Latencies that are taken back. */
export interface Retraction {
  /** The second of the run in which the first of them was recorded. */
  readonly from: number;
  /** How many there are in which buckets of the histogram: index, count, index, count, … */
  readonly buckets: readonly number[];
}

/** A connection remembers this many entries at least, all connections of a process together this many. */
const minEntries = 1024;
const maxEntries = 4_194_304;

/**
 * The latencies that a connection has recorded, where replies have nothing that says which message they answer.
 *
 * The first reply is then taken for that of the oldest unanswered message. If it turns out later that the server sent more
 * messages than requests, or fewer, every latency since then may belong to another message: they are taken back. Only the
 * latest ones are remembered, those of hours ago are not.
 */
export class LatencyLog implements LatencyRecorder {
  readonly #latency: LatencyRecorder;
  readonly #second: () => number;
  readonly #max: number;
  #buckets = new Uint16Array(64);
  #counts = new Uint32Array(64);
  /** The second of the run of each entry. */
  #seconds = new Uint32Array(64);
  #length = 0;
  /** The number of entries up to which nothing was unanswered: a reply that is missing was missing after them. */
  #settled = 0;
  /** The largest latency. */
  slowest = 0;

  /**
   * @param latency where the latencies are recorded
   * @param second returns the second of the run
   * @param connections the number of connections in this process
   */
  constructor(latency: LatencyRecorder, second: () => number, connections: number) {
    this.#latency = latency;
    this.#second = second;
    this.#max = Math.max(minEntries, Math.floor(maxEntries / connections));
  }

  record(value: number, count = 1): void {
    this.#latency.record(value, count);
    if (value > this.slowest) this.slowest = value;
    const bucket = bucketOf(value);
    const second = this.#second();
    const last = this.#length - 1;
    if (last >= this.#settled && this.#buckets[last] === bucket && this.#seconds[last] === second) {
      this.#counts[last] = (this.#counts[last] as number) + count;
      return;
    }
    if (this.#length === this.#buckets.length) this.#makeRoom();
    this.#buckets[this.#length] = bucket;
    this.#counts[this.#length] = count;
    this.#seconds[this.#length] = second;
    this.#length++;
  }

  /** Every message so far has been answered. */
  settle(): void {
    this.#settled = this.#length;
  }

  /** Takes back all latencies: the server sent more messages than requests. Undefined if there are none. */
  retractAll(): Retraction | undefined {
    return this.#retractFrom(0);
  }

  /** Takes back the latencies since all messages were answered: a reply is missing, perhaps not the last one. */
  retractUnsettled(): Retraction | undefined {
    return this.#retractFrom(this.#settled);
  }

  #retractFrom(first: number): Retraction | undefined {
    if (first >= this.#length) return undefined;
    const buckets: number[] = [];
    for (let at = first; at < this.#length; at++) buckets.push(this.#buckets[at] as number, this.#counts[at] as number);
    const from = this.#seconds[first] as number;
    this.#length = first;
    return { from, buckets };
  }

  /** Doubles the memory, or forgets the older half. */
  #makeRoom(): void {
    const size = this.#length;
    const [from, newSize] = size * 2 <= this.#max ? [0, size * 2] : [size / 2, size];
    const moved = <List extends Uint16Array | Uint32Array>(old: List, list: List): List => {
      list.set(old.subarray(from));
      return list;
    };
    this.#buckets = moved(this.#buckets, new Uint16Array(newSize));
    this.#counts = moved(this.#counts, new Uint32Array(newSize));
    this.#seconds = moved(this.#seconds, new Uint32Array(newSize));
    this.#length = size - from;
    this.#settled = Math.max(0, this.#settled - from);
  }
}
