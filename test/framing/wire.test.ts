/** Every protocol of the wire vectors is framed exactly: bytes in any chunks, messages with header and payload, the same bytes. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeChunk, encode, type Framing } from '../../src/framing/framing.ts';
import { Message } from '../../src/framing/message.ts';
import { parseFraming } from '../../src/framing/notation.ts';
import { openConversation, type Protocol } from '../../src/framing/protocol.ts';
import { protocolNamed } from '../../src/framing/protocols/protocols.ts';
import {
  type WireConversation,
  type WireMessage,
  type WireVector,
  wireConversations,
  wireVectors,
} from './wire-vectors/read.ts';

/** The framing of each protocol of the vectors that has no name, or another one. */
const notations: Readonly<Record<string, string>> = {
  lines: 'lines',
  netstring: 'netstring',
  slip: 'slip',
  cobs: 'cobs',
  resp2: 'resp',
  resp3: 'resp',
  'resp2-inline': 'resp',
  'iso8583-binary': 'length:2',
  'iso8583-digits': 'length:4,digits',
  'iso8583-bcd': 'length:2,bcd',
  'protobuf-delimited': 'length:varint',
  'stx-etx': 'between:\\x02,\\x03',
  'dle-stx': 'between:\\x10\\x02,\\x10\\x03,escape=\\x10',
  tsip: 'between:\\x10,\\x10\\x03,escape=\\x10',
  'syslog-lf': 'lines',
  'syslog-octet-counted': 'octet-counted',
  'syslog-mixed': 'octet-counted:mixed',
  'syslog-nul': 'delimiter:\\0',
  'syslog-nul-or-lf': 'delimiters:\\0,\\n',
  'tracker-text': 'delimiters:#,\\r\\n',
};

function protocolOf(name: string): Protocol {
  const notation = notations[name];
  if (notation === undefined) return protocolNamed(name);
  const framing = parseFraming(notation);
  return { framing, replyFraming: framing, encoding: 'binary' };
}

const options = { maxMessageLength: 4_000_000, onTooLong: 'close', encoding: 'binary' } as const;
const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

/** Mails and articles are messages without the dots that hide dots, and without the line that ends them. */
function payloadOf(protocol: string, direction: string, { payload }: WireMessage): string {
  const text = latin1(payload);
  const isText = ['smtp', 'nntp'].includes(protocol) && direction === 'requests' && /(?:^|\r\n)\.$/.test(text);
  return isText ? text.replace(/(?:^|\r\n)\.$/, '').replace(/^\./gm, '') : text;
}

function shown(header: Uint8Array | undefined, payload: string): string {
  return `${latin1(header ?? Buffer.alloc(0))}|${payload}`;
}

/** The messages of a vector. Heart-beats of STOMP are empty messages. */
function expectedOf({ protocol, direction, messages, rest }: WireVector): string[] {
  const beatsIn = (bytes: Buffer) => (protocol === 'stomp' ? (latin1(bytes).match(/\r?\n/g) ?? []).map(() => '|') : []);
  const all = messages.flatMap((message) => [
    ...beatsIn(message.before),
    shown(message.header, payloadOf(protocol, direction, message)),
  ]);
  return [...all, ...beatsIn(rest)];
}

/** Decodes in chunks of these sizes. Returns the messages and their frames. */
function decodeIn(framing: Framing, bytes: Buffer, sizes: readonly number[]): { messages: string[]; frames: string } {
  const decoder = framing.createDecoder(options);
  const messages: string[] = [];
  let frames = '';
  let turn = 0;
  const batches = function* () {
    for (let at = 0; at < bytes.length; ) {
      const chunk = Buffer.from(bytes.subarray(at, at + (sizes[turn++ % sizes.length] as number)));
      at += chunk.length;
      yield* decodeChunk(decoder, chunk);
    }
    yield decoder.end();
  };
  for (const batch of batches()) {
    for (const message of batch) {
      messages.push(shown(message.header, latin1(message.bytes)));
      frames += latin1(message.frame);
    }
    if (batch.fault) messages.push(batch.fault.message);
  }
  return { messages, frames };
}

const anySizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 2000 })), {
  minLength: 1,
  maxLength: 8,
});

const isKnown = (name: string) => {
  try {
    return protocolOf(name) !== undefined;
  } catch {
    return false;
  }
};
/** Protocols whose directions depend on each other are tested in whole conversations. */
const isAlone = ({ protocol, conversation }: WireVector) =>
  conversation === undefined || protocolOf(protocol).createState === undefined;

describe.each(wireVectors().filter((one) => isKnown(one.protocol) && isAlone(one)))(
  '$protocol $direction: $source',
  (vector) => {
    const { protocol, direction, bytes, rest } = vector;
    const { framing: requests, replyFraming: replies } = protocolOf(protocol);
    const framing = direction === 'requests' ? requests : replies;

    it('has its messages, in any chunks, and their frames are its bytes', () => {
      const expected = expectedOf(vector);
      // Bytes between frames that belong to no message.
      const dropped = protocol === 'stomp' ? 0 : vector.messages.reduce((sum, { before }) => sum + before.length, 0);
      fc.assert(
        fc.property(anySizes, (sizes) => {
          const { messages, frames } = decodeIn(framing, bytes, sizes);
          expect(messages).toEqual(expected);
          expect(frames.length).toBe(bytes.length - (protocol === 'stomp' ? 0 : rest.length) - dropped);
          if (dropped === 0) expect(frames === latin1(bytes.subarray(0, frames.length))).toBe(true);
        }),
        { numRuns: 30 },
      );
    });

    it('has messages that are the same when they are encoded again', () => {
      for (const message of vector.messages) {
        const payload = payloadOf(protocol, direction, message);
        const header = message.header?.length ? message.header : undefined;
        const frame = encode(framing, Message.of(Buffer.from(payload, 'latin1'), { header }));
        expect(decodeIn(framing, Buffer.from(frame), [frame.length]).messages).toEqual([shown(header, payload)]);
      }
    });
  },
);

/**
 * Both ends talk; each message of the vectors is sent when its turn has come.
 *
 * @param limits how much of each end's bytes may be sent before the other's turn, in order; filled in if it is empty, for which
 *   the chunks must be of one byte
 */
function talk(
  protocol: Protocol,
  { requests, replies, turns }: WireConversation,
  sizes: readonly number[],
  limits: number[],
): string[] {
  const isFirst = limits.length === 0;
  const sent = { requests: 0, replies: 0 };
  let round = 0;
  const ends = {
    requests: openConversation(protocol, 'client', options),
    replies: openConversation(protocol, 'server', options),
  };
  const left = { requests: requests?.bytes ?? Buffer.alloc(0), replies: replies?.bytes ?? Buffer.alloc(0) };
  const arrived: string[] = [];
  let step = 0;
  for (const [index, { from }] of turns.entries()) {
    // All messages of one end up to the next of the other: what it may have sent in one write.
    if (turns[index + 1]?.from === from) continue;
    const count = turns.slice(0, index + 1).filter((turn) => turn.from === from).length;
    let seen = arrived.filter((one) => one.startsWith(from)).length;
    while (seen < count && left[from].length > 0) {
      const size = sizes[step++ % sizes.length] as number;
      const chunk = Buffer.from(
        left[from].subarray(0, isFirst ? 1 : Math.min(size, (limits[round] as number) - sent[from])),
      );
      sent[from] += chunk.length;
      left[from] = left[from].subarray(chunk.length);
      ends[from].sent?.(chunk);
      for (const batch of decodeChunk(ends[from === 'requests' ? 'replies' : 'requests'].decoder, chunk)) {
        for (const message of batch) arrived.push(`${from} ${shown(message.header, latin1(message.bytes))}`);
        if (batch.fault) return [...arrived, batch.fault.message];
      }
      seen = arrived.filter((one) => one.startsWith(from)).length;
    }
    if (isFirst) limits.push(sent[from]);
    round++;
  }
  return arrived;
}

describe.each(wireConversations().filter(({ protocol }) => isKnown(protocol) && protocolOf(protocol).createState))(
  '$protocol, $name',
  (conversation) => {
    it('has the messages of both ends, each in the order in which it was sent', () => {
      const { protocol, requests, replies } = conversation;
      const of = (vector: WireVector | undefined) =>
        vector ? expectedOf(vector).map((one) => `${vector.direction} ${one}`) : [];
      const limits: number[] = [];
      talk(protocolOf(protocol), conversation, [1], limits);
      fc.assert(
        fc.property(anySizes, (sizes) => {
          const arrived = talk(protocolOf(protocol), conversation, sizes, limits);
          expect(arrived.filter((one) => one.startsWith('requests'))).toEqual(of(requests));
          expect(arrived.filter((one) => !one.startsWith('requests'))).toEqual(of(replies));
        }),
        { numRuns: 30 },
      );
    });
  },
);
