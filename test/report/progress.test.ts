import { expect, test } from 'vitest';
import type { BenchProgress } from '../../src/load/result/report.ts';
import { formatProgress } from '../../src/report/progress.ts';
import { paintFor } from '../../src/terminal/style.ts';
import { fc } from '../support/fast-check.ts';

const halfway: BenchProgress = {
  elapsedMs: 5000,
  durationMs: 10_000,
  count: null,
  answered: 241_000,
  errors: 0,
  rate: 48_213,
  p50: 1.031,
  p99: 3.1,
  connectionsUp: 50,
};
const plain = paintFor(false);

test('shows the progress, the rate and the latencies', () => {
  expect(formatProgress(halfway, { width: 100, paint: plain })).toBe(
    '███████████████▌░░░░░░░░░░░░░░░  5.0 s of 10 s   48,200/s  p50 1.03 ms  p99 3.10 ms  50 connections',
  );
});

test('with a number of messages, shows how many were answered', () => {
  const counted = { ...halfway, durationMs: null, count: 1_000_000 };
  expect(formatProgress(counted, { width: 100, paint: plain })).toContain('  241,000 of 1,000,000  ');
});

test('with a time and a count, shows the one that ends the run first', () => {
  expect(formatProgress({ ...halfway, count: 300_000 }, { width: 100, paint: plain })).toContain('241,000 of 300,000');
  expect(formatProgress({ ...halfway, count: 900_000 }, { width: 100, paint: plain })).toContain('5.0 s of 10 s');
});

test('shows the number of errors in red', () => {
  const line = formatProgress({ ...halfway, errors: 1204 }, { width: 120, paint: paintFor(true) });
  expect(line).toContain('\x1b[31m1,204 errors\x1b[39m');
  expect(formatProgress(halfway, { width: 120, paint: plain })).not.toContain('error');
});

test('a second without replies has no latencies', () => {
  const stalled = { ...halfway, rate: 0, p50: null, p99: null };
  expect(formatProgress(stalled, { width: 100, paint: plain })).toMatch(/ 0\/s {2}p50 +- {2}p99 +- /);
});

test('on a narrow terminal, errors are omitted last', () => {
  const failing = { ...halfway, errors: 3 };
  expect(formatProgress(failing, { width: 60, paint: plain })).toContain('3 errors');
  expect(formatProgress(failing, { width: 30, paint: plain })).toBe('████░░░░   48,200/s  3 errors');
});

test('never wraps: the line is one column narrower than the terminal', () => {
  const amount = fc.double({ min: 0, max: 1e9, noNaN: true });
  const orNull = (arbitrary: fc.Arbitrary<number>) => fc.option(arbitrary, { nil: null });
  const progress = fc.record({
    elapsedMs: amount,
    durationMs: orNull(fc.integer({ min: 1, max: 86_400_000 })),
    count: orNull(fc.integer({ min: 1 })),
    answered: fc.nat(),
    errors: fc.nat(),
    rate: amount,
    p50: orNull(amount),
    p99: orNull(amount),
    connectionsUp: fc.nat(),
  });
  fc.assert(
    fc.property(progress, fc.integer({ min: 0, max: 250 }), (progress, width) => {
      const line = formatProgress(progress, { width, paint: plain });
      const room = Math.max(0, width - 1);
      if (progress.durationMs === null && progress.count === null) expect(line.length).toBeLessThanOrEqual(room);
      else expect(line.length).toBe(room);
    }),
  );
});
