/** `yodel send --latency`: the round-trip times so far, in one line that is replaced on a terminal. */
import { formatPlural } from '../../format/figures.ts';
import { Histogram } from '../../load/histogram.ts';

/** A line of results. */
export type FormatTimes = (times: Histogram, seconds: number) => string;

/** On a terminal, at most one update in this time, in milliseconds. */
const updateEveryMs = 100;

/** How the results are shown. */
export interface LatencyOptions {
  /** The time that a line is about, in milliseconds. */
  readonly windowMs: number;
  /** Whether the line is replaced while its period lasts. */
  readonly replaces: boolean;
  readonly format: FormatTimes;
  /** The present, in milliseconds. */
  readonly now: () => number;
}

/** Collects round-trip times. Its methods return what is to be printed. */
export class Latency {
  /** All times. */
  readonly all = new Histogram();
  readonly #options: LatencyOptions;
  #window = new Histogram();
  #since: number;
  #shownAt = Number.NEGATIVE_INFINITY;
  /** Whether the line above the cursor is to be replaced. */
  #isShown = false;

  constructor(options: LatencyOptions) {
    this.#options = options;
    this.#since = options.now();
  }

  /** A reply arrived after this many milliseconds. */
  add(ms: number): string {
    const { now, windowMs, replaces } = this.#options;
    const at = now();
    let text = '';
    if (at - this.#since >= windowMs) {
      text = this.#line(at);
      this.#isShown = false;
      this.#window = new Histogram();
      this.#since = at;
    }
    this.all.record(ms);
    this.#window.record(ms);
    if (!replaces || at - this.#shownAt < updateEveryMs) return text;
    return text + this.#show(at);
  }

  /** The last line. @param isBelow whether the cursor is where it was left: nothing else was printed since */
  end(isBelow: boolean): string {
    this.#isShown &&= isBelow;
    return this.#line(this.#options.now());
  }

  #show(at: number): string {
    const line = this.#line(at);
    this.#shownAt = at;
    this.#isShown = true;
    return line;
  }

  /** The cursor is always below the line, so that anything else that is printed does not touch it. */
  #line(at: number): string {
    if (this.#window.count === 0) return '';
    const before = this.#isShown ? '\x1b[A\r\x1b[K' : '';
    return `${before}${this.#options.format(this.#window, (at - this.#since) / 1000)}\n`;
  }
}

/** `min 0.08, avg 0.12, p99 0.40, max 1.20 ms (427 samples in 15.0 s)` */
export const formatTimes: FormatTimes = (times, seconds) => {
  return `${spreadOf(times)} (${formatPlural(times.count, 'sample')} in ${seconds.toFixed(1)} s)`;
};

/** The same as a JSON object. */
export const formatTimesAsJson: FormatTimes = (times, seconds) => {
  const rounded = (ms: number) => Number(ms.toFixed(3));
  return JSON.stringify({
    time: new Date().toISOString(),
    seconds: rounded(seconds),
    samples: times.count,
    minMs: rounded(times.min),
    avgMs: rounded(times.mean),
    p50Ms: rounded(times.percentile(50)),
    p99Ms: rounded(times.percentile(99)),
    maxMs: rounded(times.max),
  });
};

/** `min 0.08, avg 0.12, p99 0.40, max 1.20 ms` */
export function spreadOf(times: Histogram): string {
  const figures = { min: times.min, avg: times.mean, p99: times.percentile(99), max: times.max };
  const parts = Object.entries(figures).map(([name, ms]) => `${name} ${ms.toFixed(2)}`);
  return `${parts.join(', ')} ms`;
}
