/** Faults between clients and a proxied server, in memory. */

import { describe, expect, it } from 'vitest';
import type { FramingText } from '../../../src/framing/notation.ts';
import { withFaults } from '../../../src/handlers/faults.ts';
import { proxy } from '../../../src/handlers/proxy.ts';
import { serve } from '../../../src/server/server.ts';
import { FakeClock } from '../../../src/testing/fake-clock.ts';
import { Peer } from '../../../src/testing/peer.ts';
import { settled } from '../../../src/testing/turns.ts';
import { memoryTransport } from '../../../src/transport/memory.ts';
import { fc } from '../../support/fast-check.ts';

const noLimits = { idleTimeout: 0, messageTimeout: 0, drainTimeout: 0, lingerTimeout: 1 } as const;

/** A client, a proxy with faults, and a server that sends back every byte as it comes; all of them in memory. */
async function proxied(faults: readonly string[], { framing = 'lines' as FramingText, chunkSize = 0, seed = 1 } = {}) {
  const clock = new FakeClock();
  const transport = memoryTransport(chunkSize > 0 ? { chunkSize } : {});
  const received: Buffer[] = [];
  const upstream = await serve({
    ...{ clock, transport, framing: 'raw', ...noLimits },
    handler: {
      batch: (batch) => {
        for (const slice of batch.slices) received.push(Buffer.from(slice));
        return batch;
      },
    },
  });
  const handler = withFaults(proxy(upstream.addresses[0] as never, { transport }), faults, { clock, seed });
  const between = await serve({ clock, transport, handler, framing, encoding: 'binary', ...noLimits, listen: 1 });
  const peer = new Peer(await transport.connect(between.addresses[0] as never));
  await settled();
  const close = async () => {
    const closing = Promise.all([between.close({ timeoutMs: 0 }), upstream.close({ timeoutMs: 0 })]);
    await clock.advance(10);
    await closing;
    await settled();
    expect([between.sessions.size, upstream.sessions.size, clock.waiting]).toEqual([0, 0, 0]);
  };
  return { clock, peer, close, between, upstream, received: () => Buffer.concat(received) };
}

/** Everything that the server and the client receive. */
async function exchanged(faults: readonly string[], input: Buffer, options: Parameters<typeof proxied>[1] = {}) {
  const { clock, peer, close, received } = await proxied(faults, options);
  peer.connection.write(input);
  peer.connection.end();
  // Longer than any fault delays anything here.
  for (let round = 0; round < 400 && !peer.ended && !peer.closed; round++) await clock.advance(25);
  const result = { server: received(), client: Buffer.from(peer.received) };
  await close();
  return result;
}

/** Faults that change when bytes arrive, and in which pieces, but not which. */
const lossless = fc.tuple(
  fc.constantFrom('request', 'reply', 'both'),
  fc.constantFrom('', '30% ', 'every 2 ', '50% of sessions ', 'after 20B ', '/a/ '),
  fc.oneof(
    fc.tuple(fc.nat(30), fc.nat(30)).map(([time, jitter]) => `latency ${time}ms±${jitter}ms`),
    fc.integer({ min: 2000, max: 100_000 }).map((rate) => `bandwidth ${rate}B/s`),
    fc
      .tuple(fc.integer({ min: 3, max: 50 }), fc.nat(2))
      .map(([size, more]) => `chunk ${size}${more ? `±${more}` : ''} 1ms`),
  ),
);
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));

describe('a proxy', () => {
  it('passes on the same bytes with any faults that lose nothing, however they arrive', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(lossless, { maxLength: 4 }),
        bytes,
        fc.constantFrom('lines', 'raw', 'delimiter:a'),
        fc.nat(20),
        async (faults, input, framing, chunkSize) => {
          const texts = faults.map(([direction, when, action]) => `${direction} ${when}${action}`);
          const { server, client } = await exchanged(texts, input, { framing, chunkSize });
          expect(server).toEqual(input);
          expect(client).toEqual(input);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('message faults never break a frame: what arrives is messages', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `message ${index}`);
    const frames = (texts: readonly string[]) =>
      Buffer.concat(texts.map((text) => Buffer.concat([Buffer.from([0, text.length]), Buffer.from(text)])));
    const actions = fc.constantFrom('drop', 'duplicate', 'reorder', 'corrupt', 'chunk 3');
    const fault = fc.tuple(fc.constantFrom('request', 'reply', 'both'), actions);
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { minLength: 1, maxLength: 3 }), fc.nat(1000), async (faults, seed) => {
        const texts = faults.map(([direction, action]) => `${direction} 30% ${action}`);
        const { server, client } = await exchanged(texts, frames(names), { framing: 'length:2', seed });
        for (const stream of [server, client]) {
          const messages = unframed(stream);
          if (texts.some((text) => text.includes('corrupt'))) continue;
          expect(messages.filter((text) => !names.includes(text))).toEqual([]);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('bytes of requests are shaped on their way to the server: pieces, and a cut within a message', async () => {
    const { peer, received, close } = await proxied(['request limit 10B'], { framing: 'length:2' });
    await peer.says(Buffer.from('\0\x04abcd\0\x06efghij'));
    expect(received().toString()).toBe('\0\x04abcd\0\x06ef');
    expect(peer.ended).toBe(true);
    await close();
  });

  it('in raw, limits and conditions on bytes do not depend on chunks', async () => {
    for (const chunkSize of [0, 1, 7]) {
      const options = { framing: 'raw' as const, chunkSize };
      const dropped = await exchanged(['request after 5B drop'], Buffer.from('0123456789'), options);
      expect(dropped.server.toString()).toBe('01234');
      const cut = await exchanged(['reply limit 3B'], Buffer.from('0123456789'), options);
      expect(cut.client.toString()).toBe('012');
    }
  });

  it('a black hole in either direction buffers nothing, and latency no more than its limit', async () => {
    const block = Buffer.from(`${'x'.repeat(1023)}\n`.repeat(512));
    for (const fault of ['request blackhole', 'reply blackhole']) {
      const { peer, between, close } = await proxied([fault]);
      for (let round = 0; round < 20; round++) await peer.says(block);
      expect(peer.connection.unsent).toBe(0);
      expect(between.pendingBytes).toBe(0);
      await close();
    }
    const { peer, clock, received, close } = await proxied(['request latency 1h']);
    for (let round = 0; round < 20; round++) await peer.says(block);
    // A queue of 1 MiB, a chunk, and what the session may have queued: the rest waits at the client.
    expect(peer.connection.unsent).toBeGreaterThan(8_000_000);
    expect(received().length).toBe(0);
    await clock.advance(3_600_000);
    expect(received().length).toBeGreaterThan(900_000);
    await close();
  });

  it('passes on messages that are longer than other handlers take', async () => {
    const input = Buffer.from(`${'x'.repeat(300_000)}\n`);
    const { server, client } = await exchanged([], input);
    expect([server.equals(input), client.equals(input)]).toEqual([true, true]);
  });

  it('a reset reaches both sides', async () => {
    const { peer, upstream, close } = await proxied(['request /^QUIT/ reset']);
    expect(await peer.says('a\n')).toBe('a\n');
    await peer.says('QUIT\n');
    // The reset waits until what came before it has been written.
    await close();
    expect(peer.error).toMatchObject({ code: 'ECONNRESET' });
    expect(upstream.sessions.size).toBe(0);
  });
});

function unframed(stream: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + 2 + stream.readUInt16BE(at);
    expect(end).toBeLessThanOrEqual(stream.length);
    texts.push(stream.toString('latin1', at + 2, end));
    at = end;
  }
  return texts;
}
