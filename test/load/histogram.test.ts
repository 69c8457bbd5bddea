import { expect, test } from 'vitest';
import { bucketOf, Histogram } from '../../src/load/histogram.ts';
import { fc } from '../support/fast-check.ts';

/** Times from a nanosecond to an hour, in milliseconds. */
const times = fc.double({ min: 1e-6, max: 3_600_000, noNaN: true });
const manyTimes = fc.array(times, { minLength: 1, maxLength: 200 });

function histogramOf(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

/** The nearest-rank percentile of the values themselves. */
function exactPercentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil((percent / 100) * sorted.length - 1e-9)) - 1] as number;
}

test('every percentile is exact, or too high by less than a thousandth', () => {
  fc.assert(
    fc.property(manyTimes, fc.constantFrom(0, 1, 50, 75, 90, 99, 99.9, 100), (values, percent) => {
      const exact = exactPercentile(values, percent);
      const found = histogramOf(values).percentile(percent);
      expect(found).toBeGreaterThanOrEqual(exact);
      expect(found).toBeLessThanOrEqual(exact * 1.001);
    }),
  );
});

test('minimum and maximum are exact, and mean and deviation are within a thousandth', () => {
  fc.assert(
    fc.property(manyTimes, (values) => {
      const histogram = histogramOf(values);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const largest = Math.max(...values);
      expect(histogram.min).toBe(Math.min(...values));
      expect(histogram.max).toBe(largest);
      expect(Math.abs(histogram.mean - mean)).toBeLessThanOrEqual(mean * 0.001);
      const stdev = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
      expect(Math.abs(histogram.stdev - stdev)).toBeLessThanOrEqual(largest * 0.001);
    }),
  );
});

test('a value recorded with a count counts that often', () => {
  const histogram = new Histogram();
  histogram.record(1, 99);
  histogram.record(100);
  expect(histogram.count).toBe(100);
  expect(histogram.percentile(99)).toBeCloseTo(1, 2);
  expect(histogram.percentile(99.1)).toBe(100);
});

test('added histograms equal the histogram of all values', () => {
  fc.assert(
    fc.property(manyTimes, manyTimes, (one, other) => {
      const all = histogramOf([...one, ...other]);
      const added = histogramOf(one);
      added.add(histogramOf(other));
      const sent = histogramOf(one);
      sent.addData(JSON.parse(JSON.stringify(histogramOf(other))));
      for (const joined of [added, sent]) {
        expect([...joined.entries()]).toEqual([...all.entries()]);
        expect([joined.count, joined.min, joined.max]).toEqual([all.count, all.min, all.max]);
      }
    }),
  );
});

test('adding an empty histogram changes nothing', () => {
  const histogram = histogramOf([1, 2]);
  histogram.add(new Histogram());
  histogram.addData(JSON.parse(JSON.stringify(new Histogram())));
  expect([histogram.count, histogram.min, histogram.max]).toEqual([2, 1, 2]);
});

test('entries are ascending, and their counts add up to all values', () => {
  fc.assert(
    fc.property(manyTimes, (values) => {
      const entries = [...histogramOf(values).entries()];
      expect(entries.reduce((sum, [, count]) => sum + count, 0)).toBe(values.length);
      expect(entries.map(([value]) => value)).toEqual(entries.map(([value]) => value).sort((a, b) => a - b));
    }),
  );
});

test('a cleared histogram is like a new one', () => {
  const histogram = histogramOf([0.5, 3, 1000]);
  histogram.clear();
  expect([...histogram.entries()]).toEqual([]);
  histogram.record(7);
  expect([...histogram.entries()]).toEqual([[7, 1]]);
});

test('values out of range are kept: zero, negative ones, and years', () => {
  const histogram = histogramOf([0, -1e-9, 1e12]);
  expect(histogram.count).toBe(3);
  expect(histogram.max).toBe(1e12);
  expect(histogram.percentile(50)).toBeLessThan(1e-5);
});

test('an empty histogram has no statistics', () => {
  const histogram = new Histogram();
  for (const nothing of [histogram.min, histogram.max, histogram.mean, histogram.stdev, histogram.percentile(50)]) {
    expect(nothing).toBeNaN();
  }
});

test('removing values leaves what the others would have given', () => {
  fc.assert(
    fc.property(manyTimes, manyTimes, (kept, removed) => {
      const histogram = histogramOf([...kept, ...removed]);
      histogram.remove(removed.flatMap((value) => [bucketOf(value), 1]));
      const expected = histogramOf(kept);
      expect(histogram.count).toBe(kept.length);
      for (const percent of [0, 50, 99, 100]) {
        const exact = expected.percentile(percent);
        expect(Math.abs(histogram.percentile(percent) - exact)).toBeLessThanOrEqual(exact * 0.001);
      }
      expect(Math.abs(histogram.min - expected.min)).toBeLessThanOrEqual(expected.min * 0.001);
      expect(Math.abs(histogram.max - expected.max)).toBeLessThanOrEqual(expected.max * 0.001);
    }),
  );
});

test('removing all values empties it', () => {
  const histogram = histogramOf([1, 5]);
  histogram.remove([bucketOf(1), 1, bucketOf(5), 1]);
  expect([histogram.count, histogram.min, [...histogram.entries()]]).toEqual([0, Number.NaN, []]);
  histogram.record(3);
  expect([...histogram.entries()]).toEqual([[3, 1]]);
});
