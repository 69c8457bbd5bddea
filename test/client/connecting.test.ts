import { describe, expect, it } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { settled } from '../../src/testing/turns.ts';
import { memoryTransport } from '../../src/transport/memory.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { fateOf, Host, meet } from './host.ts';

/** A network in which no server answers. */
const silence: Transport = {
  connect: (_address, { signal } = {}) =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
  listen: memoryTransport().listen,
};
const reason = new Error('changed my mind');

describe('connecting', () => {
  it('returns an open client', async () => {
    const { client, host } = await meet();
    expect(client.state).toBe('open');
    expect(String(client.address)).toBe(String(host.address));
    expect(client.unsent).toBe(0);
  });

  it('uses tcp://127.0.0.1:7878 by default', async () => {
    // Something may listen there.
    const where = await connect().then(
      (client) => {
        client.abort();
        return String(client.address);
      },
      (error: Error) => error.message,
    );
    expect(where).toContain('tcp://127.0.0.1:7878');
  });

  it.each([
    ['undefined', undefined],
    ['null', null],
    ['an empty text', ''],
    ['an object', { host: 'localhost' }],
    ['a URL', new URL('http://localhost')],
    ['true', true],
  ])('refuses %s as an address, at once', async (_, address) => {
    await expect(connect(address as string)).rejects.toMatchObject({
      code: 'YODEL_INVALID_ADDRESS',
      message: expect.stringContaining('such as "tcp://127.0.0.1:7878"'),
    });
  });

  it.each([
    ['localhost:5000', 'tcp://localhost:5000'],
    [5000, 'tcp://127.0.0.1:5000'],
    ['unix:/run/app.sock', 'unix:///run/app.sock'],
  ])('accepts an address in any form: %s', async (address, where) => {
    await expect(connect(address, { transport: memoryTransport() })).rejects.toThrow(`cannot connect to ${where}`);
  });

  it('fails after connectTimeout', async () => {
    const clock = new FakeClock();
    const fate = fateOf(connect('localhost:1', { transport: silence, clock, connectTimeout: 2000 }));
    await clock.advance(1999);
    expect(fate.settled).toBe(false);
    await clock.advance(1);
    expect(fate.error).toMatchObject({
      code: 'YODEL_CONNECT_TIMEOUT',
      message: 'cannot connect to tcp://localhost:1: no answer within 2000 ms (connectTimeout)',
    });
    expect(clock.waiting).toBe(0);
  });

  it('does not fail for the time in which the process did not run', async () => {
    const clock = new FakeClock();
    const fate = fateOf(connect('localhost:1', { transport: silence, clock, connectTimeout: 2000 }));
    clock.stall(60_000);
    await clock.advance(1999);
    expect(fate.settled).toBe(false);
    await clock.advance(1);
    expect(fate.error).toMatchObject({ code: 'YODEL_CONNECT_TIMEOUT' });
  });

  it('has no time limit of its own with connectTimeout 0', async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const fate = fateOf(
      connect('localhost:1', { transport: silence, clock, connectTimeout: 0, signal: controller.signal }),
    );
    await clock.advance(1_000_000_000);
    expect(fate.settled).toBe(false);
    controller.abort(reason);
    await settled();
    expect(fate.error).toBe(reason);
  });

  it('leaves no timer when it fails', async () => {
    const clock = new FakeClock();
    await expect(connect('localhost:1', { transport: memoryTransport(), clock })).rejects.toThrow();
    expect(clock.waiting).toBe(0);
  });
});

describe('a signal', () => {
  it('aborted before connect() prevents connecting', async () => {
    const host = await Host.open();
    await expect(host.connect({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(host.peers).toEqual([]);
  });

  it('aborted while connecting stops the attempt', async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const fate = fateOf(connect('localhost:1', { transport: silence, clock, signal: controller.signal }));
    controller.abort(reason);
    await settled();
    expect(fate.error).toBe(reason);
    expect(clock.waiting).toBe(0);
  });

  it('aborted just as the connection is established closes it', async () => {
    const host = await Host.open();
    const controller = new AbortController();
    const transport: Transport = {
      ...host.transport,
      async connect(...all) {
        const connection = await host.transport.connect(...all);
        controller.abort(reason);
        return connection;
      },
    };
    await expect(host.connect({ transport, signal: controller.signal })).rejects.toBe(reason);
    await settled();
    expect(host.peers.map(({ closed }) => closed)).toEqual([true]);
  });

  it('aborted later aborts the connection', async () => {
    const controller = new AbortController();
    const { client, peer } = await meet({ signal: controller.signal });
    const fate = fateOf(client.request('a'));
    controller.abort(reason);
    await client.closed;
    await settled();
    expect(fate.error).toMatchObject({ code: 'YODEL_CONNECTION_CLOSED' });
    expect(peer.error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('keeps no listener of a closed client', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    const { client, peer } = await meet({
      signal: Object.assign(signal, {
        addEventListener: (...all: Parameters<typeof addEventListener>) => {
          listeners++;
          addEventListener.apply(signal, all);
        },
        removeEventListener: (...all: Parameters<typeof removeEventListener>) => {
          listeners--;
          removeEventListener.apply(signal, all);
        },
      }),
    });
    expect(listeners).toBeGreaterThan(0);
    void client.close();
    await peer.ends();
    expect(listeners).toBe(0);
  });
});

describe('invalid options of connect()', () => {
  const cases: [object, string][] = [
    [{ requestTimout: 1 }, 'connect() has no option "requestTimout". Did you mean "requestTimeout"?'],
    [{ idleTimeout: 1 }, 'connect() has no option "idleTimeout"'],
    [{ connectTimeout: -1 }, 'the option "connectTimeout" takes a whole number from 0 (off) to 2147483647, not -1'],
    [{ encoding: 'latin1' }, 'the option "encoding" takes "utf8" or "binary", not "latin1"'],
    [{ framing: 'frames' }, 'unknown framing "frames"'],
    [{ framing: 'raw', encoding: 'utf8' }, 'the framing "raw" cannot check text'],
    [{ reconnect: { minDelai: 1 } }, 'reconnect has no option "minDelai". Did you mean "minDelay"?'],
    [{ reconnect: { minDelay: 0 } }, 'the option "minDelay" takes a whole number from 1 to 2147483647, not 0'],
    [{ reconnect: { minDelay: 100, maxDelay: 50 } }, 'minDelay (100) is above maxDelay (50)'],
    [{ reconnect: 'yes' }, 'the option "reconnect" takes true, false or an object, not "yes"'],
  ];

  it.each(cases)('are refused before connecting: %o', async (options, expectedMessage) => {
    const host = await Host.open();
    await expect(host.connect(options)).rejects.toMatchObject({
      code: 'YODEL_INVALID_OPTION',
      message: expect.stringContaining(expectedMessage),
    });
    expect(host.transport.attempts).toBe(0);
    expect(host.clock.waiting).toBe(0);
  });

  it('include an invalid address', async () => {
    await expect(connect('localhost:http')).rejects.toMatchObject({ code: 'YODEL_INVALID_ADDRESS' });
  });
});
