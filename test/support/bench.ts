/** Runs `yodel bench` and reads its report. */
import { expect } from 'vitest';
import type { BenchReport } from '../../src/load/result/report.ts';
import { type Outcome, type RunOptions, yodel } from './process/command.ts';

export interface BenchOutcome extends Outcome {
  readonly report: BenchReport;
}

/** Runs `yodel bench ARGS --json` to its end. Checks that the counts of the report add up in every case. */
export async function bench(args: readonly string[], options: RunOptions = {}): Promise<BenchOutcome> {
  const outcome = await yodel(['bench', ...args, '--json'], options);
  const text = outcome.stdout.toString();
  expect(text, outcome.stderr).toMatch(/^\{.*\}\n$/);
  const report = JSON.parse(text) as BenchReport;
  expectToAddUp(report);
  return { ...outcome, report };
}

/** The count of an error code; 0 when there was none. */
export function errorCount({ errors }: BenchReport, code: string): number {
  return errors.find((error) => error.code === code)?.count ?? 0;
}

function expectToAddUp({ messages, replies, histogram, intervals, errors, options, latency }: BenchReport): void {
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
  const answered = options.replies === 'none' ? messages.sent : messages.answered;
  if (options.replies !== 'none') {
    expect(messages.answered + messages.unanswered).toBe(messages.sent);
    const timed = messages.answered - replies.failed - replies.untimed;
    expect(sum(histogram.map(([, count]) => count))).toBe(timed);
    expect(latency === null).toBe(timed === 0);
  }
  expect(sum(intervals.map((interval) => interval.answered))).toBe(answered);
  expect(sum(intervals.map((interval) => interval.errors))).toBe(sum(errors.map(({ count }) => count)));
}
