import { describe, expect, it } from 'vitest';
import type { NewConnection } from '../../src/client/client.ts';
import { YodelError } from '../../src/errors.ts';
import { settled } from '../../src/testing/turns.ts';
import { fateOf, Host, meet, readAll } from './host.ts';

/** Connects to a host that says what the test says. */
async function connecting(
  onConnect: (connection: NewConnection) => void | Promise<void>,
  options: Parameters<Host['connect']>[0] = {},
) {
  const host = await Host.open();
  const fate = fateOf(host.connect({ onConnect, ...options }));
  await settled();
  return { host, fate };
}

const logIn = async (connection: NewConnection) => {
  const reply = await connection.request('log in');
  if (reply.text !== 'welcome') throw new YodelError('APP_DENIED', reply.text);
};

describe('onConnect', () => {
  it('sends before everybody else, and connect() waits for it', async () => {
    const { host, fate } = await connecting(logIn);
    expect([host.peer.text, fate.settled]).toEqual(['log in\n', false]);
    await host.peer.says('welcome\n');
    await settled();
    const client = fate.value;
    expect(client?.state).toBe('open');
    client?.send('hello');
    await settled();
    expect(host.peer.lines).toEqual(['log in', 'hello']);
  });

  it('prepares each new connection, while others are refused', async () => {
    const { host, client, peer } = await meet({
      reconnect: true,
      connectTimeout: 0,
      onConnect: (connection) => {
        const subscribed = connection.isReconnect ? logIn(connection) : undefined;
        connection.send('subscribe');
        return subscribed;
      },
    });
    expect(peer.lines).toEqual(['subscribe']);
    await peer.aborts();
    await host.passes(50);
    expect(host.peer.lines).toEqual(['log in', 'subscribe']);
    expect(client.state).toBe('reconnecting');
    expect(() => client.send('me first')).toThrow(
      expect.objectContaining({
        code: 'YODEL_NOT_CONNECTED',
        message: expect.stringContaining('onConnect is not done'),
      }),
    );
    const ready = fateOf(client.ready());
    await host.peer.says('welcome\n');
    expect([client.state, ready.settled]).toEqual(['open', true]);
  });

  it('fails connect() with the error that it throws', async () => {
    const { host, fate } = await connecting(logIn);
    await host.peer.says('wrong password\n');
    await settled();
    expect(fate.error).toMatchObject({ code: 'APP_DENIED', message: 'wrong password' });
    expect(host.peer.closed).toBe(true);
  });

  it.each([new Error('no token'), 'no token'])('that throws %s fails with YODEL_SETUP_FAILED', async (thrown) => {
    const { fate } = await connecting(() => {
      throw thrown;
    });
    expect(fate.error).toMatchObject({
      code: 'YODEL_SETUP_FAILED',
      message: 'cannot connect to unix:///host: onConnect failed: no token',
      cause: thrown,
    });
  });

  it.each([
    ['a text', 'no', 'no'],
    ['undefined', undefined, 'undefined'],
    ['an object without a text', Object.create(null), 'something without a text was thrown'],
  ])('may throw %s', async (_, thrown, text) => {
    const { fate } = await connecting(() => {
      throw thrown;
    });
    expect(fate.error).toMatchObject({
      code: 'YODEL_SETUP_FAILED',
      message: `cannot connect to unix:///host: onConnect failed: ${text}`,
      cause: thrown,
    });
  });

  it('that is done ends what still receives', async () => {
    const fates: ReturnType<typeof fateOf>[] = [];
    await connecting((connection) => void fates.push(fateOf(connection.receive())));
    expect(fates[0]?.error).toMatchObject({
      code: 'YODEL_NOT_CONNECTED',
      message: 'the connection to unix:///host that onConnect prepared is lost, or prepared: use the client',
    });
  });

  it('that fails is a failed attempt of a client that reconnects', async () => {
    const { host, client, peer } = await meet({
      reconnect: { maxAttempts: 3 },
      connectTimeout: 0,
      onConnect: (connection) => (connection.isReconnect ? logIn(connection) : undefined),
    });
    await peer.aborts();
    for (const attempt of [1, 2, 3]) {
      await host.passes(5000);
      expect(host.peers).toHaveLength(1 + attempt);
      await host.peer.says('wrong password\n');
    }
    expect(await client.closed).toMatchObject({ code: 'APP_DENIED' });
    expect(host.peers).toHaveLength(4);
  });

  it('is given connectTimeout', async () => {
    const signals: AbortSignal[] = [];
    const { host, fate } = await connecting(
      ({ signal }) => {
        signals.push(signal);
        return new Promise(() => {});
      },
      { connectTimeout: 1000 },
    );
    await host.passes(999);
    expect(fate.settled).toBe(false);
    await host.passes(1);
    expect(fate.error).toMatchObject({
      code: 'YODEL_CONNECT_TIMEOUT',
      message: 'cannot connect to unix:///host: onConnect was not done within 1000 ms (connectTimeout)',
    });
    expect(signals[0]?.reason).toBe(fate.error);
    expect(host.peer.closed).toBe(true);
  });

  it.each(['ends', 'aborts'] as const)('learns that the server %s the connection', async (how) => {
    const errors: unknown[] = [];
    const { host, fate } = await connecting(async (connection) => {
      await connection.receive().catch((error: unknown) => errors.push(error));
    });
    await host.peer[how]();
    await settled();
    const code = how === 'ends' ? 'YODEL_CONNECTION_CLOSED' : 'YODEL_CONNECTION_RESET';
    expect(errors).toMatchObject([{ code }]);
    expect(fate.error).toMatchObject({ code });
  });

  it('ends when the attempt is aborted', async () => {
    const aborter = new AbortController();
    const { host, fate } = await connecting(logIn, { signal: aborter.signal });
    aborter.abort(new Error('not needed any more'));
    await settled();
    expect(fate.error).toBe(aborter.signal.reason);
    expect(host.peer.closed).toBe(true);
  });

  it('receives messages, and leaves the rest to the iteration', async () => {
    const challenges: string[] = [];
    const { host, fate } = await connecting(async (connection) => {
      const challenge = await connection.receive();
      challenges.push(challenge.text);
      await connection.request(`answer to ${challenge.text}`);
    });
    await host.peer.says('challenge\n');
    await host.peer.says('welcome\nnews\nmore news\n');
    await settled();
    const client = fate.value;
    if (!client) throw new Error('not connected');
    expect(challenges).toEqual(['challenge']);
    const seen: string[] = [];
    void readAll(client, seen);
    await host.peer.ends();
    expect(seen).toEqual(['news', 'more news']);
  });

  it('does not take what an earlier connection has received', async () => {
    const received: string[] = [];
    const { host, client, peer } = await meet({
      reconnect: true,
      connectTimeout: 0,
      onConnect: async (connection) => {
        if (connection.isReconnect) received.push((await connection.receive()).text);
      },
    });
    await peer.says('of the first\n');
    await peer.aborts();
    await host.passes(50);
    await host.peer.says('of the second\n');
    expect(received).toEqual(['of the second']);
    const messages = client[Symbol.asyncIterator]();
    expect(String((await messages.next()).value)).toBe('of the first');
  });

  it('cannot use its connection afterwards', async () => {
    const connections: NewConnection[] = [];
    await meet({ onConnect: (connection) => void connections.push(connection) });
    const refused = { code: 'YODEL_NOT_CONNECTED' };
    expect(() => connections[0]?.send('late')).toThrow(expect.objectContaining(refused));
    await expect(connections[0]?.request('late')).rejects.toMatchObject(refused);
    await expect(connections[0]?.receive()).rejects.toMatchObject(refused);
  });

  it('is not waited for by close()', async () => {
    const { host, client, peer } = await meet({
      reconnect: true,
      connectTimeout: 0,
      onConnect: (connection) => (connection.isReconnect ? logIn(connection) : undefined),
    });
    await peer.aborts();
    await host.passes(50);
    const closing = fateOf(client.close());
    await settled();
    expect([closing.settled, client.state, host.peer.closed]).toEqual([true, 'closed', true]);
    await host.passes(60_000);
    expect(client.state).toBe('closed');
    expect(host.peers).toHaveLength(2);
  });
});
