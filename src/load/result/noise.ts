/** Tells changes between two runs from noise. */
import { rankSumProbability } from './rank-test.ts';

/** A value of the old run and of the new run. */
export type Pair<Value> = readonly [old: Value, now: Value];

/**
 * The judgement of a change:
 *
 * - `better`, `worse`: more than noise.
 * - `same`: no change.
 * - `noise`: small, or within the range of the seconds of the old run.
 * - `uneven`: the runs as a whole differ, but most of their seconds do not, as after a stall.
 * - `unclear`: most seconds differ, but they are too few or vary too much to rule out chance.
 * - `unknown`: the reports lack the data to tell.
 */
export type Verdict = 'better' | 'worse' | 'same' | 'noise' | 'uneven' | 'unclear' | 'unknown';

/** A change is significant below this probability. With several metrics per comparison, 5 % would raise too many false alarms. */
const significance = 0.01;

/**
 * Smaller changes always count as noise. The values of single seconds show only the noise within a run. Two runs of the same
 * programs on the same machine differ by more: memory layout, the distribution of connections, the order of compilation (T. Mytkowicz
 * et al., Producing wrong data without doing anything obviously wrong!, 2009; T. Kalibera and R. Jones, Rigorous benchmarking
 * in reasonable time, 2013).
 */
const minChange = 0.05;

/**
 * Judges a change by the seconds of both runs. It is significant if the whole runs differ by at least 5 %, and their seconds
 * differ in the same direction by the rank-sum test ({@link rankSumProbability} below 1 %).
 *
 * @param whole the metric of the whole runs
 * @param seconds the same metric in each second
 * @param better whether more or less of it is better
 */
export function judgeChange(whole: Pair<number>, seconds: Pair<readonly number[]>, better: 'more' | 'less'): Verdict {
  const change = relativeChange(whole);
  if (change === 0) return 'same';
  if (Math.abs(change) < minChange) return 'noise';
  if (!canTell(...seconds)) return 'unclear';
  const typicalChange = relativeChange([median(seconds[0]), median(seconds[1])]);
  const agrees = Math.sign(typicalChange) === Math.sign(change);
  if (agrees && rankSumProbability(...seconds) < significance) {
    return change > 0 === (better === 'more') ? 'better' : 'worse';
  }
  const [old, now] = [seconds[0], whole[1]];
  if (now >= Math.min(...old) && now <= Math.max(...old)) return 'noise';
  return agrees && Math.abs(typicalChange) >= minChange ? 'unclear' : 'uneven';
}

/** Whether there are enough seconds to show any difference: even one where all values of one run exceed all of the other. */
function canTell(old: readonly number[], now: readonly number[]): boolean {
  const above = now.map((_, index) => old.length + index);
  return rankSumProbability([...old.keys()], above) < significance;
}

/** 0.1 is a tenth more; an increase from 0 is Infinity. */
function relativeChange([old, now]: Pair<number>): number {
  return old === now ? 0 : (now - old) / old;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
}
