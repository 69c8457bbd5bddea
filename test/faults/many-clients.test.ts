import { expect, test } from 'vitest';
import { dial } from '../support/peer.ts';
import { serve, start } from '../support/process/command.ts';
import { mostDescriptors, openDescriptors, waitUntil } from '../support/process/process.ts';

const wanted = 10_000;
const clients = Math.min(wanted, mostDescriptors() - 100);
const why = clients < wanted ? ' (not 10,000: the hard limit of descriptors, ulimit -Hn, is too low)' : '';
const messages = 5;

test(`${clients} clients connected at the same time get all of their own replies, and no others${why}`, {
  timeout: 60_000,
}, async () => {
  const server = await serve(['--quiet']);
  const clientsFile = new URL('./many-clients.ts', import.meta.url).pathname;
  const before = openDescriptors(server.pid);
  const clientProcess = start([process.execPath, clientsFile, String(server.port), String(clients), String(messages)]);
  const [, connected] = await clientProcess.saw(/"connected":(\d+)/);
  expect(Number(connected)).toBe(clients);
  // The kernel completes connections before the server accepts them.
  await waitUntil('all of them are accepted', () => openDescriptors(server.pid) - before >= clients);
  clientProcess.process.stdin?.write('talk\n');
  const [, satisfied] = await clientProcess.saw(/"satisfied":(\d+)/);
  expect(Number(satisfied)).toBe(clients);
  expect((await clientProcess.ended).stderr).toBe('');

  const late = await dial(server.port);
  expect(await late.ask('anybody there')).toBe('anybody there');
  late.end();
  await late.ended;
  expect((await server.stop()).status).toBe(0);
});
