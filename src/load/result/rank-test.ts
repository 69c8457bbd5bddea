/**
 * The probability that two lists from the same distribution differ at least as much as these: the two-sided p-value of the
 * Wilcoxon-Mann-Whitney rank-sum test. The test assumes nothing about the distribution (latencies are not normal). Ties
 * share their ranks.
 *
 * Uses the normal approximation with corrections for ties and continuity: M. Hollander, D. Wolfe and E. Chicken,
 * Nonparametric Statistical Methods, 3rd edition, section 4.1. For short lists it errs towards 1, which means "no difference".
 *
 * @returns 1 when a list is empty or all values are equal
 */
export function rankSumProbability(first: readonly number[], second: readonly number[]): number {
  const all = [...first.map((value) => ({ value, own: true })), ...second.map((value) => ({ value, own: false }))];
  all.sort((a, b) => a.value - b.value);
  let rankSum = 0;
  let ties = 0;
  for (let start = 0; start < all.length; ) {
    let end = start;
    let own = 0;
    while (end < all.length && all[end]?.value === all[start]?.value) if (all[end++]?.own) own++;
    const size = end - start;
    // Ranks start + 1 to end, shared equally.
    rankSum += own * ((start + 1 + end) / 2);
    ties += size ** 3 - size;
    start = end;
  }
  const total = all.length;
  const product = first.length * second.length;
  const variance = (product / 12) * (total + 1 - ties / (total * (total - 1)));
  if (!(variance > 0)) return 1;
  const distance = Math.abs(rankSum - (first.length * (total + 1)) / 2) - 0.5;
  return Math.min(1, 2 * upperTail(Math.max(0, distance) / Math.sqrt(variance)));
}

/** The share of a normal distribution above `z` >= 0, to about 1e-7: M. Abramowitz and I. Stegun, formula 26.2.17. */
function upperTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const polynomial = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp(-(z ** 2) / 2) / Math.sqrt(2 * Math.PI)) * polynomial;
}
