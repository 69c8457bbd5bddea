/** What counts as buffered while real children run. */
import { setImmediate } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { exec } from '../../src/handlers/exec.ts';
import { proxy } from '../../src/handlers/proxy.ts';
import { startQueue } from '../../src/process/start-queue.ts';
import { type Server, serve } from '../../src/server/server.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { Peer } from '../../src/testing/peer.ts';
import { memoryTransport } from '../../src/transport/memory.ts';
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

it('above the limit, a session is disconnected for what its child has printed, and others are not', async () => {
  const transport = memoryTransport();
  const script = 'read -r size; head -c "$size" /dev/zero; exec sleep 100';
  const codes: (string | undefined)[] = [];
  const server = await serve({
    transport,
    handler: exec(script, { shell: true, killGrace: 100 }),
    maxPendingBytes: 600_000,
    telemetry: { closed: (_, error) => codes.push(error?.code) },
  });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  for (const size of [1000, 1_000_000]) {
    const peer = new Peer(await transport.connect(server.addresses[0] as never));
    peer.connection.write(Buffer.from(`${size}\n`));
  }
  await waitUntil('one is disconnected', () => codes.length > 0);
  expect(codes).toEqual(['YODEL_TOO_MANY_PENDING_BYTES']);
  expect(server.sessions.size).toBe(1);
});

it('what a child has printed is no longer counted once it is sent', async () => {
  const [server, peer] = await served('head -c 500000 /dev/zero; echo; cat');
  await peer.until(() => peer.size === 500_001);
  await waitUntil('nothing is buffered', () => server.pendingBytes === 0);
});

it('children that never stop printing on stderr do not keep others waiting, and what they have printed arrives in order', async () => {
  const script = 'read -r word; case "$word" in flood) exec seq 100000000 >&2;; esac; echo "$word"; exec cat';
  const told: string[] = [];
  const tell = (text: string) => {
    // As a log does, it takes a moment.
    for (const end = performance.now() + 0.002; performance.now() < end; );
    if (told.length < 50_000) told.push(text);
  };
  const transport = memoryTransport();
  const handler = exec(script, { shell: true, killGrace: 100, tell });
  const server = await serve({ transport, handler });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const connect = async () => new Peer(await transport.connect(server.addresses[0] as never));
  for (const flood of [await connect(), await connect()]) flood.connection.write(Buffer.from('flood\n'));
  await waitUntil('the floods have begun', () => told.length > 100);
  const other = await connect();
  for (let sent = 1; sent <= 20; sent++) {
    other.connection.write(Buffer.from(`${sent}\n`));
    await other.until(() => other.lines.length === sent);
  }
  expect(other.lines).toEqual(Array.from({ length: 20 }, (_, n) => String(n + 1)));
  // Both count from 1: what was told are two sequences, woven into each other.
  let [first, second] = [0, 0];
  for (const number of told.map(Number)) {
    if (number === first + 1) first++;
    else if (number === second + 1) second++;
  }
  expect(first + second).toBe(told.length);
});

it('of many clients at once each gets a child, one after another; what they send meanwhile is kept and counted', async () => {
  const transport = memoryTransport();
  const server = await serve({ transport, handler: exec('cat', { killGrace: 100 }), framing: 'lines' });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const connected = Array.from({ length: 10 }, () => transport.connect(server.addresses[0] as never));
  const peers = (await Promise.all(connected)).map((connection) => new Peer(connection));
  for (const [number, peer] of peers.entries()) peer.connection.write(Buffer.from(`${number}\n${number} again\n`));
  // Waiting takes many turns of the event loop, so that one of them sees it.
  while (server.pendingBytes === 0) await setImmediate();
  for (const peer of peers) peer.connection.end();
  for (const [number, peer] of peers.entries()) {
    const text = `${number}\n${number} again\n`;
    await peer.until(() => peer.size === text.length);
    expect(peer.text).toBe(text);
  }
  await waitUntil('nothing is buffered', () => server.pendingBytes === 0);
});

it('a client that leaves before its child is started has none', async () => {
  const transport = memoryTransport();
  let lines = 0;
  const handler = exec('echo started >&2; exec cat', { shell: true, killGrace: 100, tell: () => lines++ });
  const server = await serve({ transport, handler, framing: 'lines' });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const clients = 40;
  const connected = Array.from({ length: clients }, () => transport.connect(server.addresses[0] as never));
  const peers = (await Promise.all(connected)).map((connection) => new Peer(connection));
  for (const peer of peers.slice(0, -1)) peer.connection.abort();
  const last = peers.at(-1) as Peer;
  last.connection.write(Buffer.from('hello\n'));
  await last.until(() => last.size === 6);
  await waitUntil('the others are gone', () => server.sessions.size === 1);
  expect(lines).toBeLessThan(clients / 2);
});

it('connectTimeout of a proxy begins when it is the turn of its program to be started', async () => {
  const transport = memoryTransport();
  const clock = new FakeClock();
  const handler = proxy('exec:cat', { clock, connectTimeout: 100 });
  const server = await serve({ transport, handler });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  for (let others = 0; others < 20; others++) startQueue.add('127.0.0.1', () => undefined);
  const peer = new Peer(await transport.connect(server.addresses[0] as never));
  peer.connection.write(Buffer.from('hello\n'));
  await waitUntil('it waits for its turn', () => server.sessions.size === 1);
  await clock.advance(1000);
  await peer.until(() => peer.text === 'hello\n');
});
