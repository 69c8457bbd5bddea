import { expect, test } from 'vitest';
import { bar } from '../../src/report/bar.ts';

test('grows by eighths of a column, is empty only at 0 and full only at 1', () => {
  expect(bar(0, 4)).toBe('');
  expect(bar(0.0001, 4)).toBe('▏');
  expect(bar(0.5, 4)).toBe('██');
  expect(bar(0.9999, 4)).toBe('███▉');
  expect(bar(1, 4)).toBe('████');
  expect(bar(Number.NaN, 4)).toBe('');
  expect(bar(7, 2)).toBe('██');
});
