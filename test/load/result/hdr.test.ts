import { expect, test } from 'vitest';
import { formatHdr } from '../../../src/load/result/hdr.ts';
import { nothingAnswered, sampleReport } from './sample-report.ts';

/** What HdrHistogram's plotter takes from a file: lines of four columns, the first and the last of them numbers. */
function plotted(text: string): (readonly [inverse: number, value: number])[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/ +/))
    .filter((columns) => !columns[0]?.startsWith('#') && columns.length === 4)
    .map((columns) => [Number.parseFloat(columns[3] ?? ''), Number.parseFloat(columns[0] ?? '')] as const)
    .filter(([inverse, value]) => !Number.isNaN(inverse) && !Number.isNaN(value));
}

test('the text has the columns and the footer of HdrHistogram, with more lines towards the slowest replies', () => {
  const { latency } = sampleReport([1, 10]);
  if (!latency) throw new Error('no latency');
  const report = sampleReport([], { histogram: tenths, latency: { ...latency, mean: 5.5, stdev: 2.872 } });
  const text = formatHdr(report);
  expect(text.split('\n')).toEqual([
    '       Value     Percentile TotalCount 1/(1-Percentile)',
    '',
    '       1.000 0.000000000000          1           1.00',
    '       1.000 0.100000000000          1           1.11',
    '       2.000 0.200000000000          2           1.25',
    '       3.000 0.300000000000          3           1.43',
    '       4.000 0.400000000000          4           1.67',
    '       5.000 0.500000000000          5           2.00',
    '       6.000 0.550000000000          6           2.22',
    '       6.000 0.600000000000          6           2.50',
    '       7.000 0.650000000000          7           2.86',
    '       7.000 0.700000000000          7           3.33',
    '       8.000 0.750000000000          8           4.00',
    '       8.000 0.775000000000          8           4.44',
    '       8.000 0.800000000000          8           5.00',
    '       9.000 0.825000000000          9           5.71',
    '       9.000 0.850000000000          9           6.67',
    '       9.000 0.875000000000          9           8.00',
    '       9.000 0.887500000000          9           8.89',
    '       9.000 0.900000000000          9          10.00',
    '      10.000 0.912500000000         10          11.43',
    '      10.000 1.000000000000         10',
    '#[Mean    =        5.500, StdDeviation   =        2.872]',
    '#[Max     =       10.000, Total count    =           10]',
    '',
  ]);
});

const tenths = Array.from({ length: 10 }, (_, index) => [index + 1, 1] as const);

test('percentiles are ascending, up to the slowest reply', () => {
  const points = plotted(formatHdr(sampleReport()));
  expect(points.length).toBeGreaterThan(50);
  const ascending = (values: number[]) =>
    values.every((value, index) => index === 0 || value >= (values[index - 1] ?? 0));
  expect(ascending(points.map(([inverse]) => inverse))).toBe(true);
  expect(ascending(points.map(([, value]) => value))).toBe(true);
  expect(points.at(-1)?.[1]).toBe(1.5);
});

test('one reply and 10^12 replies can be written', () => {
  expect(plotted(formatHdr(sampleReport([2])))).toEqual([[1, 2]]);
  const many = formatHdr(sampleReport([2], { histogram: [[2, 1e12]] }));
  expect(plotted(many)).toEqual([[1, 2]]);
  expect(many).toContain('1000000000000');
});

test('without replies only header and footer are written', () => {
  expect(formatHdr(nothingAnswered)).toBe(
    '       Value     Percentile TotalCount 1/(1-Percentile)\n\n' +
      '#[Mean    =        0.000, StdDeviation   =        0.000]\n' +
      '#[Max     =        0.000, Total count    =            0]\n',
  );
});
