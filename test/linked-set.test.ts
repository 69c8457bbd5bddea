import { describe, expect, it } from 'vitest';
import { type Linked, LinkedSet } from '../src/linked-set.ts';
import { fc } from './support/fast-check.ts';

class Item implements Linked<Item> {
  memberOf: object | undefined;
  previousMember: Item | undefined;
  nextMember: Item | undefined;
  readonly number: number;

  constructor(number: number) {
    this.number = number;
  }
}

const numbers = (items: Iterable<Item>) => Array.from(items, ({ number }) => number);
const itemsUpTo = (count: number) => Array.from({ length: count }, (_, number) => new Item(number));

describe('a LinkedSet', () => {
  it('behaves as a Set does, whatever is added and deleted', () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(9)), { maxLength: 100 });
    fc.assert(
      fc.property(steps, (all) => {
        const items = itemsUpTo(10);
        const set = new LinkedSet<Item>();
        const model = new Set<Item>();
        for (const [isAdded, index] of all) {
          const item = items[index] as Item;
          if (!isAdded) expect(set.delete(item)).toBe(model.delete(item));
          else if (!model.has(item)) {
            set.add(item);
            model.add(item);
          }
          expect(numbers(set)).toEqual(numbers(model));
          expect(set.size).toBe(model.size);
          expect(set.first).toBe([...model][0]);
          expect(items.map((one) => set.has(one))).toEqual(items.map((one) => model.has(one)));
        }
      }),
    );
  });

  it('has the other ways to read a Set', () => {
    const items = itemsUpTo(3);
    const set = new LinkedSet<Item>();
    for (const item of items) set.add(item);
    const visited: [Item, Item, unknown][] = [];
    set.forEach((value, key, from) => void visited.push([value, key, from]));
    expect(visited).toEqual(items.map((item) => [item, item, set]));
    expect([...set.keys()]).toEqual(items);
    expect([...set.values()]).toEqual(items);
    expect([...set.entries()]).toEqual(items.map((item) => [item, item]));
  });

  it('does not visit a member that is deleted before its turn', () => {
    const items = itemsUpTo(4);
    const set = new LinkedSet<Item>();
    for (const item of items) set.add(item);
    const visited: number[] = [];
    for (const item of set) {
      visited.push(item.number);
      set.delete(item);
      set.delete(items[2] as Item);
    }
    expect(visited).toEqual([0, 1, 3]);
    expect(set.size).toBe(0);
  });

  it('leaves no link in a member that it gives up', () => {
    const [first, second] = itemsUpTo(2) as [Item, Item];
    const set = new LinkedSet<Item>();
    set.add(first);
    set.add(second);
    set.delete(first);
    expect([first.memberOf, first.previousMember, first.nextMember]).toEqual([undefined, undefined, undefined]);
    expect(second.previousMember).toBeUndefined();
  });
});
