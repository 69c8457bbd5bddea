/** Counts and latencies of an interval or a whole run, in one process or in all. */
import { Histogram, type HistogramData } from './histogram.ts';
import type { Retraction } from './latency-log.ts';

/** A tally as JSON, for another process. */
export interface TallyData {
  readonly counts: Readonly<Record<CountName, number>>;
  readonly errors: readonly (readonly [code: string, count: number, example: string])[];
  readonly latency: HistogramData;
  readonly lateness: HistogramData;
  readonly connect: HistogramData;
  readonly retractions: readonly Retraction[];
}

const countNames = [
  ...(['sent', 'answered', 'failed', 'unasked', 'untimed'] as const),
  ...(['bytesSent', 'bytesReceived', 'opened', 'lost'] as const),
] as const;
type CountName = (typeof countNames)[number];

/** Counts, errors by their code, and two histograms. */
export class Tally {
  /** Messages passed to connections. */
  sent = 0;
  /** Messages with a reply. If no replies are expected, those the operating system has taken. */
  answered = 0;
  /** Messages whose reply reported an error. They are answered, but not in `latency`. */
  failed = 0;
  /** Messages of the server that were no replies, because nothing had been sent before. */
  unasked = 0;
  /** Answered messages whose latencies were taken back, because they may belong to other messages. */
  untimed = 0;
  bytesSent = 0;
  bytesReceived = 0;
  /** Connections opened. */
  opened = 0;
  /** Connections lost before the end of the run. */
  lost = 0;
  /** Milliseconds from when a message was sent, or in an open loop was due, to its reply. */
  readonly latency = new Histogram();
  /** Milliseconds from when a message was due to when it was sent, if the generator caused the delay. */
  readonly lateness = new Histogram();
  /** Milliseconds from the beginning of a connection until it could send, if each message has its own. */
  readonly connect = new Histogram();
  readonly errors = new Map<string, { count: number; example: string }>();
  /** Latencies of this interval or earlier ones that are taken back. They are not removed from `latency` here. */
  readonly retractions: Retraction[] = [];

  /** The number of errors of all codes. */
  get errorCount(): number {
    let sum = 0;
    for (const { count } of this.errors.values()) sum += count;
    return sum;
  }

  /** Counts an error. The first text of each code is kept as its example. */
  fail(code: string, example: string, count = 1): void {
    const known = this.errors.get(code);
    if (known) known.count += count;
    else this.errors.set(code, { count, example });
  }

  /** Takes back latencies that may have been recorded in other intervals. */
  retract(retraction: Retraction | undefined): void {
    if (!retraction) return;
    this.retractions.push(retraction);
    for (let at = 1; at < retraction.buckets.length; at += 2) this.untimed += retraction.buckets[at] as number;
  }

  /** Adds another tally. */
  add(other: Tally): void {
    for (const name of countNames) this[name] += other[name];
    this.latency.add(other.latency);
    this.lateness.add(other.lateness);
    this.connect.add(other.connect);
    for (const [code, { count, example }] of other.errors) this.fail(code, example, count);
    this.retractions.push(...other.retractions);
  }

  /** Resets everything to zero. */
  clear(): void {
    for (const name of countNames) this[name] = 0;
    this.latency.clear();
    this.lateness.clear();
    this.connect.clear();
    this.errors.clear();
    this.retractions.length = 0;
  }

  /** As plain data. */
  toJSON(): TallyData {
    return {
      counts: Object.fromEntries(countNames.map((name) => [name, this[name]])) as TallyData['counts'],
      errors: Array.from(this.errors, ([code, { count, example }]) => [code, count, example] as const),
      latency: this.latency.toJSON(),
      lateness: this.lateness.toJSON(),
      connect: this.connect.toJSON(),
      retractions: [...this.retractions],
    };
  }

  /** Adds the tally of another process. */
  addData({ counts, errors, latency, lateness, connect, retractions }: TallyData): void {
    for (const name of countNames) this[name] += counts[name];
    for (const [code, count, example] of errors) this.fail(code, example, count);
    this.latency.addData(latency);
    this.lateness.addData(lateness);
    this.connect.addData(connect);
    this.retractions.push(...retractions);
  }
}
