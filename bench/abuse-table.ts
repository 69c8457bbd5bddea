/** One table of all attacks, where the other workloads have one each. */
import type { Abuse, Paced } from './abuse.ts';
import { formatQuantity } from './quantity.ts';
import type { Run } from './rounds.ts';
import { type Row, type Spread, spread, type Table } from './summary.ts';

/** A client beside an attack may wait at most this many times as long as alone (p99). */
export const mostTimes = 3;

interface Line {
  readonly attack: string;
  readonly row: Row;
  /** All that were measured, in microseconds. */
  readonly measured: readonly Abuse[];
}

/** Whether this table belongs to the one of the attacks. */
export function isAttacked({ workload }: Table): boolean {
  return workload.attack !== undefined;
}

/** The tables of all attacks as one, in Markdown; empty if there are none. */
export function renderAttacks(tables: readonly Table[], runs: readonly Run[]): string {
  const attacked = tables.filter(isAttacked);
  if (attacked.length === 0) return '';
  const lines = attacked.flatMap(({ workload, rows }) =>
    rows.map((row): Line => {
      const own = runs.filter((run) => run.workload === workload.name && run.contender === row.contender);
      return { attack: workload.name.replace(/^abuse-/, ''), row, measured: own.flatMap(({ abuse }) => abuse ?? []) };
    }),
  );
  const rows = [
    columns.map(({ head }) => head),
    columns.map(({ isText }) => (isText ? '---' : '---:')),
    ...lines.map((line) => columns.map(({ cell }) => cell(line))),
  ];
  const titles = attacked.map(({ workload: { name, attack } }) => `- \`${name}\`: ${attack?.title}`);
  const lengths = [...new Set(runs.flatMap(({ abuse }) => (abuse ? Number(abuse.seconds.toFixed(1)) : [])))];
  const measured = new Set(attacked.flatMap((table) => table.measured ?? []));
  return `## A client beside an attack

${[...measured].map((text) => `Added later: ${text}. `).join('')}One client sends a message of 64 B every 10 ms: alone, while the same attack goes to *another* server on the attacker's core,
and *beside* the attack on its own server, for ${lengths.join(' or ')} s each. The server has its default settings. It passes if p99 is at most ${mostTimes} times what it is alone.
[How it is measured](../README.md#beside-an-attack).

${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}

${titles.join('\n')}
`;
}

const columns: readonly { readonly head: string; readonly isText?: true; cell(line: Line): string }[] = [
  { head: 'attack', isText: true, cell: ({ attack }) => attack },
  { head: 'server', isText: true, cell: ({ row }) => row.title },
  { head: 'p50 µs alone', cell: median(({ alone }) => alone.p50) },
  { head: 'another', cell: median(({ elsewhere }) => elsewhere.p50) },
  { head: 'beside', cell: median(({ beside }) => beside.p50) },
  { head: 'p99 µs alone', cell: median(({ alone }) => alone.p99) },
  { head: 'another', cell: median(({ elsewhere }) => elsewhere.p99) },
  { head: 'beside', cell: median(({ beside }) => beside.p99) },
  { head: 'p99, times alone', cell: times(({ alone }) => alone) },
  { head: 'times another', cell: times(({ elsewhere }) => elsewhere) },
  { head: 'longest ms alone', cell: median(({ alone }) => alone.max / 1000) },
  { head: 'beside', cell: median(({ beside }) => beside.max / 1000) },
  { head: 'client late ms', cell: median(({ beside }) => beside.late / 1000) },
  { head: 'attack per second', cell: median(({ attackRate }) => attackRate) },
  { head: 'verdict', isText: true, cell: ({ row }) => verdict(row) },
  { head: 'remarks', isText: true, cell: ({ row }) => row.remarks.join('; ').replaceAll('|', '\\|') },
];

function median(of: (abuse: Abuse) => number): (line: Line) => string {
  return ({ measured }) => {
    const found = spread(measured.map(of));
    return found ? formatQuantity(found.median) : '–';
  };
}

function times(of: (abuse: Abuse) => Paced): (line: Line) => string {
  return ({ measured }) => {
    const found = spread(measured.map((abuse) => abuse.beside.p99 / of(abuse).p99));
    return found ? formatTimes(found) : '–';
  };
}

function formatTimes({ median, low, high }: Spread): string {
  return low === high ? median.toFixed(2) : `${median.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}

/** A measurement that failed, because a message was not answered or the server died, fails the attack. */
function verdict({ value, remarks }: Row): string {
  if (!value || remarks.some((remark) => remark.startsWith('failed'))) return 'failed';
  return value.median <= mostTimes ? 'passes' : 'does not pass';
}
