import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { dial } from '../support/peer.ts';
import { type RunningServer, serve, start } from '../support/process/command.ts';
import { mostDescriptors, openDescriptors, waitUntil } from '../support/process/process.ts';

const wanted = 5000;
const clients = Math.min(wanted, mostDescriptors() - 100);
const why = clients < wanted ? ' (not 5,000: the hard limit of descriptors, ulimit -Hn, is too low)' : '';

/** The value of a metric of the server. */
async function counter(server: RunningServer, name: string): Promise<number> {
  const [, url = ''] = await server.saw(/metrics at (\S+\/metrics)/);
  const lines = (await (await fetch(url)).text()).split('\n');
  const line = lines.find((one) => one.startsWith(`${name} `)) ?? '';
  return Number(line.slice(name.length));
}

async function sessionsBecome(count: number, server: RunningServer): Promise<void> {
  await expect.poll(() => counter(server, 'yodel_connections_open'), { timeout: 15_000 }).toBe(count);
}

test(`${clients} clients that drip a message do not delay others, and are all closed${why}`, async () => {
  // A long linger time-out, so that no client is reset, however late it ends its side.
  const times = ['--message-timeout', '4s', '--linger-timeout', '20s'];
  const server = await serve(['--quiet', ...times, '--metrics', '127.0.0.1:0']);
  const before = openDescriptors(server.pid);
  const file = new URL('./drippers.ts', import.meta.url).pathname;
  const clientProcess = start([process.execPath, file, String(server.port), String(clients)]);
  await clientProcess.saw(/"connected":\d+/);
  // The kernel completes connections before the server accepts them.
  await sessionsBecome(clients, server);
  clientProcess.process.stdin?.write('drip\n');
  await clientProcess.saw(/"dripping":\d+/);

  let isOver = false;
  const over = clientProcess.saw(/"endings":(.*)\}/).finally(() => {
    isOver = true;
  });
  let served = 0;
  for (; !isOver; served++) {
    const normal = await dial(server.port);
    expect(await normal.ask(`normal ${served}`)).toBe(`normal ${served}`);
    normal.end();
    await normal.ended;
    await Promise.race([over, delay(20)]);
  }
  expect(served).toBeGreaterThan(0);

  const [, endings = ''] = await over;
  expect(JSON.parse(endings)).toEqual([['error: a message was not finished within 4 s of its first byte\n', clients]]);
  // The last clients have the error, but the server may not have seen them end yet.
  await sessionsBecome(0, server);
  expect(await counter(server, 'yodel_errors_total{code="YODEL_MESSAGE_TIMEOUT"}')).toBe(clients);
  // Each sent more after its first byte: the time-out is for the message, and further bytes do not restart it.
  expect(await counter(server, 'yodel_bytes_received_total')).toBeGreaterThan(2 * clients);
  // Requests for the metrics use a few.
  await waitUntil('their descriptors are closed', () => openDescriptors(server.pid) - before < 10);
  expect((await server.stop()).status).toBe(0);
});
