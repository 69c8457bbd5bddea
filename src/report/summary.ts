/** The summary of a load test: sentences and aligned rows, also for a screen reader. */
import { formatCount, formatCountOf, formatLatency } from '../format/figures.ts';
import { countBeyond, countNeeded, latencyCount, summaryPercentiles } from '../load/result/percentile.ts';
import type { BenchReport, LatencySummary } from '../load/result/report.ts';
import { escapeText } from '../terminal/escape.ts';
import { type Layout, wrap } from '../terminal/layout.ts';
import { drawDistribution } from './distribution.ts';
import {
  describeConnecting,
  describeConnections,
  describeData,
  describeGenerator,
  describeMachine,
  describeRate,
  describeRequest,
  describeRounds,
  describeRun,
  describeStage,
  describeTarget,
  explainPercentile,
  findingsOf,
  requestColumns,
  requestFigures,
  stageColumns,
  stageFigures,
} from './sentences.ts';

/** Longer lines are hard to read. */
const maxWidth = 100;
const minWidth = 30;
/** Longer lines of a transcript are cut. */
const maxRequest = 30;

/** Longer examples of errors are cut. */
const maxExampleLength = 400;

/** The whole summary. Each line ends with a newline. @param layout the width is limited to 30 to 100 columns */
export function formatSummary(report: BenchReport, layout: Layout): string {
  const fitted = { ...layout, width: Math.max(minWidth, Math.min(layout.width, maxWidth)) };
  const parts = [
    wrap(describeRun(report), fitted.width),
    formatTotals(report, fitted),
    formatLatencies(report, fitted),
    formatRequests(report, fitted),
    formatStages(report, fitted),
    formatErrors(report, fitted),
    formatFindings(report, fitted),
  ];
  const lines = parts.filter((part) => part.length > 0).flatMap((part) => ['', ...part]);
  return lines
    .slice(1)
    .map((line) => `${line}\n`)
    .join('');
}

function formatTotals(report: BenchReport, layout: Layout): string[] {
  const errorCount = report.errors.reduce((sum, { count }) => sum + count, 0);
  const target = describeTarget(report);
  const connecting = describeConnecting(report);
  const rows: [name: string, text: string, style?: 'bold' | 'red' | 'green' | 'dim'][] = [
    ['Messages', describeRate(report), 'bold'],
    ...(target === undefined ? [] : [['Target', target] as [string, string]]),
    ...(report.transcript ? [['Rounds', describeRounds(report.transcript)] as [string, string]] : []),
    ...(report.transcript ? [] : [['Data', describeData(report)] as [string, string]]),
    ['Connections', describeConnections(report)],
    ...(connecting === undefined ? [] : [['Connecting', connecting] as [string, string]]),
    ['Errors', errorCount === 0 ? 'none' : formatCount(errorCount), errorCount === 0 ? 'green' : 'red'],
    ['Generator', describeGenerator(report)],
    ['Machine', describeMachine(report), 'dim'],
  ];
  return rows.flatMap(([name, text, style]) => {
    const lines = wrap(text, layout.width - 15);
    return lines.map((line, index) => {
      const shown = style ? layout.paint(style, line) : line;
      return `  ${(index === 0 ? name : '').padEnd(13)}${shown}`;
    });
  });
}

function formatLatencies(report: BenchReport, layout: Layout): string[] {
  const { latency, histogram, rate } = report;
  if (!latency) return [];
  const total = latencyCount(histogram);
  const from =
    rate.target === null ? 'from sending a message to its reply' : 'from when a message was due to its reply';
  return [
    ...heading('Latency', from, layout),
    row('min', latency.min),
    ...formatLadder(latency, total, layout),
    row('max', latency.max),
    row('mean', latency.mean),
    row('stdev', latency.stdev),
    '',
    ...heading('Distribution', formatCountOf(total, 'reply', 'replies'), layout),
    ...drawDistribution(report, layout),
  ];
}

/** Percentiles with too few replies are not shown; one line says so for all of them. */
function formatLadder(latency: LatencySummary, total: number, { width, paint }: Layout): string[] {
  const supported = summaryPercentiles.filter(([percentile]) => countBeyond(total, percentile) > 0);
  const missing = summaryPercentiles.slice(supported.length).map(([percentile]) => `p${percentile}`);
  const lines = supported.flatMap(([percentile, field]) => {
    const { weak, text } = explainPercentile(percentile, total);
    const shown = row(`p${percentile}`, latency[field]);
    if (shown.length + 2 + text.length <= width) return [`${shown}  ${paint(weak ? 'yellow' : 'dim', text)}`];
    // Where space is short, explanations are omitted, but warnings are not.
    return weak ? [shown, ...wrap(text, width - 4).map((line) => `    ${paint('yellow', line)}`)] : [shown];
  });
  if (missing.length === 0) return lines;
  const needs = formatCountOf(countNeeded(summaryPercentiles[supported.length]?.[0] ?? 0), 'reply', 'replies');
  const note = `${missing.join(', ')}: unknown, needs at least ${needs}`;
  return [...lines, ...wrap(note, width - 2).map((line) => `  ${paint('yellow', line)}`)];
}

function row(name: string, milliseconds: number): string {
  return `  ${name.padEnd(9)}${formatLatency(milliseconds).padStart(9)}`;
}

/** A row for each stage: what was scheduled, what came of it. */
function formatStages({ stages }: BenchReport, layout: Layout): string[] {
  if (!stages) return [];
  const rows = stages.map((stage) => [describeStage(stage), ...stageFigures(stage)]);
  return [
    ...heading('Stages', 'of the messages due in each', layout),
    ...table([['', ...stageColumns], ...rows], layout),
  ];
}

/** A row for each request of a transcript. */
function formatRequests({ transcript }: BenchReport, layout: Layout): string[] {
  if (!transcript) return [];
  const rows = transcript.requests.map((request) => [describeRequest(request, maxRequest), ...requestFigures(request)]);
  const about = 'from sending each to the last line of its replies';
  return [...heading('Requests', about, layout), ...table([['', ...requestColumns], ...rows], layout)];
}

/** Aligned columns: the first one on the left, the others, which are numbers, on the right. */
function table(rows: readonly (readonly string[])[], { paint }: Layout): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  return lines.map((line, index) => (index === 0 ? paint('dim', `  ${line}`) : `  ${line}`));
}

function formatErrors({ errors }: BenchReport, layout: Layout): string[] {
  if (errors.length === 0) return [];
  const counts = errors.map(({ count }) => formatCount(count));
  const widestCount = Math.max(...counts.map((text) => text.length));
  const lines = errors
    .toSorted((a, b) => b.count - a.count)
    .flatMap(({ code, count, example }) => [
      `  ${formatCount(count).padStart(widestCount)}  ${layout.paint('red', escapeText(code))}`,
      ...wrap(escapeText(cut(example)), layout.width - widestCount - 4).map(
        (line) => `${' '.repeat(widestCount + 4)}${line}`,
      ),
    ]);
  return [...heading('Errors', 'how often, and the first of each kind', layout), ...lines];
}

function formatFindings(report: BenchReport, { width, paint }: Layout): string[] {
  return findingsOf(report).flatMap(({ weight, text }) =>
    wrap(text, width).map((line) => paint(weight === 'bad' ? 'red' : 'yellow', line)),
  );
}

function heading(name: string, about: string, { width, paint }: Layout): string[] {
  const [first = '', ...rest] = wrap(`${name}: ${about}`, width);
  return [`${paint('bold', name)}${paint('dim', first.slice(name.length))}`, ...rest.map((line) => paint('dim', line))];
}

function cut(text: string): string {
  return text.length <= maxExampleLength ? text : `${text.slice(0, maxExampleLength)}…`;
}
