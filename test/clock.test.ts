import { execFileSync } from 'node:child_process';
import type { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { realClock } from '../src/clock.ts';
import { listen } from './support/servers.ts';

const module = new URL('../src/clock.ts', import.meta.url).href;

test('timers of the real clock fire, none early, and not once cancelled', async () => {
  const startedAt = realClock.now();
  const fired: [delay: number, elapsed: number][] = [];
  const all = [700, 100, 550, 620].map(
    (delay) =>
      new Promise<void>((resolve) => {
        realClock.after(delay, () => {
          fired.push([delay, realClock.now() - startedAt]);
          resolve();
        });
      }),
  );
  realClock.after(580, () => fired.push([0, 0])).cancel();
  // Once the runtime has a timer for it.
  let isCancelled = false;
  const runtimeTimer = realClock.after(680, () => isCancelled && fired.push([0, 0]));
  realClock.after(400, () => {
    runtimeTimer.cancel();
    isCancelled = true;
  });
  await Promise.all(all);
  // A process that has much to do is late, and those that are due together may fire in any order.
  expect(fired.map(([delay]) => delay).toSorted((a, b) => a - b)).toEqual([100, 550, 620, 700]);
  // A timer of Node may be up to 1 ms early.
  for (const [delay, elapsed] of fired) expect(elapsed).toBeGreaterThanOrEqual(delay - 1);
});

test.each([
  ['a cancelled timer', 'realClock.after(60_000, () => undefined).cancel();'],
  [
    'timers that are cancelled and set again',
    'for (let i = 0; i < 3; i++) realClock.after(60_000, () => undefined).cancel();',
  ],
])('%s does not keep the process alive', (_, code) => {
  const program = `const { realClock } = await import('${module}'); ${code} console.log('done');`;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
    timeout: 20_000,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '--no-warnings' },
  });
  expect(output).toBe('done\n');
});

test('a timer keeps the process alive until it fires, whether or not others were cancelled before', () => {
  const code = `realClock.after(60_000, () => undefined).cancel(); realClock.after(600, () => console.log('fired'));`;
  const program = `const { realClock } = await import('${module}'); ${code}`;
  const env = { ...process.env, NODE_OPTIONS: '--no-warnings' };
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8', env });
  expect(output).toBe('fired\n');
});

/** The process does nothing for this time. */
function stall(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Connects clients that live in a thread of their own, and returns their other ends. They send while this thread stands still. */
async function clientsInThread(count: number) {
  const sockets: Socket[] = [];
  let accepted = () => {};
  const allAccepted = new Promise<void>((resolve) => {
    accepted = resolve;
  });
  const { port } = await listen((socket) => {
    if (sockets.push(socket) === count) accepted();
  });
  const program = `
    const { workerData: { port, count, sent }, parentPort } = require('node:worker_threads');
    const clients = Array.from({ length: count }, () => require('node:net').connect(port, '127.0.0.1'));
    const written = () => Atomics.add(sent, 0, 1) === count - 1 && Atomics.notify(sent, 1, Atomics.store(sent, 1, 1));
    for (const client of clients) client.on('error', () => undefined);
    parentPort.once('message', () => { for (const client of clients) client.write('x', written); });
  `;
  const sent = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(program, { eval: true, workerData: { port, count, sent } });
  onTestFinished(async () => void (await worker.terminate()));
  await allAccepted;
  return {
    sockets,
    send: () => worker.postMessage('send'),
    /** Stands still until all have sent. */
    untilSent: () => expect(Atomics.wait(sent, 1, 0, 20_000)).not.toBe('timed-out'),
  };
}

test.each([1, 500])('a deadline that has passed waits for what %i clients have sent', async (count) => {
  const { sockets, send, untilSent } = await clientsInThread(count);
  const heard = new Set<Socket>();
  for (const socket of sockets) socket.on('data', () => heard.add(socket));
  const judged = Promise.withResolvers<number>();
  realClock.deadline(20, () => judged.resolve(heard.size));
  // In this phase of the event loop timers come before input, on Node.
  setImmediate(() => {
    send();
    untilSent();
    stall(30);
  });
  expect(await judged.promise).toBe(count);
});

test('the time in which the process does not run does not count for a deadline', async () => {
  const order: string[] = [];
  const over = Promise.withResolvers<void>();
  const startedAt = [realClock.now(), realClock.ran()] as const;
  realClock.deadline(700, () => over.resolve(void order.push('deadline')));
  stall(1300);
  expect(realClock.now() - startedAt[0]).toBeGreaterThanOrEqual(1299);
  expect(realClock.ran() - startedAt[1]).toBeLessThan(700);
  // Not of a stall: pauses are over when their time is.
  realClock.after(1, () => void order.push('pause'));
  await over.promise;
  expect(order).toEqual(['pause', 'deadline']);
});

test('one deadline can cancel another that has passed, too', async () => {
  const fired: number[] = [];
  const timers = [1, 2, 3].map((number) =>
    realClock.deadline(20, () => {
      fired.push(number);
      timers[2]?.cancel();
    }),
  );
  await new Promise<void>((resolve) => realClock.deadline(60, resolve));
  expect(fired).toEqual([1, 2]);
});
