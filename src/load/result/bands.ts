/** Sorts latencies into a few bands with round edges that widen by a constant factor, for charts. */
import { latencyCount } from './percentile.ts';
import type { BenchReport } from './report.ts';

/** The number of latencies above `from` and up to `to`, in milliseconds. */
export interface LatencyBand {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/**
 * Edges within a decade, from fine to coarse: 40 per decade, then the preferred numbers R20, R10 and R5 of ISO 3, then 1-2-5,
 * then decades. R40 is rounded too coarsely: one band in three would be a fifth wider than its neighbour.
 */
const edgeSeries: readonly (readonly number[])[] = [
  Array.from({ length: 40 }, (_, step) => Number((10 ** (step / 40)).toPrecision(3))),
  [1, 1.12, 1.25, 1.4, 1.6, 1.8, 2, 2.24, 2.5, 2.8, 3.15, 3.55, 4, 4.5, 5, 5.6, 6.3, 7.1, 8, 9],
  [1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8],
  [1, 1.6, 2.5, 4, 6.3],
  [1, 2, 5],
  [1],
];

/** A nanosecond. Shorter latencies count as this, since 0 has no logarithm. */
const minLatency = 1e-6;

/**
 * Merges the buckets of a histogram into at most `maxBands` bands. The bands of the middle 98 % of the latencies are as fine
 * as possible; the tails, with at most 1 % each, may be coarser. Empty bands between filled ones are included, and several
 * in a row are merged. Only a range of more than `maxBands` decades results in more bands.
 */
export function latencyBands(histogram: BenchReport['histogram'], maxBands: number): LatencyBand[] {
  const filled = histogram.filter(([, count]) => count > 0);
  const total = latencyCount(filled);
  const [low, high] = [valueAt(filled, total * 0.01), valueAt(filled, total * 0.99)];
  let bands: LatencyBand[] = [];
  for (const [index, body] of edgeSeries.entries()) {
    for (const tails of edgeSeries.slice(index)) {
      bands = mergeEmpty(sort(filled, edges(filled, { body, tails, low, high })));
      if (bands.length <= maxBands) return bands;
    }
  }
  return bands;
}

function valueAt(buckets: BenchReport['histogram'], rank: number): number {
  let seen = 0;
  for (const [value, count] of buckets) {
    seen += count;
    if (seen >= rank) return value;
  }
  return 0;
}

interface EdgeOptions {
  /** The series between `low` and `high`, and the one outside. */
  readonly body: readonly number[];
  readonly tails: readonly number[];
  readonly low: number;
  readonly high: number;
}

/** The edges, ascending, from one below all values to one at or above all. */
function edges(buckets: BenchReport['histogram'], { body, tails, low, high }: EdgeOptions): number[] {
  const first = Math.max(buckets[0]?.[0] ?? 0, minLatency);
  const last = Math.max(buckets.at(-1)?.[0] ?? 0, first);
  const coarse = edgesAround(first, last, tails);
  // The body starts and ends at edges of the tails.
  const from = coarse.findLast((edge) => edge < low) ?? 0;
  const to = coarse.find((edge) => edge >= high) ?? last;
  return [
    ...coarse.filter((edge) => edge <= from),
    ...edgesAround(first, last, body).filter((edge) => edge > from && edge < to),
    ...coarse.filter((edge) => edge >= to),
  ];
}

function edgesAround(first: number, last: number, series: readonly number[]): number[] {
  const found: number[] = [];
  for (let decade = Math.floor(Math.log10(first)) - 1; decade <= Math.ceil(Math.log10(last)) + 1; decade++) {
    for (const mantissa of series) found.push(Number(`${mantissa}e${decade}`));
  }
  return found;
}

function sort(buckets: BenchReport['histogram'], edges: readonly number[]): LatencyBand[] {
  const bands: LatencyBand[] = [];
  let at = 0;
  for (let index = 1; index < edges.length; index++) {
    const to = edges[index] as number;
    let count = 0;
    for (; at < buckets.length && (buckets[at] as [number, number])[0] <= to; at++) {
      count += (buckets[at] as [number, number])[1];
    }
    if (count > 0 || bands.length > 0) bands.push({ from: edges[index - 1] as number, to, count });
    if (at === buckets.length) break;
  }
  return bands;
}

function mergeEmpty(bands: readonly LatencyBand[]): LatencyBand[] {
  const merged: LatencyBand[] = [];
  for (const band of bands) {
    const last = merged.at(-1);
    if (last?.count === 0 && band.count === 0) merged[merged.length - 1] = { ...last, to: band.to };
    else merged.push(band);
  }
  return merged;
}
