/** Whether a metric has changed between two runs by more than noise. */
import { rankSumProbability } from './rank-test.ts';

/** The same of an old run and of a new one. */
export type Pair<Value> = readonly [old: Value, now: Value];

/**
 * What a change is worth:
 *
 * - `better`, `worse`: more than noise.
 * - `same`: nothing has changed.
 * - `noise`: small, or no larger than what the seconds of the old run differ by among themselves.
 * - `uneven`: the run as a whole differs, but most of its seconds do not: a stall does that.
 * - `unclear`: most seconds differ, but there are too few of them, or too different ones, to rule out chance.
 * - `unknown`: the runs do not hold what it takes to tell.
 */
export type Verdict = 'better' | 'worse' | 'same' | 'noise' | 'uneven' | 'unclear' | 'unknown';

/** How improbable chance must be. Each comparison asks for several metrics, so that one in twenty would cry wolf too often. */
const leastProbability = 0.01;

/**
 * Smaller changes count as noise whatever the seconds say. These show the noise within a run only; between two runs of the
 * same programs on the same machine lies more of it: where memory happens to lie, how the network spreads connections, what
 * the compiler did first (Mytkowicz and others, Producing wrong data without doing anything obviously wrong, 2009; Kalibera
 * and Jones, Rigorous benchmarking in reasonable time, 2013).
 */
const leastChange = 0.05;

/**
 * Judges a change by the seconds of both runs. It counts when the whole runs differ by at least 5 %, and their seconds, in
 * the same direction, by the rank-sum test ({@link rankSumProbability} below 1 %).
 *
 * @param whole the metric of the whole runs
 * @param seconds the same metric, second by second
 * @param better whether more of it is better, or less
 */
export function judgeChange(whole: Pair<number>, seconds: Pair<readonly number[]>, better: 'more' | 'less'): Verdict {
  const change = relativeChange(whole);
  if (change === 0) return 'same';
  if (Math.abs(change) < leastChange) return 'noise';
  if (!canTell(...seconds)) return 'unclear';
  const typicalChange = relativeChange([median(seconds[0]), median(seconds[1])]);
  const agrees = Math.sign(typicalChange) === Math.sign(change);
  if (agrees && rankSumProbability(...seconds) < leastProbability) {
    return change > 0 === (better === 'more') ? 'better' : 'worse';
  }
  const [old, now] = [seconds[0], whole[1]];
  if (now >= Math.min(...old) && now <= Math.max(...old)) return 'noise';
  return agrees && Math.abs(typicalChange) >= leastChange ? 'unclear' : 'uneven';
}

/** Whether so many seconds could show a difference at all, if every one of the one run lay above all of the other. */
function canTell(old: readonly number[], now: readonly number[]): boolean {
  const above = now.map((_, index) => old.length + index);
  return rankSumProbability([...old.keys()], above) < leastProbability;
}

/** 0.1 is a tenth more; from nothing to something is infinitely more. */
function relativeChange([old, now]: Pair<number>): number {
  return old === now ? 0 : (now - old) / old;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
}
