/** A pool of connections does the same in both versions: that of yodel, and one that is written with node:net. */
import { createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { connectPool } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/ports.ts';
import { Pool as PlainPool, type PoolOptions } from './plain/pool.ts';

interface Pool {
  readonly health: {
    readonly open: number;
    readonly connecting: number;
    readonly inFlight: number;
    readonly waiting: number;
  };
  readonly counters: { readonly connections: number };
  request(text: string, options?: { timeoutMs?: number }): Promise<string>;
  close(): Promise<void>;
}

const versions: Readonly<Record<string, (port: number, options: PoolOptions) => Promise<Pool>>> = {
  async yodel(port, options) {
    const pool = await connectPool(port, options);
    return {
      get health() {
        return pool.health;
      },
      get counters() {
        return pool.counters;
      },
      request: async (text, request) => (await pool.request(text, request)).text,
      close: () => pool.close(),
    };
  },
  'node:net': (port, options) => PlainPool.connect(port, options),
};

/** A server that answers a line when the test says so. */
class Answers {
  readonly #server = createServer((socket) => this.#accept(socket));
  readonly sockets: Socket[] = [];
  /** What has arrived, with the socket. */
  readonly asked: { readonly text: string; readonly socket: Socket }[] = [];

  async listen(port = 0): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    onTestFinished(() => this.stop());
    return (this.#server.address() as { port: number }).port;
  }

  /** Resolves when that many lines have arrived in all. */
  async has(count: number): Promise<void> {
    await vi.waitFor(() => expect(this.asked.length).toBe(count), { timeout: 20_000, interval: 5 });
  }

  answer(index: number): void {
    const { text, socket } = this.asked[index] as (typeof this.asked)[number];
    socket.write(`${text.toUpperCase()}\n`);
  }

  /** Breaks all connections, and takes no more. */
  stop(): void {
    this.#server.close();
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  #accept(socket: Socket): void {
    this.sockets.push(socket);
    socket.on('error', () => undefined);
    let rest = '';
    socket.on('data', (chunk) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const text of lines) this.asked.push({ text, socket });
    });
  }
}

async function start(open: (typeof versions)[string], options: PoolOptions, listen = 0) {
  const server = new Answers();
  const port = await server.listen(listen);
  const pool = await open(port, options);
  onTestFinished(() => void pool.close());
  return { server, port, pool };
}

const each = test.each(Object.entries(versions));

each(
  'the pool of %s opens connections while all have requests in flight, and never more than its size',
  async (_, open) => {
    const { server, pool } = await start(open, { size: 2, maxRequestsInFlight: 1 });
    const replies = ['a', 'b', 'c', 'd'].map((text) => pool.request(text));
    await server.has(2);
    expect(new Set(server.asked.map(({ socket }) => socket)).size).toBe(2);
    expect(pool.health).toMatchObject({ open: 2, connecting: 0, inFlight: 2, waiting: 2 });
    for (let index = 0; index < 4; index++) {
      server.answer(index);
      await server.has(Math.min(index + 3, 4));
    }
    expect(await Promise.all(replies)).toEqual(['A', 'B', 'C', 'D']);
    // First come, first served.
    expect(server.asked.map(({ text }) => text)).toEqual(['a', 'b', 'c', 'd']);
    expect(pool.counters.connections).toBe(2);
  },
);

each('the pool of %s sends a request where the fewest are in flight', async (_, open) => {
  const { server, pool } = await start(open, { size: 2, maxRequestsInFlight: 10 });
  const first = pool.request('a');
  await eventually(() => expect(pool.health.open).toBeGreaterThan(0));
  const second = pool.request('b');
  await eventually(() => expect(pool.health.open).toBe(2));
  const more = ['c', 'd', 'e', 'f'].map((text) => pool.request(text));
  await server.has(6);
  const [one = 0, two = 0] = server.sockets.map((of) => server.asked.filter(({ socket }) => socket === of).length);
  // The second may have been sent before its connection was open.
  expect([one, two].sort()).toEqual([3, 3]);
  for (let index = 0; index < 6; index++) server.answer(index);
  expect((await Promise.all([first, second, ...more])).sort()).toEqual(['A', 'B', 'C', 'D', 'E', 'F']);
});

each('the pool of %s rejects what is too much', async (_, open) => {
  const { server, pool } = await start(open, { size: 1, maxRequestsInFlight: 1, maxWaiting: 2 });
  const taken = ['a', 'b', 'c'].map((text) => pool.request(text));
  await server.has(1);
  await expect(pool.request('d')).rejects.toThrow(/wait/);
  for (let index = 0; index < 3; index++) {
    await server.has(index + 1);
    server.answer(index);
  }
  expect(await Promise.all(taken)).toEqual(['A', 'B', 'C']);
});

each("a time-out of the pool of %s counts the wait, and a late reply is nobody else's", async (_, open) => {
  const { server, pool } = await start(open, { size: 1, maxRequestsInFlight: 2 });
  const late = expect(pool.request('late', { timeoutMs: 30 })).rejects.toThrow();
  const second = pool.request('second');
  const waiting = expect(pool.request('waiting', { timeoutMs: 30 })).rejects.toThrow();
  await Promise.all([late, waiting]);
  await server.has(2);
  server.answer(0);
  server.answer(1);
  expect(await second).toBe('SECOND');
  const next = pool.request('next');
  await server.has(3);
  server.answer(2);
  expect(await next).toBe('NEXT');
  expect(server.asked.map(({ text }) => text)).not.toContain('waiting');
});

each(
  'the pool of %s replaces lost connections: their requests are rejected, those that wait are not',
  async (_, open) => {
    const { server, port, pool } = await start(open, { size: 2, maxRequestsInFlight: 1 }, await freePort());
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((text) => pool.request(text));
    await server.has(2);
    const lost = Promise.allSettled([a, b]);
    server.stop();
    expect((await lost).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const again = new Answers();
    await again.listen(port);
    await again.has(2);
    again.answer(0);
    again.answer(1);
    expect(await Promise.all([c, d])).toEqual(['C', 'D']);
    expect(again.asked.map(({ text }) => text).sort()).toEqual(['c', 'd']);
  },
);

each('the pool of %s waits for its requests when it closes', async (_, open) => {
  const { server, pool } = await start(open, { size: 1, maxRequestsInFlight: 1 });
  const replies = [pool.request('a'), pool.request('b')];
  await server.has(1);
  const closed = pool.close();
  await expect(pool.request('c')).rejects.toThrow();
  server.answer(0);
  await server.has(2);
  server.answer(1);
  expect(await Promise.all(replies)).toEqual(['A', 'B']);
  await closed;
  expect(pool.health.open).toBe(0);
});
