import { expect, test } from 'vitest';
import { Collection } from '../../../src/load/result/collection.ts';
import { Tally } from '../../../src/load/tally.ts';

function answered(count: number): Tally {
  const tally = new Tally();
  tally.answered = count;
  return tally;
}

test('a second is complete when all processes have reported it', () => {
  const collection = new Collection(2);
  expect(collection.add(0, 0, answered(1), 5, false)).toBeUndefined();
  expect(collection.add(0, 1, answered(3), 5, false)).toBeUndefined();
  expect(collection.add(1, 0, answered(2), 4, false)).toMatchObject({ at: 0, answered: 3 });
  expect(collection.connectionsUp).toBe(9);
});

test('a second is complete without the processes that have ended', () => {
  const collection = new Collection(3);
  collection.add(0, 0, answered(1), 0, true);
  collection.add(1, 0, answered(1), 1, false);
  expect(collection.add(2, 0, answered(1), 1, false)).toMatchObject({ at: 0, answered: 3 });
  collection.add(1, 1, answered(1), 1, false);
  expect(collection.add(2, 1, answered(1), 1, true)).toMatchObject({ at: 1, answered: 2 });
  expect(collection.add(1, 2, answered(1), 1, true)).toMatchObject({ at: 2, answered: 1 });
  expect(collection.intervals(3000).map((interval) => interval.answered)).toEqual([3, 2, 1]);
});
