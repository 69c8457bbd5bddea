/** Handlers that compute: one session with many messages, and another one with a single message. */
import { expect, it, onTestFinished } from 'vitest';
import type { Address } from '../../src/address.ts';
import { lines } from '../../src/framing/delimited/lines.ts';
import type { Decoder, Framing } from '../../src/framing/framing.ts';
import { serve } from '../../src/server/server.ts';
import type { Handler } from '../../src/session/handler.ts';
import { Peer } from '../../src/testing/peer.ts';
import { memoryTransport } from '../../src/transport/memory.ts';

const slow = 200;
let handled = 0;

function answer(text: string): string {
  if (text === 'hello') return `${text} after ${handled}`;
  handled++;
  for (const end = performance.now() + 1; performance.now() < end; );
  return text;
}

const handlers: [string, Handler][] = [
  ['a synchronous one', ({ text }) => answer(text)],
  ['one whose promises are resolved at once', async ({ text }) => answer(text)],
];

it.each(handlers)(
  'a handler that takes long for many messages does not keep others waiting for all of them: %s',
  async (_, handler) => {
    handled = 0;
    const transport = memoryTransport();
    const server = await serve({ transport, handler });
    onTestFinished(() => server.close({ timeoutMs: 0 }));
    const connect = async () => new Peer(await transport.connect(server.addresses[0] as Address));
    const [busy, other] = [await connect(), await connect()];
    busy.connection.write(Buffer.from('slow\n'.repeat(slow)));
    other.connection.write(Buffer.from('hello\n'));
    await other.until(() => other.lines.length === 1);
    const [, before = ''] = /^hello after (\d+)$/.exec(other.lines[0] as string) ?? [];
    expect(Number(before)).toBeLessThan(slow / 2);
    await busy.until(() => busy.lines.length === slow);
    expect(new Set(busy.lines)).toEqual(new Set(['slow']));
  },
);

/** A server that discards messages above one byte. */
async function serveShort(handler: Handler, framing: Framing = lines()) {
  const transport = memoryTransport();
  const server = await serve({ transport, handler, framing, maxMessageLength: 1, onTooLong: 'discard' });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const connect = async () => new Peer(await transport.connect(server.addresses[0] as Address));
  return { server, connect };
}

/** Lines, and how often a decoder of them was called. */
function countedLines(): { readonly framing: Framing; readonly calls: () => number } {
  const framing = lines();
  let calls = 0;
  const counted = (decoder: Decoder): Decoder => ({
    decode(chunk) {
      calls++;
      return decoder.decode(chunk);
    },
    end: () => decoder.end(),
    get pending() {
      return decoder.pending;
    },
  });
  const createDecoder: Framing['createDecoder'] = (options) => counted(framing.createDecoder(options));
  return { framing: Object.create(framing, { createDecoder: { value: createDecoder } }), calls: () => calls };
}

it('a chunk of very many messages to discard does not keep others waiting until all of it is decoded', async () => {
  const tooLong = 20_000;
  const { framing, calls } = countedLines();
  let before = Number.POSITIVE_INFINITY;
  const handler: Handler = () => {
    before = calls();
    return 'served';
  };
  const { connect } = await serveShort(handler, framing);
  const [busy, other] = [await connect(), await connect()];
  busy.connection.write(Buffer.from('xx\n'.repeat(tooLong)));
  other.connection.write(Buffer.from('?\n'));
  await other.until(() => other.lines.length === 1);
  expect(before).toBeLessThan(tooLong / 2);
});

it.each<[string, Handler]>([
  ['a synchronous handler', ({ text }) => text],
  ['an asynchronous one', async ({ text }) => text],
  ['one of batches', { batch: (batch) => batch }],
])(
  'messages and those that are discarded are answered in order, also after the end of the client: %s',
  async (_, handler) => {
    const { server, connect } = await serveShort(handler);
    const peer = await connect();
    const texts = Array.from({ length: 3000 }, (_, n) => (n % 3 === 1 ? `${n % 10}` : 'xx'));
    const bytes = Buffer.from(`${texts.join('\n')}\n`);
    const third = Math.floor(bytes.length / 3);
    for (const [from, to] of [
      [0, third],
      [third, third + 1],
      [third + 1, bytes.length],
    ]) {
      peer.connection.write(bytes.subarray(from, to));
    }
    peer.connection.end();
    const expected = texts.map((text, n) => {
      return text === 'xx' ? `error: message ${n + 1} is longer than the limit of 1 bytes` : text;
    });
    const size = expected.reduce((sum, text) => sum + text.length + 1, 0);
    await peer.until(() => peer.size >= size);
    expect(peer.lines).toEqual(expected);
    await peer.until(() => server.sessions.size === 0);
    expect(server.pendingBytes).toBe(0);
  },
);
