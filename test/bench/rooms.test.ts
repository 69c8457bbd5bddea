/** Rooms on two nodes in `npm run bench`, beside one process. */
import { test as anyTest, expect } from 'vitest';
import { type Benchmark, benchmark } from '../support/benchmark.ts';
import { testWith } from '../support/tools.ts';

const test = process.versions.bun
  ? anyTest.skip
  : testWith(
      ['gcc', 'redis-server', '/usr/sbin/nats-server'],
      'apt-get install gcc libc6-dev redis-server nats-server',
    );

/** The row of a contender, which has a value and a ratio. */
function rowOf({ tables }: Benchmark, contender: string) {
  const row = tables[0]?.rows.find((one) => one.contender === contender);
  expect(row?.value?.median, `${contender}: ${row?.remarks}`).toBeGreaterThan(0);
  expect(row?.ratio?.median, contender).toBeGreaterThan(0);
  return row as NonNullable<typeof row>;
}

test('two nodes and the engine between them are compared with one process, with the processor time of each', async () => {
  // Of 1000 members, each must receive something in this time, also beside other tests.
  const outcome = await benchmark('room-nodes', 'yodel-node-redis,yodel-bun-nats', {}, ['--seconds', '1']);
  for (const contender of ['yodel-node-redis', 'yodel-bun-nats']) {
    const { processor } = rowOf(outcome, contender);
    expect(processor?.servers).toBeGreaterThan(0);
    expect(processor?.engine).toBeGreaterThan(0);
    // The nodes write to 1000 clients, the engine to two.
    expect(processor?.engineToServers?.median).toBeLessThan(0.5);
  }
  for (const contender of ['yodel-node', 'yodel-bun']) {
    expect(rowOf(outcome, contender).processor).toMatchObject({ engine: null, engineToServers: null });
  }
  expect(outcome.page).toContain('| processor: servers | engine | engine / servers | remarks |');
}, 120_000);

test('the latency of two nodes is compared with that of one process, of Socket.IO, and of the engines alone', async () => {
  const others = ['socket-io', 'socket-io-redis', 'socket-io-streams', 'redis', 'nats'];
  const outcome = await benchmark('room-nodes-latency', ['yodel-node-nats', ...others].join());
  expect(rowOf(outcome, 'yodel-node').added).toEqual({ p50: 0, p99: 0 });
  for (const contender of ['yodel-node-nats', ...others]) {
    const { p50, p99, added, processor } = rowOf(outcome, contender);
    const reference = rowOf(outcome, 'yodel-node');
    expect(added?.p50).toBeCloseTo((p50 ?? Number.NaN) - (reference.p50 ?? Number.NaN));
    expect(added?.p99).toBeCloseTo((p99 ?? Number.NaN) - (reference.p99 ?? Number.NaN));
    expect(processor?.servers).toBeGreaterThan(0);
  }
  expect(outcome.page).toContain('| added p50 µs | added p99 µs |');
}, 120_000);
