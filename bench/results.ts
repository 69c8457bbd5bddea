/** Writes the results: a page of tables, charts, and all values as JSON. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAttacked, renderAttacks } from './abuse-table.ts';
import type { LeftOut, LeftOutWorkload } from './build.ts';
import { type Bar, type Group, renderChart } from './chart.ts';
import { contenders } from './contenders.ts';
import { formatQuantity } from './quantity.ts';
import type { Run } from './rounds.ts';
import { backgroundClientsOf } from './run.ts';
import type { LoadedLatencies, Row, Spread, Table } from './summary.ts';
import type { Workload } from './workloads.ts';

/** Everything known after a run. */
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
    readonly maxBackgroundClients: number;
    readonly starts: number;
    readonly quick: boolean;
  };
  readonly leftOut: readonly LeftOut[];
  readonly leftOutWorkloads: readonly LeftOutWorkload[];
  readonly tables: readonly Table[];
  readonly runs: readonly Run[];
}

const charts: Readonly<Record<string, string>> = {
  echo: 'Echo',
  transform: 'A handler that transforms each message',
  connections: 'Connections',
  background: 'With background clients',
  'fan-out': 'Fan-out',
  rooms: 'Rooms',
  journal: 'Recorded before acknowledged',
  websocket: 'WebSocket echo',
  tls: 'TLS echo',
  ways: 'A handler for each message, with what may be around it',
  framing: 'Other framings beside lines',
  start: 'Start',
  generators: 'Load generators, driving the C server',
};

/** Writes `README.md`, `results.json` and a chart for each kind of workload into the folder. */
export function writeResults(folder: string, results: Results): void {
  mkdirSync(folder, { recursive: true });
  const { leftOut, leftOutWorkloads, ...rest } = results;
  const names = {
    leftOut: leftOut.map(({ contender, reason }) => ({ contender: contender.name, reason })),
    leftOutWorkloads: leftOutWorkloads.map(({ workload, reason }) => ({ workload: workload.name, reason })),
  };
  const json = { kind: 'yodel-bench-results', version: 1, ...rest, ...names };
  writeFileSync(join(folder, 'results.json'), `${JSON.stringify(json, null, 1)}\n`);
  writeFileSync(join(folder, 'README.md'), renderPage(results));
  for (const name of Object.keys(charts)) {
    const chart = chartOf(name, results.tables);
    // Charts of an earlier run must not remain beside the tables of this one.
    if (chart) writeFileSync(join(folder, `${name}.svg`), chart);
    else rmSync(join(folder, `${name}.svg`), { force: true });
  }
}

function chartOf(name: string, tables: readonly Table[]): string | undefined {
  const groups = tables
    .filter(({ workload }) => workload.chart === name)
    .flatMap(groupsOf)
    .filter(({ bars }) => bars.length > 0);
  const hasC = groups.some(({ bars }) => bars.some(({ kind }) => kind === 'reference'));
  const note = `Median of all slices; the thin line is their range.${hasC ? ' C has no framing and no checks.' : ''} ~ disturbed, see the remarks.`;
  return groups.length > 0 ? renderChart(charts[name] ?? name, note, groups) : undefined;
}

function groupsOf(table: Table): Group[] {
  const { title, unit, background } = table.workload;
  if (!background) {
    const bars = table.rows.flatMap((row) => barOf(row, table));
    return [{ title, unit: showsRatio(table) ? `${unit}, ${ratioHead(table.workload)}` : unit, bars }];
  }
  const group = (what: string, times: (loaded: LoadedLatencies) => Spread): Group => ({
    title,
    unit: `${what} with background clients, as a multiple of that without them`,
    bars: table.rows.flatMap((row) => (row.loaded ? [bar(row, times(row.loaded), formatShare)] : [])),
  });
  return [group('median latency', ({ timesP50 }) => timesP50), group('p99', ({ timesP99 }) => timesP99)];
}

/** Start times are shown in milliseconds although they have a ratio, because C starts in almost no time. */
const showsRatio = ({ workload }: Table) => workload.ratio && workload.better === 'more';

function barOf(row: Row, table: Table): Bar[] {
  const shown = showsRatio(table) ? row.ratio : row.value;
  if (!shown) return [];
  return [bar(row, shown, showsRatio(table) ? (median) => median.toFixed(2) : formatQuantity)];
}

function bar({ title, kind, remarks }: Row, { median, low, high }: Spread, format: (median: number) => string): Bar {
  const mark = remarks.some((remark) => /^(disturbed|failed)/.test(remark)) ? ' ~' : '';
  return { label: title, kind, value: median, low, high, text: format(median) + mark };
}

/** The page with all tables. */
function renderPage(results: Results): string {
  const { date, yodel, machine, versions, settings, leftOut, leftOutWorkloads } = results;
  const shownCharts = new Set<string>();
  const sections = inSections(results).map((section) => {
    if (typeof section === 'string') return section;
    const table = section;
    const { chart } = table.workload;
    const isNew = !shownCharts.has(chart) && table.rows.some((row) => barOf(row, table).length > 0);
    if (isNew) shownCharts.add(chart);
    return `${isNew ? `![${charts[chart] ?? chart}](${chart}.svg)\n\n` : ''}${renderTable(table, settings)}`;
  });
  return `# Results

Written by \`npm run bench\`. [What is measured, and how](../README.md).
${settings.quick ? '\n**A quick run: it shows that everything works; its figures mean little.**\n' : ''}
- ${date.slice(0, 10)}, yodel ${yodel.version}, commit ${yodel.commit}
- ${machine.join('\n- ')}
- ${Object.entries(versions)
    .map(([tool, version]) => `${tool} ${version}`)
    .join(', ')}
- ${describeRounds(settings)}
${leftOut.map(({ contender, reason }) => `- left out: ${contender.title} (${reason})\n`).join('')}${leftOutWorkloads
  .map(({ workload, reason }) => `- left out: ${workload.title} (${reason})\n`)
  .join('')}
Each number is the median of all slices of all rounds. Ratios are to the server that the table names, in the same slice, with
their range in brackets.

${sections.join('\n')}`;
}

/** The tables in their order, the attacks as one text where the first of them is. */
function inSections({ tables, runs }: Results): (Table | string)[] {
  const first = tables.findIndex(isAttacked);
  const attacks = renderAttacks(tables, runs);
  return tables.flatMap((table, place) => (place === first ? attacks : isAttacked(table) ? [] : table));
}

/** All tables as Markdown. */
export function renderTables(results: Results): string {
  const rendered = inSections(results).map((section) =>
    typeof section === 'string' ? section : renderTable(section, results.settings),
  );
  return rendered.join('\n');
}

/** When and how the results were measured, on one line. */
export function described({ date, yodel, settings }: Results): string {
  return `${date.slice(0, 10)}, commit ${yodel.commit}, ${describeRounds(settings)}`;
}

function describeRounds({ rounds, slices, seconds, warmUpSeconds }: Results['settings']): string {
  return `${counted(rounds, 'round')} of ${counted(slices, 'slice')} of ${seconds} s, after ${warmUpSeconds} s to warm up`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** One workload's table as Markdown. */
function renderTable({ workload, rows, absent, measured }: Table, settings: Results['settings']): string {
  const columns = [
    { head: '', cell: ({ kind, title }: Row) => (kind === 'yodel' ? `**${title}**` : title) },
    ...(workload.background ? loadedColumns : columnsOf(workload)),
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
    background: `${describeBackground(workload, settings)} Latencies with them are shown as multiples of those without them, from the same server in the same slice. `,
  }[workload.mode as string];
  const processor = workload.processorTime
    ? 'The processor time is that of the server, or of both nodes, and that of the engine between them, as shares of the core. '
    : '';
  const missing = absent.map(({ title, reason }) => `${title} (${reason})`).join(', ');
  return `## ${workload.title}

${measured === undefined ? '' : `Added later: ${measured}. `}${how ?? ''}${processor}${workload.better === 'more' ? 'More is better.' : 'Less is better.'}

${table}
${missing && `\nNot measured: ${missing}.\n`}`;
}

interface Column {
  readonly head: string;
  readonly cell: (row: Row) => string;
}

function ratioHead({ reference, bunReference }: Workload): string {
  if (reference === undefined) return 'ratio to C';
  const titleOf = (name: string) => contenders.find((one) => one.name === name)?.title ?? name;
  const head = `ratio to ${titleOf(reference)}`;
  return bunReference === undefined ? head : `${head}; on Bun, to ${titleOf(bunReference)}`;
}

function columnsOf(workload: Workload): Column[] {
  const { unit, ratio, latency, addedLatency, processorTime } = workload;
  return [
    { head: unit, cell: ({ value }) => formatOne(value?.median) },
    ...(ratio ? [{ head: ratioHead(workload), cell: ({ ratio }: Row) => formatRatio(ratio) }] : []),
    ...(latency ? latencyColumns : []),
    ...(addedLatency ? addedColumns : []),
    ...(processorTime ? processorColumns : []),
  ];
}

const addedColumns: readonly Column[] = [
  { head: 'added p50 µs', cell: ({ added }) => formatOne(added?.p50) },
  { head: 'added p99 µs', cell: ({ added }) => formatOne(added?.p99) },
];

const processorColumns: readonly Column[] = [
  { head: 'processor: servers', cell: ({ processor }) => formatPercent(processor?.servers) },
  { head: 'engine', cell: ({ processor }) => formatPercent(processor?.engine) },
  { head: 'engine / servers', cell: ({ processor }) => formatRatio(processor?.engineToServers ?? null) },
];

const latencyColumns: readonly Column[] = [
  { head: 'p50 µs', cell: ({ p50 }) => formatOne(p50) },
  { head: 'p99 µs', cell: ({ p99 }) => formatOne(p99) },
];

const loadedColumns: readonly Column[] = [
  { head: 'p50, times', cell: ({ loaded }) => formatRatio(loaded?.timesP50 ?? null) },
  { head: 'p99, times', cell: ({ loaded }) => formatRatio(loaded?.timesP99 ?? null) },
  { head: 'p50 µs without', cell: ({ loaded }) => formatOne(loaded?.aloneP50) },
  { head: 'with', cell: ({ p50 }) => formatOne(p50) },
  { head: 'p99 µs without', cell: ({ loaded }) => formatOne(loaded?.aloneP99) },
  { head: 'with', cell: ({ p99 }) => formatOne(p99) },
];

function describeBackground(workload: Workload, settings: Results['settings']): string {
  if (workload.background?.does === 'never-read')
    return 'One background client sends as much as the server accepts, and reads nothing.';
  const [clients, wanted] = [backgroundClientsOf(workload, settings), workload.background?.clients ?? 0];
  const fewer = clients < wanted && !settings.quick ? ` (not ${wanted}: too few descriptors)` : '';
  return `${clients} background clients${fewer} have each begun a line, and add a byte to it every second.`;
}

function formatOne(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : formatQuantity(value);
}

function formatPercent(share: number | null | undefined): string {
  return share === null || share === undefined ? '–' : `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}

function formatRatio(ratio: Spread | null): string {
  if (!ratio) return '–';
  const { median, low, high } = ratio;
  return low === high ? formatShare(median) : `${formatShare(median)} (${formatShare(low)}–${formatShare(high)})`;
}

function formatShare(ratio: number): string {
  return ratio < 0.1 ? ratio.toPrecision(1) : ratio.toFixed(ratio < 10 ? 2 : 0);
}
