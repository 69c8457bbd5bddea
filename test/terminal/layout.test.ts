import { expect, test } from 'vitest';
import { bar } from '../../src/report/bar.ts';
import { wrap } from '../../src/terminal/layout.ts';

test('text is broken between words, and a word that is too long keeps all its letters', () => {
  expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
  expect(wrap('a unix:///tmp/long/path b', 6)).toEqual(['a', 'unix:///tmp/long/path', 'b']);
  expect(wrap('', 10)).toEqual(['']);
});

test('a bar grows by eighths of a column, shows the least there is, and is full only at the end', () => {
  expect(bar(0, 4)).toBe('');
  expect(bar(0.0001, 4)).toBe('▏');
  expect(bar(0.5, 4)).toBe('██');
  expect(bar(0.9999, 4)).toBe('███▉');
  expect(bar(1, 4)).toBe('████');
  expect(bar(Number.NaN, 4)).toBe('');
  expect(bar(7, 2)).toBe('██');
});
