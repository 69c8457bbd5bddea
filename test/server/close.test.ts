import { describe, expect, it } from 'vitest';
import type { Address } from '../../src/address.ts';
import { serve } from '../../src/server/server.ts';
import type { Handler } from '../../src/session/handler.ts';
import { Peer } from '../../src/testing/peer.ts';
import { settled } from '../../src/testing/turns.ts';
import { memoryTransport } from '../../src/transport/memory.ts';
import type { Connection } from '../../src/transport/transport.ts';
import { Harness } from '../session/harness.ts';
import { connectTo, serveOnSockets } from './sockets.ts';

const lines = (count: number) => Array.from({ length: count }, (_, number) => `${number}\n`).join('');

/** Behaves like a client: ends its side when the server does. */
function endAfterServer(peer: Peer): Promise<void> {
  return peer.until(() => peer.ended).then(() => peer.connection.end());
}

describe('closing a server answers every complete message that has arrived', () => {
  const handlers: [string, Handler | undefined][] = [
    ['by echo', undefined],
    ['by a handler of messages', ({ text }) => text],
    [
      'by an asynchronous handler',
      async ({ text }) => {
        await new Promise((resolve) => setImmediate(resolve));
        return text;
      },
    ],
  ];

  it.each(handlers)('%s', async (_, handler) => {
    const harness = await Harness.open({ handler, network: { chunkSize: 100 } });
    const peers = await Promise.all([harness.connect(), harness.connect(), harness.connect()]);
    for (const peer of peers) peer.connection.write(Buffer.from(`${lines(500)}unfinished`));
    const closing = harness.server.close();
    await Promise.all(peers.map(endAfterServer));
    await closing;
    for (const peer of peers) {
      expect(peer.text).toBe(lines(500));
      await peer.gone();
      expect(peer.error).toBeUndefined();
    }
    expect(harness.server.sessions.size).toBe(0);
    expect(harness.clock.waiting).toBe(0);
  });

  it('at the configured rate', async () => {
    const harness = await Harness.open({ rate: 1 });
    const peer = await harness.connect();
    await peer.says(lines(5));
    const closing = harness.server.close();
    const ending = endAfterServer(peer);
    await harness.passes(3999);
    expect(peer.ended).toBe(false);
    await harness.passes(1);
    await ending;
    await closing;
    expect(peer.text).toBe(lines(5));
  });

  it('even if the peer reads slowly', async () => {
    const harness = await Harness.open({ highWaterMark: 1000, network: { capacity: 100 } });
    const peer = await harness.connect();
    peer.connection.pause();
    await peer.says(lines(1000));
    const closing = harness.server.close();
    await settled();
    expect(peer.received.length).toBe(0);
    peer.connection.resume();
    await endAfterServer(peer);
    await closing;
    // What was still in the peer's own send buffer had not arrived.
    expect(lines(1000).startsWith(peer.text)).toBe(true);
    expect(peer.received.length).toBeGreaterThan(1000);
    expect(peer.text.endsWith('\n')).toBe(true);
  });

  it('even if the peer keeps sending', { timeout: 60_000 }, async () => {
    const harness = await Harness.open({ handler: { batch: ({ count }) => `${count}` } });
    const peer = await harness.connect();
    const piece = Buffer.from('x\n'.repeat(30_000));
    let sent = 0;
    const sendMore = () => {
      if (peer.ended) return peer.connection.end();
      peer.connection.write(piece);
      sent += 30_000;
      setImmediate(sendMore);
    };
    sendMore();
    const closing = harness.server.close();
    await closing;
    const answered = peer.lines.reduce((sum, count) => sum + Number(count), 0);
    // As much as a kernel may have buffered when the close began, and not much more.
    expect(answered).toBeGreaterThan(16_000_000);
    expect(answered).toBeLessThan(18_000_000);
    expect(sent).toBeGreaterThanOrEqual(answered);
  });

  it('also those that are not read yet, because it is the turn of other connections', async () => {
    const harness = await Harness.open();
    const peer = await harness.connect();
    await peer.says('first\n');
    // As a connection over a real socket does while others are read.
    const connection = Object.assign(harness.served[0] as Connection, { awaitsTurn: true });
    connection.pause();
    peer.connection.write(Buffer.from('second\n'));
    const closing = harness.server.close();
    await settled();
    expect(peer.ended).toBe(false);
    connection.awaitsTurn = false;
    connection.resume();
    await endAfterServer(peer);
    await closing;
    expect(peer.text).toBe('first\nsecond\n');
  });

  it('on real sockets, for clients that have pipelined', async () => {
    const first = Promise.withResolvers<void>();
    const server = await serveOnSockets({
      handler: {
        open: () => 'welcome',
        async message({ text }) {
          await first.promise;
          return text;
        },
      },
    });
    const peers = await Promise.all([connectTo(server), connectTo(server)]);
    await Promise.all(peers.map((peer) => peer.until(() => peer.text === 'welcome\n')));
    for (const peer of peers) peer.connection.write(Buffer.from(`${lines(5000)}unfinished`));
    expect(peers.map(({ connection }) => connection.unsent)).toEqual([0, 0]);
    const closing = server.close();
    first.resolve();
    await Promise.all(peers.map(endAfterServer));
    await closing;
    for (const peer of peers) expect(peer.text).toBe(`welcome\n${lines(5000)}`);
  });
});

describe('closing a server', () => {
  it('accepts no new connections from the start', async () => {
    const reply = Promise.withResolvers<string>();
    const harness = await Harness.open({ handler: () => reply.promise });
    const peer = await harness.connect();
    await peer.says('a\n');
    const closing = harness.server.close();
    await expect(harness.connect()).rejects.toMatchObject({ code: 'YODEL_CONNECTION_REFUSED' });
    reply.resolve('done');
    await endAfterServer(peer);
    await closing;
  });

  it('ends idle sessions', async () => {
    const harness = await Harness.open();
    const [idle, greeted] = [await harness.connect(), await harness.connect()];
    await harness.passes(1000);
    const newcomer = await harness.connect();
    await greeted.says('hello\n');
    const closing = harness.server.close();
    await settled();
    expect([idle.ended, greeted.ended, newcomer.ended]).toEqual([true, true, false]);
    await Promise.all([idle.ends(), greeted.ends(), newcomer.ends()]);
    await closing;
    expect(idle.error).toBeUndefined();
  });

  it('gives a client that has just connected the time to send its first message', async () => {
    const harness = await Harness.open();
    await harness.passes(1000);
    const [prompt, silent] = [await harness.connect(), await harness.connect()];
    await harness.passes(100);
    const closing = harness.server.close();
    await harness.passes(899);
    expect(await prompt.says('hello\n')).toBe('hello\n');
    expect(silent.ended).toBe(false);
    await harness.passes(1);
    expect([prompt.ended, silent.ended]).toEqual([true, true]);
    await Promise.all([prompt.ends(), silent.ends()]);
    await closing;
  });

  it('disconnects clients that do not end within lingerTimeout', async () => {
    const harness = await Harness.open({ lingerTimeout: 1000 });
    const peer = await harness.connect();
    await peer.says('hello\n');
    const closing = harness.server.close();
    await settled();
    expect(peer.ended).toBe(true);
    await harness.passes(1000);
    await closing;
    expect(harness.server.counters.errors.size).toBe(0);
  });

  it('does not wait for messages that arrive after it began', async () => {
    const harness = await Harness.open();
    const peer = await harness.connect();
    expect(await peer.says('in time\n')).toBe('in time\n');
    const closing = harness.server.close();
    await settled();
    expect(await peer.says('late\n')).toBe('');
    await peer.ends();
    await closing;
  });

  it('aborts sessions that are still open after shutdownTimeout', async () => {
    const errors: unknown[] = [];
    const harness = await Harness.open({
      handler: () => new Promise(() => {}),
      shutdownTimeout: 3000,
      telemetry: { closed: (_, error) => errors.push(error) },
    });
    const [busy, idle] = [await harness.connect(), await harness.connect()];
    await busy.says('a\n');
    const closing = harness.server.close();
    await harness.passes(1000);
    await endAfterServer(idle);
    await harness.passes(1999);
    expect(errors).toEqual([undefined]);
    await harness.passes(1);
    await closing;
    expect(busy.error).toMatchObject({ code: 'ECONNRESET' });
    expect(errors[1]).toMatchObject({
      code: 'YODEL_SHUTDOWN_TIMEOUT',
      message: 'still open 3000 ms after the server began to shut down',
    });
  });

  it('releases sessions that have answered everything, without an error', async () => {
    const errors: unknown[] = [];
    const harness = await Harness.open({ telemetry: { closed: (_, error) => errors.push(error) } });
    const peer = await harness.connect();
    await peer.says('a\n');
    const closing = harness.server.close({ timeoutMs: 100 });
    await harness.passes(100);
    await closing;
    expect(peer.text).toBe('a\n');
    expect(peer.ended).toBe(true);
    expect(peer.error).toBeUndefined();
    expect(errors).toEqual([undefined]);
  });

  it('aborts them after timeoutMs instead, if that is set', async () => {
    const harness = await Harness.open({ handler: () => new Promise(() => {}) });
    const peer = await harness.connect();
    await peer.says('a\n');
    const closing = harness.server.close({ timeoutMs: 100 });
    await harness.passes(99);
    expect(peer.closed).toBe(false);
    await harness.passes(1);
    await closing;
    expect(peer.closed).toBe(true);
  });

  it('a second time shortens the timeout, and both calls resolve', async () => {
    const harness = await Harness.open({ handler: () => new Promise(() => {}) });
    const peer = await harness.connect();
    await peer.says('a\n');
    const closing = harness.server.close({ timeoutMs: 60_000 });
    await harness.passes(1000);
    const sooner = harness.server.close({ timeoutMs: 500 });
    await harness.passes(500);
    await Promise.all([closing, sooner, harness.server.closed]);
    expect(harness.clock.waiting).toBe(0);
  });

  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])('refuses %s as its timeout', async (timeoutMs) => {
    const harness = await Harness.open();
    const peer = await harness.connect();
    await expect(harness.server.close({ timeoutMs })).rejects.toMatchObject({
      code: 'YODEL_INVALID_OPTION',
      message: expect.stringContaining('"timeoutMs"'),
    });
    expect(await peer.says('still here\n')).toBe('still here\n');
  });

  it('frees the address', async () => {
    const transport = memoryTransport();
    for (let each = 0; each < 3; each++) {
      const server = await serve({ transport });
      await server.close();
    }
    const one = await serveOnSockets();
    const [address] = one.addresses;
    await one.close();
    await serveOnSockets({ listen: address });
  });

  it('again after it is closed does nothing', async () => {
    const harness = await Harness.open();
    await harness.server.close();
    await harness.server.close();
    await harness.server.close({ timeoutMs: 0 });
    expect(harness.clock.waiting).toBe(0);
  });
});

describe('a server that is closed', () => {
  it('resolves its promise `closed`', async () => {
    const harness = await Harness.open();
    let closed = false;
    void harness.server.closed.then(() => (closed = true));
    await settled();
    expect(closed).toBe(false);
    await harness.server.close();
    await settled();
    expect(closed).toBe(true);
  });

  it('is closed by `await using`, which ends its sessions normally', async () => {
    const transport = memoryTransport();
    let peer: Peer;
    {
      await using server = await serve({ transport });
      peer = new Peer(await transport.connect(server.addresses[0] as Address));
      expect(await peer.says('hello\n')).toBe('hello\n');
      void endAfterServer(peer);
    }
    await peer.gone();
    expect(peer.error).toBeUndefined();
    await expect(transport.connect(peer.connection.peer)).rejects.toMatchObject({ code: 'YODEL_CONNECTION_REFUSED' });
  });
});

it('with drainDelay a server still accepts connections for that long after close()', async () => {
  const harness = await Harness.open({ drainDelay: 500 });
  const closing = harness.server.close();
  expect(harness.server.closing).toBe(true);
  const late = await harness.connect();
  expect(await late.says('hello\n')).toBe('hello\n');
  await harness.passes(499);
  const later = await harness.connect();
  expect(await later.says('again\n')).toBe('again\n');
  await harness.passes(1);
  expect([late.ended, later.ended]).toEqual([true, true]);
  await Promise.all([late.ends(), later.ends()]);
  await closing;
});

it('a second call ends the delay', async () => {
  const harness = await Harness.open({ drainDelay: 500 });
  const closing = [harness.server.close(), harness.server.close()];
  await Promise.all(closing);
  expect(harness.clock.waiting).toBe(0);
});
