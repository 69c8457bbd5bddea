import { describe, expect, it } from 'vitest';
import { settled } from '../../src/testing/turns.ts';
import { fateOf, Host, meet } from './host.ts';

const reconnecting = { reconnect: { maxAttempts: 3 }, connectTimeout: 0 } as const;

describe('ready()', () => {
  it('resolves at once while the client can send', async () => {
    const { client } = await meet();
    await client.ready();
  });

  it('resolves when the client has reconnected', async () => {
    const { client, host, peer } = await meet(reconnecting);
    await peer.aborts();
    const ready = fateOf(client.ready());
    await settled();
    expect(ready.settled).toBe(false);
    await host.passes(50);
    expect([ready.settled, ready.error, client.state]).toEqual([true, undefined, 'open']);
    expect(client.send('hello again')).toBe(true);
  });

  it('rejects when there is no attempt left', async () => {
    const { client, host, peer } = await meet(reconnecting);
    host.transport.connecting = 'refuse';
    await peer.aborts();
    const ready = fateOf(client.ready());
    await host.passes(60_000);
    expect(ready.error).toMatchObject({ code: 'YODEL_CONNECTION_REFUSED' });
    await expect(client.ready()).rejects.toMatchObject({ code: 'YODEL_CONNECTION_CLOSED' });
  });

  it('rejects when the client is closed meanwhile', async () => {
    const { client, peer } = await meet(reconnecting);
    await peer.aborts();
    const ready = fateOf(client.ready());
    await client.close();
    expect(ready.error).toMatchObject({ code: 'YODEL_CONNECTION_CLOSED' });
  });

  it('rejects after timeoutMs, and when its signal is aborted', async () => {
    const { client, host, peer } = await meet(reconnecting);
    host.transport.connecting = 'refuse';
    await peer.aborts();
    const aborter = new AbortController();
    const [timed, aborted] = [client.ready({ timeoutMs: 20 }), client.ready({ signal: aborter.signal })].map(fateOf);
    await host.passes(20);
    expect(timed?.error).toMatchObject({ code: 'YODEL_CONNECT_TIMEOUT' });
    aborter.abort(new Error('no longer needed'));
    await settled();
    expect(aborted?.error).toBe(aborter.signal.reason);
    await expect(client.ready({ signal: aborter.signal })).rejects.toBe(aborter.signal.reason);
    await expect(client.ready({ timeoutMs: -1 })).rejects.toMatchObject({ code: 'YODEL_INVALID_OPTION' });
  });
});

describe('closed', () => {
  it.each(['close', 'end', 'abort'] as const)('is undefined after %s()', async (how) => {
    const { client, peer } = await meet();
    void client[how]();
    await settled();
    await peer.ends();
    expect(await client.closed).toBeUndefined();
  });

  it('is undefined when the server has ended the connection', async () => {
    const { client, peer } = await meet();
    await peer.ends();
    expect(await client.closed).toBeUndefined();
  });

  it('is the error of a connection that broke', async () => {
    const { client, peer } = await meet();
    await peer.aborts();
    expect(await client.closed).toMatchObject({ code: 'YODEL_CONNECTION_RESET' });
  });

  it('says that the server has ended the connection in front of requests', async () => {
    const { client, peer } = await meet();
    const reply = fateOf(client.request('a'));
    await settled();
    await peer.ends();
    expect(await client.closed).toMatchObject({ code: 'YODEL_CONNECTION_CLOSED' });
    expect(reply.error).toMatchObject({ code: 'YODEL_CONNECTION_CLOSED' });
  });

  it('says that the server did not end its side in time', async () => {
    const { client, host } = await meet({ closeTimeout: 100 });
    void client.close();
    await host.passes(100);
    expect(await client.closed).toMatchObject({ message: expect.stringContaining('closeTimeout') });
  });

  it('says why there was no attempt left', async () => {
    const { client, host, peer } = await meet(reconnecting);
    host.transport.connecting = 'refuse';
    await peer.ends();
    await host.passes(60_000);
    expect(await client.closed).toMatchObject({ code: 'YODEL_CONNECTION_REFUSED' });
  });
});

describe('reconnect: { initial: true }', () => {
  /** A host that is down, and a client that tries to connect to it. */
  async function early(reconnect = {}, signal?: AbortSignal) {
    const host = await Host.open();
    host.transport.connecting = 'refuse';
    const fate = fateOf(host.connect({ reconnect: { initial: true, ...reconnect }, connectTimeout: 0, signal }));
    await settled();
    return { host, fate };
  }

  it('retries the first connection until the server is there', async () => {
    const { host, fate } = await early();
    expect(host.transport.attempts, 'the first one is made at once').toBe(1);
    await host.passes(1000);
    expect(fate.settled).toBe(false);
    expect(host.transport.attempts).toBeGreaterThan(3);
    host.transport.connecting = 'accept';
    await host.passes(5000);
    expect(fate.value?.state).toBe('open');
    expect(fate.value?.counters.reconnects).toBe(0);
  });

  it('rejects with the last error when there is no attempt left', async () => {
    const { host, fate } = await early({ maxAttempts: 3 });
    await host.passes(60_000);
    expect(fate.error).toMatchObject({
      code: 'YODEL_CONNECTION_REFUSED',
      message: 'cannot connect to unix:///host: connection refused: nothing listens there',
    });
    expect(host.transport.attempts).toBe(3);
    expect(host.clock.waiting).toBe(0);
  });

  it('stops when its signal is aborted', async () => {
    const aborter = new AbortController();
    const { host, fate } = await early({}, aborter.signal);
    aborter.abort(new Error('no longer needed'));
    await settled();
    expect(fate.error).toBe(aborter.signal.reason);
    expect(host.clock.waiting).toBe(0);
  });

  it('is what must be asked for', async () => {
    const host = await Host.open();
    host.transport.connecting = 'refuse';
    await expect(host.connect({ reconnect: true })).rejects.toMatchObject({ code: 'YODEL_CONNECTION_REFUSED' });
    expect(host.transport.attempts).toBe(1);
    await expect(host.connect({ reconnect: { initial: 1 as never } })).rejects.toMatchObject({
      code: 'YODEL_INVALID_OPTION',
    });
  });
});

describe('counters', () => {
  it('count over all connections', async () => {
    const { client, host, peer } = await meet({ ...reconnecting, correlate: 'order' });
    const reply = client.request('one');
    client.send('two');
    await peer.says('ONE\nnews\n');
    await reply;
    await peer.aborts();
    await host.passes(50);
    const late = fateOf(client.request('three', { timeoutMs: 10 }));
    await host.passes(10);
    await host.peer.says('THREE\n');
    expect(late.error).toMatchObject({ code: 'YODEL_REQUEST_TIMEOUT' });
    expect(client.counters).toEqual({
      messagesSent: 3,
      messagesReceived: 3,
      bytesSent: 'one\ntwo\nthree\n'.length,
      bytesReceived: 'ONE\nnews\nTHREE\n'.length,
      reconnects: 1,
      requests: 2,
      replies: 1,
      requestTimeouts: 1,
      cancelledRequests: 0,
      lateReplies: 1,
    });
  });
});
