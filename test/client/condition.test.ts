import { beforeEach, describe, expect, it } from 'vitest';
import { Condition } from '../../src/client/condition.ts';
import { longestDuration } from '../../src/options.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';

let clock: FakeClock;
beforeEach(() => {
  clock = new FakeClock();
});

describe('a condition', () => {
  it('that is already met resolves, whatever the time limit', async () => {
    expect(await new Condition(clock).until(() => true, 0)).toBe(true);
  });

  it('that is not met, with no time left, resolves with false', async () => {
    expect(await new Condition(clock).until(() => false, 0)).toBe(false);
    expect(await new Condition(clock).until(() => false, -1)).toBe(false);
    expect(clock.waiting).toBe(0);
  });

  it('resolves at the notification that meets it, and checks no more', async () => {
    const condition = new Condition(clock);
    let value = 0;
    let checks = 0;
    const isMet = condition.until(() => {
      checks++;
      return value === 2;
    }, 1000);
    for (value = 1; value < 5; value++) condition.notify();
    expect(await isMet).toBe(true);
    expect(checks).toBe(3);
    expect(clock.waiting).toBe(0);
  });

  it('resolves with false after the time limit, and checks no more', async () => {
    const condition = new Condition(clock);
    let checks = 0;
    const isMet = condition.until(() => ++checks < 0, 1000);
    await clock.advance(1000);
    expect(await isMet).toBe(false);
    const before = checks;
    condition.notify();
    expect(checks).toBe(before);
  });

  it('without a time limit sets no timer', () => {
    void new Condition(clock).until(() => false);
    expect(clock.waiting).toBe(0);
  });

  it('accepts longer limits than a timer', async () => {
    void new Condition(clock).until(() => false, longestDuration * 2);
    await clock.advance(1000);
    expect(clock.waiting).toBe(1);
  });

  it('wakes all waiters', async () => {
    const condition = new Condition(clock);
    let done = false;
    const all = [condition.until(() => done), condition.until(() => done, 1000)];
    done = true;
    condition.notify();
    expect(await Promise.all(all)).toEqual([true, true]);
  });
});
