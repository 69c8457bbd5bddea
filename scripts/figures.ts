/**
 * The README's figures, taken from `bench/results/results.json`, so that the README shows only what `npm run bench` has
 * measured. `npm run docs` writes them between two comments; a test checks that they are current.
 */

/** The part of the results that the figures use. */
export interface BenchResults {
  readonly date: string;
  readonly yodel: { readonly commit: string };
  readonly machine: readonly string[];
  readonly settings: { readonly idleConnections: number; readonly quick: boolean };
  readonly tables: readonly {
    readonly workload: { readonly name: string; readonly title: string };
    readonly rows: readonly {
      readonly contender: string;
      readonly title: string;
      readonly value: { readonly median: number } | null;
      readonly ratio: { readonly median: number } | null;
    }[];
  }[];
}

const begin = '<!-- figures -->';
const end = '<!-- /figures -->';

const columns = ['yodel-bun', 'yodel-node', 'tokio-lines', 'go-bufio', 'uvloop', 'node-lines'];
const rows = ['one-at-a-time', 'pipelined', 'large', 'huge', 'text', 'transform', 'transform-async', 'connect'];
const generators = [
  ['drive-one-at-a-time', '64 × 64 B, one at a time'],
  ['drive-pipelined', '64 × 64 B, pipelined by 100'],
  ['drive-large', '64 × 16 KiB'],
  ['drive-latency', '1 × 64 B'],
] as const;

/**
 * Replaces the figures of a page.
 *
 * @throws Error if the page has no comments for them
 */
export function withFigures(page: string, results: BenchResults): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`the page has no comments for figures: ${begin} … ${end}`);
  return `${page.slice(0, from + begin.length)}\n${figures(results)}${page.slice(to)}`;
}

function figures(results: BenchResults): string {
  const [processor = 'unknown processor'] = results.machine;
  return `
| Ratio to the server in C | ${columns.map((name) => titleOf(results, name)).join(' | ')} |
|---|${columns.map(() => '---:').join('|')}|
${rows.map((name) => rowOf(results, name)).join('\n')}

An idle connection costs ${bytes(results, 'yodel-node')} of resident memory on Node and ${bytes(results, 'yodel-bun')} on Bun, measured with
${grouped(results.settings.idleConnections)} connections after one message each.
As a load generator, \`yodel bench\` reaches these shares of the rate of a generator in C:
${generators
  .map(
    ([name, title]) =>
      `${ratio(results, name, 'yodel-bun')} on Bun and ${ratio(results, name, 'yodel-node')} on Node (${title})`,
  )
  .join(',\n')}.

Medians of ${results.date.slice(0, 10)}, commit ${results.yodel.commit}, on ${processor}.
`;
}

function rowOf(results: BenchResults, name: string): string {
  const title = tableOf(results, name)?.workload.title ?? name;
  return `| ${title} | ${columns.map((contender) => ratio(results, name, contender)).join(' | ')} |`;
}

function titleOf(results: BenchResults, contender: string): string {
  const found = results.tables.flatMap((table) => table.rows).find((row) => row.contender === contender);
  return found?.title ?? contender;
}

function tableOf({ tables }: BenchResults, name: string): BenchResults['tables'][number] | undefined {
  return tables.find(({ workload }) => workload.name === name);
}

function ratio(results: BenchResults, name: string, contender: string): string {
  const row = tableOf(results, name)?.rows.find((one) => one.contender === contender);
  return row?.ratio ? row.ratio.median.toFixed(2) : '–';
}

function bytes(results: BenchResults, contender: string): string {
  const row = tableOf(results, 'idle')?.rows.find((one) => one.contender === contender);
  return row?.value ? `${(row.value.median / 1000).toFixed(1)} KB` : 'an unknown amount';
}

function grouped(number: number): string {
  return number.toLocaleString('en-US');
}
