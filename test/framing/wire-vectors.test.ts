/** Real protocols: their bytes in any chunks become messages, and the messages become their bytes again. */
import { describe, expect, it } from 'vitest';
import { type DecoderOptions, decodeChunk, type Framing } from '../../src/framing/framing.ts';
import { Message } from '../../src/framing/message.ts';
import { parseFraming } from '../../src/framing/notation.ts';
import { openConversation, type Protocol } from '../../src/framing/protocol.ts';
import { protocolNamed } from '../../src/framing/protocols/protocols.ts';
import { type Chunking, cut, inOneChunk } from './chunking.ts';
import { show } from './outcome.ts';
import { assemble, frameOf } from './wire-vectors/assemble.ts';
import {
  bytesOf,
  type WireConversation,
  type WireMessage,
  wireConversations,
  wireVectors,
} from './wire-vectors/read.ts';

describe.each(wireVectors())('$protocol $direction: $source', (vector) => {
  it('has the bytes that its headers and payloads make, by the rules of the protocol', () => {
    const made = assemble(vector);
    const differs = made.findIndex((byte, index) => byte !== vector.bytes[index]);
    expect({ length: made.length, differs }).toEqual({ length: vector.bytes.length, differs: -1 });
    expect(vector.messages.length).toBeGreaterThan(0);
  });
});

/** How each protocol of the vectors is named or framed here. */
const wires: Readonly<Record<string, string | { readonly framing: string }>> = {
  amqp: 'amqp',
  bgp: 'bgp',
  cobs: { framing: 'cobs' },
  dap: { framing: 'headers' },
  'dle-stx': { framing: 'between:\\x10\\x02,\\x10\\x03,escape=\\x10' },
  dns: 'dns',
  fix: 'fix',
  ftp: 'ftp',
  gt06: 'gt06',
  'iso8583-bcd': { framing: 'length:2,bcd' },
  'iso8583-binary': 'iso8583',
  'iso8583-digits': { framing: 'length:4,digits' },
  kafka: 'kafka',
  lines: { framing: 'lines' },
  lsp: 'lsp',
  mcp: { framing: 'headers' },
  memcached: 'memcached',
  'memcached-binary': 'memcached-binary',
  mllp: 'mllp',
  modbus: 'modbus',
  mongodb: 'mongodb',
  mqtt: 'mqtt',
  mysql: 'mysql',
  netstring: { framing: 'netstring' },
  nmea: 'nmea',
  nntp: 'nntp',
  pop3: 'pop3',
  postgres: 'postgres',
  'protobuf-delimited': 'protobuf',
  resp2: 'redis',
  'resp2-inline': 'redis',
  resp3: 'redis',
  slip: { framing: 'slip' },
  smpp: 'smpp',
  smtp: 'smtp',
  stomp: 'stomp',
  'stx-etx': { framing: 'between:\\x02,\\x03' },
  'syslog-lf': { framing: 'lines' },
  'syslog-mixed': 'syslog',
  'syslog-nul': { framing: 'delimiter:\\0' },
  'syslog-nul-or-lf': { framing: 'delimiters:\\0,\\n' },
  'syslog-octet-counted': { framing: 'octet-counted' },
  tpkt: 'tpkt',
  'tracker-text': { framing: 'delimiters:#,\\r\\n' },
  tsip: { framing: 'between:\\x10,\\x10\\x03,escape=\\x10' },
};

/** Their frames leave no choice, so that an encoder must write the same ones. */
const hasChoice = new Set([
  'dap',
  'lines',
  'lsp',
  'mcp',
  'nmea',
  'stomp',
  'syslog-lf',
  'syslog-mixed',
  'syslog-nul-or-lf',
  'tracker-text',
]);

function protocolOf(name: string): Protocol {
  const wire = wires[name];
  if (wire === undefined) throw new Error(`how is ${name} framed?`);
  if (typeof wire === 'string') return protocolNamed(wire);
  const framing: Framing = parseFraming(wire.framing);
  return { framing, replyFraming: framing, encoding: 'binary' };
}

const options: DecoderOptions = { maxMessageLength: 4_194_304, onTooLong: 'close', encoding: 'binary' };
const sizes: readonly Chunking[] = [[1], [2], [3], [5], [7], [64, 1, 2], [1, Number.POSITIVE_INFINITY], inOneChunk];
/** For streams of megabytes. */
const largeSizes: readonly Chunking[] = [[1, 2, 3, 65_536], [16_384], inOneChunk];

interface Turn {
  readonly from: 'requests' | 'replies';
  readonly message: WireMessage;
}

/** What both ends receive when they send their frames in turn, cut into chunks, and the frames of the messages. */
function converse(protocol: Protocol, turns: readonly (Turn & { readonly frame: Uint8Array })[], chunking: Chunking) {
  const ends = {
    requests: openConversation(protocol, 'client', options),
    replies: openConversation(protocol, 'server', options),
  };
  const messages: string[] = [];
  const frames: Uint8Array[] = [];
  for (const [from, bytes] of runsOf(turns)) {
    const [sender, receiver] = from === 'requests' ? [ends.requests, ends.replies] : [ends.replies, ends.requests];
    for (const chunk of cut(bytes, chunking)) {
      sender.sent?.(chunk);
      for (const batch of decodeChunk(receiver.decoder, chunk)) {
        if (batch.fault) throw batch.fault;
        for (const message of batch) messages.push(`${show(message.header)} | ${show(message.bytes)}`);
        frames.push(...Array.from(batch.slices, (slice) => Buffer.from(slice)));
      }
    }
  }
  for (const { decoder } of Object.values(ends)) {
    expect(decoder.pending).toBe(0);
    const { fault } = decoder.end();
    if (fault) throw fault;
  }
  return { messages, frames: Buffer.concat(frames) };
}

/** What each end sends before the other one speaks. */
function runsOf(turns: readonly (Turn & { readonly frame: Uint8Array })[]): [Turn['from'], Buffer][] {
  const runs: { from: Turn['from']; frames: Uint8Array[] }[] = [];
  for (const { from, frame } of turns) {
    if (runs.at(-1)?.from === from) runs.at(-1)?.frames.push(frame);
    else runs.push({ from, frames: [frame] });
  }
  return runs.map(({ from, frames }) => [from, Buffer.concat(frames)]);
}

const conversations: WireConversation[] = [
  ...wireConversations(),
  ...wireVectors()
    .filter(({ conversation }) => conversation === undefined)
    .map((vector) => ({
      protocol: vector.protocol,
      name: `${vector.direction} of ${vector.source}`,
      requests: vector.direction === 'requests' ? vector : undefined,
      replies: vector.direction === 'replies' ? vector : undefined,
      turns: vector.messages.map((message) => ({ from: vector.direction, message })),
    })),
];

// WebSocket is the framing of its connections: wire-websocket.test.ts.
describe.each(conversations.filter(({ protocol }) => protocol !== 'websocket'))(
  '$protocol, $name',
  ({ protocol: name, turns }) => {
    const protocol = protocolOf(name);
    const due = turns.map(({ message }) => `${show(message.header ?? Buffer.alloc(0))} | ${show(message.payload)}`);
    const sent = turns.map((turn) => ({ ...turn, frame: frameOf(name, turn.message) }));
    const bytes = Buffer.concat(sent.map(({ frame }) => frame));
    /** With the bytes that belong to no frame. */
    const streamed = sent.map((turn) => ({ ...turn, frame: Buffer.concat([turn.message.before, turn.frame]) }));

    it('gives the same messages in any chunks, in frames that are the bytes', () => {
      for (const chunking of bytes.length < 200_000 ? sizes : largeSizes) {
        const { messages, frames } = converse(protocol, streamed, chunking);
        expect(messages, `in chunks of ${chunking}`).toEqual(due);
        expect(frames.equals(bytes), `frames in chunks of ${chunking}`).toBe(true);
      }
    });

    it.runIf(bytes.length < 3000)('gives the same messages when what an end sends is cut in two at any byte', () => {
      const longest = Math.max(...runsOf(streamed).map(([, run]) => run.length));
      for (let at = 1; at < longest; at++) {
        expect(converse(protocol, streamed, [at, Number.POSITIVE_INFINITY]).messages, `cut at ${at}`).toEqual(due);
      }
    });

    it('is encoded again to frames that give the same messages', () => {
      const ends = {
        requests: openConversation(protocol, 'client', options),
        replies: openConversation(protocol, 'server', options),
      };
      const encoded = turns.map(({ from, message }) => {
        const [sender, receiver] = from === 'requests' ? [ends.requests, ends.replies] : [ends.replies, ends.requests];
        const parts = Message.of(message.payload, message.header && { header: message.header });
        const frame = sender.encoder.encode(message.payload, sender.encoder.shapeOf(parts));
        sender.sent?.(frame);
        for (const batch of decodeChunk(receiver.decoder, frame)) void batch;
        return { from, message, frame };
      });
      expect(converse(protocol, encoded, inOneChunk).messages).toEqual(due);
      if (hasChoice.has(name)) return;
      for (const [index, { frame }] of encoded.entries()) expect(show(frame)).toBe(show(sent[index]?.frame as Buffer));
    });
  },
);

describe('the notation of bytes', () => {
  it('has hex, quoted text and repetitions', () => {
    expect(bytesOf("0d0a 'a b'*2 ff*3 0102*2")).toEqual(
      Buffer.from('\r\na ba b\xff\xff\xff\x01\x02\x01\x02', 'latin1'),
    );
    expect(bytesOf('')).toEqual(Buffer.alloc(0));
    expect(() => bytesOf('0')).toThrow('not bytes: 0');
    expect(() => bytesOf("00 'open")).toThrow("not bytes:  'open");
  });
});

describe.each(wireConversations())('$protocol, $name', ({ requests, replies }) => {
  it('numbers the messages of each direction in their order, and no two alike', () => {
    const [there, back] = [requests, replies].map((vector) => vector?.messages.map(({ turn }) => turn ?? -1) ?? []);
    for (const turns of [there, back]) expect(turns).toEqual([...(turns ?? [])].sort((a, b) => a - b));
    const all = [...(there ?? []), ...(back ?? [])];
    expect(all.length - new Set(all).size).toBe(0);
    expect(Math.min(...all)).toBeGreaterThanOrEqual(0);
  });
});
