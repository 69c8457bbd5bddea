/** Compares two runs of a load test, as text. */
import { formatCount, formatLatency, formatRate } from '../format/figures.ts';
import type { ComparedMetric, Comparison } from '../load/result/compare.ts';
import type { Verdict } from '../load/result/noise.ts';
import { escapeText } from '../terminal/escape.ts';
import { wrap } from '../terminal/layout.ts';
import type { Paint } from '../terminal/style.ts';
import { formatStart } from './sentences.ts';

/** The words for a verdict. */
export const verdictWords: Readonly<Record<Verdict, string>> = {
  better: 'better',
  worse: 'worse',
  same: 'the same',
  noise: 'within noise',
  uneven: 'only in some seconds',
  unclear: 'unclear: run longer',
  unknown: 'not judged',
};

/** How verdicts are reached. */
export const verdictNote =
  'Better and worse: a change of at least 5 %, and the individual seconds of the runs differ by more than chance ' +
  '(rank-sum test, 1 %). p90 and p99.9 are not judged, because they are not recorded per second.';

const verdictStyles = {
  better: 'green',
  worse: 'red',
  same: 'dim',
  noise: 'dim',
  uneven: 'yellow',
  unclear: 'yellow',
  unknown: 'dim',
} as const;

/** A table of old, new, change and verdict, then warnings about differences between the runs. Each line ends with a newline. */
export function formatComparison(comparison: Comparison, { paint }: { readonly paint: Paint }): string {
  const { old, metrics, warnings } = comparison;
  const rows = metrics.map((metric) => ({
    name: metric.metric,
    old: formatValue(metric, metric.old),
    now: formatValue(metric, metric.now),
    change: formatChange(metric),
    verdict: paint(verdictStyles[metric.verdict], verdictWords[metric.verdict]),
  }));
  const width = (column: 'old' | 'now' | 'change') => Math.max(...rows.map((row) => row[column].length), column.length);
  const line = (name: string, before: string, now: string, change: string, verdict: string) =>
    `  ${name.padEnd(8)}${before.padStart(width('old'))}  ${now.padStart(width('now'))}  ${change.padStart(width('change'))}  ${verdict}`;
  return [
    paint('bold', `Compared with the run of ${formatStart(old)}`),
    paint('dim', line('', 'old', 'new', 'change', '').trimEnd()),
    ...rows.map((row) => line(row.name, row.old, row.now, row.change, row.verdict)),
    '',
    ...wrap(verdictNote, 79).map((text) => paint('dim', text)),
    ...warnings.flatMap((warning) => wrap(`Note: ${escapeText(warning)}.`, 79)).map((text) => paint('yellow', text)),
  ]
    .map((text) => `${text}\n`)
    .join('');
}

/** A value with its unit; a dash when there is none. */
export function formatValue({ kind }: ComparedMetric, value: number | null): string {
  if (value === null) return '-';
  return { rate: formatRate, latency: formatLatency, count: formatCount }[kind](value);
}

/** A change in percent, or as a number for errors. */
export function formatChange({ kind, old, now, change }: ComparedMetric): string {
  if (old === null || now === null) return '-';
  if (kind === 'count') return now === old ? '0' : `${now > old ? '+' : '-'}${formatCount(Math.abs(now - old))}`;
  if (change === null) return '-';
  const percent = change * 100;
  const digits = Math.abs(percent) < 100 ? 1 : 0;
  const text = formatCount(Number(Math.abs(percent).toFixed(digits)));
  return `${percent < 0 && text !== '0' ? '-' : '+'}${text} %`;
}
