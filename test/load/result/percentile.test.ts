import { expect, test } from 'vitest';
import { countBeyond, countNeeded, latenciesAt, percentileOf } from '../../../src/load/result/percentile.ts';
import { fc } from '../../support/fast-check.ts';
import { nothingAnswered, sampleReport } from './sample-report.ts';

test('any percentile can be read, as precisely as the histogram allows', () => {
  const report = sampleReport();
  expect(percentileOf(report, 50)).toBe(report.latency?.p50);
  expect(percentileOf(report, 99.9)).toBe(report.latency?.p999);
  expect(percentileOf(report, 100)).toBe(report.latency?.max);
  const p42 = percentileOf(report, 42) ?? 0;
  expect(Math.abs(p42 - 0.92) / 0.92).toBeLessThan(0.002);
});

test('a percentile without replies is null', () => {
  expect(percentileOf(nothingAnswered, 99)).toBeNull();
});

test('every percentile of one reply is that reply', () => {
  const report = sampleReport([3]);
  for (const percentile of [0.1, 1, 42, 99.9999, 100]) expect(percentileOf(report, percentile)).toBe(3);
});

test.each([
  [100, 99, 1],
  [99, 99, 0],
  [1000, 99.9, 1],
  [999, 99.9, 0],
  [100_000, 99.999, 1],
  [99_999, 99.999, 0],
  [1_000_000_000, 99.999, 10_000],
])('of %d replies, %d %% leave %d beyond', (total, percentile, beyond) => {
  expect(countBeyond(total, percentile)).toBe(beyond);
});

test.each([
  [50, 2],
  [75, 4],
  [90, 10],
  [99, 100],
  [99.9, 1000],
  [99.99, 10_000],
  [99.999, 100_000],
])('p%d needs %d replies', (percentile, needed) => {
  expect(countNeeded(percentile)).toBe(needed);
  expect(countBeyond(needed, percentile)).toBe(1);
});

test('several percentiles at once equal single ones', () => {
  const latencies = fc.array(fc.double({ min: 0.001, max: 5000, noNaN: true }), { minLength: 1, maxLength: 200 });
  const shares = fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 1 });
  fc.assert(
    fc.property(latencies, shares, (latencies, percents) => {
      const report = sampleReport(latencies);
      const ascending = percents.toSorted((a, b) => a - b).filter((percent) => ![50, 75, 90, 95, 99].includes(percent));
      const one = ascending.map((percent) => percentileOf(report, percent));
      expect(
        latenciesAt(
          report.histogram,
          ascending.map((percent) => percent / 100),
        ),
      ).toEqual(one);
    }),
  );
});
