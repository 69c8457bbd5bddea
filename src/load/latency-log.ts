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
  /** Of a run with a transcript: the request to which they belong. */
  readonly request?: number | undefined;
}

/** A connection has this many entries at least, all connections of a process together this many. */
const minEntries = 1024;
const maxEntries = 4_194_304;

/** The shortest and the longest time to listen for replies that are too many, at the end of a run. */
const minListenMs = 250;
const maxListenMs = 2000;

/**
 * How long to listen for replies that are too many, after the last one, in milliseconds: if the server answers one request after
 * the other, and one of its messages was none, that is how late the real last reply may be.
 */
export function listenMs(slowest: number): number {
  return Math.min(maxListenMs, Math.max(minListenMs, 2 * slowest));
}

/**
 * The latencies that a connection has recorded, where replies have nothing that says which message they answer.
 *
 * The first reply is then taken for that of the oldest unanswered message. If it turns out later that the server sent more
 * messages than requests, or fewer, every latency since then may belong to another message: they are taken back. Of very many,
 * the older ones are only counted by bucket.
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
  /** What there was no room for, up to when nothing was unanswered, and since then. */
  #oldSettled = new OldLatencies();
  #oldUnsettled = new OldLatencies();
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
    if (this.#oldUnsettled.from !== undefined) this.#settleOld();
  }

  #settleOld(): void {
    this.#oldSettled.addAll(this.#oldUnsettled);
    this.#oldUnsettled = new OldLatencies();
  }

  /** Takes back all latencies: the server sent more messages than requests. Undefined if there are none. */
  retractAll(): Retraction | undefined {
    this.#settleOld();
    const old = this.#oldSettled;
    this.#oldSettled = new OldLatencies();
    return this.#retractFrom(0, old);
  }

  /** Takes back the latencies since all messages were answered: a reply is missing, perhaps not the last one. */
  retractUnsettled(): Retraction | undefined {
    const old = this.#oldUnsettled;
    this.#oldUnsettled = new OldLatencies();
    return this.#retractFrom(this.#settled, old);
  }

  /** @param old what precedes the entries and is taken back, too */
  #retractFrom(first: number, old: OldLatencies): Retraction | undefined {
    const from = old.from ?? (first < this.#length ? this.#seconds[first] : undefined);
    if (from === undefined) return undefined;
    const buckets = old.toBuckets();
    for (let at = first; at < this.#length; at++) buckets.push(this.#buckets[at] as number, this.#counts[at] as number);
    this.#length = first;
    return { from, buckets };
  }

  /** Doubles the memory, or joins the older half by bucket. */
  #makeRoom(): void {
    const size = this.#length;
    const [from, newSize] = size * 2 <= this.#max ? [0, size * 2] : [size / 2, size];
    for (let at = 0; at < from; at++) {
      const old = at < this.#settled ? this.#oldSettled : this.#oldUnsettled;
      old.add(this.#buckets[at] as number, this.#counts[at] as number, this.#seconds[at] as number);
    }
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

/** Latencies by bucket. */
class OldLatencies {
  /** The second of the run of the first one. */
  from: number | undefined;
  readonly #counts = new Map<number, number>();

  add(bucket: number, count: number, second: number): void {
    this.from ??= second;
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + count);
  }

  addAll(later: OldLatencies): void {
    if (later.from === undefined) return;
    this.from ??= later.from;
    for (const [bucket, count] of later.#counts) this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + count);
  }

  /** As in a {@link Retraction}. */
  toBuckets(): number[] {
    return [...this.#counts].flat();
  }
}
