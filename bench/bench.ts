/**
 * `npm run bench`: compares yodel with its peers. README.md describes what is measured and how.
 *
 * Progress goes to stderr, the tables to stdout at the end, and the results to bench/results/.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from './build.ts';
import { type Contender, contenders, reference, referenceFor } from './contenders.ts';
import { addToEarlier } from './earlier.ts';
import { chooseCores, describeMachine, maxDescriptors } from './machine.ts';
import { capture } from './processes.ts';
import { type Results, renderTables, writeResults } from './results.ts';
import { runAll } from './rounds.ts';
import { summarise } from './summary.ts';
import { type Workload, workloads } from './workloads.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const usage = `Usage: npm run bench -- [options]

Builds and measures yodel and its peers, and writes tables and charts.

Options:
  --workload NAME     run only this workload; repeatable, or as NAME,NAME. The beginning of names selects all of them: abuse
  --contender NAME    run only this contender, likewise; ${reference} and whatever else the ratios are to always take part
  --rounds NUMBER     rounds in which everything is measured (default: 2)
  --slices NUMBER     measurements of each contender per round, in turn (default: 3)
  --seconds NUMBER    length of a slice (default: 0.4)
  --warm-up SECONDS   load before the first slice (default: 1.5)
  --quick             one short round, to check that everything works
  --add               keep the earlier results of other workloads
  --output FOLDER     folder for the results (default: bench/results)
  --list              list the workloads and contenders
  --help
`;

const { values: flags } = parseFlags();

if (flags.help) process.stdout.write(usage);
else if (flags.list) list();
else await main();

function parseFlags() {
  try {
    return parseArgs({
      options: {
        workload: { type: 'string', multiple: true },
        contender: { type: 'string', multiple: true },
        rounds: { type: 'string' },
        slices: { type: 'string' },
        seconds: { type: 'string' },
        'warm-up': { type: 'string' },
        quick: { type: 'boolean', default: false },
        add: { type: 'boolean', default: false },
        output: { type: 'string', default: `${root}bench/results` },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function list(): void {
  const lines = (items: readonly { name: string; title: string }[]) =>
    items.map(({ name, title }) => `  ${name.padEnd(20)} ${title}\n`).join('');
  process.stdout.write(`Workloads:\n${lines(workloads)}\nContenders:\n${lines(contenders)}`);
}

async function main(): Promise<void> {
  const selected: readonly Workload[] = chosen('workload', workloads, flags.workload);
  const named = chosen('contender', contenders, flags.contender);
  const references = selected.flatMap((workload) => named.map((contender) => referenceFor(contender, workload)));
  const competing = contenders.filter((one) => named.includes(one) || [reference, ...references].includes(one.name));
  const { quick } = flags;
  const rounds = Math.ceil(numberOf('rounds', quick ? 1 : 2));
  if (process.platform !== 'linux') refuse('the load generator and the process measurements require Linux');
  if (!existsSync(`${root}dist/cli/yodel.cjs`)) refuse('yodel is not built: npm run build');
  if (flags.add && !existsSync(`${flags.output}/results.json`)) refuse(`--add needs results in ${flags.output}`);

  const progress = (text: string) => void process.stderr.write(text);
  progress('building');
  const {
    contenders: ready,
    workloads: measured,
    leftOut,
    leftOutWorkloads,
    versions,
  } = await build(competing, selected);
  progress(`: ${ready.map(({ name }) => name).join(', ')}\n`);
  for (const { contender, reason } of leftOut) progress(`left out: ${contender.name} (${reason})\n`);
  for (const { workload, reason } of leftOutWorkloads) progress(`left out: ${workload.name} (${reason})\n`);
  if (measured.length === 0) refuse('nothing is left to measure');
  if (!ready.some(({ name }) => name === reference)) refuse(`${reference} cannot be built, and all ratios are to it`);

  const cores = await chooseCores();
  if (!cores) progress('only one core, or no taskset: server and load share all cores\n');
  const settings = {
    cores,
    slices: Math.ceil(numberOf('slices', quick ? 1 : 3)),
    seconds: numberOf('seconds', quick ? 0.1 : 0.4),
    warmUpSeconds: numberOf('warm-up', quick ? 0.05 : 1.5),
    idleConnections: Math.min(quick ? 500 : 10_000, maxDescriptors() - 300),
    maxBackgroundClients: Math.min(quick ? 500 : 5000, maxDescriptors() - 300),
    starts: quick ? 2 : 5,
  };
  const runs = await runAll({
    rounds,
    workloads: measured,
    contenders: ready,
    settings,
    repeats: quick ? 0 : 0.1,
    progress,
  });
  const results: Results = {
    date: new Date().toISOString(),
    yodel: await describeYodel(),
    machine: describeMachine(cores),
    versions,
    settings: { ...settings, rounds, quick },
    leftOut,
    leftOutWorkloads,
    tables: summarise(runs, measured, ready, leftOut),
    runs,
  };
  writeResults(flags.output, flags.add ? addToEarlier(flags.output, results) : results);
  process.stdout.write(`\n${renderTables(results)}`);
  progress(`\nwritten to ${flags.output}\n`);
}

/** The named items, or all of them. A name that none has stands for all that begin with it: `abuse`, `websocket`. */
function chosen<Item extends Workload | Contender>(
  what: string,
  items: readonly Item[],
  given: readonly string[] | undefined,
): readonly Item[] {
  if (!given) return items;
  const names = given.flatMap((text) => text.split(',')).filter(Boolean);
  const named = (name: string) => {
    const exactly = items.filter((item) => item.name === name);
    return exactly.length > 0 ? exactly : items.filter((item) => item.name.startsWith(`${name}-`));
  };
  const unknown = names.find((name) => named(name).length === 0);
  if (unknown !== undefined) refuse(`no ${what} "${unknown}"; there are ${items.map(({ name }) => name).join(', ')}`);
  const found = names.flatMap(named);
  return items.filter((item) => found.includes(item));
}

function numberOf(flag: 'rounds' | 'slices' | 'seconds' | 'warm-up', otherwise: number): number {
  const text = flags[flag];
  const number = text === undefined ? otherwise : Number(text);
  if (!(number > 0) || !Number.isFinite(number)) refuse(`--${flag} needs a number above 0, not "${text}"`);
  return number;
}

async function describeYodel(): Promise<Results['yodel']> {
  const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };
  const git = async (...args: string[]) => await capture(['git', ...args], { withinMs: 5000, cwd: root });
  const { stdout: commit, status } = await git('rev-parse', '--short', 'HEAD');
  if (status !== 0) return { version, commit: 'unknown' };
  const { stdout: changes } = await git('status', '--porcelain', '--untracked-files=no', '--', 'src', 'bench');
  return { version, commit: changes.trim() ? `${commit.trim()} with changes` : commit.trim() };
}

function refuse(why: string): never {
  process.stderr.write(`bench: ${why}\n`);
  process.exit(2);
}
