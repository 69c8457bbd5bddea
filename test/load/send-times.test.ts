import { expect, test } from 'vitest';
import { Histogram } from '../../src/load/histogram.ts';
import { SendTimes } from '../../src/load/send-times.ts';
import { fc } from '../support/fast-check.ts';

test('each message is timed from when it was sent, however messages are grouped', () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ send: fc.integer({ min: 1, max: 50 }) }),
      fc.record({ take: fc.integer({ min: 1, max: 50 }) }),
    ),
    { maxLength: 100 },
  );
  fc.assert(
    fc.property(steps, (steps) => {
      const times = new SendTimes();
      const found = new Histogram();
      const expected = new Histogram();
      let waiting: number[] = [];
      let now = 0;
      for (const step of steps) {
        now += 1;
        if ('send' in step) {
          times.push(now, step.send);
          waiting.push(...new Array(step.send).fill(now));
        } else {
          const count = Math.min(step.take, waiting.length);
          times.take(count, now, found);
          for (const sent of waiting.slice(0, count)) expected.record(now - sent);
          waiting = waiting.slice(count);
        }
        expect(times.oldest).toBe(waiting[0] ?? Number.POSITIVE_INFINITY);
        expect(times.countUpTo(now - 3)).toBe(waiting.filter((sent) => sent <= now - 3).length);
      }
      expect([...found.entries()]).toEqual([...expected.entries()]);
    }),
  );
});

test('clearing removes all messages', () => {
  const times = new SendTimes();
  times.push(5, 3);
  times.clear();
  expect(times.oldest).toBe(Number.POSITIVE_INFINITY);
  times.push(6, 1);
  expect(times.oldest).toBe(6);
});
