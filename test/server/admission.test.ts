import { describe, expect, it } from 'vitest';
import { delimiter } from '../../src/framing/delimiter.ts';
import { encode } from '../../src/framing/framing.ts';
import { length } from '../../src/framing/length.ts';
import { Scene } from '../session/scene.ts';
import { settled } from '../support/fake-clock.ts';
import { connectTo, serveOnSockets } from './sockets.ts';

const reason = 'error: the server already has 2 connections, its limit; try again later';

describe('with maxConnections 2', () => {
  it('the third client receives the reason, and is disconnected', async () => {
    const refused: unknown[] = [];
    const scene = await Scene.open({
      maxConnections: 2,
      telemetry: { refused: (peer, error) => refused.push(`${peer} ${error.code}`) },
    });
    await scene.connect();
    await scene.connect();
    const third = await scene.connect();
    expect(third.text).toBe(`${reason}\n`);
    expect(third.ended).toBe(true);
    expect(await third.says('hello?\n')).toBe('');
    await third.ends();
    expect(third.error).toBeUndefined();
    expect(scene.server.sessions.size).toBe(2);
    expect(scene.server.counters).toMatchObject({ connectionsAccepted: 2, connectionsRefused: 1, connectionsOpen: 2 });
    expect(scene.server.counters.errors).toEqual(new Map([['YODEL_TOO_MANY_CONNECTIONS', 1]]));
    expect(refused).toEqual([`${third.connection.local} YODEL_TOO_MANY_CONNECTIONS`]);
    expect(scene.clock.waiting).toBe(2);
  });

  it('a client that leaves makes space for another', async () => {
    const scene = await Scene.open({ maxConnections: 2 });
    const first = await scene.connect();
    await scene.connect();
    await first.ends();
    const next = await scene.connect();
    expect(await next.says('hello\n')).toBe('hello\n');
    const refused = await scene.connect();
    expect(refused.text).toBe(`${reason}\n`);
  });

  it('clients that are served are not affected', async () => {
    const scene = await Scene.open({ maxConnections: 2 });
    const served = [await scene.connect(), await scene.connect()];
    for (let each = 0; each < 100; each++) await scene.connect();
    for (const peer of served) expect(await peer.says('hello\n')).toBe('hello\n');
  });

  it('a refused client that stays is disconnected after lingerTimeout', async () => {
    const scene = await Scene.open({ maxConnections: 2, lingerTimeout: 500, idleTimeout: 0 });
    await scene.connect();
    await scene.connect();
    const third = await scene.connect();
    await scene.passes(499);
    expect(third.closed).toBe(false);
    expect(scene.clock.waiting).toBe(1);
    await scene.passes(1);
    expect(scene.clock.waiting).toBe(0);
  });

  it('a refused client that stays does not delay the end of the server', async () => {
    const scene = await Scene.open({ maxConnections: 2 });
    await Promise.all([await scene.connect(), await scene.connect()].map((peer) => peer.ends()));
    await scene.connect();
    await scene.connect();
    await scene.connect();
    await scene.close();
    expect(scene.clock.waiting).toBe(0);
  });

  it('in a flood of clients, only some of them receive the reason', async () => {
    const scene = await Scene.open({ maxConnections: 1, idleTimeout: 0 });
    await scene.connect();
    const flood = await Promise.all(Array.from({ length: 200 }, () => scene.connect()));
    expect(flood.filter(({ text }) => text.startsWith('error: '))).toHaveLength(64);
    expect(flood.filter(({ error }) => error !== undefined)).toHaveLength(136);
    expect(scene.server.counters.connectionsRefused).toBe(200);
    await scene.passes(1000);
    expect((await scene.connect()).text).toContain('error: ');
  });
});

describe('the reason is sent in the framing of the server', () => {
  it('when the framing can express it', async () => {
    const framing = length({ bytes: 2 });
    const scene = await Scene.open({ maxConnections: 2, framing });
    await scene.connect();
    await scene.connect();
    const third = await scene.connect();
    expect(third.text).toBe(String(encode(framing, reason)));
  });

  it('when the framing cannot express it, the client is disconnected without it', async () => {
    const scene = await Scene.open({ maxConnections: 1, framing: delimiter(' ') });
    await scene.connect();
    const second = await scene.connect();
    expect(second.text).toBe('');
    expect(second.ended).toBe(true);
    await second.ends();
    expect(second.error).toBeUndefined();
  });
});

it('a client that connects while the server is shutting down receives that reason', async () => {
  const reply = Promise.withResolvers<string>();
  const scene = await Scene.open({ handler: () => reply.promise });
  const first = await scene.connect();
  await first.says('a\n');
  const closing = scene.server.close();
  const late = await scene.connectLate();
  expect(late.text).toBe('error: the server is shutting down\n');
  expect(scene.server.counters.errors).toEqual(new Map([['YODEL_SHUTTING_DOWN', 1]]));
  reply.resolve('done');
  await settled();
  await first.ends();
  await closing;
  expect(scene.clock.waiting).toBe(0);
});

it('a failure to accept is an event, and the server continues', async () => {
  const refused: unknown[] = [];
  const scene = await Scene.open({ telemetry: { refused: (...all) => refused.push(all) } });
  scene.acceptFails(Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }));
  expect(refused).toMatchObject([
    [
      undefined,
      {
        code: 'YODEL_NETWORK',
        message: 'cannot accept a connection: this process has no file descriptors left (see ulimit -n)',
      },
    ],
  ]);
  const peer = await scene.connect();
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
  expect(second.text).toBe('error: the server already has 1 connections, its limit; try again later\n');
  second.connection.end();
  await second.gone();
  expect(second.error).toBeUndefined();
});

it('an empty "allow" admits no client', async () => {
  const scene = await Scene.open({ allow: [] });
  expect((await scene.connect()).text).toMatch(/^error: connections from .* are not allowed\n$/);
});
