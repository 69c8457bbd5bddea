/** `testServer`: several clients, rooms, and clients of the library, in memory. */
import { describe, expect, it } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import type { HandlerObject } from '../../src/session/handler.ts';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { testServer } from '../../src/testing/test-server.ts';
import { memoryTransport } from '../../src/transport/memory.ts';

const room: HandlerObject = {
  open: (session) => session.join('all'),
  message: (message, session) => void session.server.room('all').send(message, { except: session }),
};

describe('a server in memory', () => {
  it('has sessions that meet in rooms', async () => {
    const server = await testServer({ handler: room });
    const [ana, bob, eve] = [await server.connect(), await server.connect(), await server.connect()];
    expect(await ana.say('hello')).toBeUndefined();
    expect(await bob.next()).toBe('hello');
    expect(eve.unread).toEqual(['hello']);
    expect(ana.unread).toEqual([]);
    expect(server.server.room('all').size).toBe(3);
    await bob.end();
    expect(server.server.room('all').size).toBe(2);
    await server.close();
    expect(server.server.sessions.size).toBe(0);
  });

  it('is tested in bytes, too', async () => {
    const server = await testServer({ framing: 'netstring' });
    const peer = await server.dial();
    expect(await peer.says('5:he')).toBe('');
    expect(await peer.says('llo,')).toBe('5:hello,');
    expect(await peer.says('x')).toMatch(/^\d+:error: /);
    await server.close();
    expect(peer.closed).toBe(true);
  });

  it('serves clients of the library, whose connections it refuses and breaks', async () => {
    const server = await testServer();
    const { transport, clock, address } = server;
    const client = await connect(address, { transport, clock, reconnect: { minDelay: 1000, maxDelay: 1000 } });
    expect(String(await client.request('hello'))).toBe('hello');
    expect(transport.connections).toBe(1);
    transport.connecting = 'refuse';
    transport.reset();
    await clock.advance(10_000);
    expect(client.state).toBe('reconnecting');
    transport.connecting = 'accept';
    await clock.advance(10_000);
    expect(client.state).toBe('open');
    expect(transport.attempts).toBeGreaterThan(2);
    client.abort();
    await server.close();
  });

  it('a connection that hangs fails by the clock', async () => {
    const { transport, clock, address, close } = await testServer().then((server) =>
      Object.assign(server, { close: () => server.server.close({ timeoutMs: 0 }) }),
    );
    transport.connecting = 'hang';
    const failed = expect(connect(address, { transport, clock, connectTimeout: 5000 })).rejects.toMatchObject({
      code: 'YODEL_CONNECT_TIMEOUT',
    });
    await clock.advance(5000);
    await failed;
    void close();
    await clock.advance(0);
  });

  it('shares a transport and a clock with others', async () => {
    const [clock, transport] = [fakeClock(), memoryTransport()];
    const one = await testServer({ clock, transport, listen: 'tcp://one:1', handler: () => 'one' });
    const two = await testServer({ clock, transport, listen: 'tcp://two:2', handler: () => 'two' });
    expect(String(one.address)).toBe('tcp://one:1');
    expect(await (await one.connect()).say('who?')).toBe('one');
    expect(await (await two.connect()).say('who?')).toBe('two');
    const client = await connect('two:2', { transport, clock });
    expect(String(await client.request('who?'))).toBe('two');
    client.abort();
    await one.close();
    await two.close();
    expect(clock.waiting).toBe(0);
  });

  it('tells subscribers of the test what happens', async () => {
    const opened: number[] = [];
    const server = await testServer({ telemetry: { opened: ({ id }) => opened.push(id) } });
    await server.connect();
    await server.connect();
    expect(opened).toEqual([1, 2]);
    await server.close();
  });

  it('drains when it is closed as a server', async () => {
    const server = await testServer({
      handler: { message: ({ text }) => text, end: () => 'bye' },
      shutdownTimeout: 1000,
    });
    const session = await server.connect();
    const closing = server.server.close();
    await server.clock.advance(1000);
    await closing;
    expect(session.unread).toEqual(['bye']);
    expect(session.session.endedBy).toBe('shutdown');
    await server.close();
  });

  it('fails to close with what a handler threw and nobody noticed', async () => {
    const boom = new Error('boom');
    const server = await testServer({ handler: () => Promise.reject(boom) });
    (await server.connect()).send('hello');
    await expect(server.close()).rejects.toBe(boom);
  });
});
