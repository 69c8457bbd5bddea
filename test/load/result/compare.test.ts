import { expect, test } from 'vitest';
import { type ComparedMetric, compareReports } from '../../../src/load/result/compare.ts';
import type { BenchInterval, BenchReport } from '../../../src/load/result/report.ts';
import { nothingAnswered, openLoop, sampleInterval, sampleReport, usual } from './sample-report.ts';

/** A run of a number of seconds, at a rate that varies by 2 % from second to second. */
function runAt(
  rate: number,
  seconds = 10,
  change: (second: number) => Partial<BenchInterval> = () => ({}),
): BenchReport {
  const intervals = Array.from({ length: seconds }, (_, at) =>
    sampleInterval(at, { answered: rate * (1 + 0.01 * Math.sin(at * 2.4)), ...change(at) }),
  );
  return sampleReport(usual, { seconds, intervals, rate: { target: null, achieved: rate } });
}

function metric(old: BenchReport, now: BenchReport, name: ComparedMetric['metric']): ComparedMetric {
  const found = compareReports(old, now).metrics.find((one) => one.metric === name);
  if (!found) throw new Error(`no ${name}`);
  return found;
}

test('a run that answers a fifth more is better, and one that answers a fifth less is worse', () => {
  expect(metric(runAt(1000), runAt(1200), 'rate')).toMatchObject({ old: 1000, now: 1200, verdict: 'better' });
  expect(metric(runAt(1000), runAt(1200), 'rate').change).toBeCloseTo(0.2);
  expect(metric(runAt(1000), runAt(800), 'rate')).toMatchObject({ verdict: 'worse' });
});

test('a change of 3 % is noise, even if every second shows it', () => {
  expect(metric(runAt(1000), runAt(1030), 'rate').verdict).toBe('noise');
});

test('a change of 10 % is noise if the seconds vary by more', () => {
  const varying = (rate: number, phase: number) =>
    runAt(rate, 10, (at) => ({ answered: rate * (1 + 0.4 * Math.sin(at * 2.4 + phase)) }));
  expect(metric(varying(1000, 0), varying(1100, 1), 'rate').verdict).toBe('noise');
});

test('a lower latency is better and a higher one is worse', () => {
  const slower = { ...runAt(1000, 10, () => ({ p50: 2, p99: 3 })), latency: latencyTimes(2) };
  expect(metric(runAt(1000), slower, 'p50').verdict).toBe('worse');
  expect(metric(slower, runAt(1000), 'p99').verdict).toBe('better');
});

test('a stall in one second changes p99 of the run, but only in some seconds', () => {
  const stalled = {
    ...runAt(1000, 10, (at) => (at === 4 ? { p99: 900, max: 1000 } : {})),
    latency: { ...latencyTimes(1), p99: 800, max: 1000 },
  };
  expect(metric(runAt(1000), stalled, 'p99').verdict).toBe('uneven');
  expect(metric(runAt(1000), stalled, 'p50').verdict).toBe('same');
});

test('a change in most seconds that may be chance is unclear', () => {
  const warmingUp = runAt(2000, 9, (at) => (at < 4 ? { answered: 900 } : {}));
  expect(metric(runAt(1000, 9), warmingUp, 'rate').verdict).toBe('unclear');
});

test('a slow first second does not hide a change', () => {
  const coldStart = (rate: number) => runAt(rate, 8, (at) => (at === 0 ? { answered: 10 } : {}));
  expect(metric(coldStart(1000), coldStart(1200), 'rate').verdict).toBe('better');
});

test('p90 and p99.9 are not known for each second, so they are not judged', () => {
  const slower = { ...runAt(1000), latency: latencyTimes(2) };
  expect(metric(runAt(1000), slower, 'p90').verdict).toBe('unknown');
  expect(metric(runAt(1000), slower, 'p99.9').verdict).toBe('unknown');
});

test('five seconds are too short to tell a change from noise, which is a warning', () => {
  const { metrics, warnings } = compareReports(runAt(1000, 5), runAt(2000, 5));
  expect(metrics[0]?.verdict).toBe('unclear');
  expect(warnings).toContain('the old run is short: at least 6 s are needed to tell changes from noise');
  expect(metric(runAt(1000, 6), runAt(2000, 6), 'rate').verdict).toBe('better');
});

test('errors that appear are worse, errors that disappear are better', () => {
  const failing = { ...runAt(1000), errors: [{ code: 'YODEL_REPLY_TIMEOUT', count: 3, example: '' }] };
  expect(metric(runAt(1000), failing, 'errors')).toMatchObject({ old: 0, now: 3, change: null, verdict: 'worse' });
  expect(metric(failing, runAt(1000), 'errors')).toMatchObject({ change: -1, verdict: 'better' });
  expect(metric(failing, failing, 'errors').verdict).toBe('same');
});

test('a run that answered nothing has no latencies to compare', () => {
  expect(metric(runAt(1000), nothingAnswered, 'p99')).toMatchObject({ now: null, change: null, verdict: 'unknown' });
  expect(metric(nothingAnswered, nothingAnswered, 'rate').verdict).toBe('same');
  expect(metric(nothingAnswered, runAt(1000), 'rate')).toMatchObject({ old: 0, change: null });
});

test('the incomplete last second is ignored', () => {
  const withRest = (rate: number, rest: number) => {
    const run = runAt(rate);
    return { ...run, intervals: [...run.intervals, sampleInterval(10, { seconds: 0.01, answered: rest })] };
  };
  expect(metric(withRest(1000, 0), withRest(1200, 0), 'rate').verdict).toBe('better');
  expect(metric(withRest(1000, 900), withRest(1000, 0), 'rate').verdict).toBe('same');
});

test('runs with the same settings have no warnings', () => {
  expect(compareReports(runAt(1000), runAt(1100)).warnings).toEqual([]);
});

test('every difference between the two runs is named', () => {
  const other: BenchReport = {
    ...runAt(1000),
    ...openLoop,
    address: 'unix:///tmp/y',
    yodel: '0.2.0',
    runtime: 'Bun 1.4.5',
    machine: { cpu: 'Other CPU', cores: 8, os: 'Darwin 25' },
    options: {
      connections: 100,
      pipeline: null,
      count: 5000,
      durationMs: null,
      rate: 5000,
      size: null,
      framing: 'raw',
      reconnectEach: false,
      stages: null,
      replies: 'count',
      threads: 2,
    },
    ended: 'interrupted',
    generator: { cpu: 1, lateness: null, limited: 'the generator used 100 % of a core' },
  };
  expect(compareReports(runAt(1000), other).warnings).toEqual([
    'address: tcp://127.0.0.1:7878 before, unix:///tmp/y now',
    'connections: 50 before, 100 now',
    'messages in flight on each connection: 1 before, open loop now',
    'count: none before, 5,000 now',
    'duration: 10 s before, none now',
    'target rate: none before, 5,000/s now',
    'message size: 64 bytes before, several now',
    'framing: lines before, raw now',
    'replies: echo before, count now',
    'generator processes: 1 before, 2 now',
    'processor: Test CPU before, Other CPU now',
    'cores: 2 before, 8 now',
    'operating system: Linux 6.6 before, Darwin 25 now',
    'runtime: Node 26.10.0 before, Bun 1.4.5 now',
    'yodel: 0.1.0 before, 0.2.0 now',
    'the new run was interrupted after 10 s',
    'the generator was the bottleneck of the new run, not the server',
  ]);
});

function latencyTimes(factor: number): NonNullable<BenchReport['latency']> {
  const { latency } = sampleReport(usual.map((value) => value * factor));
  if (!latency) throw new Error('no latency');
  return latency;
}
