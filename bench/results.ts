/** Writes what was measured: a page of tables, charts, and everything as JSON. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LeftOut } from './build.ts';
import { type Bar, renderChart } from './chart.ts';
import { formatQuantity } from './quantity.ts';
import type { Run } from './rounds.ts';
import type { Row, Spread, Table } from './summary.ts';

/** All that is known after a run. */
export interface Results {
  /** ISO time. */
  readonly date: string;
  readonly yodel: { readonly version: string; readonly commit: string };
  readonly machine: readonly string[];
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: {
    readonly rounds: number;
    readonly slices: number;
    readonly seconds: number;
    readonly warmUpSeconds: number;
    readonly idleConnections: number;
    readonly starts: number;
    readonly quick: boolean;
  };
  readonly leftOut: readonly LeftOut[];
  readonly tables: readonly Table[];
  readonly runs: readonly Run[];
}

const charts: Readonly<Record<string, string>> = {
  echo: 'Echo',
  transform: 'A handler that transforms each message',
  connections: 'Connections',
  'fan-out': 'Fan-out',
  start: 'Start',
  generators: 'Load generators, driving the C server',
};

/** Writes `README.md`, `results.json` and a chart for each kind of workload into the folder. */
export function writeResults(folder: string, results: Results): void {
  mkdirSync(folder, { recursive: true });
  const { leftOut, ...rest } = results;
  const names = leftOut.map(({ contender, reason }) => ({ contender: contender.name, reason }));
  const json = { kind: 'yodel-bench-results', version: 1, ...rest, leftOut: names };
  writeFileSync(join(folder, 'results.json'), `${JSON.stringify(json, null, 1)}\n`);
  writeFileSync(join(folder, 'README.md'), renderPage(results));
  for (const name of Object.keys(charts)) {
    const chart = chartOf(name, results.tables);
    // A chart of an earlier run must not stand beside tables of this one.
    if (chart) writeFileSync(join(folder, `${name}.svg`), chart);
    else rmSync(join(folder, `${name}.svg`), { force: true });
  }
}

function chartOf(name: string, tables: readonly Table[]): string | undefined {
  const groups = tables
    .filter(({ workload }) => workload.chart === name)
    .map((table) => ({
      title: table.workload.title,
      unit: showsRatio(table) ? `${table.workload.unit}, ratio to C` : table.workload.unit,
      bars: table.rows.flatMap((row) => barOf(row, table)),
    }))
    .filter(({ bars }) => bars.length > 0);
  const note =
    'Median of all slices; the thin line is their range. C has no framing and no checks. ~ disturbed, see the remarks.';
  return groups.length > 0 ? renderChart(charts[name] ?? name, note, groups) : undefined;
}

/** Start is shown in milliseconds, although it has a ratio: C's start is next to nothing. */
const showsRatio = ({ workload }: Table) => workload.ratio && workload.better === 'more';

function barOf({ title, kind, ratio, value, remarks }: Row, table: Table): Bar[] {
  const shown = showsRatio(table) ? ratio : value;
  if (!shown) return [];
  const { median, low, high } = shown;
  const text = showsRatio(table) ? median.toFixed(2) : formatQuantity(median);
  const mark = remarks.some((remark) => /^(disturbed|failed)/.test(remark)) ? ' ~' : '';
  return [{ label: title, kind, value: median, low, high, text: text + mark }];
}

/** The page with all tables. */
export function renderPage(results: Results): string {
  const { date, yodel, machine, versions, settings, leftOut, tables } = results;
  const shownCharts = new Set<string>();
  const sections = tables.map((table) => {
    const { chart } = table.workload;
    const isNew = !shownCharts.has(chart) && table.rows.some((row) => barOf(row, table).length > 0);
    if (isNew) shownCharts.add(chart);
    return `${isNew ? `![${charts[chart] ?? chart}](${chart}.svg)\n\n` : ''}${renderTable(table, settings)}`;
  });
  return `# Results

Written by \`npm run bench\`; [what is measured, and how](../README.md).
${settings.quick ? '\n**A quick run: it shows that everything works, its numbers mean little.**\n' : ''}
- ${date.slice(0, 10)}, yodel ${yodel.version}, commit ${yodel.commit}
- ${machine.join('\n- ')}
- ${Object.entries(versions)
    .map(([tool, version]) => `${tool} ${version}`)
    .join(', ')}
- ${counted(settings.rounds, 'round')} of ${counted(settings.slices, 'slice')} of ${settings.seconds} s, after ${settings.warmUpSeconds} s to warm up
${leftOut.map(({ contender, reason }) => `- left out: ${contender.title} (${reason})\n`).join('')}
Each number is the median of all slices of all rounds. Ratios are to C in the same slice, with their range in brackets.

${sections.join('\n')}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** One workload's table as Markdown. */
export function renderTable({ workload, rows, absent }: Table, settings: Results['settings']): string {
  const columns = [
    { head: '', cell: ({ kind, title }: Row) => (kind === 'yodel' ? `**${title}**` : title) },
    { head: workload.unit, cell: ({ value }: Row) => (value ? formatQuantity(value.median) : '–') },
    ...(workload.ratio ? [{ head: 'ratio to C', cell: ({ ratio }: Row) => formatRatio(ratio) }] : []),
    ...(workload.latency
      ? [
          { head: 'p50 µs', cell: ({ p50 }: Row) => (p50 === null ? '–' : formatQuantity(p50)) },
          { head: 'p99 µs', cell: ({ p99 }: Row) => (p99 === null ? '–' : formatQuantity(p99)) },
        ]
      : []),
    { head: 'remarks', cell: ({ remarks }: Row) => remarks.join('; ').replaceAll('|', '\\|') },
  ];
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const table = [
    line(columns.map(({ head }) => head)),
    line(columns.map((_, index) => (index === 0 || index === columns.length - 1 ? '---' : '---:'))),
    ...rows.map((row) => line(columns.map(({ cell }) => cell(row)))),
  ].join('\n');
  const latencies =
    workload.depth > 1
      ? `C times a block of ${workload.depth} messages, \`yodel bench\` each message: do not compare these latencies.`
      : 'Both time a message.';
  const how = {
    idle: `${settings.idleConnections} connections, each after one echo. `,
    start: `The median of ${settings.starts} starts in each round. `,
    drive: `\`yodel bench\` and [load.c](../load/load.c) in turn, all driving the same C server. ${latencies} `,
  }[workload.mode as string];
  const missing = absent.map(({ title, reason }) => `${title} (${reason})`).join(', ');
  return `## ${workload.title}

${how ?? ''}${workload.better === 'more' ? 'More is better.' : 'Less is better.'}

${table}
${missing && `\nNot here: ${missing}.\n`}`;
}

function formatRatio(ratio: Spread | null): string {
  if (!ratio) return '–';
  const { median, low, high } = ratio;
  return low === high ? formatShare(median) : `${formatShare(median)} (${formatShare(low)}–${formatShare(high)})`;
}

function formatShare(ratio: number): string {
  return ratio < 0.1 ? ratio.toPrecision(1) : ratio.toFixed(ratio < 10 ? 2 : 0);
}
