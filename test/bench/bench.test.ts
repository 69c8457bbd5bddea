import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { run, start } from '../support/command.ts';
import { temporaryFile, temporaryFolder } from '../support/files.ts';
import { becomesTrue } from '../support/process.ts';
import { testWith } from '../support/tools.ts';

const test = testWith('gcc', 'apt-get install gcc libc6-dev');
const root = new URL('../../', import.meta.url).pathname;

interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

interface Table {
  readonly workload: { readonly name: string; readonly ratio: boolean };
  readonly rows: readonly {
    readonly contender: string;
    readonly value: Spread | null;
    readonly ratio: Spread | null;
    readonly remarks: readonly string[];
  }[];
}

/** Runs the benchmark as its script does, in its quick form, and gives what it has written. */
async function bench(workloads: string, contenders: string, env: NodeJS.ProcessEnv = {}) {
  const folder = temporaryFolder();
  const outcome = await run(command(workloads, contenders, '--output', folder), {
    cwd: root,
    env,
    hasChildren: true,
  });
  expect(outcome).toMatchObject({ status: 0 });
  const { tables } = JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8')) as { tables: readonly Table[] };
  return { folder, outcome, tables, page: readFileSync(join(folder, 'README.md'), 'utf8') };
}

function command(workloads: string, contenders: string, ...more: string[]): [string, ...string[]] {
  const choice = ['--workload', workloads, '--contender', contenders];
  return [process.execPath, 'bench/bench.ts', '--quick', ...choice, ...more];
}

test('the benchmark writes tables, charts and ratios to C', async () => {
  const workloads = ['one-at-a-time', 'transform', 'idle', 'fan-out', 'start'];
  const contenders = ['yodel-node', 'yodel-bun', 'node-plain', 'node-lines'];
  const { folder, outcome, page, tables } = await bench(workloads.join(), contenders.join());

  expect(tables.map(({ workload }) => workload.name)).toEqual(workloads);
  for (const { workload, rows } of tables) {
    const names = rows.map(({ contender }) => contender);
    expect(names).toEqual(expect.arrayContaining(['c-epoll', 'yodel-node', 'yodel-bun']));
    for (const { contender, value, ratio, remarks } of rows) {
      const where = `${contender} in ${workload.name}: ${remarks}`;
      expect(Number.isFinite(value?.median), where).toBe(true);
      if (!workload.ratio) continue;
      expect(Number.isFinite(ratio?.median), where).toBe(true);
      expect(ratio?.median, where).toBeGreaterThan(0);
      if (contender === 'c-epoll') expect(ratio).toEqual({ median: 1, low: 1, high: 1 });
    }
  }

  expect(page).toMatch(/\| \*\*yodel on Node\*\* \| .*\d/);
  expect(page).toMatch(/node \d+\.\d+/);
  expect(String(outcome.stdout)).toContain('| ratio to C |');
  const charts = [...page.matchAll(/\]\((\S+\.svg)\)/g)].map(([, name = '']) => name);
  expect(charts).toEqual(['echo.svg', 'transform.svg', 'connections.svg', 'fan-out.svg', 'start.svg']);
  for (const chart of charts) {
    const svg = readFileSync(join(folder, chart), 'utf8');
    expect(svg).toMatch(/^<svg xmlns=/);
    expect(svg).toContain('yodel on Bun');
    expect(svg).not.toMatch(/<script|NaN|Infinity|undefined/);
  }
});

test('a server that sends back something else is shown as failed, with the reason', async () => {
  // A stand-in for Python, and with it for the server that Python would run.
  const wrong = temporaryFile(
    'wrong.mjs',
    `import { createServer } from 'node:net';
     createServer((socket) => {
       socket.on('error', () => {}).on('data', (chunk) => socket.write(String(chunk).toUpperCase()));
     }).listen(process.argv[3], '127.0.0.1');`,
  );
  const python = temporaryFile(
    'python',
    `#!/bin/sh\ncase "$1" in --version|-c) echo 1.2.3;; *) exec '${process.execPath}' '${wrong}' "$@";; esac\n`,
  );
  chmodSync(python, 0o755);
  const { page, tables } = await bench('latency', 'uvloop', { PYTHON: python });
  const row = tables[0]?.rows.find(({ contender }) => contender === 'uvloop');
  expect(row).toMatchObject({
    value: null,
    ratio: null,
    remarks: ['failed in 1 of 1 rounds: what came back is not what was sent'],
  });
  expect(page).toMatch(/\| asyncio, uvloop \| – \| – \| – \| – \| failed in 1 of 1 rounds: what came back/);
});

test('a contender whose tools are missing is named as left out, with how to get them', async () => {
  const { outcome, page } = await bench('latency', 'uvloop', { PYTHON: '/nowhere/python3' });
  expect(outcome.stderr).toContain('left out: uvloop (no python: apt-get install python3)');
  expect(page).toContain('- left out: asyncio, uvloop (no python: apt-get install python3)');
  expect(page).toContain('Not here: asyncio, uvloop (no python: apt-get install python3)');
});

test('Ctrl-C ends the benchmark and everything that it has started', async () => {
  const folder = join(temporaryFolder(), 'results');
  const more = ['--seconds', '60', '--output', folder];
  const running = start(command('one-at-a-time', 'c-epoll', ...more), { cwd: root, hasChildren: true });
  // The server and the load generator.
  await becomesTrue('both run', () => childrenOf(running.pid).length === 2 && running.stderr().includes('round 1'));
  const children = childrenOf(running.pid);
  const { status } = await running.stop('SIGINT');
  expect(status).toBe(130);
  await becomesTrue('both have ended', () => !children.some(isAlive));
  expect(existsSync(folder)).toBe(false);
});

test('a name that does not exist is refused, with those that do', async () => {
  const outcome = await run(command('one-at-a-tim', 'yodel-node'), { cwd: root });
  expect(outcome).toMatchObject({ status: 2 });
  expect(outcome.stderr).toContain('no workload "one-at-a-tim"; there are one-at-a-time, pipelined, ');
});

/** Linux lists the children of each thread. */
function childrenOf(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  const lists = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8'));
  return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
}

/** A zombie has ended; it only waits to be noticed. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
