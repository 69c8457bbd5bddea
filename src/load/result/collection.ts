/** Puts together what the processes of a run have measured, second by second. */

import { Tally } from '../tally.ts';
import type { BenchInterval, BenchProgress } from './report.ts';

/** What a run has come to. */
export class Collection {
  /** Of the whole run. */
  readonly total = new Tally();
  /** The seconds of which not all processes have told yet: which ones have, and what. */
  readonly #open = new Map<number, { told: number; tally: Tally }>();
  readonly #processes: number;
  /** The last second of each process that has come to its end. */
  readonly #ends: number[] = [];
  readonly #up: number[];
  readonly #intervals: BenchInterval[] = [];

  constructor(processes: number) {
    this.#processes = processes;
    this.#up = new Array(processes).fill(0);
  }

  /** How many connections there were when it was last told. */
  get connectionsUp(): number {
    return this.#up.reduce((sum, up) => sum + up, 0);
  }

  /**
   * Takes what one process has measured in one second.
   *
   * @param isLast whether the process will tell of no other
   * @returns the interval, when that was the last process to tell of it
   */
  add(process: number, index: number, tally: Tally, up: number, isLast: boolean): BenchInterval | undefined {
    this.#up[process] = up;
    if (isLast) this.#ends.push(index);
    this.total.add(tally);
    // With one process there is nothing to wait for, and nothing to copy.
    if (this.#processes === 1) return this.#close(index, tally);
    const open = this.#open.get(index) ?? { told: 0, tally: new Tally() };
    this.#open.set(index, open);
    open.tally.add(tally);
    open.told++;
    const gone = this.#ends.filter((end) => end < index).length;
    if (open.told + gone < this.#processes) return undefined;
    this.#open.delete(index);
    return this.#close(index, open.tally);
  }

  /** All intervals of a run that is over and took so long. */
  intervals(elapsedMs: number): BenchInterval[] {
    for (const [index, { tally }] of this.#open) this.#close(index, tally);
    this.#open.clear();
    const end = elapsedMs / 1000;
    return this.#intervals
      .sort((a, b) => a.at - b.at)
      .filter(({ at, answered, errors }) => at < end || answered > 0 || errors > 0)
      .map((interval) => ({ ...interval, seconds: round(Math.max(0, Math.min(1, end - interval.at))) }));
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

/** How far a run has come, at the end of an interval. */
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

/** To a millionth: nanoseconds, where the number is milliseconds. */
export function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

function roundOrNull(value: number): number | null {
  return Number.isNaN(value) ? null : round(value);
}
