/** Clients of WebSocket that begin a message and do not finish it. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TcpAddress } from '../../src/address.ts';
import type { YodelError } from '../../src/errors.ts';
import { type ServeOptions, type Server, serve } from '../../src/server/server.ts';
import type { Peer } from '../support/peer.ts';
import { dialWebSocket, frameBytes, textFrame } from '../support/websocket-frames.ts';

interface Scene {
  readonly server: Server;
  readonly port: number;
  /** The code with which each session ended, in order. */
  readonly ends: (string | undefined)[];
}

async function serveWebSocket(options: ServeOptions = {}): Promise<Scene> {
  const ends: (string | undefined)[] = [];
  const closed = (_: unknown, error: YodelError | undefined) => void ends.push(error?.code);
  const server = await serve({ listen: 'ws://127.0.0.1:0', telemetry: { closed }, ...options });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  return { server, port: (server.addresses[0] as unknown as TcpAddress).port, ends };
}

/** Asks until it is so: what a peer has sent is seen when the server has read it. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(5);
}

/** Sends something every few milliseconds until it is broken off or ended. */
async function drip(peer: Peer, bytes: () => Buffer): Promise<void> {
  let over = false;
  const ended = peer.ended.then(
    () => undefined,
    () => undefined,
  );
  void ended.then(() => {
    over = true;
  });
  while (!over) {
    await peer.send(bytes()).catch(() => undefined);
    await Promise.race([ended, delay(20)]);
  }
}

const dripped: [string, Buffer, () => Buffer][] = [
  ['by bytes of one frame', textFrame(60_000).subarray(0, 20), () => Buffer.from('x')],
  [
    'by fragments',
    frameBytes({ opcode: 1, isFinal: false, length: 1 }),
    () => frameBytes({ opcode: 0, isFinal: false, length: 1 }),
  ],
  ['by silence', textFrame(10).subarray(0, 1), () => Buffer.alloc(0)],
];

describe('a message that is not finished within messageTimeout ends its session', () => {
  test.each(dripped)('%s', async (_, first, next) => {
    const { port, ends } = await serveWebSocket({ messageTimeout: 300, idleTimeout: 0 });
    const peer = await dialWebSocket(port);
    await peer.send(first);
    await drip(peer, next);
    peer.end();
    await until(() => ends.length === 1);
    expect(ends).toEqual(['YODEL_MESSAGE_TIMEOUT']);
    expect(peer.text).toMatch(/a message was not finished within 300 ms of its first byte/);
  });

  test('also when its beginning came together with the message before', async () => {
    const { port, ends } = await serveWebSocket({ messageTimeout: 300, idleTimeout: 0 });
    const peer = await dialWebSocket(port);
    await peer.send(Buffer.concat([textFrame(5), textFrame(100).subarray(0, 50)]));
    await peer.saw(/xxxxx/);
    await peer.saw(/a message was not finished within 300 ms/);
    peer.end();
    await until(() => ends.length === 1);
    expect(ends).toEqual(['YODEL_MESSAGE_TIMEOUT']);
  });

  test('also when its beginning came together with the request for WebSocket', async () => {
    const { port } = await serveWebSocket({ messageTimeout: 300, idleTimeout: 0 });
    const peer = await dialWebSocket(port, textFrame(100).subarray(0, 50));
    await peer.saw(/a message was not finished within 300 ms/);
  });
});

test('a message right behind the request for WebSocket is answered', async () => {
  const { port } = await serveWebSocket();
  const peer = await dialWebSocket(port, textFrame(5));
  await peer.saw(/xxxxx$/);
});

test('each message has its own time, however slowly the one before came', async () => {
  const { port, ends } = await serveWebSocket({ messageTimeout: 400, idleTimeout: 0 });
  const peer = await dialWebSocket(port);
  // Three messages, all of which begin in the chunk that ends the one before: 600 ms in all.
  const bytes = Buffer.concat([textFrame(5), textFrame(5), textFrame(5), textFrame(5)]);
  for (let at = 0; at < bytes.length; at += 8) {
    await peer.send(bytes.subarray(at, at + 8));
    await delay(100);
  }
  await peer.saw(/(x{5}\W*){4}/);
  expect(ends).toEqual([]);
});

test('what has come of unfinished messages counts for maxPendingBytes, and is forgotten when they are whole', async () => {
  const { server, port, ends } = await serveWebSocket();
  const peers = await Promise.all([1, 2, 3].map(() => dialWebSocket(port)));
  const frame = textFrame(50_000);
  for (const peer of peers) await peer.send(frame.subarray(0, 40_000));
  await until(() => server.pendingBytes === 120_000);
  for (const peer of peers) await peer.send(frame.subarray(40_000));
  for (const peer of peers) await peer.sawBytes(50_000);
  await until(() => server.pendingBytes === 0);
  expect(ends).toEqual([]);
});

test('above maxPendingBytes whoever has begun the longest one is broken off', async () => {
  const { server, port, ends } = await serveWebSocket({ maxPendingBytes: 100_000 });
  const [small, large, last] = await Promise.all([1, 2, 3].map(() => dialWebSocket(port)));
  await small?.send(textFrame(60_000).subarray(0, 20_000));
  await large?.send(textFrame(60_000).subarray(0, 45_000));
  await until(() => server.pendingBytes === 65_000);
  await last?.send(textFrame(60_000).subarray(0, 40_000));
  await until(() => ends.length === 1);
  expect(ends).toEqual(['YODEL_TOO_MANY_PENDING_BYTES']);
  expect(server.pendingBytes).toBe(60_000);
});
