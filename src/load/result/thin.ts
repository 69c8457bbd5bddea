import type { BenchInterval } from './report.ts';

/**
 * Merges neighbouring intervals of a run that is too long to show every second, until at most `maxIntervals` are left.
 * Counts are added, p50 is the median, and p99 and max are the largest values, so that no stall is lost.
 */
export function thinIntervals(intervals: readonly BenchInterval[], maxIntervals: number): BenchInterval[] {
  const size = Math.max(1, Math.ceil(intervals.length / maxIntervals));
  const thinned: BenchInterval[] = [];
  for (let start = 0; start < intervals.length; start += size) thinned.push(join(intervals.slice(start, start + size)));
  return thinned;
}

function join(intervals: readonly BenchInterval[]): BenchInterval {
  const [first] = intervals;
  if (first && intervals.length === 1) return first;
  const sum = (name: 'seconds' | 'answered' | 'errors') => intervals.reduce((total, one) => total + one[name], 0);
  const sorted = (name: 'p50' | 'p99' | 'max') =>
    intervals
      .map((one) => one[name])
      .filter((value) => value !== null)
      .sort((a, b) => a - b);
  const middles = sorted('p50');
  return {
    at: first?.at ?? 0,
    seconds: sum('seconds'),
    answered: sum('answered'),
    errors: sum('errors'),
    p50: middles[Math.floor((middles.length - 1) / 2)] ?? null,
    p99: sorted('p99').at(-1) ?? null,
    max: sorted('max').at(-1) ?? null,
  };
}
