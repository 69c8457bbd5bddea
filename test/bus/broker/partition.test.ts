/** A network between servers and their broker that is cut: what members missed is what they are told, exactly. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { temporaryFolder } from '../../support/files.ts';
import { testWithTwoHosts, twoHosts } from '../../support/network/two-hosts.ts';
import { start } from '../../support/process/command.ts';
import { waitUntil } from '../../support/process/process.ts';
import { type Kind, kinds } from './programs.ts';
import { ServerProcess } from './server-process.ts';

/** Long enough to be noticed. PARTITION_MS=20000 cuts it for 20 s. */
const cutMs = Number(process.env.PARTITION_MS ?? 1000);

const port = 5000;
const programs: Record<Kind, (address: string) => [[string, ...string[]], RegExp]> = {
  redis: (address) => [
    [
      'redis-server',
      '--port',
      `${port}`,
      '--bind',
      address,
      '--protected-mode',
      'no',
      '--save',
      '',
      '--dir',
      temporaryFolder(),
    ],
    /Ready to accept connections/,
  ],
  nats: (address) => [
    ['/usr/sbin/nats-server', '-a', address, '-p', `${port}`, '-js', '-sd', temporaryFolder()],
    /Server is ready/,
  ],
};

async function cutOff(kind: Kind): Promise<void> {
  const hosts = await twoHosts(1);
  const [words, ready] = programs[kind](hosts.server.address);
  await start(hosts.server.command(words)).saw(ready);
  const bus = `${kind}://${hosts.server.address}:${port}`;
  const servers = await Promise.all(
    [1, 2, 3].map((server) =>
      ServerProcess.start(bus, [`${server}a`, `${server}b`], (words) => hosts.client.command(words), true),
    ),
  );
  const all = (what: string, holds: (report: NonNullable<ServerProcess['report']>) => boolean) =>
    waitUntil(what, () => servers.every(({ report }) => report !== undefined && holds(report)));
  await all('all know each other', ({ size }) => size === 6);
  for (const server of servers) server.tell('load 5');
  await delay(300);
  hosts.cut();
  await all('the cut is noticed', ({ disconnected }) => disconnected > 0);
  await delay(cutMs);
  hosts.heal();
  await all('all are connected again', ({ connected }) => connected === 2);
  await delay(300);
  for (const server of servers) server.tell('stop');
  const sent = () => servers.reduce((sum, { report }) => sum + (report?.sent ?? 0), 0);
  const accounts = () => servers.flatMap(({ report }) => report?.members ?? []);
  const isExact = () => accounts().every(({ received, missed, wrong }) => received + missed === sent() && wrong === 0);
  await waitUntil('all is counted', isExact);
  // What was stored comes later, but all of it.
  await waitUntil('the outcome of all is known', () =>
    servers.every(({ report }) => report?.sent === (report?.stored ?? 0) + (report?.notStored ?? 0)),
  );
  for (const server of servers) server.tell('end');
  const stored = () => servers.reduce((sum, { report }) => sum + (report?.stored ?? 0), 0);
  await all('all have what is stored', ({ history, members }) =>
    members.every(({ last }) => history > 0 && history >= stored() && last === history),
  );
  // Nothing more comes.
  await delay(500);
  expect(isExact()).toBe(true);
  if (cutMs > 10_000) process.stdout.write(`${kind}: ${JSON.stringify(servers.map(({ report }) => report))}\n`);
  for (const { missed } of accounts()) expect(missed).toBeGreaterThan(0);
  await all('all know each other again', ({ size }) => size === 6);
}

testWithTwoHosts(
  'behind a network that is cut: what members missed is what they are told',
  async () => void (await Promise.all(kinds.map(cutOff))),
  ['redis-server', 'nats-server'],
);
