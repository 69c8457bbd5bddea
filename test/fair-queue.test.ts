import { expect, test } from 'vitest';
import { FairQueue } from '../src/fair-queue.ts';
import type { Linked } from '../src/linked-set.ts';

interface Item extends Linked<Item> {
  readonly name: string;
}

const item = (name: string): Item => ({ name, memberOf: undefined, previousMember: undefined, nextMember: undefined });

test('keys take turns, and the items of each are in their order', () => {
  const queue = new FairQueue<Item>();
  for (const name of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2']) queue.add(name.slice(0, 1), item(name));
  const names: (string | undefined)[] = [];
  while (!queue.isEmpty) names.push(queue.shift()?.name);
  expect(names).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
  expect(queue.shift()).toBeUndefined();
});

test('an item can leave, and its key leaves with the last one', () => {
  const queue = new FairQueue<Item>();
  const [first, second] = [item('1'), item('2')];
  queue.add('a', first);
  queue.add('a', second);
  expect(queue.delete('b', first)).toBe(false);
  expect(queue.delete('a', first)).toBe(true);
  expect(queue.delete('a', first)).toBe(false);
  expect(queue.delete('a', second)).toBe(true);
  expect(queue.isEmpty).toBe(true);
});
