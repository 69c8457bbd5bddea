/** Percentiles of a report, and how many replies support them. */
import type { BenchReport, LatencySummary } from './report.ts';

/** The percentiles that a summary shows, and their fields in a report. */
export const summaryPercentiles: readonly (readonly [percentile: number, field: keyof LatencySummary])[] = [
  [50, 'p50'],
  [75, 'p75'],
  [90, 'p90'],
  [95, 'p95'],
  [99, 'p99'],
  [99.9, 'p999'],
  [99.99, 'p9999'],
  [99.999, 'p99999'],
];

/**
 * A percentile of the latencies, in milliseconds; null when nothing was answered.
 *
 * @param percentile above 0, up to 100
 */
export function percentileOf({ latency, histogram }: BenchReport, percentile: number): number | null {
  if (!latency) return null;
  const known = summaryPercentiles.find(([shown]) => shown === percentile);
  if (known) return latency[known[1]];
  if (percentile === 100) return latency.max;
  const rank = (percentile / 100) * latencyCount(histogram);
  let seen = 0;
  for (const [value, count] of histogram) {
    seen += count;
    // A millionth for rounding: 99.3 % of 1000 is 992.9999…
    if (seen + 1e-6 >= rank) return Math.min(value, latency.max);
  }
  return latency.max;
}

/** The number of latencies in a histogram. */
export function latencyCount(histogram: BenchReport['histogram']): number {
  let total = 0;
  for (const [, count] of histogram) total += count;
  return total;
}

/**
 * The number of replies, of `total`, that are beyond a percentile. With none, the percentile is just the slowest reply; with
 * few, it will differ in the next run.
 */
export function countBeyond(total: number, percentile: number): number {
  return Math.floor((total * (100 - percentile)) / 100 + 1e-6);
}

/** With fewer replies beyond it, a percentile is shown with a warning. A rule of thumb. */
export const fewBeyond = 10;

/** The number of replies a percentile needs, such as 1000 for 99.9. */
export function countNeeded(percentile: number): number {
  return Math.ceil(100 / (100 - percentile) - 1e-6);
}

/**
 * The latencies at several percentiles, in one pass over the histogram.
 *
 * @param shares from 0 to 1, ascending
 */
export function latenciesAt(histogram: BenchReport['histogram'], shares: readonly number[]): number[] {
  const total = latencyCount(histogram);
  let at = 0;
  let seen = histogram[0]?.[1] ?? 0;
  return shares.map((share) => {
    while (seen + 1e-6 < share * total && at < histogram.length - 1) seen += histogram[++at]?.[1] ?? 0;
    return histogram[at]?.[0] ?? 0;
  });
}
