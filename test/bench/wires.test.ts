/** WebSocket, TLS and other framings in `npm run bench`, beside the plain servers of the runtimes. */
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test as anyTest, expect } from 'vitest';
import { type Benchmark, benchmark, benchmarkCommand, root, testWithLibssl } from '../support/benchmark.ts';
import { temporaryFolder } from '../support/files.ts';
import { run } from '../support/process/command.ts';
import { testWith } from '../support/tools.ts';

const isBun = process.versions.bun !== undefined;
const test = isBun ? anyTest.skip : testWith('gcc', 'apt-get install gcc libc6-dev');
const testWithNginx = isBun ? anyTest.skip : testWithLibssl('/usr/sbin/nginx');

/** Checks that each contender has a value and a ratio, and that the named ones are the references. */
function expectRatios({ tables }: Benchmark, contenders: readonly string[], references: readonly string[]) {
  for (const { workload, rows } of tables) {
    expect(rows.map(({ contender }) => contender).toSorted(), workload.name).toEqual(contenders.toSorted());
    for (const { contender, value, ratio, remarks } of rows) {
      const where = `${contender} in ${workload.name}: ${remarks}`;
      expect(value?.median, where).toBeGreaterThan(0);
      expect(ratio?.median, where).toBeGreaterThan(0);
      if (references.includes(contender)) expect(ratio, where).toEqual({ median: 1, low: 1, high: 1 });
    }
  }
}

test('WebSocket on Node is compared with plain ws, and on Bun with Bun.serve', async () => {
  const workloads = ['websocket-one-at-a-time', 'websocket-large'];
  const outcome = await benchmark(workloads.join(), 'yodel-node,yodel-bun');
  expect(outcome.tables.map(({ workload }) => workload.name)).toEqual(workloads);
  // The references take part although they are not named.
  expectRatios(outcome, ['yodel-node', 'yodel-bun', 'ws', 'bun-serve'], ['ws', 'bun-serve']);
  const rowOf = (name: string) => outcome.tables[0]?.rows.find(({ contender }) => contender === name);
  const shareOf = (name: string, of: string) =>
    (rowOf(name)?.value?.median ?? Number.NaN) / (rowOf(of)?.value?.median ?? Number.NaN);
  expect(rowOf('yodel-node')?.ratio?.median).toBeCloseTo(shareOf('yodel-node', 'ws'));
  expect(rowOf('yodel-bun')?.ratio?.median).toBeCloseTo(shareOf('yodel-bun', 'bun-serve'));
  expect(outcome.page).toContain('| ratio to plain ws; on Bun, to plain Bun.serve |');
  expect(outcome.page).toContain('![WebSocket echo](websocket.svg)');
  expect(readFileSync(join(outcome.folder, 'websocket.svg'), 'utf8')).not.toMatch(/NaN|Infinity|undefined/);
}, 120_000);

testWithNginx(
  'TLS is compared with plain node:tls on the same runtime',
  async () => {
    const outcome = await benchmark('tls-large', 'yodel-node,yodel-bun,nginx,bun-listen-tls');
    const contenders = ['yodel-node', 'yodel-bun', 'nginx', 'bun-listen-tls', 'node-tls', 'bun-tls'];
    expectRatios(outcome, contenders, ['node-tls', 'bun-tls']);
    expect(outcome.page).toContain('| ratio to plain node:tls; on Bun, to node:tls on Bun |');
    expect(outcome.page).toMatch(/nginx .*\d\.\d/);
  },
  120_000,
);

test('other framings are compared with lines on the same runtime', async () => {
  const contenders = ['yodel-node', 'yodel-bun', 'yodel-node-length', 'yodel-bun-length'];
  const outcome = await benchmark('framing-pipelined', contenders.join());
  expectRatios(outcome, contenders, ['yodel-node', 'yodel-bun']);
}, 120_000);

test('without libssl no TLS is measured, and without nginx it is left out, with the commands that install them', async () => {
  const folder = temporaryFolder();
  // Stand-ins: a compiler that does not find OpenSSL's headers, and an nginx that does not start.
  const gcc = execFileSync('sh', ['-c', 'command -v gcc'], { encoding: 'utf8' }).trim();
  writeFileSync(join(folder, 'gcc'), `#!/bin/sh\n[ "$1" = -E ] && exit 1\nexec '${gcc}' "$@"\n`);
  writeFileSync(join(folder, 'nginx'), '#!/bin/sh\nexit 1\n');
  for (const name of ['gcc', 'nginx']) chmodSync(join(folder, name), 0o755);
  const env = { PATH: `${folder}${delimiter}${process.env.PATH}` };
  const noLibssl = 'no libssl: apt-get install libssl-dev';
  const noNginx = 'no nginx with its stream module: apt-get install nginx libnginx-mod-stream';

  const { outcome, page, tables } = await benchmark('latency,tls-large', 'c-epoll,nginx', env);
  expect(tables.map(({ workload }) => workload.name)).toEqual(['latency']);
  expect(outcome.stderr).toContain(`left out: tls-large (${noLibssl})\n`);
  expect(outcome.stderr).toContain(`left out: nginx (${noNginx})\n`);
  expect(page).toContain(`- left out: TLS: 64 connections, 16 KiB, one at a time (${noLibssl})`);
  expect(page).toContain(`- left out: nginx stream (${noNginx})`);

  const alone = await run(benchmarkCommand('tls-large', 'yodel-node', '--output', folder), { cwd: root, env });
  expect(alone).toMatchObject({ status: 2 });
  expect(alone.stderr).toContain('bench: nothing is left to measure\n');
});
