/** A generator of this process against servers of this process. The tests of `yodel bench` are in test/e2e/bench. */
import * as net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { Generator, type GeneratorEnd } from '../../src/load/generator.ts';
import { type LoadSettings, sharesOf } from '../../src/load/plan.ts';
import { Tally } from '../../src/load/tally.ts';
import { freePort } from '../support/ports.ts';
import { listen } from '../support/servers.ts';
import { settingsOf } from './settings.ts';

const echo = (socket: net.Socket) => void socket.pipe(socket);
const silence = (socket: net.Socket) => void socket.resume();
const closing = (socket: net.Socket) => void socket.on('data', () => socket.destroy());

/** Runs a generator to its end. */
async function run(
  settings: Partial<LoadSettings>,
  whenStarted: (generator: Generator) => void = () => {},
): Promise<{ end: GeneratorEnd; total: Tally; intervals: { up: number; isLast: boolean }[] }> {
  const total = new Tally();
  const intervals: { up: number; isLast: boolean }[] = [];
  const [share] = sharesOf(settingsOf(settings));
  if (!share) throw new Error('no share');
  const generator = new Generator(share, (_, tally, up, isLast) => {
    total.add(tally);
    intervals.push({ up, isLast });
  });
  onTestFinished(() => generator.stop());
  await generator.open();
  generator.run(performance.now());
  whenStarted(generator);
  return { end: await generator.ended, total, intervals };
}

test.each([
  ['one connection', { connections: 1, pipeline: 4 }],
  ['several connections', { connections: 3, pipeline: 4 }],
  ['more connections than messages', { connections: 20, pipeline: 1 }],
  ['an open loop', { connections: 3, pipeline: null, rate: 1000 }],
])('a count is sent exactly, over %s', async (_, settings) => {
  const { address } = await listen(echo);
  const { end, total } = await run({ address, count: 10, durationMs: null, ...settings });
  expect(end.ended).toBe('done');
  expect({ sent: total.sent, answered: total.answered, errors: total.errorCount }).toEqual({
    sent: 10,
    answered: 10,
    errors: 0,
  });
});

test('no connection has more than `pipeline` messages in flight', async () => {
  let most = 0;
  const { address } = await listen((socket) => {
    let lines = 0;
    socket.on('data', (chunk: Buffer) => {
      lines += chunk.toString().split('\n').length - 1;
      most = Math.max(most, lines);
      setTimeout(() => {
        lines = 0;
        socket.write(chunk);
      }, 5);
    });
  });
  const { total } = await run({ address, connections: 2, pipeline: 7, count: 100, durationMs: null });
  expect(most).toBe(7);
  expect(total.answered).toBe(100);
});

test('a rate keeps to its schedule, and takes as long as its messages take', async () => {
  const { address } = await listen(echo);
  const { end, total } = await run({ address, pipeline: null, rate: 1000, count: 100, durationMs: null });
  expect(total.answered).toBe(100);
  expect(total.lateness.count).toBe(100);
  // The difference of two times, each with its own rounding error.
  expect(end.sendingMs).toBeGreaterThan(99.9);
});

test('messages that were due before the run ended are sent, however late', async () => {
  const { address } = await listen(echo);
  const { total } = await run({ address, pipeline: null, rate: 1000, durationMs: 100 }, () => {
    // Busy across the end, after the loop's turn: the timer that ends the run is the next to be called.
    const work = () => {
      for (const until = performance.now() + 150; performance.now() < until; );
    };
    setTimeout(() => setImmediate(work), 20);
  });
  expect(total.sent).toBe(100);
});

test('a run with a rate and a duration takes the duration, though its last message is sent before', async () => {
  const { address } = await listen(echo);
  const startedAt = performance.now();
  const { end } = await run({ address, pipeline: null, rate: 10, durationMs: 150 });
  expect(end.ended).toBe('done');
  // Timers may fire early by a millisecond or two.
  expect(performance.now() - startedAt).toBeGreaterThan(140);
});

test('an open loop sends nothing over a connection that was lost', async () => {
  let connections = 0;
  const { address } = await listen((socket) => {
    if (++connections === 1) closing(socket);
    else echo(socket);
  });
  const { end, total } = await run({
    address,
    connections: 2,
    pipeline: null,
    rate: 500,
    count: 40,
    durationMs: null,
  });
  expect(end.ended).toBe('done');
  expect({ sent: total.sent, lost: total.lost }).toEqual({ sent: 40, lost: 1 });
});

test('a run with a duration ends after it', async () => {
  const { address } = await listen(echo);
  const { end, total } = await run({ address, durationMs: 150 });
  expect(end.ended).toBe('done');
  expect(end.sendingMs).toBeCloseTo(150, 6);
  expect(total.answered).toBe(total.sent);
});

test('if no replies are expected, the run ends when the server has read everything', async () => {
  let received = 0;
  let ended = 0;
  const { address } = await listen((socket) => {
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
      // Unread at the end, this would reset the connection.
      socket.write(chunk);
    });
    socket.on('end', () => {
      setTimeout(() => {
        ended++;
        socket.end();
      }, 50);
    });
  });
  const settings = { connections: 2, replies: 'none', count: 1000, durationMs: null, pipeline: 10 } as const;
  const { end, total } = await run({ address, ...settings });
  expect(ended).toBe(2);
  expect(end.ended).toBe('done');
  expect({ answered: total.answered, errors: total.errorCount }).toEqual({ answered: 1000, errors: 0 });
  expect(received).toBe(total.bytesSent);
});

test('every message without a reply in time counts as an error', async () => {
  const { address } = await listen(silence);
  const { total } = await run({ address, connections: 2, pipeline: 3, timeoutMs: 600, durationMs: 300 });
  expect([...total.errors].map(([code, { count }]) => [code, count])).toEqual([['YODEL_REPLY_TIMEOUT', 6]]);
  expect(total.lost).toBe(2);
});

test('the last interval is marked as the last, and has the number of remaining connections', async () => {
  const { address } = await listen(echo);
  const { intervals } = await run({ address, connections: 3, durationMs: 100 });
  expect(intervals).toEqual([{ up: 3, isLast: true }]);
});

test('stop ends a run at once, and leaves messages unanswered', async () => {
  const { address } = await listen(silence);
  const { end, total } = await run({ address, connections: 2, durationMs: 60_000 }, (generator) => generator.stop());
  expect(end.ended).toBe('interrupted');
  expect(total.answered).toBe(0);
});

test('a run with a count fails after the reply time-out if no connection gets through', async () => {
  const { address } = await listen(closing);
  const { end, total } = await run({ address, count: 1_000_000, durationMs: null, timeoutMs: 250 });
  expect(end.ended).toBe('failed');
  expect(total.answered).toBe(0);
});

test('a run continues for its duration as long as connections can still be opened', async () => {
  const { address } = await listen(closing);
  const { end } = await run({ address, durationMs: 700, timeoutMs: 250 });
  expect(end.ended).toBe('done');
});

/** An echo server at a fixed port that can go down and come up again. */
async function restartable() {
  const sockets = new Set<net.Socket>();
  let server = net.createServer();
  const up = async (port: number) => {
    server = net.createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      echo(socket);
    });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return (server.address() as net.AddressInfo).port;
  };
  const down = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await closed;
  };
  onTestFinished(down);
  return { up, down };
}

test('a server that does not come back fails the run', async () => {
  const server = await restartable();
  const port = await server.up(await freePort());
  const { end, total } = await run({ address: `127.0.0.1:${port}`, durationMs: 60_000, timeoutMs: 300 }, () => {
    void pause(100).then(server.down);
  });
  expect(end.ended).toBe('failed');
  expect(total.errors.has('YODEL_CONNECTION_REFUSED')).toBe(true);
});

test('outages shorter than the reply time-out do not add up', async () => {
  const server = await restartable();
  const port = await server.up(await freePort());
  const timeoutMs = 1500;
  const { end } = await run({ address: `127.0.0.1:${port}`, durationMs: 4000, timeoutMs }, (generator) => {
    const outage = async () => {
      await server.down();
      while (!generator.tally.errors.has('YODEL_CONNECTION_REFUSED')) await pause(5);
      // Long enough for the generator to check.
      await pause(timeoutMs / 5);
      await server.up(port);
    };
    void pause(50)
      .then(outage)
      .then(() => pause(timeoutMs))
      .then(outage);
  });
  expect(end.ended).toBe('done');
});

test('stages follow one another, each with its own messages', async () => {
  const { address } = await listen(echo);
  const stages = [
    { durationMs: 100, from: 100, to: 100 },
    { durationMs: 100, from: 100, to: 500 },
  ];
  const { end, total } = await run({ address, pipeline: null, rate: 200, stages, durationMs: 200 });
  expect(end.ended).toBe('done');
  expect([0, 1].map((index) => total.stage(index).sent)).toEqual([10, 30]);
  expect([0, 1].map((index) => total.stage(index).latency.count)).toEqual([10, 30]);
  expect(total.latency.count).toBe(40);
});
