import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { connectPool } from '../../../src/client/pool/connect-pool.ts';
import type { Pool, PoolOptions } from '../../../src/client/pool/pool.ts';
import { settled } from '../../../src/testing/turns.ts';
import { fateOf, Host } from '../host.ts';

async function pooled(options: PoolOptions = {}): Promise<{ host: Host; pool: Pool }> {
  const host = await Host.open();
  const { transport, clock } = host;
  const pool = await connectPool(host.address, { transport, clock, connectTimeout: 0, ...options });
  await settled();
  onTestFinished(async () => {
    pool.abort();
    await settled();
  });
  return { host, pool };
}

/** Everything that the servers have received, per connection. */
const received = (host: Host) => host.peers.map(({ lines }) => lines);

describe('a pool', () => {
  it('opens more connections while all have requests in flight, up to size', async () => {
    const { host, pool } = await pooled({ size: 3 });
    expect(pool.health).toEqual({ open: 1, connecting: 0, inFlight: 0, waiting: 0 });
    const fates = [];
    for (const text of ['a', 'b', 'c', 'd', 'e', 'f']) {
      fates.push(fateOf(pool.request(text)));
      await settled();
    }
    expect(host.peers).toHaveLength(3);
    expect(pool.health).toEqual({ open: 3, connecting: 0, inFlight: 6, waiting: 0 });
    expect(received(host).flat().sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    expect(received(host).every((lines) => lines.length >= 1)).toBe(true);
    for (const peer of host.peers) await peer.says(`${peer.lines.join('!\n')}!\n`);
    await settled();
    expect(fates.map(({ value }) => value?.text)).toEqual(['a!', 'b!', 'c!', 'd!', 'e!', 'f!']);
    expect(pool.counters).toMatchObject({
      connections: 3,
      requests: 6,
      replies: 6,
      messagesSent: 6,
      messagesReceived: 6,
    });
  });

  it('gives each request the connection with the fewest requests in flight', async () => {
    const { host, pool } = await pooled({ size: 2 });
    void pool.request('a').catch(() => {});
    await settled();
    for (const text of ['b', 'c']) void pool.request(text).catch(() => {});
    await settled();
    const [first, second] = host.peers;
    await second?.says('B\n');
    const count = second?.lines.length ?? 0;
    void pool.request('d').catch(() => {});
    await settled();
    expect(second?.lines).toHaveLength(count + 1);
    expect(first?.lines).not.toContain('d');
    expect(pool.send('e')).toBe(true);
  });

  it('lets requests wait for a free connection, first come, first served', async () => {
    const { host, pool } = await pooled({ size: 1, maxRequestsInFlight: 1, maxWaiting: 2 });
    const fates = ['a', 'b', 'c', 'd'].map((text) => fateOf(pool.request(text)));
    await settled();
    expect(fates[3]?.error).toMatchObject({ code: 'YODEL_TOO_MANY_REQUESTS' });
    expect(pool.health).toMatchObject({ inFlight: 1, waiting: 2 });
    for (const [index, text] of ['a', 'b', 'c'].entries()) {
      expect(received(host)).toEqual([['a', 'b', 'c'].slice(0, index + 1)]);
      await host.peer.says(`${text}!\n`);
      await settled();
      expect(fates[index]?.value?.text).toBe(`${text}!`);
    }
  });

  it('counts the time of waiting for requestTimeout', async () => {
    const { host, pool } = await pooled({ size: 1, maxRequestsInFlight: 1, requestTimeout: 100 });
    const first = fateOf(pool.request('a', { timeoutMs: 0 }));
    const second = fateOf(pool.request('b'));
    await host.passes(60);
    await host.peer.says('A\n');
    await settled();
    expect([first.value?.text, host.peer.lines]).toEqual(['A', ['a', 'b']]);
    const third = fateOf(pool.request('c', { timeoutMs: 20 }));
    await host.passes(20);
    expect(third.error).toMatchObject({ code: 'YODEL_REQUEST_TIMEOUT' });
    await host.passes(20);
    expect(second.error).toMatchObject({ code: 'YODEL_REQUEST_TIMEOUT' });
    expect(host.peer.lines, 'one that has timed out is not sent').toEqual(['a', 'b']);
  });

  it('replaces a connection on which nothing can be sent, because no reply comes to requests that were given up', async () => {
    const { host, pool } = await pooled({ size: 1, maxRequestsInFlight: 2, requestTimeout: 1000 });
    const aborter = new AbortController();
    const cancelled = fateOf(pool.request('a', { signal: aborter.signal }));
    const late = fateOf(pool.request('b'));
    const waiting = fateOf(pool.request('c', { timeoutMs: 5000 }));
    await settled();
    aborter.abort();
    await settled();
    expect(cancelled.error).toBe(aborter.signal.reason);
    expect(host.peers).toHaveLength(1);
    await host.passes(1000);
    expect(late.error).toMatchObject({ code: 'YODEL_REQUEST_TIMEOUT' });
    expect(host.peers.map(({ closed }) => closed)).toEqual([true, false]);
    expect(host.peer.lines).toEqual(['c']);
    await host.peer.says('C\n');
    expect(waiting.value?.text).toBe('C');
    expect(pool.counters).toMatchObject({ requests: 3, replies: 1, requestTimeouts: 1, cancelledRequests: 1 });
  });

  it('keeps a connection that still has room, or a request that waits', async () => {
    const { host, pool } = await pooled({ size: 1, maxRequestsInFlight: 2 });
    const late = fateOf(pool.request('a', { timeoutMs: 1000 }));
    const next = fateOf(pool.request('b', { timeoutMs: 5000 }));
    await host.passes(1000);
    expect(late.error).toMatchObject({ code: 'YODEL_REQUEST_TIMEOUT' });
    await host.peer.says('A\nB\n');
    expect(next.value?.text).toBe('B');
    expect(host.peers).toHaveLength(1);
  });

  it('replaces a connection that is lost; its requests are rejected, those that wait are not', async () => {
    const { host, pool } = await pooled({ size: 1 });
    const lost = fateOf(pool.request('a'));
    await settled();
    await host.peer.aborts();
    expect(lost.error).toMatchObject({ code: 'YODEL_CONNECTION_RESET' });
    const waiting = fateOf(pool.request('b'));
    const ready = fateOf(pool.ready());
    await settled();
    expect(pool.health).toEqual({ open: 0, connecting: 1, inFlight: 0, waiting: 1 });
    expect(() => pool.send('c')).toThrow(expect.objectContaining({ code: 'YODEL_NOT_CONNECTED' }));
    await host.passes(50);
    expect([ready.settled, ready.error, host.peer.lines]).toEqual([true, undefined, ['b']]);
    await host.peer.says('B\n');
    await settled();
    expect(waiting.value?.text).toBe('B');
    expect(pool.counters).toMatchObject({ connections: 2, reconnects: 1 });
  });

  it('rejects what waits when no attempt is left, and begins anew with the next request', async () => {
    const { host, pool } = await pooled({ reconnect: { maxAttempts: 2 } });
    host.transport.connecting = 'refuse';
    await host.peer.aborts();
    const waiting = fateOf(pool.request('a'));
    await host.passes(60_000);
    expect(waiting.error).toMatchObject({ code: 'YODEL_CONNECTION_REFUSED' });
    expect(pool.health).toMatchObject({ open: 0, connecting: 0 });
    host.transport.connecting = 'accept';
    const next = fateOf(pool.request('b'));
    await settled();
    await host.peer.says('B\n');
    await settled();
    expect(next.value?.text).toBe('B');
  });

  it('rejects a request whose turn came in the moment in which the pool was aborted', async () => {
    const aborted: { pool?: Pool } = {};
    const { host, pool } = await pooled({ size: 1, maxRequestsInFlight: 1, onMessage: () => aborted.pool?.abort() });
    aborted.pool = pool;
    const fates = ['a', 'b'].map((text) => fateOf(pool.request(text, { timeoutMs: 0 })));
    await settled();
    await host.peer.says('A\nnews\n');
    await settled();
    expect(fates[0]?.value?.text).toBe('A');
    expect(fates[1]?.error).toMatchObject({ code: 'YODEL_CONNECTION_CLOSED' });
  });

  it('fails like connect() when the first connection does', async () => {
    const host = await Host.open();
    host.transport.connecting = 'refuse';
    const { transport, clock } = host;
    await expect(connectPool(host.address, { transport, clock })).rejects.toMatchObject({
      code: 'YODEL_CONNECTION_REFUSED',
    });
    await expect(connectPool(host.address, { transport, seize: 3 } as never)).rejects.toMatchObject({
      code: 'YODEL_INVALID_OPTION',
      message: expect.stringContaining('Did you mean "size"?'),
    });
    await expect(connectPool(undefined as never)).rejects.toMatchObject({ code: 'YODEL_INVALID_ADDRESS' });
  });

  it('waits for its requests when it is closed, and takes no more', async () => {
    const { host, pool } = await pooled({ size: 1, maxRequestsInFlight: 1 });
    const fates = ['a', 'b'].map((text) => fateOf(pool.request(text)));
    const closing = fateOf(pool.close());
    await expect(pool.request('c')).rejects.toMatchObject({ code: 'YODEL_CONNECTION_CLOSED' });
    await host.peer.says('A\n');
    await settled();
    await host.peer.says('B\n');
    await settled();
    expect(fates.map(({ value }) => value?.text)).toEqual(['A', 'B']);
    await host.peer.ends();
    await settled();
    expect(closing.settled).toBe(true);
    await pool.closed;
  });

  it('gives up its requests after closeTimeout', async () => {
    const { host, pool } = await pooled({ closeTimeout: 100 });
    const fate = fateOf(pool.request('a'));
    const closing = fateOf(pool.close());
    await host.passes(100);
    expect(fate.error).toMatchObject({ code: 'YODEL_CONNECTION_CLOSED' });
    expect(closing.settled).toBe(true);
  });

  it('closes when its signal is aborted', async () => {
    const aborter = new AbortController();
    const { pool } = await pooled({ signal: aborter.signal });
    aborter.abort();
    await pool.closed;
    expect(pool.health.open).toBe(0);
  });

  it('opens no connection after it was aborted, also if none is retried', async () => {
    let prepared = 0;
    const { host, pool } = await pooled({ size: 2, reconnect: false, onConnect: () => void prepared++ });
    const fates = ['a', 'b'].map((text) => fateOf(pool.request(text)));
    pool.abort();
    await settled();
    expect(prepared).toBe(1);
    expect(host.peers.every(({ closed }) => closed)).toBe(true);
    for (const { error } of fates) expect(error).toMatchObject({ code: 'YODEL_CONNECTION_CLOSED' });
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('a bug');
      },
    ],
    ['rejects', () => Promise.reject(new Error('a bug'))],
  ])('goes on when onMessage %s: that is a warning', async (_, fail) => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    onTestFinished(() => warned.mockRestore());
    const texts: string[] = [];
    const { host, pool } = await pooled({
      onMessage({ text }) {
        texts.push(text);
        return fail();
      },
    });
    await host.peer.says('one\ntwo\n');
    expect(texts).toEqual(['one', 'two']);
    expect(warned.mock.calls.map(([warning]) => String(warning))).toEqual(['Error: a bug', 'Error: a bug']);
    const reply = fateOf(pool.request('a'));
    await settled();
    await host.peer.says('A\n');
    expect(reply.value?.text).toBe('A');
  });

  it('passes on the messages that are no replies, or counts them', async () => {
    const texts: string[] = [];
    const told = await pooled({ onMessage: ({ text }) => texts.push(text) });
    await told.host.peer.says('news\n');
    expect(texts).toEqual(['news']);
    const silent = await pooled();
    await silent.host.peer.says('news\n');
    expect(silent.pool.counters.messagesDropped).toBe(1);
  });
});
