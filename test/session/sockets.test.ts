import { describe, expect, it } from 'vitest';
import type { Session } from '../../src/session/public-session.ts';
import { connectTo, serveOnSockets } from '../server/sockets.ts';

const line = Buffer.from(`${'x'.repeat(999)}\n`);

describe('on real sockets', () => {
  it('a peer that ends its side still gets every reply', async () => {
    const server = await serveOnSockets({ handler: async ({ text }) => text });
    const peer = await connectTo(server);
    for (let each = 0; each < 5000; each++) peer.connection.write(line);
    peer.connection.write(Buffer.from('unfinished'));
    peer.connection.end();
    await peer.gone();
    expect(peer.error).toBeUndefined();
    expect(peer.size).toBe(5_000_000 + 'unfinished\n'.length);
    expect(server.counters.messagesReceived).toBe(5001);
  });

  it('a peer that keeps sending gets the error that ends its session', async () => {
    const server = await serveOnSockets({ maxMessageLength: 100 });
    const peer = await connectTo(server);
    const flood = Buffer.alloc(1_000_000, 'y');
    for (let each = 0; each < 20; each++) peer.connection.write(flood);
    await peer.until(() => peer.ended);
    expect(peer.text).toBe('error: message 1 is longer than the limit of 100 bytes\n');
    peer.connection.end();
    await peer.gone();
    expect(peer.error).toBeUndefined();
  });

  it('a peer that never reads is no longer read, while others are served', async () => {
    const server = await serveOnSockets();
    const slow = await connectTo(server);
    slow.connection.pause();
    const other = await connectTo(server);
    const [session] = server.sessions;
    const megabyte = Buffer.alloc(1_000_000, line);
    const total = 50_000_000;
    for (let sent = 0; sent < total; sent += megabyte.length) slow.connection.write(megabyte);
    for (let trip = 1; trip <= 200; trip++) {
      other.connection.write(Buffer.from('hello\n'));
      await other.until(() => other.size === trip * 6);
    }
    expect(slow.connection.unsent).toBeGreaterThan(0);
    // The rest is in the buffers of both kernels.
    expect(session?.bytesReceived).toBeLessThan(total * 0.8);
    slow.connection.resume();
    await slow.until(() => slow.size === total);
    for (let at = 0; at < total; at += megabyte.length) {
      expect(slow.received.subarray(at, at + megabyte.length).equals(megabyte)).toBe(true);
    }
  });

  it('a handler can wait until the peer has caught up, however fast the system accepts its output', async () => {
    const greeted = Promise.withResolvers<Session>();
    const server = await serveOnSockets({ handler: { open: (session) => greeted.resolve(session) } });
    const peer = await connectTo(server);
    const session = await greeted.promise;
    for (let each = 0; each < 100; each++) {
      session.send('x'.repeat(100_000));
      await session.drained();
    }
    await peer.until(() => peer.size === 100 * 100_001);
  });

  it('a peer that disconnects while it is answered affects no other', async () => {
    const broken = Promise.withResolvers<unknown>();
    const server = await serveOnSockets({
      handler: () => 'x'.repeat(1_000_000),
      telemetry: { closed: (_, error) => broken.resolve(error) },
    });
    const peer = await connectTo(server);
    const other = await connectTo(server);
    peer.connection.pause();
    peer.connection.write(Buffer.from('a\n'.repeat(20)));
    other.connection.write(Buffer.from('a\n'));
    await other.until(() => other.size === 1_000_001);
    peer.connection.abort();
    expect(await broken.promise).toMatchObject({ code: 'YODEL_CONNECTION_RESET' });
    other.connection.write(Buffer.from('a\n'));
    await other.until(() => other.size === 2_000_002);
  });
});
