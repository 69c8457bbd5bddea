/** WebSocket clients that begin a message and do not finish it. The server runs on a fake clock. */
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TcpAddress } from '../../src/address.ts';
import type { YodelError } from '../../src/errors.ts';
import type { ServeOptions } from '../../src/server/options.ts';
import { type Server, serve } from '../../src/server/server.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { waitUntil } from '../support/process/process.ts';
import { dialWebSocket, frameBytes, textFrame } from '../support/websocket-frames.ts';

interface Harness {
  readonly server: Server;
  readonly port: number;
  readonly clock: FakeClock;
  /** The code with which each session ended, in order. */
  readonly ends: (string | undefined)[];
}

async function serveWebSocket(options: ServeOptions = {}): Promise<Harness> {
  const ends: (string | undefined)[] = [];
  const closed = (_: unknown, error: YodelError | undefined) => void ends.push(error?.code);
  const clock = new FakeClock();
  const server = await serve({ listen: 'ws://127.0.0.1:0', telemetry: { closed }, clock, ...options });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  return { server, port: (server.addresses[0] as unknown as TcpAddress).port, clock, ends };
}

async function pendingBytesBecome(count: number, server: Server): Promise<void> {
  await waitUntil(`${count} bytes of messages are pending`, () => server.pendingBytes === count);
}

async function oneEnds(ends: Harness['ends']): Promise<void> {
  await waitUntil('one session ends', () => ends.length === 1);
}

const dripped: [string, Buffer, Buffer][] = [
  ['by bytes of one frame', textFrame(60_000).subarray(0, 20), Buffer.from('x')],
  [
    'by fragments',
    frameBytes({ opcode: 1, isFinal: false, length: 1 }),
    frameBytes({ opcode: 0, isFinal: false, length: 1 }),
  ],
  ['by silence', textFrame(10).subarray(0, 1), Buffer.alloc(0)],
];

describe('a message that is not finished within messageTimeout ends its session', () => {
  test.each(dripped)('%s', async (_, first, next) => {
    const { server, port, clock, ends } = await serveWebSocket({ messageTimeout: 300, idleTimeout: 0 });
    const peer = await dialWebSocket(port);
    await peer.send(first);
    await waitUntil('the server has the first bytes', () => server.pendingBytes > 0);
    for (let step = 1; step <= 5; step++) {
      const pending = server.pendingBytes;
      await clock.advance(50);
      await peer.send(next);
      if (next.length > 0) await waitUntil('the server has more', () => server.pendingBytes > pending);
    }
    await clock.advance(49);
    expect(peer.text).not.toMatch(/not finished/);
    await clock.advance(1);
    await peer.saw(/a message was not finished within 300 ms of its first byte/);
    peer.end();
    await oneEnds(ends);
    expect(ends).toEqual(['YODEL_MESSAGE_TIMEOUT']);
  });

  test('also when it begins in the chunk of the previous message', async () => {
    const { server, port, clock, ends } = await serveWebSocket({ messageTimeout: 300, idleTimeout: 0 });
    const peer = await dialWebSocket(port);
    await peer.send(Buffer.concat([textFrame(5), textFrame(100).subarray(0, 50)]));
    await peer.saw(/xxxxx/);
    await waitUntil('the server has the beginning', () => server.pendingBytes > 0);
    await clock.advance(300);
    await peer.saw(/a message was not finished within 300 ms/);
    peer.end();
    await oneEnds(ends);
    expect(ends).toEqual(['YODEL_MESSAGE_TIMEOUT']);
  });

  test('also when it begins in the chunk of the WebSocket handshake', async () => {
    const { server, port, clock } = await serveWebSocket({ messageTimeout: 300, idleTimeout: 0 });
    const peer = await dialWebSocket(port, textFrame(100).subarray(0, 50));
    await waitUntil('the server has the beginning', () => server.pendingBytes > 0);
    await clock.advance(300);
    await peer.saw(/a message was not finished within 300 ms/);
  });
});

test('a message sent together with the WebSocket handshake is answered', async () => {
  const { port } = await serveWebSocket();
  const peer = await dialWebSocket(port, textFrame(5));
  await peer.saw(/xxxxx$/);
});

test('each message has its own time-out, however slow the previous one was', async () => {
  const { server, port, clock, ends } = await serveWebSocket({ messageTimeout: 400, idleTimeout: 0 });
  const peer = await dialWebSocket(port);
  // Four messages of 11 bytes, each of which begins in the chunk that ends the one before: 600 ms in all.
  const bytes = Buffer.concat([textFrame(5), textFrame(5), textFrame(5), textFrame(5)]);
  for (let at = 0; at < bytes.length; at += 8) {
    const chunk = bytes.subarray(at, at + 8);
    await peer.send(chunk);
    // The server has read the chunk when the bytes of the unfinished message are pending.
    await pendingBytesBecome((at + chunk.length) % 11, server);
    await clock.advance(100);
  }
  await peer.saw(/(x{5}\W*){4}/);
  expect(ends).toEqual([]);
});

test('the bytes of unfinished messages count towards maxPendingBytes until the messages are whole', async () => {
  const { server, port, ends } = await serveWebSocket();
  const peers = await Promise.all([1, 2, 3].map(() => dialWebSocket(port)));
  const frame = textFrame(50_000);
  for (const peer of peers) await peer.send(frame.subarray(0, 40_000));
  await pendingBytesBecome(120_000, server);
  for (const peer of peers) await peer.send(frame.subarray(40_000));
  for (const peer of peers) await peer.sawBytes(50_000);
  await pendingBytesBecome(0, server);
  expect(ends).toEqual([]);
});

test('above maxPendingBytes the client with the longest unfinished message is disconnected', async () => {
  const { server, port, ends } = await serveWebSocket({ maxPendingBytes: 100_000 });
  const [small, large, last] = await Promise.all([1, 2, 3].map(() => dialWebSocket(port)));
  await small?.send(textFrame(60_000).subarray(0, 20_000));
  await large?.send(textFrame(60_000).subarray(0, 45_000));
  // A buffer of which less than half is used counts by half of its size.
  await waitUntil('the server has both', () => server.pendingBytes >= 65_000);
  await last?.send(textFrame(60_000).subarray(0, 40_000));
  await oneEnds(ends);
  expect(ends).toEqual(['YODEL_TOO_MANY_PENDING_BYTES']);
  expect(server.pendingBytes).toBeGreaterThanOrEqual(60_000);
  expect(server.pendingBytes).toBeLessThan(75_000);
});
