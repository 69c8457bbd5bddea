import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Condition } from '../../src/client/condition.ts';
import { longestDuration } from '../../src/options.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a condition', () => {
  it('that is already met resolves, whatever the time limit', async () => {
    expect(await new Condition().until(() => true, 0)).toBe(true);
  });

  it('that is not met, with no time left, resolves with false', async () => {
    expect(await new Condition().until(() => false, 0)).toBe(false);
    expect(await new Condition().until(() => false, -1)).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('resolves at the notification that meets it, and checks no more', async () => {
    const condition = new Condition();
    let value = 0;
    let checks = 0;
    const isMet = condition.until(() => {
      checks++;
      return value === 2;
    }, 1000);
    for (value = 1; value < 5; value++) condition.notify();
    expect(await isMet).toBe(true);
    expect(checks).toBe(3);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('resolves with false after the time limit, and checks no more', async () => {
    const condition = new Condition();
    let checks = 0;
    const isMet = condition.until(() => ++checks < 0, 1000);
    vi.advanceTimersByTime(1000);
    expect(await isMet).toBe(false);
    const before = checks;
    condition.notify();
    expect(checks).toBe(before);
  });

  it('without a time limit sets no timer', () => {
    void new Condition().until(() => false);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('accepts longer limits than a timer', () => {
    void new Condition().until(() => false, longestDuration * 2);
    vi.advanceTimersByTime(1000);
    expect(vi.getTimerCount()).toBe(1);
  });

  it('wakes all waiters', async () => {
    const condition = new Condition();
    let done = false;
    const all = [condition.until(() => done), condition.until(() => done, 1000)];
    done = true;
    condition.notify();
    expect(await Promise.all(all)).toEqual([true, true]);
  });
});
