import { expect, test } from 'vitest';
import { sharesOf } from '../../src/load/plan.ts';
import { Schedule } from '../../src/load/schedule.ts';
import { fc } from '../support/fast-check.ts';
import { settingsOf } from './settings.ts';

test('messages are due at even intervals, the first one at the start', () => {
  const schedule = new Schedule({ start: 1000, rate: 200, every: 1, offset: 0 });
  expect([0, 1, 2, 200].map((number) => schedule.dueAt(number))).toEqual([1000, 1005, 1010, 2000]);
});

test('messages count as due from their time on', () => {
  const schedule = new Schedule({ start: 1000, rate: 200, every: 1, offset: 0 });
  expect([0, 999.9, 1000, 1004.9, 1005, 2000].map((now) => schedule.countUpTo(now))).toEqual([0, 0, 1, 1, 2, 201]);
});

test('several processes together send what one process would', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 100_000 }), (every, rate) => {
      const whole = new Schedule({ start: 0, rate, every: 1, offset: 0 });
      const parts = Array.from({ length: every }, (_, offset) => new Schedule({ start: 0, rate, every, offset }));
      for (let number = 0; number < 50; number++) {
        const part = parts[number % every] as Schedule;
        expect(part.dueAt(Math.floor(number / every))).toBeCloseTo(whole.dueAt(number), 6);
      }
    }),
  );
});

test('connections and messages are divided among the processes without loss', () => {
  const shares = sharesOf(settingsOf({ threads: 3, connections: 8, count: 100 }));
  expect(shares.map(({ connections, firstConnection, count }) => [firstConnection, connections, count])).toEqual([
    [1, 3, 34],
    [4, 3, 33],
    [7, 2, 33],
  ]);
});

test('a rate and a duration determine the count, unless a smaller count is set', () => {
  const counts = (count: number | null, durationMs: number | null) =>
    sharesOf(settingsOf({ rate: 30, count, durationMs, threads: 2 })).map((share) => share.count);
  expect(counts(null, 1500)).toEqual([23, 22]);
  expect(counts(20, 1500)).toEqual([10, 10]);
  expect(counts(100, 1500)).toEqual([23, 22]);
  expect(counts(100, null)).toEqual([50, 50]);
});
