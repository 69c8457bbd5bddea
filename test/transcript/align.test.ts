/** Which messages belong to which expected lines, compared with a model that tries everything. */

import { describe, expect, it } from 'vitest';
import { type Aligned, align, costOf, type Expected, itemsAfter } from '../../src/transcript/align.ts';
import { Progress } from '../../src/transcript/progress.ts';
import { fc } from '../support/fast-check.ts';

/** A line is a literal, or several letters: it matches each of them. */
const matches = (item: string, message: string) => item.includes(message);
const comparison = { matches };

const line = (item: string): Expected<string> => ({ kind: 'message', item, isOptional: false });
const optional = (item: string): Expected<string> => ({ kind: 'message', item, isOptional: true });
const any: Expected<string> = { kind: 'any', item: '*' };
const unordered = (...items: string[]): Expected<string> => ({
  kind: 'unordered',
  items: items.map((item) => ({ item: item.replace('?', ''), isOptional: item.includes('?') })),
});
/** Lines from text: `a b? * [c d]`. */
function lines(text: string): Expected<string>[] {
  return [...text.matchAll(/\[([^\]]*)\]|\S+/g)].map(([word, set]) => {
    if (set !== undefined) return unordered(...set.split(' '));
    return word === '*' ? any : word.endsWith('?') ? optional(word.slice(0, -1)) : line(word);
  });
}

/** An alignment as text: `a=a b!x -c +y *z`. */
function shown(steps: readonly Aligned<string, string>[]): string {
  const texts = steps.map((step) => {
    if (step.kind === 'matched') return `${step.item}=${step.message}`;
    if (step.kind === 'replaced') return `${step.item}!${step.message}`;
    if (step.kind === 'absorbed') return `*${step.message}`;
    if (step.kind === 'missing') return `-${step.item}`;
    return step.kind === 'absent' ? `(${step.item})` : `+${step.message}`;
  });
  return texts.join(' ');
}

const aligned = (expected: string, received: string) => shown(align(lines(expected), [...received], comparison));

describe('align', () => {
  it.each([
    ['a b c', 'abc', 'a=a b=b c=c'],
    ['a b c', 'ac', 'a=a -b c=c'],
    ['a b c', 'abxc', 'a=a b=b +x c=c'],
    ['a b c', 'axc', 'a=a b!x c=c'],
    ['a b c', '', '-a -b -c'],
    ['', 'ab', '+a +b'],
    ['a a', 'a', 'a=a -a'],
    ['a', 'aa', 'a=a +a'],
    ['a b c', 'abbc', 'a=a b=b +b c=c'],
    ['a b c', 'xc', 'a!x -b c=c'],
    ['a b? c', 'ac', 'a=a (b) c=c'],
    ['a b? c', 'abc', 'a=a b=b c=c'],
    ['a? a', 'a', '(a) a=a'],
    ['* a', 'xya', '*x *y a=a'],
    ['* a', 'a', 'a=a'],
    ['* a', 'aa', 'a=a +a'],
    ['* a b', 'xb', '*x -a b=b'],
    ['* a', 'x', '*x -a'],
    ['a *', 'axy', 'a=a *x *y'],
    ['* a? b', 'xab', '*x a=a b=b'],
    ['[a b] c', 'bac', 'b=b a=a c=c'],
    ['[a b] c', 'bc', 'b=b -a c=c'],
    ['[a b] c', 'bxac', 'b=b +x a=a c=c'],
    ['[a b] c', 'bxc', 'b=b a!x c=c'],
    ['[ab a]', 'ab', 'a=a ab=b'],
    ['[ab? a]', 'a', 'a=a (ab)'],
    ['* [a b]', 'xba', '*x b=b a=a'],
  ])('%j beside %j: %j', (expected, received, result) => {
    expect(aligned(expected, received)).toBe(result);
  });

  it('pairs the messages that are most alike', () => {
    const similarity = (item: string, message: string) => (item === message.toUpperCase() ? 1 : 0);
    const steps = align(lines('a B c'), [...'axybc'].slice(0, 4).concat('c'), { matches, similarity });
    expect(shown(steps)).toBe('a=a +x +y B!b c=c');
  });

  it('finds one line more or less in ten thousand, and is bounded where nothing is as expected', () => {
    const expected = Array.from({ length: 10_000 }, (_, index) => line(`${index}`));
    const equals = { matches: (item: string, message: string) => item === message };
    const received = Array.from({ length: 10_000 }, (_, index) => `${index}`);
    expect(costOf(align(expected, received, equals))).toBe(0);
    expect(costOf(align(expected, received.toSpliced(5000, 1), equals))).toBe(1);
    expect(costOf(align(expected, received.toSpliced(5000, 0, 'x'), equals))).toBe(1);
    expect(costOf(align(expected, received.toSpliced(3000, 300), equals))).toBe(300);
    expect(costOf(align(expected, received.toSpliced(3000, 0, ...received), equals))).toBe(10_000);
    const other = received.map((text) => `not ${text}`);
    expect(costOf(align(expected, other, equals))).toBe(10_000);
    expect(costOf(align(expected, other.slice(0, 3000), equals))).toBe(10_000);
  });
});

/** The lowest cost, by trying everything. */
function modelCost(expected: readonly Expected<string>[], received: readonly string[]): number {
  const known = new Map<string, number>();
  const cost = (i: number, j: number): number => {
    const key = `${i} ${j}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const found = Math.min(...choices(i, j));
    known.set(key, found);
    return found;
  };
  function* choices(i: number, j: number): Generator<number> {
    const one = expected[i];
    const message = received[j];
    if (!one && message === undefined) yield 0;
    if (message !== undefined) yield 1 + cost(i, j + 1);
    if (one?.kind === 'message') {
      yield (one.isOptional ? 0 : 1) + cost(i + 1, j);
      if (message !== undefined) yield (matches(one.item, message) ? 0 : 1) + cost(i + 1, j + 1);
    } else if (one?.kind === 'any') {
      yield cost(i + 1, j);
      const leaves = itemsAfter(expected, i);
      if (message !== undefined && !leaves.some((item) => matches(item, message))) yield cost(i, j + 1);
    } else if (one) {
      for (let end = j; end <= received.length; end++) yield modelSet(one, received.slice(j, end)) + cost(i + 1, end);
    }
  }
  return cost(0, 0);
}

function modelSet(set: Expected<string> & { readonly kind: 'unordered' }, received: readonly string[]): number {
  // Assigns messages to items in every way; the rest are missing and unexpected.
  const best = (at: number, free: readonly number[], unexpected: number): number => {
    const message = received[at];
    if (message === undefined)
      return Math.max(unexpected, free.filter((index) => !set.items[index]?.isOptional).length);
    const ways = free.filter((index) => matches(set.items[index]?.item ?? '', message));
    const costs = ways.map((index) =>
      best(
        at + 1,
        free.filter((other) => other !== index),
        unexpected,
      ),
    );
    return Math.min(best(at + 1, free, unexpected + 1), ...costs);
  };
  return best(0, [...set.items.keys()], 0);
}

const letters = fc.constantFrom(...'abcd');
const item = fc.uniqueArray(letters, { minLength: 1, maxLength: 3 }).map((found) => found.join(''));
const oneLine = fc.oneof(
  { weight: 5, arbitrary: item.map(line) },
  { weight: 2, arbitrary: item.map(optional) },
  { weight: 1, arbitrary: fc.constant(any) },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.tuple(item, fc.boolean()), { minLength: 1, maxLength: 3 })
      .map((items) => unordered(...items.map(([text, isOptional]) => `${text}${isOptional ? '?' : ''}`))),
  },
);
const someLines = fc.array(oneLine, { maxLength: 6 });
const messages = fc.array(letters, { maxLength: 7 });

describe('for all lines and messages', () => {
  it('an alignment costs what the best one costs', () => {
    fc.assert(
      fc.property(someLines, messages, (expected, received) => {
        expect(costOf(align(expected, received, comparison))).toBe(modelCost(expected, received));
      }),
      { numRuns: 2000 },
    );
  });

  it('every message and every line occurs once, in order', () => {
    fc.assert(
      fc.property(someLines, messages, (expected, received) => {
        const steps = align(expected, received, comparison);
        expect(steps.flatMap((step) => ('message' in step ? [step.message] : []))).toEqual(received);
        const items = steps.flatMap((step) => ('item' in step && step.kind !== 'absorbed' ? [step.item] : []));
        const all = expected.flatMap((one) =>
          one.kind === 'unordered' ? one.items.map((each) => each.item) : one.kind === 'any' ? [] : [one.item],
        );
        expect(items.toSorted()).toEqual(all.toSorted());
        for (const step of steps) if (step.kind === 'matched') expect(matches(step.item, step.message)).toBe(true);
      }),
    );
  });

  it('progress knows at once whether everything is as expected', () => {
    fc.assert(
      fc.property(someLines, messages, (expected, received) => {
        const progress = new Progress(expected, matches);
        for (const message of received) progress.accept(message);
        const isGood = progress.state === 'complete' || progress.state === 'sufficient';
        expect(isGood).toBe(costOf(align(expected, received, comparison)) === 0);
      }),
      { numRuns: 2000 },
    );
  });

  it('one line changed, removed or added in a conversation of different lines is exactly one difference', () => {
    const different = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 60 });
    const change = fc.record({ at: fc.nat(), kind: fc.constantFrom('change', 'remove', 'add') });
    fc.assert(
      fc.property(different, change, (texts, { at, kind }) => {
        const index = at % texts.length;
        const added = kind === 'remove' ? [] : ['something new'];
        const received = texts.toSpliced(index, kind === 'add' ? 0 : 1, ...added);
        fc.pre(!texts.includes('something new'));
        const steps = align(texts.map(line), received, { matches: (one, other) => one === other });
        expect(costOf(steps)).toBe(1);
        expect(steps.filter((step) => step.kind === 'matched')).toHaveLength(texts.length - (kind === 'add' ? 0 : 1));
      }),
    );
  });
});
