/** Compares two runs: what changed, and whether that is more than noise. */
import { formatCount, formatCountOf, formatSeconds } from '../../format/figures.ts';
import { judgeChange, type Pair, type Verdict } from './noise.ts';
import type { BenchInterval, BenchReport, BenchReportOptions } from './report.ts';

/** One metric of two runs. */
export interface ComparedMetric {
  readonly metric: 'rate' | 'p50' | 'p90' | 'p99' | 'p99.9' | 'max' | 'errors';
  readonly kind: 'rate' | 'latency' | 'count';
  /** Messages per second, milliseconds or a count; null when the run has none. */
  readonly old: number | null;
  readonly now: number | null;
  /** Relative to the old value: 0.1 is a tenth more. Null when a value is missing or the old one is 0. */
  readonly change: number | null;
  readonly verdict: Verdict;
}

/** The comparison of two runs. */
export interface Comparison {
  readonly old: BenchReport;
  readonly now: BenchReport;
  readonly metrics: readonly ComparedMetric[];
  /** Reasons why the runs are hard to compare, a sentence each. They may contain text from a report file. */
  readonly warnings: readonly string[];
}

/** Shorter intervals, such as the last one of a run, vary more than the others and are ignored. */
const minSeconds = 0.5;

/** The share of a run to ignore as warm-up: connections are opened, and neither side has compiled its code yet. */
const warmUpShare = 0.1;

/** With fewer seconds of either run, the rank-sum test cannot get below 1 %. */
const minIntervals = 6;

/** How to read a metric from a whole run and from each of its seconds; undefined or null where it is missing. */
interface Metric {
  readonly metric: ComparedMetric['metric'];
  readonly kind: ComparedMetric['kind'];
  readonly ofRun: (report: BenchReport) => number | undefined;
  readonly ofSecond?: (interval: BenchInterval) => number | null;
}

const metrics: readonly Metric[] = [
  {
    metric: 'rate',
    kind: 'rate',
    ofRun: ({ rate }) => rate.achieved,
    ofSecond: ({ answered, seconds }) => answered / seconds,
  },
  { metric: 'p50', kind: 'latency', ofRun: ({ latency }) => latency?.p50, ofSecond: ({ p50 }) => p50 },
  { metric: 'p90', kind: 'latency', ofRun: ({ latency }) => latency?.p90 },
  { metric: 'p99', kind: 'latency', ofRun: ({ latency }) => latency?.p99, ofSecond: ({ p99 }) => p99 },
  { metric: 'p99.9', kind: 'latency', ofRun: ({ latency }) => latency?.p999 },
  { metric: 'max', kind: 'latency', ofRun: ({ latency }) => latency?.max, ofSecond: ({ max }) => max },
  {
    metric: 'errors',
    kind: 'count',
    ofRun: ({ errors }) => errors.reduce((sum, { count }) => sum + count, 0),
    ofSecond: ({ errors, seconds }) => errors / seconds,
  },
];

/**
 * Compares two runs, and judges changes by their seconds ({@link judgeChange}), without the first tenth of them. Errors that
 * appear or disappear always count. p90 and p99.9 are not recorded per second, so changes of them are `unknown`.
 */
export function compareReports(old: BenchReport, now: BenchReport): Comparison {
  return {
    old,
    now,
    metrics: metrics.map((metric) => compareMetric(metric, [old, now])),
    warnings: [...differences(old, now), ...reliabilityWarnings(old, 'old'), ...reliabilityWarnings(now, 'new')],
  };
}

function compareMetric({ metric, kind, ofRun, ofSecond }: Metric, reports: Pair<BenchReport>): ComparedMetric {
  const old = ofRun(reports[0]) ?? null;
  const now = ofRun(reports[1]) ?? null;
  const change = old === null || now === null || old === 0 ? null : (now - old) / old;
  const seconds = ofSecond && ([perSecond(reports[0], ofSecond), perSecond(reports[1], ofSecond)] as const);
  return { metric, kind, old, now, change, verdict: judgeMetric(kind, [old, now], seconds) };
}

function judgeMetric(
  kind: ComparedMetric['kind'],
  [old, now]: Pair<number | null>,
  seconds: Pair<readonly number[]> | undefined,
): Verdict {
  if (old === null || now === null) return 'unknown';
  const better = kind === 'rate' ? 'more' : 'less';
  if (kind === 'count' && old !== now && (old === 0 || now === 0)) return now === 0 ? 'better' : 'worse';
  return seconds ? judgeChange([old, now], seconds, better) : old === now ? 'same' : 'unknown';
}

/** The values of each second, without the warm-up and a short last second. */
function perSecond({ intervals }: BenchReport, read: (interval: BenchInterval) => number | null): number[] {
  const whole = intervals.filter(({ seconds }) => seconds >= minSeconds);
  const warmUp = whole.length > minIntervals ? Math.ceil(whole.length * warmUpShare) : 0;
  return whole
    .slice(warmUp)
    .map(read)
    .filter((value) => value !== null);
}

const optionNames: Readonly<Record<keyof BenchReportOptions, string>> = {
  connections: 'connections',
  pipeline: 'messages in flight on each connection',
  count: 'count',
  durationMs: 'duration',
  rate: 'target rate',
  stages: 'stages',
  size: 'message size',
  framing: 'framing',
  reconnectEach: 'a connection for each message',
  replies: 'replies',
  threads: 'generator processes',
};

/** The differences between the settings and machines of the two runs. */
function differences(old: BenchReport, now: BenchReport): string[] {
  const pairs: [string, unknown, unknown][] = [
    ['address', old.address, now.address],
    ...Object.entries(optionNames).map(([key, name]): [string, unknown, unknown] => {
      const option = key as keyof BenchReportOptions;
      return [name, shown(option, old.options[option]), shown(option, now.options[option])];
    }),
    ['processor', old.machine.cpu, now.machine.cpu],
    ['cores', old.machine.cores, now.machine.cores],
    ['operating system', old.machine.os, now.machine.os],
    ['runtime', old.runtime, now.runtime],
    ['yodel', old.yodel, now.yodel],
  ];
  return pairs.filter(([, before, after]) => before !== after).map(([name, a, b]) => `${name}: ${a} before, ${b} now`);
}

function shown(option: keyof BenchReportOptions, value: number | string | boolean | null): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (value === null) return option === 'size' ? 'several' : option === 'pipeline' ? 'open loop' : 'none';
  if (option === 'durationMs') return formatSeconds(Number(value) / 1000);
  if (option === 'size') return formatCountOf(Number(value), 'byte');
  const number = typeof value === 'number' ? formatCount(value) : value;
  return option === 'rate' ? `${number}/s` : number;
}

/** Reasons why a run is not reliable. */
function reliabilityWarnings({ ended, seconds, generator, intervals }: BenchReport, which: 'old' | 'new'): string[] {
  const found: string[] = [];
  const after = `after ${formatSeconds(seconds)}`;
  if (ended === 'interrupted') found.push(`the ${which} run was interrupted ${after}`);
  if (ended === 'failed') found.push(`the ${which} run failed ${after}`);
  if (generator.limited !== null) found.push(`the generator was the bottleneck of the ${which} run, not the server`);
  if (intervals.length < minIntervals) {
    found.push(`the ${which} run is short: at least ${minIntervals} s are needed to tell changes from noise`);
  }
  return found;
}
