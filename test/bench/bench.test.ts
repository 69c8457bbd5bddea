import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test as anyTest, expect } from 'vitest';
import { benchmark, benchmarkCommand, root } from '../support/benchmark.ts';
import { temporaryFile, temporaryFolder } from '../support/files.ts';
import { childrenOf, isRunning } from '../support/process/children.ts';
import { run, start } from '../support/process/command.ts';
import { waitUntil } from '../support/process/process.ts';
import { testWith } from '../support/tools.ts';

/** `npm run bench` runs on Node and starts the servers of both runtimes itself. */
const test = process.versions.bun ? anyTest.skip : testWith('gcc', 'apt-get install gcc libc6-dev');
test('the benchmark writes tables, charts and ratios to C', async () => {
  const workloads = ['one-at-a-time', 'transform', 'idle', 'fan-out', 'start'];
  const contenders = ['yodel-node', 'yodel-bun', 'node-plain', 'node-lines'];
  const { folder, outcome, page, tables } = await benchmark(workloads.join(), contenders.join());

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
}, 120_000);

test('load generators are compared with the C generator, driving the same C server', async () => {
  const workloads = ['drive-one-at-a-time', 'drive-pipelined', 'drive-large', 'drive-latency'];
  const { folder, page, tables } = await benchmark(workloads.join(), 'yodel-node,yodel-bun,node-plain');
  expect(tables.map(({ workload }) => workload.name)).toEqual(workloads);
  for (const { workload, rows } of tables) {
    expect(rows.map(({ contender }) => contender).toSorted()).toEqual(['c-epoll', 'yodel-bun', 'yodel-node']);
    for (const { contender, value, ratio, p50, p99, remarks } of rows) {
      const where = `${contender} in ${workload.name}: ${remarks}`;
      expect(value?.median, where).toBeGreaterThan(0);
      expect(ratio?.median, where).toBeGreaterThan(0);
      expect(p50, where).toBeGreaterThan(0);
      expect(p99, where).toBeGreaterThanOrEqual(p50 ?? 0);
    }
  }
  expect(page).toContain('![Load generators, driving the C server](generators.svg)');
  expect(readFileSync(join(folder, 'generators.svg'), 'utf8')).toContain('yodel on Bun');
}, 120_000);

test('with background clients, each server is compared with itself', async () => {
  const workloads = ['slow-drip', 'never-reads'];
  const { folder, page, tables } = await benchmark(workloads.join(), 'yodel-node,yodel-bun,bun-plain');
  expect(tables.map(({ workload }) => workload.name)).toEqual(workloads);
  for (const { workload, rows } of tables) {
    for (const { contender, value, loaded, remarks } of rows) {
      const where = `${contender} in ${workload.name}: ${remarks}`;
      expect(value?.median, where).toBeGreaterThan(0);
      expect(loaded?.timesP50, where).toEqual(value);
      expect(loaded?.timesP99.median, where).toBeGreaterThan(0);
    }
  }
  expect(tables[1]?.rows.map(({ contender }) => contender).toSorted()).toEqual(['c-epoll', 'yodel-bun', 'yodel-node']);
  expect(page).toContain('|  | p50, times | p99, times | p50 µs without | with | p99 µs without | with | remarks |');
  expect(page).toMatch(/^500 background clients have each begun a line/m);
  expect(page).toMatch(/^Not measured: plain Bun\.listen \(it has no back-pressure/m);
  const svg = readFileSync(join(folder, 'background.svg'), 'utf8');
  expect(svg).toContain('p99 with background clients');
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
}, 120_000);

test('a server that closes a background connection has failed', async () => {
  const impatient = temporaryFile(
    'impatient.mjs',
    `import { createServer } from 'node:net';
     createServer((socket) => {
       // Each background client has begun a line with one byte.
       socket.on('error', () => {}).on('data', (chunk) => (chunk.length === 1 ? socket.end() : socket.write(chunk)));
     }).listen(process.argv[3], '127.0.0.1');`,
  );
  const { tables } = await benchmark('slow-drip', 'uvloop', { PYTHON: pythonRunning(impatient) });
  const row = tables[0]?.rows.find(({ contender }) => contender === 'uvloop');
  expect(row).toMatchObject({ value: null, loaded: null });
  expect(row?.remarks.join()).toContain('the server closed a background connection');
});

test('one client is measured alone, beside an attack on another server, and beside one on its own', async () => {
  const { page, runs } = await benchmark('abuse-reconnects', 'yodel-node,yodel-bun', {}, ['--seconds', '0.02']);
  for (const contender of ['yodel-node', 'yodel-bun']) {
    const { abuse } = runs.find((run) => run.contender === contender) ?? {};
    for (const phase of [abuse?.alone, abuse?.elsewhere, abuse?.beside]) {
      expect(phase?.p50).toBeGreaterThan(0);
      expect(phase?.p99).toBeGreaterThanOrEqual(phase?.p50 ?? Number.NaN);
      expect(phase?.max).toBeGreaterThan((phase?.p99 ?? Number.NaN) * 0.98);
    }
    expect(abuse?.attackRate).toBeGreaterThan(0);
  }
  const rows = page.split('\n').filter((line) => line.startsWith('| reconnects |'));
  expect(rows.map((row) => row.split(' | ')[1]).toSorted()).toEqual(['yodel on Bun', 'yodel on Node']);
  for (const row of rows) expect(row).toMatch(/ \| (passes|does not pass) \| /);
  expect(page).toContain('- `abuse-reconnects`: 64 clients at a time that connect, send a line, and reset');
}, 120_000);

test('--add keeps the tables of other workloads, and the new ones say when they were measured', async () => {
  const { folder } = await benchmark('latency,start', 'c-epoll');
  const { page, runs, tables } = await benchmark('never-reads', 'c-epoll', {}, ['--add'], folder);
  expect(tables.map(({ workload }) => workload.name)).toEqual(['latency', 'never-reads', 'start']);
  expect(new Set(runs.map(({ workload }) => workload))).toEqual(new Set(['latency', 'start', 'never-reads']));
  expect(page.match(/^Added later: \d{4}-\d\d-\d\d, commit .*, 1 round of 1 slice of 0\.1 s/gm)).toHaveLength(1);
  expect(existsSync(join(folder, 'echo.svg'))).toBe(true);
});

test('contenders are measured in turn, and each slice starts with a different one', async () => {
  const more = ['--rounds', '2', '--slices', '2', '--warm-up', '0.02'];
  const { page, runs, tables } = await benchmark('one-at-a-time', 'node-plain', {}, more);
  expect(runs.map(({ round, slice, contender }) => [round, slice, contender])).toEqual([
    [1, 1, 'c-epoll'],
    [1, 1, 'node-plain'],
    [1, 2, 'node-plain'],
    [1, 2, 'c-epoll'],
    [2, 1, 'node-plain'],
    [2, 1, 'c-epoll'],
    [2, 2, 'c-epoll'],
    [2, 2, 'node-plain'],
  ]);
  expect(runs.every(({ value }) => Number.isFinite(value))).toBe(true);
  const ratio = tables[0]?.rows.find(({ contender }) => contender === 'node-plain')?.ratio;
  const measured = (round: number, slice: number, name: string) =>
    runs.find((one) => one.round === round && one.slice === slice && one.contender === name)?.value ?? Number.NaN;
  const ratios = [1, 2].flatMap((round) =>
    [1, 2].map((slice) => measured(round, slice, 'node-plain') / measured(round, slice, 'c-epoll')),
  );
  expect(ratio).toMatchObject({ low: Math.min(...ratios), high: Math.max(...ratios) });
  expect(page).toContain('2 rounds of 2 slices of 0.1 s, after 0.02 s to warm up');
});

test('a server that exits while it is measured is retried once with a new one', async () => {
  // A stand-in for Python: the very first server exits in the first measurement, after its warm-up.
  const folder = temporaryFolder();
  const mortal = temporaryFile(
    'mortal.mjs',
    `import { existsSync, writeFileSync } from 'node:fs';
     import { createServer } from 'node:net';
     const isFirst = !existsSync('${folder}/first');
     writeFileSync('${folder}/first', '');
     let clients = 0;
     createServer((socket) => {
       socket.on('error', () => {}).pipe(socket);
       // The first client that sends warms the server up, and the second one measures.
       socket.once('data', () => ++clients === 2 && isFirst && process.exit(3));
     }).listen(process.argv[3], '127.0.0.1');`,
  );
  const { tables, runs } = await benchmark('latency', 'uvloop', { PYTHON: pythonRunning(mortal) }, ['--slices', '2']);
  expect(runs.filter(({ contender }) => contender === 'uvloop')).toHaveLength(2);
  const row = tables[0]?.rows.find(({ contender }) => contender === 'uvloop');
  expect(row?.value?.median).toBeGreaterThan(0);
  expect(row?.remarks.join()).not.toContain('failed');
});

test('a server that sends back something else is reported as failed, with the reason', async () => {
  // A stand-in for Python, and so for the server that Python would run.
  const wrong = temporaryFile(
    'wrong.mjs',
    `import { createServer } from 'node:net';
     createServer((socket) => {
       socket.on('error', () => {}).on('data', (chunk) => socket.write(String(chunk).toUpperCase()));
     }).listen(process.argv[3], '127.0.0.1');`,
  );
  const { page, tables } = await benchmark('latency', 'uvloop', { PYTHON: pythonRunning(wrong) });
  const row = tables[0]?.rows.find(({ contender }) => contender === 'uvloop');
  expect(row).toMatchObject({
    value: null,
    ratio: null,
    remarks: ['failed in 1 of 1 measurements: what came back is not what was sent'],
  });
  expect(page).toMatch(/\| asyncio, uvloop \| – \| – \| – \| – \| failed in 1 of 1 measurements: what came back/);
});

test('a contender whose tools are missing is reported as missing, with the command that installs them', async () => {
  const { outcome, page } = await benchmark('latency', 'uvloop', { PYTHON: '/nowhere/python3' });
  expect(outcome.stderr).toContain('left out: uvloop (no python: apt-get install python3)');
  expect(page).toContain('- left out: asyncio, uvloop (no python: apt-get install python3)');
  expect(page).toContain('Not measured: asyncio, uvloop (no python: apt-get install python3)');
});

test('Ctrl-C ends the benchmark and everything it started', async () => {
  const folder = join(temporaryFolder(), 'results');
  const more = ['--seconds', '60', '--output', folder];
  const running = start(benchmarkCommand('one-at-a-time', 'c-epoll', ...more), { cwd: root, hasChildren: true });
  // The server, and the load generator that warms it up.
  let children: number[] = [];
  await waitUntil('both are running', () => {
    children = childrenOf(running.pid);
    return children.length === 2 && running.stderr().includes('round 1');
  });
  const { status } = await running.stop('SIGINT');
  expect(status).toBe(130);
  await waitUntil('both have exited', () => !children.some(isRunning));
  expect(existsSync(folder)).toBe(false);
});

test('an unknown name is refused, with a list of the known ones', async () => {
  const outcome = await run(benchmarkCommand('one-at-a-tim', 'yodel-node'), { cwd: root });
  expect(outcome).toMatchObject({ status: 2 });
  expect(outcome.stderr).toContain('no workload "one-at-a-tim"; there are one-at-a-time, pipelined, ');
});

/** A stand-in for Python that runs this program instead of any server. */
function pythonRunning(program: string): string {
  const python = temporaryFile(
    'python',
    `#!/bin/sh\ncase "$1" in --version|-c) echo 1.2.3;; *) exec '${process.execPath}' '${program}' "$@";; esac\n`,
  );
  chmodSync(python, 0o755);
  return python;
}

const withRedis = process.versions.bun
  ? anyTest.skip
  : testWith(['gcc', 'redis-server'], 'apt-get install gcc libc6-dev redis-server');

withRedis('recorded messages are compared with Redis, and with the same server without a journal', async () => {
  const workloads = ['record-16', 'record-16-pipelined'];
  const contenders = ['yodel-node', 'yodel-bun', 'yodel-node-unrecorded', 'redis'];
  // Other tests run the benchmark at the same time, with other workloads.
  const folders = () => readdirSync(join(root, 'bench/build')).filter((name) => name.startsWith('data-record-16'));
  const before = existsSync(join(root, 'bench/build')) ? folders() : [];
  const { page, tables } = await benchmark(workloads.join(), contenders.join());
  expect(tables.map(({ workload }) => workload.name)).toEqual(workloads);
  for (const { rows } of tables) {
    expect(rows.map(({ contender }) => contender).toSorted()).toEqual(contenders.toSorted());
    for (const { contender, value, ratio, remarks } of rows) {
      expect(value?.median, `${contender}: ${remarks}`).toBeGreaterThan(0);
      expect(ratio?.median, `${contender}: ${remarks}`).toBeGreaterThan(0);
      if (contender === 'redis') expect(ratio).toEqual({ median: 1, low: 1, high: 1 });
    }
  }
  expect(page).toContain('| ratio to Redis |');
  expect(folders()).toEqual(before);
});
