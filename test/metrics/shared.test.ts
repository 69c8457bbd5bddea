import { expect, test } from 'vitest';
import { Shared } from '../../src/metrics/shared.ts';

/** Time under the control of a test. */
class ManualClock {
  time = 0;

  now(): number {
    return this.time;
  }
}

/** Something shared that counts how often it was made. */
function counting(clock: ManualClock, tookMs = 0) {
  let made = 0;
  const shared = new Shared(async () => {
    clock.time += tookMs;
    return ++made;
  }, clock);
  return { shared, made: () => made };
}

test('requests at the same time share one value', async () => {
  const { shared, made } = counting(new ManualClock());
  expect(await Promise.all([shared.get(), shared.get(), shared.get()])).toEqual([1, 1, 1]);
  expect(made()).toBe(1);
});

test('a few requests in a row get fresh values, more of them share one each second', async () => {
  const clock = new ManualClock();
  const { shared } = counting(clock);
  const values: number[] = [];
  for (let request = 0; request < 50; request++) {
    values.push(await shared.get());
    clock.time += 100;
  }
  expect(values.slice(0, 4)).toEqual([1, 2, 3, 3]);
  // 5 s, and the three at once.
  expect(values.at(-1)).toBeLessThanOrEqual(8);
  // None is older than a second.
  for (let at = 10; at < values.length; at++) expect(values[at]).toBeGreaterThan(values[at - 10] as number);
  clock.time += 10_000;
  const fresh = [await shared.get(), await shared.get(), await shared.get()];
  expect(new Set(fresh).size).toBe(3);
});

test('what takes long is made less often', async () => {
  const clock = new ManualClock();
  const { shared, made } = counting(clock, 4000);
  for (; clock.time < 60_000; clock.time += 100) await shared.get();
  expect(made()).toBeLessThanOrEqual(60 / 4 + 3);
});

test('a failure is reported to those that share it, and the next request tries again', async () => {
  const clock = new ManualClock();
  let fails = true;
  const shared = new Shared(async () => {
    if (fails) throw new Error('no text');
    return 'text';
  }, clock);
  await expect(Promise.all([shared.get(), shared.get()])).rejects.toThrow('no text');
  fails = false;
  expect(await shared.get()).toBe('text');
});
