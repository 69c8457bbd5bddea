/** What a session of a proxy keeps, and when it ends; in memory, with a server in the hands of the test. */

import { describe, expect, it } from 'vitest';
import { TcpAddress } from '../../src/address.ts';
import type { FramingText } from '../../src/framing/notation.ts';
import type { ProxyOptions } from '../../src/handlers/proxy/options.ts';
import { proxy } from '../../src/handlers/proxy.ts';
import { type Server, serve } from '../../src/server/server.ts';
import type { Session } from '../../src/session/public-session.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { Peer } from '../../src/testing/peer.ts';
import { settled } from '../../src/testing/turns.ts';
import { memoryTransport } from '../../src/transport/memory.ts';
import type { Connection, MemoryKeeper, Receiver, Transport } from '../../src/transport/transport.ts';

const noLimits = { idleTimeout: 0, messageTimeout: 0, drainTimeout: 0, lingerTimeout: 1 } as const;

/** A proxy, a client, and the upstream end of its connection, which reads nothing until the test lets it. */
async function proxied(options: Omit<ProxyOptions, 'transport' | 'clock'> = {}, framing: FramingText = 'raw') {
  const clock = new FakeClock();
  const transport = memoryTransport();
  const behind: Connection[] = [];
  await transport.listen(new TcpAddress('127.0.0.1', 9), {
    accept: (connection: Connection) => {
      connection.pause();
      behind.push(connection);
    },
  } as never);
  const errors: (string | undefined)[] = [];
  const server = await serve({
    ...{ clock, transport, framing, ...noLimits, listen: 1 },
    maxMessageLength: 1_000_000,
    handler: proxy(9, { ...options, transport, clock }),
    telemetry: {
      closed: (_, error) => errors.push(error && `${error.message}: ${(error.cause as Error | undefined)?.message}`),
    },
  });
  const peer = new Peer(await transport.connect(server.addresses[0] as never));
  await settled();
  const upstream = new Peer(behind[0] as Connection);
  upstream.connection.pause();
  return { clock, server, peer, upstream, errors, close: () => closed(server, clock) };
}

async function closed(server: Server, clock: FakeClock): Promise<void> {
  const closing = server.close({ timeoutMs: 0 });
  await clock.advance(10);
  await closing;
  await settled();
  expect([server.sessions.size, server.pendingBytes, clock.waiting]).toEqual([0, 0, 0]);
}

/** Far more than the operating system takes of a peer that does not read. */
const much = Buffer.alloc(1_000_000, 'x');

describe('a session whose server takes nothing', () => {
  const leaves: [string, (peer: Peer) => void][] = [
    ['stays', () => undefined],
    ['has ended', (peer) => peer.connection.end()],
  ];
  it.each(leaves)('ends after drainTimeout, also if its client %s', async (_, leave) => {
    const { clock, server, peer, errors, close } = await proxied({ drainTimeout: 2000 });
    peer.connection.write(much);
    await settled();
    leave(peer);
    await clock.advance(1999);
    expect(server.counters.connectionsOpen).toBe(1);
    await clock.advance(1);
    await settled();
    expect(server.counters.connectionsOpen).toBe(0);
    expect(errors[0]).toMatch(/^the upstream server takes nothing: it read nothing for 2 s, with \d+ bytes pending$/);
    await close();
  });

  it('goes on as long as the server takes something now and then', async () => {
    const { clock, server, peer, upstream, close } = await proxied({ drainTimeout: 2000 });
    peer.connection.write(much);
    for (let round = 0; round < 5; round++) {
      await clock.advance(1500);
      upstream.connection.resume();
      await settled();
      upstream.connection.pause();
    }
    expect(server.sessions.size).toBe(1);
    upstream.connection.resume();
    await upstream.until(() => upstream.size === much.length);
    // Nothing waits, so nothing is due.
    await clock.advance(10_000);
    expect(server.sessions.size).toBe(1);
    await close();
  });

  it('has no time-out without drainTimeout', async () => {
    const { clock, server, peer, close } = await proxied({ drainTimeout: 0 });
    peer.connection.write(much);
    await clock.advance(1_000_000);
    expect(server.sessions.size).toBe(1);
    await close();
  });
});

describe('maxPendingBytes counts', () => {
  it('what waits for the server', async () => {
    const { server, peer, upstream, close } = await proxied();
    peer.connection.write(much);
    await settled();
    const waiting = server.pendingBytes;
    expect(waiting).toBeGreaterThan(65_536);
    upstream.connection.resume();
    await upstream.until(() => upstream.size === much.length);
    await settled();
    expect(server.pendingBytes).toBe(0);
    await close();
  });

  it("the server's unfinished message", async () => {
    const { server, peer, upstream, close } = await proxied({}, 'lines');
    upstream.connection.write(Buffer.alloc(300_000, 'y'));
    await settled();
    expect(server.pendingBytes).toBeGreaterThanOrEqual(300_000);
    expect(server.pendingBytes).toBeLessThan(1_000_000);
    upstream.connection.write(Buffer.from('\n'));
    await peer.until(() => peer.size === 300_001);
    expect(server.pendingBytes).toBe(0);
    await close();
  });

  it("the server's messages that wait for the client, and the server is not read meanwhile", async () => {
    const { server, peer, upstream, close } = await proxied();
    peer.connection.pause();
    upstream.connection.write(Buffer.alloc(4_000_000, 'y'));
    await settled();
    expect(server.pendingBytes).toBeGreaterThan(65_536);
    expect(server.pendingBytes).toBeLessThan(1_000_000);
    expect(upstream.connection.unsent).toBeGreaterThan(2_000_000);
    peer.connection.resume();
    await peer.until(() => peer.size === 4_000_000);
    expect(server.pendingBytes).toBe(0);
    await close();
  });
});

describe('maxPendingBytes counts what the connection to the server keeps', () => {
  it('as soon as it keeps it, until it does not, and once with what the client connection keeps of it', async () => {
    const { server, close, receiver } = await observed();
    const { keeper } = receiver() as { keeper: MemoryKeeper };
    const counted = (act: () => void) => {
      act();
      keeper.recount?.();
      return server.pendingBytes;
    };
    // A chunk of the server: one part waits for its turn, another for the client.
    const chunk = new ArrayBuffer(300_000);
    const [session] = server.sessions as unknown as Iterable<Session>;
    const client = session?.keeper as MemoryKeeper;
    expect(counted(() => keeper.kept(chunk, 300_000))).toBe(300_000);
    expect(counted(() => client.kept(chunk, 300_000))).toBe(300_000);
    expect(counted(() => keeper.freed(chunk))).toBe(300_000);
    expect(counted(() => client.freed(chunk))).toBe(0);
    await close();
  });
});

/** A proxy and a client. @returns receiver the receiver of the connection to the server */
async function observed() {
  const clock = new FakeClock();
  const transport = memoryTransport();
  await transport.listen(new TcpAddress('127.0.0.1', 9), { accept: () => undefined } as never);
  let received: Receiver | undefined;
  const connect: Transport['connect'] = async (address, options) => {
    const connection = await transport.connect(address, options);
    const start = connection.start.bind(connection);
    connection.start = (receiver) => {
      received = receiver;
      start(receiver);
    };
    return connection;
  };
  const handler = proxy(9, { transport: { ...transport, connect }, clock });
  const server = await serve({ clock, transport, framing: 'raw', ...noLimits, listen: 1, handler });
  new Peer(await transport.connect(server.addresses[0] as never));
  await settled();
  return { server, receiver: () => received as Receiver, close: () => closed(server, clock) };
}

describe('proxies that lead to themselves', () => {
  it('are ended at the second connection, in a ring of any length', async () => {
    const clock = new FakeClock();
    const transport = memoryTransport();
    const errors: string[] = [];
    const servers: Server[] = [];
    for (const [port, next] of [
      [1, 2],
      [2, 3],
      [3, 1],
    ]) {
      const telemetry = {
        closed: (_: unknown, error: Error | undefined) => {
          if (error?.cause) errors.push((error.cause as Error).message);
        },
      };
      const handler = proxy(next as number, { transport, clock });
      servers.push(await serve({ ...{ clock, transport, handler, telemetry, ...noLimits }, listen: port }));
    }
    const peer = new Peer(await transport.connect(servers[0]?.addresses[0] as never));
    await peer.until(() => peer.closed);
    await settled();
    expect(errors).toContain('it leads back to this proxy itself: give it the address of another server');
    const accepted = servers.map(({ counters }) => counters.connectionsAccepted);
    // The client, and the connection that closes the ring.
    expect(accepted).toEqual([2, 1, 1]);
    for (const server of servers) await closed(server, clock);
  });

  it('but a chain of proxies in one process is none', async () => {
    const clock = new FakeClock();
    const transport = memoryTransport();
    const echo = await serve({ clock, transport, ...noLimits, listen: 3 });
    const inner = await serve({ clock, transport, ...noLimits, handler: proxy(3, { transport, clock }), listen: 2 });
    const outer = await serve({ clock, transport, ...noLimits, handler: proxy(2, { transport, clock }), listen: 1 });
    const peer = new Peer(await transport.connect(outer.addresses[0] as never));
    peer.connection.write(Buffer.from('hello\n'));
    await peer.until(() => peer.text === 'hello\n');
    peer.connection.end();
    await peer.until(() => peer.closed);
    await settled();
    for (const server of [outer, inner, echo]) await closed(server, clock);
  });
});
