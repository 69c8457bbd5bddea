/** A generator that opens a connection for each message, against servers of this process. */
import type * as net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Generator } from '../../src/load/generator.ts';
import { type LoadSettings, sharesOf } from '../../src/load/plan.ts';
import { Tally } from '../../src/load/tally.ts';
import { listen } from '../support/servers.ts';
import { settingsOf } from './settings.ts';

async function run(settings: Partial<LoadSettings>) {
  const total = new Tally();
  const [share] = sharesOf(settingsOf({ reconnectEach: true, durationMs: null, ...settings }));
  if (!share) throw new Error('no share');
  const generator = new Generator(share, (_, tally) => total.add(tally));
  onTestFinished(() => generator.stop());
  await generator.open();
  generator.run(performance.now());
  return { end: await generator.ended, total };
}

/** A server that counts its connections and the messages on each. */
async function counting(serve: (socket: net.Socket) => void) {
  const messages: number[] = [];
  const { address } = await listen((socket) => {
    const index = messages.push(0) - 1;
    socket.on('data', (chunk: Buffer) => {
      messages[index] = (messages[index] ?? 0) + chunk.toString().split('\n').length - 1;
    });
    socket.on('end', () => socket.end());
    serve(socket);
  });
  return { address, messages };
}

const echo = (socket: net.Socket) => void socket.on('data', (chunk: Buffer) => socket.write(chunk));

test.each([
  ['one at a time', 1],
  ['several at a time', 4],
  ['more at a time than messages', 50],
])('each message has a connection of its own, %s, and no more are opened', async (_, connections) => {
  const server = await counting(echo);
  const { end, total } = await run({ address: server.address, connections, count: 20 });
  expect(end.ended).toBe('done');
  expect(server.messages).toEqual(new Array(20).fill(1));
  expect({ answered: total.answered, errors: total.errorCount, opened: total.opened, lost: total.lost }).toEqual({
    ...{ answered: 20, errors: 0, opened: 20, lost: 0 },
  });
  expect(total.connect.count).toBe(20);
  expect(total.latency.count).toBe(20);
});

test('at a rate, too, no connection carries more than one message', async () => {
  const server = await counting(echo);
  const { end, total } = await run({ address: server.address, connections: 3, pipeline: null, rate: 500, count: 50 });
  expect(end.ended).toBe('done');
  expect(server.messages.filter((count) => count > 0)).toEqual(new Array(50).fill(1));
  expect({ answered: total.answered, errors: total.errorCount }).toEqual({ answered: 50, errors: 0 });
});

test('messages that found no free connection before time was up are errors', async () => {
  const server = await counting(
    (socket) => void socket.on('data', (chunk) => setTimeout(() => socket.write(chunk), 100)),
  );
  const settings = { address: server.address, connections: 1, pipeline: null, rate: 100, durationMs: 200 };
  const { total } = await run(settings);
  expect((total.errors.get('YODEL_TOO_MANY_UNANSWERED')?.count ?? 0) + total.sent).toBe(20);
  expect(total.sent).toBeLessThan(20);
});

test('the greeting of each connection is waited for', async () => {
  const server = await counting((socket) => {
    setTimeout(() => socket.write('hello\n'), 5);
    socket.on('data', () => socket.write('ok\n'));
  });
  const { total } = await run({ address: server.address, connections: 2, count: 6, replies: 'count', greeting: 1 });
  expect(server.messages).toEqual([1, 1, 1, 1, 1, 1]);
  expect({ answered: total.answered, errors: total.errorCount }).toEqual({ answered: 6, errors: 0 });
});

test('a reply that turns out to be too many on a connection that has ended casts doubt on its latency', async () => {
  const { address } = await listen((socket) => {
    socket.on('data', () => {
      socket.write('late greeting\n');
      // As a server that answers everything before it ends its side.
      setTimeout(() => socket.end('ok\n'), 20);
    });
  });
  const { total } = await run({ address, connections: 3, count: 3, replies: 'count' });
  expect(total.errors.get('YODEL_UNEXPECTED_REPLY')?.count).toBe(3);
  expect({ answered: total.answered, untimed: total.untimed }).toEqual({ answered: 3, untimed: 3 });
});

test('a server that refuses connections fails the run, without losing count', async () => {
  let open = 0;
  const { address } = await listen((socket) => {
    if (++open > 5) socket.destroy();
    else echo(socket);
  });
  const { end, total } = await run({ address, connections: 2, count: 20, timeoutMs: 300 });
  expect(end.ended).toBe('failed');
  expect(total.answered).toBe(5);
});
