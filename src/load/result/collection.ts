/** Joins the measurements of all processes of a run, second by second. */

import { Tally } from '../tally.ts';
import type { BenchInterval, BenchProgress } from './report.ts';

/** The measurements of a run. */
export class Collection {
  /** The tally of the whole run. */
  readonly total = new Tally();
  /** Seconds that not all processes have reported yet, with the number of reports so far. */
  readonly #open = new Map<number, { reports: number; tally: Tally }>();
  readonly #processes: number;
  /** The last second of each process that has ended. */
  readonly #ends: number[] = [];
  readonly #up: number[];
  readonly #intervals: BenchInterval[] = [];
  /** Latencies were taken back from this second to that one. */
  readonly #doubtful: { readonly from: number; readonly to: number }[] = [];

  constructor(processes: number) {
    this.#processes = processes;
    this.#up = new Array(processes).fill(0);
  }

  /** The number of connections, as last reported. */
  get connectionsUp(): number {
    return this.#up.reduce((sum, up) => sum + up, 0);
  }

  /**
   * Adds what one process measured in one second.
   *
   * @param isLast whether this is the last second of the process
   * @returns the interval, once all processes have reported it
   */
  add(process: number, index: number, tally: Tally, up: number, isLast: boolean): BenchInterval | undefined {
    this.#up[process] = up;
    if (isLast) this.#ends.push(index);
    this.total.add(tally);
    for (const { from, buckets, request } of tally.retractions) {
      this.total.latency.remove(buckets);
      if (request !== undefined) this.total.request(request).latency.remove(buckets);
      this.#doubtful.push({ from, to: index });
    }
    this.total.retractions.length = 0;
    // With one process there is nothing to wait for, and nothing to copy.
    if (this.#processes === 1) return this.#close(index, tally);
    const open = this.#open.get(index) ?? { reports: 0, tally: new Tally() };
    this.#open.set(index, open);
    open.tally.add(tally);
    open.reports++;
    const gone = this.#ends.filter((end) => end < index).length;
    if (open.reports + gone < this.#processes) return undefined;
    this.#open.delete(index);
    return this.#close(index, open.tally);
  }

  /** All intervals of a run that took `elapsedMs`. */
  intervals(elapsedMs: number): BenchInterval[] {
    for (const [index, { tally }] of this.#open) this.#close(index, tally);
    this.#open.clear();
    const end = elapsedMs / 1000;
    return this.#intervals
      .sort((a, b) => a.at - b.at)
      .filter(({ at, answered, errors }) => at < end || answered > 0 || errors > 0)
      .map((interval) =>
        this.isDoubtful(interval.at, interval.at + 1) ? { ...interval, p50: null, p99: null, max: null } : interval,
      )
      .map((interval) => ({ ...interval, seconds: round(Math.max(0, Math.min(1, end - interval.at))) }));
  }

  /** Whether latencies were taken back between these seconds. */
  isDoubtful(since: number, until: number): boolean {
    return this.#doubtful.some(({ from, to }) => until > from && since < to + 1);
  }

  #close(index: number, tally: Tally): BenchInterval {
    const interval = intervalOf(index, tally);
    this.#intervals.push(interval);
    return interval;
  }
}

function intervalOf(index: number, { answered, errorCount, latency }: Tally): BenchInterval {
  return {
    at: index,
    seconds: 1,
    answered,
    errors: errorCount,
    p50: roundOrNull(latency.percentile(50)),
    p99: roundOrNull(latency.percentile(99)),
    max: roundOrNull(latency.max),
  };
}

/** The progress of a run at the end of an interval. */
export function progressOf(
  interval: BenchInterval,
  collection: Collection,
  plan: { readonly durationMs: number | null; readonly count: number | null },
): BenchProgress {
  const { answered, errorCount } = collection.total;
  return {
    elapsedMs: Math.min((interval.at + 1) * 1000, plan.durationMs ?? Number.POSITIVE_INFINITY),
    durationMs: plan.durationMs,
    count: plan.count,
    answered,
    errors: errorCount,
    rate: interval.answered,
    p50: interval.p50,
    p99: interval.p99,
    connectionsUp: collection.connectionsUp,
  };
}

/** Rounds to a millionth: to nanoseconds, where the unit is milliseconds. */
export function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

function roundOrNull(value: number): number | null {
  return Number.isNaN(value) ? null : round(value);
}
