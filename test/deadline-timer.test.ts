import { describe, expect, it } from 'vitest';
import { DeadlineTimer } from '../src/deadline-timer.ts';
import { FakeClock } from '../src/testing/fake-clock.ts';

/** A deadline timer, and when it fired, in milliseconds since its creation. */
function deadlineTimer() {
  const clock = new FakeClock();
  const start = clock.now();
  const rings: number[] = [];
  const timer = new DeadlineTimer(clock, { onDeadline: () => void rings.push(clock.now() - start) });
  return { clock, rings, timer, setIn: (delay: number) => timer.set(start + delay) };
}

describe('a deadline timer', () => {
  it('fires once, at the time it was set to', async () => {
    const { clock, rings, setIn } = deadlineTimer();
    setIn(100);
    await clock.advance(1000);
    expect(rings).toEqual([100]);
    expect(clock.waiting).toBe(0);
  });

  it('fires at the earliest of the times it was set to', async () => {
    const { clock, rings, setIn } = deadlineTimer();
    for (const delay of [300, 100, 200]) setIn(delay);
    expect(clock.waiting).toBe(1);
    await clock.advance(1000);
    expect(rings).toEqual([100]);
  });

  it('can be set again after it has fired', async () => {
    const { clock, rings, setIn } = deadlineTimer();
    setIn(100);
    await clock.advance(100);
    setIn(200);
    await clock.advance(100);
    expect(rings).toEqual([100, 200]);
  });

  it('never fires before its time, even if that is a fraction', async () => {
    const { clock, rings, setIn } = deadlineTimer();
    setIn(100.25);
    await clock.advance(1000);
    expect(rings).toEqual([101]);
  });

  it('fires soon, but not at once, for a time in the past', async () => {
    const { clock, rings, setIn } = deadlineTimer();
    setIn(-100);
    expect(rings).toEqual([]);
    await clock.advance(1);
    expect(rings).toEqual([1]);
  });

  it('is not set by Infinity', () => {
    const { clock, setIn } = deadlineTimer();
    setIn(Number.POSITIVE_INFINITY);
    expect(clock.waiting).toBe(0);
  });

  it('does not fire once cancelled, and can be set again', async () => {
    const { clock, rings, timer, setIn } = deadlineTimer();
    setIn(100);
    timer.cancel();
    expect(clock.waiting).toBe(0);
    setIn(300);
    await clock.advance(1000);
    expect(rings).toEqual([300]);
  });
});
