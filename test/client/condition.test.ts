import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Condition } from '../../src/client/condition.ts';
import { longestDuration } from '../../src/options.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a condition', () => {
  it('that holds already resolves, whatever the time limit', async () => {
    expect(await new Condition().until(() => true, 0)).toBe(true);
  });

  it('that does not hold, without time, resolves with false', async () => {
    expect(await new Condition().until(() => false, 0)).toBe(false);
    expect(await new Condition().until(() => false, -1)).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('resolves at the notification that makes it hold, and looks no more', async () => {
    const condition = new Condition();
    let value = 0;
    let looks = 0;
    const holds = condition.until(() => {
      looks++;
      return value === 2;
    }, 1000);
    for (value = 1; value < 5; value++) condition.notify();
    expect(await holds).toBe(true);
    expect(looks).toBe(3);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('resolves with false after the time limit, and looks no more', async () => {
    const condition = new Condition();
    let looks = 0;
    const holds = condition.until(() => ++looks < 0, 1000);
    vi.advanceTimersByTime(1000);
    expect(await holds).toBe(false);
    const before = looks;
    condition.notify();
    expect(looks).toBe(before);
  });

  it('without a time limit sets no timer', () => {
    void new Condition().until(() => false);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('takes longer limits than a timer does', () => {
    void new Condition().until(() => false, longestDuration * 2);
    vi.advanceTimersByTime(1000);
    expect(vi.getTimerCount()).toBe(1);
  });

  it('wakes all that wait for it', async () => {
    const condition = new Condition();
    let done = false;
    const all = [condition.until(() => done), condition.until(() => done, 1000)];
    done = true;
    condition.notify();
    expect(await Promise.all(all)).toEqual([true, true]);
  });
});
