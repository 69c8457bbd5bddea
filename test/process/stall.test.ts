import { expect, test } from 'vitest';
import { Stall } from '../../src/process/stall.ts';

test('a loop whose beats stop is blocked after the threshold, once, until they go on', () => {
  const stall = new Stall(1000, 250);
  const changes = [1, 2, 2, 2, 2, 2, 2, 3, 4].map((beat) => [stall.look(beat, 250), stall.isBlocked]);
  const [runs, blocks] = [
    [undefined, false],
    [undefined, true],
  ];
  expect(changes).toEqual([runs, runs, runs, runs, runs, ['blocked', true], blocks, ['over', false], runs]);
});

test('how long it is blocked is known while it lasts and when it is over', () => {
  const stall = new Stall(1000, 250);
  stall.look(1, 250);
  for (let looks = 1; looks <= 6; looks++) {
    stall.look(1, 250);
    expect(stall.blockedMs).toBe(looks * 250);
  }
  expect(stall.look(2, 250)).toBe('over');
  expect(stall.blockedMs).toBe(1750);
});

test('a process that was stopped as a whole was not blocked', () => {
  const stall = new Stall(1000, 250);
  stall.look(1, 250);
  // The beat of the main thread may come just after the look of this one.
  stall.look(1, 250);
  expect(stall.look(1, 3_600_000)).toBe(undefined);
  expect(stall.look(2, 250)).toBe(undefined);
  expect(stall.isBlocked).toBe(false);
});
