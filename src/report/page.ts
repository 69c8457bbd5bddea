/** The result of a load test as a self-contained HTML page: no script, no font, no network. */
import { formatCount, formatCountOf, formatLatency, formatRate } from '../format/figures.ts';
import type { Comparison } from '../load/result/compare.ts';
import { countBeyond, countNeeded, latencyCount, summaryPercentiles } from '../load/result/percentile.ts';
import type { BenchReport } from '../load/result/report.ts';
import { formatChange, formatValue, verdictNote, verdictWords } from './comparison.ts';
import { type Content, html, type Markup } from './html.ts';
import { histogramChart, latencyChart, percentileChart, rateChart } from './load-charts.ts';
import { pageStyle } from './page-style.ts';
import {
  describeConnecting,
  describeConnections,
  describeData,
  describeGenerator,
  describeMachine,
  describeRate,
  describeRequest,
  describeRun,
  describeStage,
  describeTarget,
  explainPercentile,
  findingsOf,
  formatStart,
  requestColumns,
  requestFigures,
  stageColumns,
  stageFigures,
} from './sentences.ts';

/**
 * The whole page. Text from outside (addresses, error texts, the report to compare with) is escaped, and the page's content
 * security policy forbids it to load or run anything.
 */
export function renderPage(report: BenchReport, comparison?: Comparison): string {
  const title = `yodel bench: ${formatRate(report.rate.achieved)}, ${report.address}`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${pageStyle}</style>
</head>
<body>
<main>
<header>
<h1><small>yodel bench</small>${report.address}</h1>
<p>${describeRun(report)}</p>
<p class="quiet">${formatStart(report)}. ${describeMachine(report)}.</p>
</header>
${findingsOf(report).map(({ weight, text }) => html`<p class="finding ${weight}">${text}</p>\n`)}
${cards(report)}
${comparison ? compared(comparison) : undefined}
${charts(report, comparison?.old)}
<div class="tables">
<div>${latencies(report)}</div>
<div>${totals(report)}</div>
</div>
${requests(report)}
${stages(report)}
${errors(report)}
<footer>${howToRead(report)}</footer>
</main>
</body>
</html>
`.text;
}

function cards({ rate, latency, errors, histogram }: BenchReport): Markup {
  const total = latencyCount(histogram);
  const percentile = (share: number, value: number | undefined) =>
    value === undefined || countBeyond(total, share) === 0 ? '-' : formatLatency(value);
  const count = errors.reduce((sum, error) => sum + error.count, 0);
  const target = rate.target === null ? undefined : `target: ${formatCount(rate.target)}/s`;
  return html`<dl class="cards">
${card('Rate', formatRate(rate.achieved), target)}
${card('Half of the replies within', percentile(50, latency?.p50), 'p50')}
${card('99 % of the replies within', percentile(99, latency?.p99), 'p99')}
${card('Slowest reply', latency ? formatLatency(latency.max) : '-', 'max')}
${card('Errors', count === 0 ? 'none' : html`<span class="error-text">${formatCount(count)}</span>`)}
</dl>`;
}

function card(name: string, value: Content, note?: string): Markup {
  return html`<div><dt>${name}</dt><dd>${value}${note === undefined ? undefined : html`<span class="note">${note}</span>`}</dd></div>`;
}

function charts(report: BenchReport, old: BenchReport | undefined): Markup | undefined {
  const ofTime = report.intervals.length > 0;
  const ofLatency = report.latency !== null;
  if (!ofTime && !ofLatency) return undefined;
  return html`<h2>Charts</h2>
<div class="charts">
${ofLatency ? percentileChart(report, old) : undefined}${ofTime ? rateChart(report) : undefined}${ofLatency && ofTime ? latencyChart(report) : undefined}${ofLatency ? histogramChart(report) : undefined}</div>`;
}

function latencies({ latency, histogram }: BenchReport): Markup | undefined {
  if (!latency) return undefined;
  const total = latencyCount(histogram);
  const row = (name: string, value: string, note: Content = undefined) =>
    html`<tr><th scope="row">${name}</th><td class="number">${value}</td><td>${note}</td></tr>\n`;
  return html`<h2>Latency</h2>
<div class="table"><table><tbody>
${row('min', formatLatency(latency.min))}${summaryPercentiles.map(([percentile, field]) => {
  const name = `p${percentile}`;
  if (countBeyond(total, percentile) === 0) {
    const needed = formatCountOf(countNeeded(percentile), 'reply', 'replies');
    return row(name, '-', html`<span class="weak">unknown, needs at least ${needed}</span>`);
  }
  const { weak, text } = explainPercentile(percentile, total);
  return row(name, formatLatency(latency[field]), html`<span class="${weak ? 'weak' : 'quiet'}">${text}</span>`);
})}${row('max', formatLatency(latency.max))}${row('mean', formatLatency(latency.mean))}${row('stdev', formatLatency(latency.stdev), html`<span class="quiet">standard deviation</span>`)}</tbody></table></div>`;
}

function stages({ stages }: BenchReport): Markup | undefined {
  if (!stages) return undefined;
  const rows = stages.map((stage) => [describeStage(stage), ...stageFigures(stage)]);
  return rowsOf('Stages', 'of the messages due in each', stageColumns, rows);
}

function requests({ transcript }: BenchReport): Markup | undefined {
  if (!transcript) return undefined;
  const rows = transcript.requests.map((request) => [describeRequest(request), ...requestFigures(request)]);
  return rowsOf('Requests', `of ${transcript.file}`, requestColumns, rows);
}

function rowsOf(name: string, about: string, columns: readonly string[], rows: readonly (readonly string[])[]): Markup {
  return html`<h2>${name}</h2>
<div class="table"><table><thead><tr><th scope="col">${about}</th>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead><tbody>
${rows.map(([first, ...others]) => html`<tr><th scope="row">${first}</th>${others.map((text) => html`<td class="number">${text}</td>`)}</tr>\n`)}</tbody></table></div>`;
}

function totals(report: BenchReport): Markup {
  const { options } = report;
  const rows: [name: string, value: string | undefined][] = [
    ['Messages', describeRate(report)],
    ['Target', describeTarget(report)],
    ['Data', describeData(report)],
    ['Connections', describeConnections(report)],
    ['Connecting', describeConnecting(report)],
    ['Generator', describeGenerator(report)],
    ['Processes', formatCount(options.threads)],
    [
      'Loop',
      options.pipeline === null ? 'open' : `closed, ${formatCount(options.pipeline)} in flight on each connection`,
    ],
    ['Message size', options.size === null ? 'various' : formatCountOf(options.size, 'byte')],
    ['Framing', options.framing],
    ['Replies', { echo: 'compared', count: 'counted', none: 'not expected' }[options.replies]],
    ['Runtime', report.runtime],
    ['Processor', `${report.machine.cpu}, ${formatCountOf(report.machine.cores, 'core')}`],
    ['System', report.machine.os],
  ];
  return html`<h2>Details</h2>
<div class="table"><table><tbody>
${rows.map(([name, value]) => (value === undefined ? undefined : html`<tr><th scope="row">${name}</th><td class="free">${value}</td></tr>\n`))}</tbody></table></div>`;
}

function errors({ errors }: BenchReport): Markup | undefined {
  if (errors.length === 0) return undefined;
  const rows = errors
    .toSorted((a, b) => b.count - a.count)
    .map(
      ({ code, count, example }) =>
        html`<tr><td class="number">${formatCount(count)}</td><td><code>${code}</code></td><td class="free">${example}</td></tr>\n`,
    );
  return html`<h2>Errors</h2>
<div class="table"><table><thead><tr><th class="number">Count</th><th>Code</th><th>First one</th></tr></thead><tbody>
${rows}</tbody></table></div>`;
}

function compared({ old, metrics, warnings }: Comparison): Markup {
  const rows = metrics.map(
    (metric) => html`<tr><th scope="row">${metric.metric}</th><td class="number">${formatValue(metric, metric.old)}</td>
<td class="number">${formatValue(metric, metric.now)}</td><td class="number">${formatChange(metric)}</td>
<td class="verdict ${metric.verdict}">${verdictWords[metric.verdict]}</td></tr>\n`,
  );
  return html`<h2>Compared with the run of ${formatStart(old)}</h2>
${warnings.length === 0 ? undefined : html`<ul class="finding">${warnings.map((warning) => html`<li>${warning}</li>`)}</ul>`}
<div class="table"><table><thead><tr><th></th><th class="number">Old</th><th class="number">New</th><th class="number">Change</th><th>Verdict</th></tr></thead><tbody>
${rows}</tbody></table></div>
<p class="quiet">${verdictNote}</p>`;
}

function howToRead({ options, yodel }: BenchReport): string {
  const loop =
    options.pipeline === null
      ? 'Messages were sent at a fixed rate. A latency counts from when its message was due, so a stall of the server shows in the latencies of all messages due during the stall.'
      : 'Each connection waited for replies before it sent more. While a server stalls, hardly any message is sent, so stalls hardly show in the percentiles; use a fixed rate (--rate) to see them.';
  return `${loop} Generated by yodel ${yodel}.`;
}
