import { expect, test } from 'vitest';
import { compareReports } from '../../src/load/result/compare.ts';
import type { BenchReport } from '../../src/load/result/report.ts';
import { formatComparison } from '../../src/report/comparison.ts';
import { paintFor } from '../../src/terminal/style.ts';
import { nothingAnswered, sampleInterval, sampleReport, usual } from '../load/result/sample-report.ts';

const plain = { paint: paintFor(false) };

test('shows old, new, change and verdict in columns', () => {
  const faster: BenchReport = {
    ...sampleReport(usual.map((value) => value * 0.5)),
    rate: { target: null, achieved: 2000 },
    intervals: Array.from({ length: 10 }, (_, at) =>
      sampleInterval(at, { answered: 2000, p50: 0.5, p99: 0.75, max: 1 }),
    ),
    errors: [{ code: 'YODEL_REPLY_TIMEOUT', count: 1204, example: '' }],
    runtime: 'Bun 1.4.5',
  };
  expect(
    formatComparison(compareReports(sampleReport(), faster), plain),
  ).toBe(`Compared with the run of 2026-02-03 10:11:12 UTC
              old      new  change
  rate    1,000/s  2,000/s  +100 %  better
  p50     1.00 ms   500 µs   -50 %  better
  p90     1.40 ms   700 µs   -50 %  not judged
  p99     1.49 ms   745 µs   -50 %  better
  p99.9   1.50 ms   750 µs   -50 %  not judged
  max     1.50 ms   750 µs   -50 %  better
  errors        0    1,204  +1,204  worse

Better and worse: a change of at least 5 %, and the individual seconds of the
runs differ by more than chance (rank-sum test, 1 %). p90 and p99.9 are not
judged, because they are not recorded per second.
Note: runtime: Node 26.10.0 before, Bun 1.4.5 now.
`);
});

test('shows a dash for what one of the runs does not have', () => {
  const text = formatComparison(compareReports(sampleReport(), nothingAnswered), plain);
  expect(text).toMatch(/ p99 +1\.49 ms +- +- {2}not judged\n/);
  expect(text).not.toContain('NaN');
});

test('text from a file cannot control the terminal', () => {
  const hostile = sampleReport(usual, { started: '\x1b[2J', address: '\x1b[31m', runtime: '\x9b31m\n' });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this looks for control characters
  expect(formatComparison(compareReports(hostile, sampleReport()), plain)).not.toMatch(/[\x1b\x9b]/);
});
