/** A WebSocket's chunk that is several batches, of which only the first is handled at once: what follows it is in its place. */
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { serve } from '../../src/server/server.ts';
import { dialWebSocket, textFrame } from '../support/websocket-frames.ts';

test('chunks that arrive while one is handled batch by batch are decoded after it', async () => {
  const released = Promise.withResolvers<void>();
  const called = Promise.withResolvers<void>();
  await using server = await serve({
    listen: 'ws://127.0.0.1:0',
    onTooLong: 'discard',
    maxMessageLength: 100,
    async handler({ text }) {
      called.resolve();
      await released.promise;
      return text;
    },
  });
  onTestFinished(() => released.resolve());
  const { port } = server.addresses[0] as unknown as AddressInfo;
  const { socket } = await dialWebSocket(port);
  const pair = Buffer.concat([textFrame(5), textFrame(200)]);
  const all = Buffer.concat(Array.from({ length: 100 }, () => pair));
  // In the middle of a frame's payload, whose bytes could be taken for a header.
  const [first, second] = [50 * pair.length + 8, 70 * pair.length + 100];
  socket.write(all.subarray(0, first));
  await called.promise;
  socket.write(all.subarray(first, second));
  await expect.poll(() => server.counters.bytesReceived).toBe(second);
  socket.write(all.subarray(second));
  await expect.poll(() => server.counters.bytesReceived).toBe(all.length);
  released.resolve();
  await expect.poll(() => server.counters.messagesReceived).toBe(100);
  expect(server.counters.errors.get('YODEL_MESSAGE_TOO_LONG')).toBe(100);
  expect(server.sessions.size).toBe(1);
  socket.destroy();
});
