import { describe, expect, it } from 'vitest';
import { length } from '../../src/framing/counted/length.ts';
import { delimiter } from '../../src/framing/delimited/delimiter.ts';
import { encode } from '../../src/framing/framing.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness } from '../session/harness.ts';
import { connectTo, serveOnSockets } from './sockets.ts';

const reason = 'error: the server has reached its limit of 2 connections; try again later';

describe('with maxConnections 2', () => {
  it('the third client receives the reason, and is disconnected', async () => {
    const refused: unknown[] = [];
    const harness = await Harness.open({
      maxConnections: 2,
      telemetry: { refused: (peer, error) => refused.push(`${peer} ${error.code}`) },
    });
    await harness.connect();
    await harness.connect();
    const third = await harness.connect();
    expect(third.text).toBe(`${reason}\n`);
    expect(third.ended).toBe(true);
    expect(await third.says('hello?\n')).toBe('');
    await third.ends();
    expect(third.error).toBeUndefined();
    expect(harness.server.sessions.size).toBe(2);
    expect(harness.server.counters).toMatchObject({
      connectionsAccepted: 2,
      connectionsRefused: 1,
      connectionsOpen: 2,
    });
    expect(harness.server.counters.errors).toEqual(new Map([['YODEL_TOO_MANY_CONNECTIONS', 1]]));
    expect(refused).toEqual([`${third.connection.local} YODEL_TOO_MANY_CONNECTIONS`]);
    expect(harness.clock.waiting).toBe(2);
  });

  it('a client that leaves makes space for another', async () => {
    const harness = await Harness.open({ maxConnections: 2 });
    const first = await harness.connect();
    await harness.connect();
    await first.ends();
    const next = await harness.connect();
    expect(await next.says('hello\n')).toBe('hello\n');
    const refused = await harness.connect();
    expect(refused.text).toBe(`${reason}\n`);
  });

  it('clients that are served are not affected', async () => {
    const harness = await Harness.open({ maxConnections: 2 });
    const served = [await harness.connect(), await harness.connect()];
    for (let each = 0; each < 100; each++) await harness.connect();
    for (const peer of served) expect(await peer.says('hello\n')).toBe('hello\n');
  });

  it('a refused client that stays is disconnected after lingerTimeout', async () => {
    const harness = await Harness.open({ maxConnections: 2, lingerTimeout: 500, idleTimeout: 0 });
    await harness.connect();
    await harness.connect();
    const third = await harness.connect();
    await harness.passes(499);
    expect(third.closed).toBe(false);
    expect(harness.clock.waiting).toBe(1);
    await harness.passes(1);
    expect(harness.clock.waiting).toBe(0);
  });

  it('a refused client that stays does not delay the end of the server', async () => {
    const harness = await Harness.open({ maxConnections: 2 });
    await Promise.all([await harness.connect(), await harness.connect()].map((peer) => peer.ends()));
    await harness.connect();
    await harness.connect();
    await harness.connect();
    await harness.close();
    expect(harness.clock.waiting).toBe(0);
  });

  it('in a flood of clients, only some of them receive the reason', async () => {
    const harness = await Harness.open({ maxConnections: 1, idleTimeout: 0 });
    await harness.connect();
    const flood = await Promise.all(Array.from({ length: 200 }, () => harness.connect()));
    expect(flood.filter(({ text }) => text.startsWith('error: '))).toHaveLength(64);
    expect(flood.filter(({ error }) => error !== undefined)).toHaveLength(136);
    expect(harness.server.counters.connectionsRefused).toBe(200);
    await harness.passes(1000);
    expect((await harness.connect()).text).toContain('error: ');
  });
});

describe('the reason is sent in the framing of the server', () => {
  it('when the framing can express it', async () => {
    const framing = length({ bytes: 2 });
    const harness = await Harness.open({ maxConnections: 2, framing });
    await harness.connect();
    await harness.connect();
    const third = await harness.connect();
    expect(third.text).toBe(String(encode(framing, reason)));
  });

  it('when the framing cannot express it, the client is disconnected without it', async () => {
    const harness = await Harness.open({ maxConnections: 1, framing: delimiter(' ') });
    await harness.connect();
    const second = await harness.connect();
    expect(second.text).toBe('');
    expect(second.ended).toBe(true);
    await second.ends();
    expect(second.error).toBeUndefined();
  });
});

it('a client that connects while the server is shutting down receives that reason', async () => {
  const reply = Promise.withResolvers<string>();
  const harness = await Harness.open({ handler: () => reply.promise });
  const first = await harness.connect();
  await first.says('a\n');
  const closing = harness.server.close();
  await settled();
  const late = await harness.connectLate();
  expect(late.text).toBe('error: the server is shutting down\n');
  expect(harness.server.counters.errors).toEqual(new Map([['YODEL_SHUTTING_DOWN', 1]]));
  reply.resolve('done');
  await settled();
  await first.ends();
  await closing;
  expect(harness.clock.waiting).toBe(0);
});

it('a failure to accept is an event, and the server continues', async () => {
  const refused: unknown[] = [];
  const harness = await Harness.open({ telemetry: { refused: (...all) => refused.push(all) } });
  harness.acceptFails(Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }));
  expect(refused).toMatchObject([
    [
      undefined,
      {
        code: 'YODEL_NETWORK',
        message: 'cannot accept a connection: this process has no file descriptors left (see ulimit -n)',
      },
    ],
  ]);
  const peer = await harness.connect();
  expect(await peer.says('hello\n')).toBe('hello\n');
});

it('a refused client on a real socket receives the reason, even if it has been sending', async () => {
  const server = await serveOnSockets({ maxConnections: 1 });
  const first = await connectTo(server);
  first.connection.write(Buffer.from('hello\n'));
  await first.until(() => first.text === 'hello\n');
  const second = await connectTo(server);
  second.connection.write(Buffer.alloc(1_000_000, 'x'));
  await second.until(() => second.ended);
  expect(second.text).toBe('error: the server has reached its limit of 1 connections; try again later\n');
  second.connection.end();
  await second.gone();
  expect(second.error).toBeUndefined();
});

it('an empty "allow" admits no client', async () => {
  const harness = await Harness.open({ allow: [] });
  expect((await harness.connect()).text).toMatch(/^error: connections from .* are not allowed\n$/);
});
