/** The fake clock of programs' tests. */
import { describe, expect, it, vi } from 'vitest';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { testSession } from '../../src/testing/test-server.ts';

describe('a fake clock', () => {
  it('runs timers at their due time, in order, and lets promises settle in between', async () => {
    const clock = fakeClock();
    const began = clock.now();
    const seen: string[] = [];
    const note = (name: string) => () => seen.push(`${name} at ${clock.now() - began}`);
    clock.after(20, note('second'));
    clock.after(10, () => {
      note('first')();
      void Promise.resolve().then(() => clock.after(5, note('of the first')));
    });
    clock.after(31, note('later'));
    await clock.advance(30);
    expect(seen).toEqual(['first at 10', 'of the first at 15', 'second at 20']);
    expect(clock.waiting).toBe(1);
    expect(clock.now() - began).toBe(30);
  });

  it('runs no timer that was cancelled', async () => {
    const clock = fakeClock();
    const run = vi.fn();
    clock.deadline(10, run).cancel();
    await clock.advance(10);
    expect(run).not.toHaveBeenCalled();
  });

  it('moves deadlines, not pauses, while the process stands still', async () => {
    const clock = fakeClock();
    const seen: string[] = [];
    clock.after(10, () => seen.push('pause'));
    clock.deadline(10, () => seen.push('deadline'));
    clock.stall(100);
    expect(clock.stalled()).toBe(100);
    await clock.advance(9);
    expect(seen).toEqual(['pause']);
    await clock.advance(1);
    expect(seen).toEqual(['pause', 'deadline']);
  });

  it('refuses to go back', async () => {
    await expect(fakeClock().advance(-1)).rejects.toThrow('from 0, not -1');
    await expect(fakeClock().advance(Number.NaN)).rejects.toThrow('NaN');
  });

  it('works while a test framework fakes the timers of the runtime', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'Date'] });
    try {
      const session = await testSession(async ({ text }) => {
        await new Promise((resolve) => setTimeout(resolve, 60_000));
        return text;
      });
      const reply = session.say('hello');
      await session.clock.advance(0);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(await reply).toBe('hello');
      await session.close();
    } finally {
      vi.useRealTimers();
    }
  });
});
