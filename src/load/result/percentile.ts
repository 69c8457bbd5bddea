/** Percentiles of a report, and how many replies they rest on. */
import type { BenchReport, LatencySummary } from './report.ts';

/** The rungs that a summary shows, with where a report has them. */
export const ladder: readonly (readonly [percentile: number, field: keyof LatencySummary])[] = [
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
 * The latency that `percentile` per cent of the replies did not exceed, in milliseconds; null when nothing was answered.
 *
 * @param percentile above 0, to 100
 */
export function percentileOf({ latency, histogram }: BenchReport, percentile: number): number | null {
  if (!latency) return null;
  const rung = ladder.find(([known]) => known === percentile);
  if (rung) return latency[rung[1]];
  if (percentile === 100) return latency.max;
  const wanted = (percentile / 100) * latencyCount(histogram);
  let seen = 0;
  for (const [value, count] of histogram) {
    seen += count;
    // The millionth is for what the multiplication lost: 99.3 % of 1000 is 992.9999…
    if (seen + 1e-6 >= wanted) return Math.min(value, latency.max);
  }
  return latency.max;
}

/** How many latencies a histogram holds. */
export function latencyCount(histogram: BenchReport['histogram']): number {
  let total = 0;
  for (const [, count] of histogram) total += count;
  return total;
}

/**
 * How many of `total` replies lie beyond a percentile. Where there are none, the percentile is only another name for the
 * slowest reply; where there are few, the next run will show another value.
 */
export function countBeyond(total: number, percentile: number): number {
  return Math.floor((total * (100 - percentile)) / 100 + 1e-6);
}

/** Below this many replies beyond it, a percentile is shown with a warning. A customary rule of thumb. */
export const fewBeyond = 10;

/** How many replies a percentile needs at the least: 1000 for 99.9. */
export function countNeeded(percentile: number): number {
  return Math.ceil(100 / (100 - percentile) - 1e-6);
}

/**
 * The latencies at many percentiles at once, in one walk through the histogram.
 *
 * @param shares 0 to 1, ascending
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
