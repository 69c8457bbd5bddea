/** What was counted and measured, of one interval or of the whole run, in one process or in all. */
import { Histogram, type HistogramData } from './histogram.ts';

/** A tally as it goes from one process to another. */
export interface TallyData {
  readonly counts: Readonly<Record<CountName, number>>;
  readonly errors: readonly (readonly [code: string, count: number, example: string])[];
  readonly latency: HistogramData;
  readonly lateness: HistogramData;
}

const countNames = ['sent', 'answered', 'bytesSent', 'bytesReceived', 'opened', 'lost'] as const;
type CountName = (typeof countNames)[number];

/** Counts, errors by their code, and two histograms. */
export class Tally {
  /** Messages handed to connections. */
  sent = 0;
  /** Messages whose reply came; with no replies awaited, those that the operating system has taken. */
  answered = 0;
  bytesSent = 0;
  bytesReceived = 0;
  /** Connections that were made … */
  opened = 0;
  /** … and that were lost before the run was over. */
  lost = 0;
  /** From when each message was sent, or in an open loop was due, to its reply; milliseconds. */
  readonly latency = new Histogram();
  /** From when each message was due to when it was sent, as far as that was in the generator's hands; milliseconds. */
  readonly lateness = new Histogram();
  readonly errors = new Map<string, { count: number; example: string }>();

  /** How many errors there were, of all codes. */
  get errorCount(): number {
    let sum = 0;
    for (const { count } of this.errors.values()) sum += count;
    return sum;
  }

  /** Counts an error. The first text of a code is kept as the example. */
  fail(code: string, example: string, count = 1): void {
    const known = this.errors.get(code);
    if (known) known.count += count;
    else this.errors.set(code, { count, example });
  }

  /** Adds all of another tally. */
  add(other: Tally): void {
    for (const name of countNames) this[name] += other[name];
    this.latency.add(other.latency);
    this.lateness.add(other.lateness);
    for (const [code, { count, example }] of other.errors) this.fail(code, example, count);
  }

  /** Begins anew. */
  clear(): void {
    for (const name of countNames) this[name] = 0;
    this.latency.clear();
    this.lateness.clear();
    this.errors.clear();
  }

  /** As plain data. */
  toJSON(): TallyData {
    const { sent, answered, bytesSent, bytesReceived, opened, lost } = this;
    return {
      counts: { sent, answered, bytesSent, bytesReceived, opened, lost },
      errors: Array.from(this.errors, ([code, { count, example }]) => [code, count, example] as const),
      latency: this.latency.toJSON(),
      lateness: this.lateness.toJSON(),
    };
  }

  /** Adds what another process has counted. */
  addData({ counts, errors, latency, lateness }: TallyData): void {
    for (const name of countNames) this[name] += counts[name];
    for (const [code, count, example] of errors) this.fail(code, example, count);
    this.latency.addData(latency);
    this.lateness.addData(lateness);
  }
}
