import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ConnectOptions } from '../../src/client/options.ts';
import { settled } from '../../src/testing/turns.ts';
import { fateOf, meet, readAll } from './host.ts';

/** A client that reconnects, its states, and the delays before its attempts. */
async function persistent(options: ConnectOptions = {}) {
  const states: string[] = [];
  const met = await meet({
    reconnect: true,
    connectTimeout: 0,
    onStateChange: (state, error) => void states.push(error ? `${state}: ${error.code}` : state),
    ...options,
  });
  const waits: number[] = [];
  const { clock } = met.host;
  const after = clock.after.bind(clock);
  clock.after = (delayMs, run) => {
    waits.push(delayMs);
    return after(delayMs, run);
  };
  return { ...met, states, waits };
}

describe('a client that reconnects', () => {
  it.each(['ends', 'aborts'] as const)('reconnects after the server %s', async (how) => {
    const { client, host, peer, states } = await persistent();
    await peer[how]();
    expect(client.state).toBe('reconnecting');
    await host.passes(50);
    expect(client.state).toBe('open');
    expect(host.peers).toHaveLength(2);
    const reply = client.request('hello again');
    await settled();
    expect(host.peer.text).toBe('hello again\n');
    await host.peer.says('welcome back\n');
    expect(String(await reply)).toBe('welcome back');
    const code = how === 'ends' ? 'YODEL_CONNECTION_CLOSED' : 'YODEL_CONNECTION_RESET';
    expect(states).toEqual([`reconnecting: ${code}`, 'open']);
  });

  it('rejects requests in flight, and never sends them twice', async () => {
    const { client, host, peer } = await persistent();
    const fates = [client.request('pay 100'), client.request('pay 200')].map(fateOf);
    client.send('and this');
    await settled();
    expect(peer.lines).toEqual(['pay 100', 'pay 200', 'and this']);
    await peer.aborts();
    for (const fate of fates) expect(fate.error).toMatchObject({ code: 'YODEL_CONNECTION_RESET' });
    await host.passes(50);
    client.send('something new');
    await settled();
    expect(host.peer.text).toBe('something new\n');
  });

  it('drops what was not sent yet, and half of a received message', async () => {
    const { client, host, peer } = await persistent({ highWaterMark: 10 });
    peer.connection.pause();
    client.send('x'.repeat(200_000));
    await settled();
    expect(client.unsent).toBeGreaterThan(0);
    peer.connection.write(Buffer.from('half a mess'));
    await settled();
    await peer.aborts();
    expect(client.unsent).toBe(0);
    await host.passes(50);
    const reply = client.request('a');
    await host.peer.says('whole\n');
    expect(String(await reply)).toBe('whole');
    expect(host.peer.text).toBe('a\n');
  });

  it('does not send to the next server what was sent at the moment of the loss', async () => {
    const { client, host, peer } = await persistent();
    peer.connection.abort();
    client.send('to the first server');
    await settled();
    await host.passes(50);
    client.send('to the second');
    await settled();
    expect(host.peer.text).toBe('to the second\n');
  });

  it('continues the iteration over its messages', async () => {
    const { client, host, peer } = await persistent();
    const seen: string[] = [];
    void readAll(client, seen);
    await peer.says('one\n');
    await peer.aborts();
    await host.passes(50);
    await host.peer.says('two\n');
    await host.peer.ends();
    await host.passes(100);
    await host.peer.says('three\n');
    expect(seen).toEqual(['one', 'two', 'three']);
  });

  it('pauses the new connection too when no reader takes the messages', async () => {
    const { host, peer } = await persistent({ highWaterMark: 1000 });
    await peer.says('unread\n'.repeat(1000));
    await peer.aborts();
    await host.passes(50);
    await host.peer.says('unread\n'.repeat(100_000));
    expect(host.peer.connection.unsent).toBeGreaterThan(500_000);
  });

  it('refuses to send until it is connected again', async () => {
    const { client, peer } = await persistent();
    await peer.aborts();
    const error = {
      code: 'YODEL_NOT_CONNECTED',
      message: 'not connected to unix:///host; reconnecting',
    };
    expect(() => client.send('a')).toThrow(expect.objectContaining(error));
    await expect(client.request('a')).rejects.toMatchObject(error);
  });

  it('reports the loss of each connection with its own cause', async () => {
    const { host, peer, states } = await persistent();
    await peer.aborts();
    await host.passes(50);
    await host.peer.says('hello\n');
    await host.peer.ends();
    expect(states).toEqual(['reconnecting: YODEL_CONNECTION_RESET', 'open', 'reconnecting: YODEL_CONNECTION_CLOSED']);
  });

  it('works on when onStateChange throws: that is a warning', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    onTestFinished(() => warned.mockRestore());
    const { client, host, peer } = await persistent({
      onStateChange: (state) => {
        throw new Error(state);
      },
    });
    await peer.aborts();
    await host.passes(50);
    expect(client.state).toBe('open');
    const closing = client.close();
    await host.peer.ends();
    await closing;
    expect(await client.closed).toBeUndefined();
    expect(warned.mock.calls.map(([warning]) => (warning as Error).message)).toEqual([
      'reconnecting',
      'open',
      'ending',
      'closed',
    ]);
  });

  it('does not reconnect without the option', async () => {
    const { client, host, peer, states } = await persistent({ reconnect: false });
    await peer.aborts();
    await host.passes(60_000);
    expect(client.state).toBe('closed');
    expect(host.peers).toHaveLength(1);
    expect(states).toEqual(['closed: YODEL_CONNECTION_RESET']);
  });
});

describe('the delays between attempts', () => {
  it('double from minDelay to maxDelay, and half of each is random', async () => {
    const { host, peer, waits } = await persistent({ reconnect: { minDelay: 100, maxDelay: 3000, maxAttempts: 0 } });
    host.transport.connecting = 'refuse';
    await peer.aborts();
    await host.passes(30_000);
    const full = [100, 200, 400, 800, 1600, 3000, 3000, 3000];
    for (const [attempt, delay] of full.entries()) {
      expect(waits[attempt]).toBeGreaterThanOrEqual(delay / 2);
      expect(waits[attempt]).toBeLessThanOrEqual(delay);
    }
    expect(waits.length).toBeGreaterThan(10);
    expect(new Set(waits).size).toBe(waits.length);
  });

  it('start again at minDelay after a connection on which something was received, and that lasted', async () => {
    const { client, host, peer, waits } = await persistent({ reconnect: { minDelay: 100, maxDelay: 3000 } });
    host.transport.connecting = 'refuse';
    await peer.aborts();
    await host.passes(5000);
    host.transport.connecting = 'accept';
    await host.passes(3000);
    expect(client.state).toBe('open');
    await host.peer.says('hello\n');
    await host.passes(3000);
    const before = waits.length;
    await host.peer.aborts();
    expect(waits[before]).toBeLessThanOrEqual(100);
  });

  it('start again at minDelay after a connection on which a request was answered', async () => {
    const { client, host, peer, waits } = await persistent({ reconnect: { minDelay: 100, maxDelay: 3000 } });
    let lost = peer;
    for (let time = 0; time < 30; time++) {
      await lost.aborts();
      await host.passes(200);
      const reply = client.request('a');
      await settled();
      lost = host.peer;
      await lost.says('A\n');
      expect((await reply).text).toBe('A');
    }
    expect(Math.max(...waits)).toBeLessThanOrEqual(200);
  });

  it.each([
    ['closes them at once', ''],
    ['closes them at once, and says why', 'error: the server is full\n'],
    ['sends something that is no message', 'too long'.repeat(100)],
  ])('keep growing with a server that accepts connections and %s', async (_, text) => {
    const { client, host, states } = await persistent({
      reconnect: { minDelay: 100, maxDelay: 3000, maxAttempts: 8 },
      maxMessageLength: 100,
    });
    const closing = () =>
      host.peers
        .filter(({ closed }) => !closed)
        .map(async (one) => {
          if (text) await one.says(text);
          await one.ends();
        });
    const before = host.transport.attempts;
    await Promise.all(closing());
    for (let step = 0; step < 600; step++) {
      await host.clock.advance(50);
      await Promise.all(closing());
    }
    expect(host.transport.attempts - before).toBe(8);
    expect(client.state).toBe('closed');
    expect(states.at(-1)).toMatch(/^closed/);
    expect(host.clock.waiting).toBe(0);
  });
});

describe('after maxAttempts failures in a row', () => {
  it('the client closes with the last error', async () => {
    const { client, host, peer, states } = await persistent({ reconnect: { maxAttempts: 3 } });
    host.transport.connecting = 'refuse';
    const reading = fateOf(readAll(client));
    const before = host.transport.attempts;
    await peer.aborts();
    await host.passes(60_000);
    expect(host.transport.attempts - before).toBe(3);
    expect(client.state).toBe('closed');
    expect(states).toEqual(['reconnecting: YODEL_CONNECTION_RESET', 'closed: YODEL_CONNECTION_REFUSED']);
    expect(reading.error).toMatchObject({
      code: 'YODEL_CONNECTION_REFUSED',
      message: 'cannot connect to unix:///host: connection refused: nothing listens there',
    });
    await client.closed;
    expect(host.clock.waiting).toBe(0);
  });

  it('with 0 it keeps trying', async () => {
    const { client, host, peer } = await persistent({ reconnect: { maxAttempts: 0, maxDelay: 1000 } });
    host.transport.connecting = 'refuse';
    await peer.aborts();
    await host.passes(100_000);
    expect(host.transport.attempts).toBeGreaterThan(100);
    host.transport.connecting = 'accept';
    await host.passes(1000);
    expect(client.state).toBe('open');
  });

  it('connectTimeout limits each attempt', async () => {
    const { client, host, peer, states } = await persistent({ reconnect: { maxAttempts: 2 }, connectTimeout: 1000 });
    host.transport.connect = (_address, { signal } = {}) =>
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    await peer.aborts();
    await host.passes(10_000);
    expect(states.at(-1)).toBe('closed: YODEL_CONNECT_TIMEOUT');
    await client.closed;
  });
});

describe('while it is reconnecting', () => {
  const ways = ['end', 'close', 'abort'] as const;

  it.each(ways)('%s() stops it, between two attempts', async (how) => {
    const { client, host, peer, states } = await persistent();
    const reading = fateOf(readAll(client));
    host.transport.connecting = 'refuse';
    await peer.aborts();
    void client[how]();
    await settled();
    expect(client.state).toBe('closed');
    expect(reading.settled).toBe(true);
    expect(reading.error).toBeUndefined();
    const before = host.transport.attempts;
    host.transport.connecting = 'accept';
    await host.passes(60_000);
    expect(host.transport.attempts).toBe(before);
    expect(states).toEqual(['reconnecting: YODEL_CONNECTION_RESET', 'closed']);
    expect(host.clock.waiting).toBe(0);
  });

  it.each(ways)('%s() stops it, during an attempt', async (how) => {
    const { client, host, peer } = await persistent();
    const { connect } = host.transport;
    const answer = Promise.withResolvers<void>();
    let attempt: AbortSignal | undefined;
    host.transport.connect = async (address, options) => {
      attempt = options?.signal;
      await answer.promise;
      return connect(address);
    };
    await peer.aborts();
    await host.passes(50);
    void client[how]();
    await settled();
    expect(client.state).toBe('closed');
    expect(attempt?.aborted).toBe(true);
    answer.resolve();
    await settled();
    expect(host.peers.every(({ closed }) => closed)).toBe(true);
  });

  it.each(ways)('%s() stops it, while the old connection is not closed yet', async (how) => {
    const { client, host, peer } = await persistent({ highWaterMark: 10 });
    peer.connection.pause();
    client.send('x'.repeat(200_000));
    await settled();
    peer.connection.end();
    await settled();
    expect(client.state).toBe('reconnecting');
    void client[how]();
    await settled();
    expect(client.state).toBe('closed');
    expect(peer.closed).toBe(true);
    expect(host.peers).toHaveLength(1);
  });

  it('an aborted signal stops it', async () => {
    const controller = new AbortController();
    const { client, host, peer } = await persistent({ signal: controller.signal });
    await peer.aborts();
    controller.abort();
    await client.closed;
    await host.passes(60_000);
    expect(host.peers).toHaveLength(1);
  });
});
