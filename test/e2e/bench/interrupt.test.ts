/** Interrupting `yodel bench`. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { BenchReport } from '../../../src/load/result/report.ts';
import { commandPath, type Running, serve, start } from '../../support/process/command.ts';
import { openDescriptors, waitUntil } from '../../support/process/process.ts';
import { listen } from '../../support/servers.ts';

function startBench(args: readonly string[]): Running {
  return start([process.execPath, commandPath, 'bench', ...args]);
}

for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  for (const threads of ['1', '2']) {
    test(`${signal} ends a run of ${threads} at once with the results so far, and exit status ${status}`, async () => {
      const server = await serve();
      const args = [server.address, '-d', '60s', '--rate', '100/s', '-c', '3', '--threads', threads];
      const running = startBench([...args, '--json']);
      await server.saw(/64 B 3-1-/);
      const outcome = await running.stop(signal);
      const report = JSON.parse(outcome.stdout.toString()) as BenchReport;
      expect({ status: outcome.status, ended: report.ended }).toEqual({ status, ended: 'interrupted' });
      expect(report.messages.sent).toBeGreaterThan(0);
      expect(report.messages.answered + report.messages.unanswered).toBe(report.messages.sent);
      expect(report.seconds).toBeLessThan(60);
      expect(report.errors).toEqual([]);
    });
  }
}

test('Ctrl-C does not wait for pending replies', async () => {
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const { address } = await listen((socket) => socket.on('data', asked));
  const running = startBench([address, '-c', '2', '--timeout', '10m']);
  await isAsked;
  const { stdout, stderr, status } = await running.stop('SIGINT');
  expect(stdout.toString()).toMatch(/interrupted|ended/i);
  expect({ stderr, status }).toEqual({ stderr: '', status: 130 });
});

test('Ctrl-C ends the test while it connects', async () => {
  // A stopped server accepts no connection once its backlog is full.
  const server = await serve(['--backlog', '1', '--quiet']);
  process.kill(server.pid, 'SIGSTOP');
  const running = startBench([server.address, '-c', '100', '-w', '10m', '--json']);
  // Before it runs its program, the process has the descriptors of this one.
  const isRunning = () => readFileSync(`/proc/${running.pid}/cmdline`, 'utf8').split('\0').includes('10m');
  await waitUntil('its sockets are open', () => isRunning() && openDescriptors(running.pid) > 80);
  const { status } = await running.stop('SIGINT');
  process.kill(server.pid, 'SIGCONT');
  expect(status).toBe(130);
});

test('output that is closed early is not an error', async () => {
  const server = await serve(['--quiet']);
  const running = start([
    'sh',
    '-c',
    `'${process.execPath}' '${commandPath}' bench ${server.address} -n 500 --json | head -c 1`,
  ]);
  const { stdout, stderr } = await running.ended;
  expect({ stdout: stdout.toString(), stderr }).toEqual({ stdout: '{', stderr: '' });
});
