import { describe, expect, it } from 'vitest';
import type { Handler } from '../../../src/session/handler.ts';
import { settled } from '../../../src/testing/turns.ts';
import type { Connection } from '../../../src/transport/transport.ts';
import { Harness, serveOneClient } from '../harness.ts';

const mark = 1000;
const options = { highWaterMark: mark, network: { capacity: 500, chunkSize: 100 } };
const flood = 'some line\n'.repeat(10_000);

const handlers: [string, Handler | undefined][] = [
  ['echo', undefined],
  ['a handler of messages', (message) => message],
  ['a handler that answers with text', ({ text }) => text],
  ['an asynchronous handler', async (message) => message],
];

describe.each(handlers)('%s', (_, handler) => {
  it('stops reading a peer that never reads, buffers little for it, and and keeps serving others', async () => {
    const harness = await Harness.open({ ...options, handler, drainTimeout: 0 });
    const other = await harness.connect();
    const peer = await harness.connect();
    peer.connection.pause();
    await peer.says(flood);
    const [, served] = harness.served;
    // Below the mark, replies are buffered up to the mark before they are written: at most twice the mark in all.
    expect(served?.unsent).toBeGreaterThan(mark);
    expect(served?.unsent).toBeLessThanOrEqual(2 * mark + 100);
    expect(harness.session.bytesReceived).toBeLessThanOrEqual(500 + 3 * mark + 200);
    expect(peer.connection.unsent).toBeGreaterThan(flood.length / 2);
    expect(await other.says('hello\n')).toBe('hello\n');
  });

  it('continues where it stopped when the peer reads again', async () => {
    const { peer } = await serveOneClient({ ...options, handler });
    peer.connection.pause();
    await peer.says(flood);
    peer.connection.resume();
    await peer.until(() => peer.received.length === flood.length);
    expect(peer.text === flood).toBe(true);
    expect(await peer.says('and more\n')).toBe('and more\n');
  });
});

describe('while a reply is pending', () => {
  it('reading continues only up to highWaterMark', async () => {
    const reply = Promise.withResolvers<string>();
    const { peer, session } = await serveOneClient({ ...options, handler: () => reply.promise });
    await peer.says(flood);
    // The chunk that is being handled, the mark, and the chunk that exceeded it.
    expect(session.bytesReceived).toBeGreaterThan(mark);
    expect(session.bytesReceived).toBeLessThanOrEqual(mark + 200);
    reply.resolve('re');
    await peer.until(() => peer.lines.length === 10_000);
    expect(session.bytesReceived).toBe(flood.length);
  });

  it('messages that arrive are handled afterwards, in order', async () => {
    const reply = Promise.withResolvers<void>();
    const { peer } = await serveOneClient({
      ...options,
      async handler({ text }) {
        await reply.promise;
        return text;
      },
    });
    const input = Array.from({ length: 1000 }, (_, number) => `${number}\n`).join('');
    await peer.says(input);
    reply.resolve();
    await peer.until(() => peer.lines.length === 1000);
    expect(peer.text).toBe(input);
  });
});

describe('a handler that answers a few bytes with megabytes', () => {
  it('is called again only when the peer has read the pending output', async () => {
    let calls = 0;
    const { peer, harness } = await serveOneClient({
      ...options,
      handler() {
        calls++;
        return 'x'.repeat(5000);
      },
    });
    peer.connection.pause();
    await peer.says('a\n'.repeat(50));
    expect(calls).toBe(1);
    expect(harness.served[0]?.unsent).toBeLessThanOrEqual(5001);
    peer.connection.resume();
    await peer.until(() => peer.lines.length === 50);
    expect(calls).toBe(50);
  });
});

it('a peer that sends more than the mark is only slowed down', async () => {
  const { peer } = await serveOneClient({ ...options, handler: async ({ text }) => text });
  await peer.says(flood);
  await peer.ends();
  await peer.gone();
  expect(peer.text === flood).toBe(true);
});

it('a slow peer is paused once per half a mark that it reads, and not for each message', async () => {
  const { peer, harness } = await serveOneClient(options);
  const [served] = harness.served as [Connection];
  let pauses = 0;
  const pause = served.pause.bind(served);
  served.pause = () => {
    pauses++;
    pause();
  };
  peer.connection.pause();
  await peer.says('some line\n'.repeat(2000));
  while (peer.size < 20_000) {
    peer.connection.resume();
    await Promise.resolve();
    peer.connection.pause();
    await settled();
  }
  expect(pauses).toBeGreaterThan(1);
  expect(pauses).toBeLessThanOrEqual(20_000 / (mark / 2));
});

it('a message longer than the mark is accepted', async () => {
  const { peer } = await serveOneClient(options);
  const line = `${'x'.repeat(50_000)}\n`;
  expect((await peer.says(line + line)) === line + line).toBe(true);
});

it('everything is delivered even with the smallest possible mark', async () => {
  const { peer } = await serveOneClient({ highWaterMark: 1, network: { capacity: 1, chunkSize: 1 } });
  const input = 'one\ntwo\nthree\n'.repeat(20);
  peer.connection.write(Buffer.from(input));
  await peer.until(() => peer.text === input);
  await settled();
  expect(peer.text).toBe(input);
});
