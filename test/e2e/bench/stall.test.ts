/** A server that stalls for a second, measured with an open and with a closed loop. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type BenchOutcome, bench } from '../../support/bench.ts';
import { serve } from '../../support/process/command.ts';

/** Measures a server that stalls for one second during the run. */
async function measureWithStall(...args: string[]): Promise<BenchOutcome> {
  const server = await serve(['--no-messages']);
  const measured = bench([server.address, '-c', '10', ...args]);
  await server.saw(/(connected[\s\S]*){10}/);
  process.kill(server.pid, 'SIGSTOP');
  await delay(1000);
  process.kill(server.pid, 'SIGCONT');
  return await measured;
}

test('a closed loop hides a stall of one second, because it sends nothing while it waits', async () => {
  // Ten messages are sent during the stall: far fewer than one in a hundred, even on a busy machine.
  const { report, status } = await measureWithStall('-n', '60000');
  expect(report.latency?.p99).toBeLessThan((report.latency?.max ?? 0) / 2);
  expect(report.latency?.max).toBeGreaterThan(900);
  expect({ status, errors: report.errors }).toEqual({ status: 0, errors: [] });
});

test('the same stall shows in the p99 of the open loop, because all messages due during it waited', async () => {
  const { report, status } = await measureWithStall('--rate', '1k/s', '-d', '1500ms');
  expect(report.latency?.p99).toBeGreaterThan(800);
  expect(report.latency?.p75).toBeGreaterThan(100);
  expect(report.messages).toEqual({ sent: 1500, answered: 1500, unanswered: 0 });
  expect({ status, errors: report.errors }).toEqual({ status: 0, errors: [] });
});

test('a stall of the server is not mistaken for one of the generator', async () => {
  const { report } = await measureWithStall('--rate', '200/s', '-d', '1500ms');
  expect(report.latency?.p99).toBeGreaterThan(800);
  expect(report.generator.lateness?.p50).toBeLessThan(100);
});

test('a stall longer than the time-out does not look like a fast server, and does not end the run', async () => {
  const server = await serve(['--no-messages']);
  const args = ['--rate', '500/s', '-d', '2s', '-c', '5', '--timeout', '500ms', '--assert', 'max < 400ms'];
  const measured = bench([server.address, ...args]);
  await server.saw(/(connected[\s\S]*){5}/);
  process.kill(server.pid, 'SIGSTOP');
  await delay(1000);
  process.kill(server.pid, 'SIGCONT');
  const { report, status, stderr } = await measured;
  expect(stderr).toMatch(/^not met {2}max < 400ms: [\d,]+ messages were never answered/);
  expect(report.messages.sent).toBe(1000);
  expect(report.messages.unanswered).toBeGreaterThan(0);
  // The last interval may be too short for a reply.
  const afterwards = report.intervals.filter(({ at }) => at >= 1);
  expect(Math.max(...afterwards.map(({ answered }) => answered))).toBeGreaterThan(0);
  expect({ status, ended: report.ended }).toEqual({ status: 3, ended: 'done' });
});
