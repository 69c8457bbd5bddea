import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Batch, Message } from '../../../src/framing/message.ts';
import type { Handler } from '../../../src/session/handler.ts';
import { connectTo, serveOnSockets } from '../../server/sockets.ts';

/** Messages that are different for each connection, and longer than a chunk: each is assembled in a buffer that is reused. */
function longLines(connection: number): Buffer {
  const lines = Array.from({ length: 6 }, (_, n) => {
    const text = randomBytes(40_000 + 70_000 * ((n + connection) % 4)).toString('hex');
    return `${connection}:${n}:${text}\nshort\n`;
  });
  return Buffer.from(lines.join(''));
}

/** Several clients of an echo server each get their own bytes back, although they all send at once. */
async function expectOwnBytesBack(handler: Handler): Promise<void> {
  const server = await serveOnSockets({ handler, maxMessageLength: 1_000_000 });
  const peers = await Promise.all(Array.from({ length: 6 }, () => connectTo(server)));
  const sent = peers.map((_, n) => longLines(n));
  for (const [n, peer] of peers.entries()) {
    const bytes = sent[n] as Buffer;
    for (let at = 0; at < bytes.length; at += 30_011) peer.connection.write(bytes.subarray(at, at + 30_011));
  }
  for (const [n, peer] of peers.entries()) {
    const bytes = sent[n] as Buffer;
    await peer.until(() => peer.size >= bytes.length);
    expect(peer.received.equals(bytes)).toBe(true);
  }
}

describe('messages longer than a chunk, of many clients at once,', () => {
  it('come back as they were when a batch is sent back', async () => {
    await expectOwnBytesBack({ batch: (batch) => batch });
  });

  it('come back as they were when messages of a batch are sent back', async () => {
    await expectOwnBytesBack({ batch: (batch: Batch) => [...batch] });
  });

  it('come back as they were when a batch is sent back later', async () => {
    await expectOwnBytesBack({
      async batch(batch: Batch) {
        await new Promise((resolve) => setImmediate(resolve));
        return batch;
      },
    });
  });

  it('stay as they were when a handler keeps them', async () => {
    const kept: Message[] = [];
    await expectOwnBytesBack((message: Message) => {
      kept.push(message);
      return message;
    });
    const long = kept.filter(({ size }) => size > 5);
    expect(long).toHaveLength(36);
    for (const { text } of long) expect(text).toMatch(/^\d:\d:[0-9a-f]+$/);
    expect(new Set(long.map(({ text }) => text)).size).toBe(36);
  });
});
