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
  readonly stages: readonly PartData[];
  readonly requests: readonly PartData[];
}

interface PartData {
  readonly sent: number;
  readonly errors: number;
  readonly latency: HistogramData;
}

const countNames = [
  ...(['sent', 'answered', 'failed', 'unasked', 'untimed', 'rounds'] as const),
  ...(['bytesSent', 'bytesReceived', 'opened', 'lost'] as const),
] as const;
type CountName = (typeof countNames)[number];

/** What came of a part of a run's messages: those of a stage, or of a line of a transcript. */
export class PartTally {
  /** Messages sent. */
  sent = 0;
  errors = 0;
  readonly latency = new Histogram();

  add({ sent, errors, latency }: PartTally): void {
    this.sent += sent;
    this.errors += errors;
    this.latency.add(latency);
  }

  clear(): void {
    this.sent = 0;
    this.errors = 0;
    this.latency.clear();
  }
}

/** Counts, errors by their code, and histograms. */
export class Tally {
  /** Messages passed to connections. */
  sent = 0;
  /** Messages with a reply. If no replies are expected, those the operating system has taken. */
  answered = 0;
  /** Messages whose reply reported an error. They are answered, but not in `latency`. */
  failed = 0;
  /** Messages of the server that were no replies, because nothing had been sent before. */
  unasked = 0;
  /** Rounds of a transcript that were played to their end. */
  rounds = 0;
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
  /** By their code, or by code, space and place. */
  readonly errors = new Map<string, { count: number; example: string }>();
  /** Latencies of this interval or earlier ones that are taken back. They are not removed from `latency` here. */
  readonly retractions: Retraction[] = [];
  /** Of a run with stages. */
  readonly stages: PartTally[] = [];
  /** Of a run with a transcript: its requests. */
  readonly requests: PartTally[] = [];
  /** The current stage of a run with stages. */
  stageNow: (() => number) | undefined;

  /** The number of errors of all codes. */
  get errorCount(): number {
    let sum = 0;
    for (const { count } of this.errors.values()) sum += count;
    return sum;
  }

  /** Counts an error. The first text of each code, and of each place if one is given, is kept as its example. */
  fail(code: string, example: string, count = 1, place?: string): void {
    if (this.stageNow) this.stage(this.stageNow()).errors += count;
    this.#fail(place === undefined ? code : `${code} ${place}`, example, count);
  }

  /** The tally of a stage. */
  stage(index: number): PartTally {
    return partOf(this.stages, index);
  }

  /** The tally of a request of a transcript. */
  request(index: number): PartTally {
    return partOf(this.requests, index);
  }

  #fail(code: string, example: string, count: number): void {
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
    for (const [code, { count, example }] of other.errors) this.#fail(code, example, count);
    this.retractions.push(...other.retractions);
    for (const [index, stage] of other.stages.entries()) this.stage(index).add(stage);
    for (const [index, request] of other.requests.entries()) this.request(index).add(request);
  }

  /** Resets everything to zero. */
  clear(): void {
    for (const name of countNames) this[name] = 0;
    this.latency.clear();
    this.lateness.clear();
    this.connect.clear();
    this.errors.clear();
    this.retractions.length = 0;
    for (const part of [...this.stages, ...this.requests]) part.clear();
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
      stages: this.stages.map(dataOf),
      requests: this.requests.map(dataOf),
    };
  }

  /** Adds the tally of another process. */
  addData({ counts, errors, latency, lateness, connect, retractions, stages, requests }: TallyData): void {
    for (const name of countNames) this[name] += counts[name];
    for (const [code, count, example] of errors) this.#fail(code, example, count);
    this.latency.addData(latency);
    this.lateness.addData(lateness);
    this.connect.addData(connect);
    this.retractions.push(...retractions);
    for (const [index, data] of stages.entries()) addPart(this.stage(index), data);
    for (const [index, data] of requests.entries()) addPart(this.request(index), data);
  }
}

function partOf(parts: PartTally[], index: number): PartTally {
  while (parts.length <= index) parts.push(new PartTally());
  return parts[index] as PartTally;
}

function dataOf({ sent, errors, latency }: PartTally): PartData {
  return { sent, errors, latency: latency.toJSON() };
}

function addPart(part: PartTally, { sent, errors, latency }: PartData): void {
  part.sent += sent;
  part.errors += errors;
  part.latency.addData(latency);
}
