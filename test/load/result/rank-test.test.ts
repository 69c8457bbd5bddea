import { expect, test } from 'vitest';
import { rankSumProbability } from '../../../src/load/result/rank-test.ts';
import { fc } from '../../support/fast-check.ts';

// From SciPy: scipy.stats.mannwhitneyu(first, second, method='asymptotic').pvalue
test.each([
  ['apart', [1, 2, 3, 4, 5], [6, 7, 8, 9, 10], 0.012186],
  ['the same values', [1, 2, 3], [1, 2, 3], 1],
  ['interleaved', [1, 3, 5, 7], [2, 4, 6, 8], 0.665006],
  ['with ties', [1, 1, 2, 2, 3], [2, 3, 3, 4, 4], 0.052411],
] as const)('the rank-sum test of lists that are %s agrees with SciPy', (_, first, second, probability) => {
  expect(rankSumProbability(first, second)).toBeCloseTo(probability, 4);
});

test('lists that cannot differ are the same', () => {
  expect(rankSumProbability([], [1, 2])).toBe(1);
  expect(rankSumProbability([1, 1, 1], [1, 1])).toBe(1);
});

test('neither the order of the lists nor the unit matters', () => {
  const list = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 30 });
  fc.assert(
    fc.property(list, list, (first, second) => {
      const probability = rankSumProbability(first, second);
      expect(probability).toBeGreaterThanOrEqual(0);
      expect(probability).toBeLessThanOrEqual(1);
      expect(rankSumProbability(second, first)).toBeCloseTo(probability, 9);
      const scaled = (values: number[]) => values.map((value) => value * 1000);
      expect(rankSumProbability(scaled(first), scaled(second))).toBeCloseTo(probability, 9);
    }),
  );
});
