/** Reports for tests: a run that went well, and what a test changes in it. */
import { Histogram } from '../../../src/load/histogram.ts';
import type { BenchInterval, BenchReport } from '../../../src/load/result/report.ts';

/** The report of ten seconds at 1000 messages a second that took these times, in milliseconds, over and over. */
export function sampleReport(latencies: readonly number[] = usual, changes: Partial<BenchReport> = {}): BenchReport {
  const histogram = new Histogram();
  for (const latency of latencies) histogram.record(latency);
  const answered = latencies.length;
  return {
    kind: 'yodel-bench',
    version: 1,
    yodel: '0.1.0',
    runtime: 'Node 26.10.0',
    machine: { cpu: 'Test CPU', cores: 2, os: 'Linux 6.6' },
    started: '2026-02-03T10:11:12.345Z',
    address: 'tcp://127.0.0.1:7878',
    options: {
      connections: 50,
      pipeline: 1,
      count: null,
      durationMs: 10_000,
      rate: null,
      size: 64,
      framing: 'lines',
      reconnectEach: false,
      stages: null,
      replies: 'echo',
      threads: 1,
    },
    seconds: 10,
    ended: 'done',
    messages: { sent: answered, answered, unanswered: 0 },
    replies: { failed: 0, untimed: 0, unasked: 0 },
    bytes: { sent: answered * 65, received: answered * 65 },
    rate: { target: null, achieved: answered / 10 },
    latency: answered === 0 ? null : summary(histogram),
    connect: null,
    transcript: null,
    stages: null,
    errors: [],
    connections: { wanted: 50, opened: 50, lost: 0 },
    generator: { cpu: 0.5, lateness: null, limited: null },
    intervals: Array.from({ length: 10 }, (_, at) => sampleInterval(at, { answered: answered / 10 })),
    histogram: [...histogram.entries()],
    ...changes,
  };
}

/** 10,000 latencies around a millisecond: 0.5 to 1.5 ms, evenly. */
export const usual: readonly number[] = Array.from({ length: 10_000 }, (_, index) => 0.5 + index / 10_000);

/** An open loop's options. */
export const openLoop: Partial<BenchReport> = {
  options: { ...sampleReport([]).options, pipeline: null, rate: 5000 },
  rate: { target: 5000, achieved: 1000 },
  generator: { cpu: 0.5, lateness: { p50: 0.002, p99: 0.31, max: 4.2 }, limited: null },
};

/** A report of a run in which nothing was answered. */
export const nothingAnswered: BenchReport = sampleReport([], {
  intervals: [],
  messages: { sent: 50, answered: 0, unanswered: 50 },
  errors: [{ code: 'YODEL_REPLY_TIMEOUT', count: 50, example: 'no reply within 10s' }],
});

/** One second. */
export function sampleInterval(at: number, changes: Partial<BenchInterval> = {}): BenchInterval {
  return { at, seconds: 1, answered: 1000, errors: 0, p50: 1, p99: 1.5, max: 2, ...changes };
}

function summary(histogram: Histogram): BenchReport['latency'] {
  return {
    min: histogram.min,
    mean: histogram.mean,
    stdev: histogram.stdev,
    max: histogram.max,
    p50: histogram.percentile(50),
    p75: histogram.percentile(75),
    p90: histogram.percentile(90),
    p95: histogram.percentile(95),
    p99: histogram.percentile(99),
    p999: histogram.percentile(99.9),
    p9999: histogram.percentile(99.99),
    p99999: histogram.percentile(99.999),
  };
}
