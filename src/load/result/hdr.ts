/**
 * The latencies as the percentile text that HdrHistogram's own tools and wrk2 write (.hgrm), for its plotter:
 * https://hdrhistogram.github.io/HdrHistogram/plotFiles.html
 */
import { latencyCount } from './percentile.ts';
import type { BenchReport } from './report.ts';

/** Lines for each halving of what is left above: between 50 and 75 %, between 75 and 87.5 %, and so on. HdrHistogram's default. */
const ticksPerHalf = 5;

/**
 * The text of a report: latencies in milliseconds, percentiles as shares, how many replies came within each, and
 * 1/(1-share), by which the plotter draws its axis. Without a reply it has no lines but the frame.
 *
 * HdrHistogram's last line, which describes its memory (`#[Buckets = …`), is left out: nothing reads it.
 */
export function formatHdr({ latency, histogram }: BenchReport): string {
  const total = latencyCount(histogram);
  const lines = [`${columns('Value', 'Percentile', 'TotalCount', '1/(1-Percentile)')}\n`];
  for (const { value, share, count } of percentileLines(histogram, total)) {
    lines.push(columns(value.toFixed(3), share.toFixed(12), String(count), (1 / (1 - share)).toFixed(2)));
  }
  const last = histogram.at(-1);
  // The plotter skips a line of three columns. HdrHistogram writes the last one so, because 1/0 has no place on the axis.
  if (last) lines.push(columns((latency?.max ?? last[0]).toFixed(3), '1.000000000000', String(total)));
  lines.push(`#[Mean    = ${number(latency?.mean)}, StdDeviation   = ${number(latency?.stdev)}]`);
  lines.push(`#[Max     = ${number(latency?.max)}, Total count    = ${String(total).padStart(12)}]`);
  return `${lines.join('\n')}\n`;
}

interface PercentileLine {
  readonly value: number;
  /** 0 to 1, without 1. */
  readonly share: number;
  /** How many values are not above `value`. */
  readonly count: number;
}

/**
 * As HdrHistogram's PercentileIterator goes: for each next level the first bucket that reaches it, the levels lying closer
 * together the nearer they come to 1; it ends with the bucket that holds the last value.
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
 * 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, …: one division of whole numbers, so that a share that is exactly as large counts as
 * reached. A sum of steps would miss it by the last digit.
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
