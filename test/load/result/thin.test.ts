import { expect, test } from 'vitest';
import { thinIntervals } from '../../../src/load/result/thin.ts';
import { sampleInterval } from './sample-report.ts';

test('a short run is left as it is', () => {
  const intervals = [sampleInterval(0), sampleInterval(1)];
  expect(thinIntervals(intervals, 2)).toEqual(intervals);
  expect(thinIntervals([], 2)).toEqual([]);
});

test('joined seconds keep their messages, errors and worst latencies', () => {
  const intervals = [
    sampleInterval(0, { answered: 10, p50: 1, p99: 2, max: 3 }),
    sampleInterval(1, { answered: 0, p50: null, p99: null, max: null, errors: 4 }),
    sampleInterval(2, { answered: 30, p50: 5, p99: 900, max: 1000 }),
    sampleInterval(3, { answered: 5, seconds: 0.5 }),
  ];
  expect(thinIntervals(intervals, 2)).toEqual([
    { at: 0, seconds: 2, answered: 10, errors: 4, p50: 1, p99: 2, max: 3 },
    { at: 2, seconds: 1.5, answered: 35, errors: 0, p50: 1, p99: 900, max: 1000 },
  ]);
});
