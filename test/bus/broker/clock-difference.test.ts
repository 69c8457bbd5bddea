import { expect, it } from 'vitest';
import { ClockDifference } from '../../../src/bus/broker/clock-difference.ts';

/** Another machine, whose clock is ahead by this, and whose packets take this long. */
function machine(aheadMs: number) {
  const difference = new ClockDifference();
  return { difference, sends: (at: number, takesMs: number) => difference.saw(at + aheadMs, at + takesMs) };
}

it.each([0, 5000, -5000])(
  'times of a machine whose clock is %i ms ahead are never converted to earlier ones',
  (ahead) => {
    const { difference, sends } = machine(ahead);
    expect(difference.here(1_000_000)).toBe(0);
    for (const [second, takes] of [30, 3, 8, 120].entries()) sends(1_000_000 + 1000 * second, takes);
    expect(difference.here(1_000_500 + ahead)).toBe(1_000_503);
    expect(difference.here(0)).toBe(0);
    expect(difference.here(undefined)).toBe(0);
  },
);

it('a clock that was set, or drifts, is followed after two minutes', () => {
  const { difference, sends } = machine(0);
  for (let second = 0; second < 10; second++) sends(1_000_000 + 1000 * second, 2);
  // From now on it is behind: what it sends seems to take longer.
  for (let second = 10; second < 140; second++) sends(1_000_000 + 1000 * second, 502);
  expect(difference.here(1_139_500)).toBe(1_140_002);
});
