import { expect, test } from 'vitest';
import { wrap } from '../../src/terminal/layout.ts';

test('wraps between words, and never cuts a word', () => {
  expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
  expect(wrap('a unix:///tmp/long/path b', 6)).toEqual(['a', 'unix:///tmp/long/path', 'b']);
  expect(wrap('', 10)).toEqual(['']);
});
