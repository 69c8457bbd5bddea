/**
 * Latencies in the percentile format of HdrHistogram's tools and wrk2 (.hgrm), for its plotter:
 * https://hdrhistogram.github.io/HdrHistogram/plotFiles.html
 */
import { latencyCount } from './percentile.ts';
import type { BenchReport } from './report.ts';

/** Lines between 50 and 75 %, between 75 and 87.5 %, and so on. HdrHistogram's default. */
const ticksPerHalf = 5;

/**
 * The text of a report: latencies in milliseconds, percentiles as shares, the number of replies up to each, and 1/(1-share),
 * which is the plotter's axis. Without replies it has only the header and the footer.
 *
 * HdrHistogram's last line, which describes its memory (`#[Buckets = …`), is omitted: nothing reads it.
 */
export function formatHdr({ latency, histogram }: BenchReport): string {
  const total = latencyCount(histogram);
  const lines = [`${columns('Value', 'Percentile', 'TotalCount', '1/(1-Percentile)')}\n`];
  for (const { value, share, count } of percentileLines(histogram, total)) {
    lines.push(columns(value.toFixed(3), share.toFixed(12), String(count), (1 / (1 - share)).toFixed(2)));
  }
  const last = histogram.at(-1);
  // The plotter skips a line of three columns. HdrHistogram writes the last one that way, since 1/0 is not on the axis.
  if (last) lines.push(columns((latency?.max ?? last[0]).toFixed(3), '1.000000000000', String(total)));
  lines.push(`#[Mean    = ${number(latency?.mean)}, StdDeviation   = ${number(latency?.stdev)}]`);
  lines.push(`#[Max     = ${number(latency?.max)}, Total count    = ${String(total).padStart(12)}]`);
  return `${lines.join('\n')}\n`;
}

interface PercentileLine {
  readonly value: number;
  /** From 0 to below 1. */
  readonly share: number;
  /** The number of values up to `value`. */
  readonly count: number;
}

/**
 * Like HdrHistogram's PercentileIterator: for each level the first bucket that reaches it, up to the bucket with the last
 * value. The levels get closer together towards 1.
 */
function* percentileLines(histogram: BenchReport['histogram'], total: number): Generator<PercentileLine> {
  let step = 0;
  let seen = 0;
  for (const [value, count] of histogram) {
    seen += count;
    if (count === 0) continue;
    while (seen / total >= levelOf(step)) {
      yield { value, share: levelOf(step), count: seen };
      step++;
      if (seen === total) return;
    }
  }
}

/**
 * 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, …, as one division of integers, so that a share exactly as large counts as reached. A sum of
 * steps would be off in the last digit.
 */
function levelOf(step: number): number {
  const parts = 2 * ticksPerHalf * 2 ** Math.floor(step / ticksPerHalf);
  return (parts - (2 * ticksPerHalf - (step % ticksPerHalf))) / parts;
}

function columns(value: string, percentile: string, count: string, inverse?: string): string {
  const first = `${value.padStart(12)} ${percentile.padStart(14)} ${count.padStart(10)}`;
  return inverse === undefined ? first : `${first} ${inverse.padStart(14)}`;
}

function number(value: number | undefined): string {
  return (value ?? 0).toFixed(3).padStart(12);
}
