/** What counts as buffered while real children run. */
import { expect, it, onTestFinished } from 'vitest';
import { exec } from '../../src/handlers/exec.ts';
import { type Server, serve } from '../../src/server/server.ts';
import { memoryTransport } from '../../src/transport/memory.ts';
import { Peer } from '../session/peer.ts';
import { waitUntil } from '../support/process/process.ts';

/** A server with one client. */
async function served(command: string, options: Parameters<typeof exec>[1] = {}): Promise<[Server, Peer]> {
  const transport = memoryTransport();
  const handler = exec(command, { shell: true, killGrace: 100, ...options });
  const server = await serve({ transport, handler, framing: 'lines', encoding: 'binary', maxMessageLength: 2_000_000 });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  return [server, new Peer(await transport.connect(server.addresses[0] as never))];
}

/** Ends the client. Nothing of it may be counted any more. */
async function leaves(peer: Peer, server: Server): Promise<void> {
  peer.connection.abort();
  await waitUntil('the session is over', () => server.sessions.size === 0);
  expect(server.pendingBytes).toBe(0);
}

const line = Buffer.from(`${'x'.repeat(1_000_000)}\n`);

it('what waits for a child that does not read counts, and its client is not read', async () => {
  const [server, peer] = await served('exec sleep 100');
  for (let count = 0; count < 5; count++) peer.connection.write(line);
  await waitUntil('a message waits for the child', () => server.pendingBytes >= 1_000_000);
  // The message, as it waits for the child and as the handler has it, and the beginning of the next one.
  expect(server.pendingBytes).toBeLessThan(4 * line.length);
  expect(peer.connection.unsent).toBeGreaterThan(line.length);
  await leaves(peer, server);
});

it.each([
  ['for each connection', false],
  ['for each message', true],
])('a child %s: output that is not a message yet counts', async (_, perMessage) => {
  const [server, peer] = await served('head -c 500000 /dev/zero; exec sleep 100', { perMessage });
  peer.connection.write(Buffer.from('go\n'));
  await waitUntil('the output is buffered', () => server.pendingBytes >= 500_000);
  expect(server.pendingBytes).toBeLessThan(1_500_000);
  await leaves(peer, server);
});

it('above the limit, the session whose child has printed most is disconnected', async () => {
  const transport = memoryTransport();
  const handler = exec('read -r size; head -c "$size" /dev/zero; exec sleep 100', { shell: true, killGrace: 100 });
  const server = await serve({ transport, handler, maxPendingBytes: 700_000 });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const peers: Peer[] = [];
  for (const size of [200_000, 900_000]) {
    const peer = new Peer(await transport.connect(server.addresses[0] as never));
    peer.connection.write(Buffer.from(`${size}\n`));
    peers.push(peer);
  }
  await waitUntil('one is disconnected', () => server.sessions.size === 1);
  expect(peers.map(({ closed }) => closed)).toEqual([false, true]);
});

it('what a child has printed is no longer counted once it is sent', async () => {
  const [server, peer] = await served('head -c 500000 /dev/zero; echo; cat');
  await peer.until(() => peer.size === 500_001);
  await waitUntil('nothing is buffered', () => server.pendingBytes === 0);
});
