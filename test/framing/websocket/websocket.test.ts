/** The frames of RFC 6455: against a naive model, in every chunking, and at their limits. */
import { isUtf8 } from 'node:buffer';
import { afterAll, describe, expect, test } from 'vitest';
import { type DecoderOptions, decodeChunk, encode } from '../../../src/framing/framing.ts';
import { Message } from '../../../src/framing/message.ts';
import { closePayload, closeReason } from '../../../src/framing/websocket/close.ts';
import type { Masking } from '../../../src/framing/websocket/decoder.ts';
import { controlFrame, websocket, websocketClient, websocketDecoder } from '../../../src/framing/websocket.ts';
import { fc } from '../../support/fast-check.ts';
import { anyChunking, cut } from '../chunking.ts';

fc.configureGlobal({ numRuns: 70 });
// Other files run in the same process.
afterAll(() => fc.resetConfigureGlobal());

interface Frame {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly payload: Buffer;
  readonly key?: number | undefined;
}

/** The frame's bytes, built in the plainest way. */
function bytesOf({ opcode, isFinal, payload, key }: Frame): Buffer {
  const { length } = payload;
  const header = [(isFinal ? 0x80 : 0) | opcode];
  const mask = key === undefined ? 0 : 0x80;
  if (length < 126) header.push(mask | length);
  else if (length < 65_536) header.push(mask | 126, length >> 8, length & 255);
  else header.push(mask | 127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255);
  if (key === undefined) return Buffer.concat([Buffer.from(header), payload]);
  const keyBytes = Buffer.alloc(4);
  keyBytes.writeUInt32BE(key);
  const masked = payload.map((byte, at) => byte ^ (keyBytes[at % 4] as number));
  return Buffer.concat([Buffer.from(header), keyBytes, masked]);
}

/** What frames mean: an event for each message, ping, close and fault. */
function model(frames: readonly Frame[], { maxMessageLength, onTooLong }: DecoderOptions): string[] {
  const events: string[] = [];
  let parts: Buffer[] | undefined;
  let isText = false;
  let isSkipping = false;
  let number = 0;
  for (const { opcode, isFinal, payload } of frames) {
    if (opcode === 9) events.push(`ping: ${payload.toString('hex')}`);
    if (opcode === 8) {
      events.push('close');
      return events;
    }
    if (opcode >= 8) continue;
    if (opcode !== 0) {
      parts = [];
      isText = opcode === 1;
    }
    if (!isSkipping) {
      parts?.push(payload);
      const size = parts?.reduce((sum, part) => sum + part.length, 0) ?? 0;
      if (size > maxMessageLength) {
        events.push(`YODEL_MESSAGE_TOO_LONG ${++number}`);
        if (onTooLong === 'close') return events;
        isSkipping = true;
      }
    }
    if (!isFinal) continue;
    if (isSkipping) isSkipping = false;
    else {
      const message = Buffer.concat(parts ?? []);
      number++;
      if (isText && !isUtf8(message)) {
        events.push(`YODEL_INVALID_UTF8 ${number}`);
        return events;
      }
      events.push(`${isText ? 'text' : 'binary'}: ${message.toString('hex')}`);
    }
  }
  return events;
}

/** Decodes as a socket that reads into one buffer again and again. */
function decodeAll(
  masking: Masking,
  options: DecoderOptions,
  chunks: readonly Uint8Array[],
  /** The chunk before which the decoder is told that no more messages are wanted. */
  dropsBefore = chunks.length,
): string[] {
  const events: string[] = [];
  const decoder = websocketDecoder(masking, options, {
    pinged: (data) => void events.push(`ping: ${data.toString('hex')}`),
    closed: () => void events.push('close'),
  });
  const buffer = Buffer.alloc(Math.max(0, ...chunks.map(({ length }) => length)));
  for (const [index, chunk] of chunks.entries()) {
    if (index === dropsBefore) decoder.drop();
    buffer.set(chunk);
    for (const batch of decodeChunk(decoder, buffer.subarray(0, chunk.length))) {
      const slices = Buffer.concat(batch.slices);
      for (const message of batch) {
        events.push(`${message.kind}: ${Buffer.from(message.bytes).toString('hex')}`);
        if (message.kind === 'text') expect(message.text).toBe(Buffer.from(message.bytes).toString());
      }
      // The frames are those that a server would send, without anything between them.
      expect(slices).toEqual(Buffer.concat(Array.from(batch, (message) => encode(websocket, message.copy()))));
      if (batch.fault) events.push(`${batch.fault.code} ${/message (\d+)/.exec(batch.fault.message)?.[1]}`);
    }
    buffer.fill(0xee);
    if (index < dropsBefore) continue;
    events.push('dropped');
    expect([decoder.pending, decoder.memory]).toEqual([0, 0]);
  }
  return events;
}

/** Control frames are passed on while a chunk is decoded, before its messages are handled: their order is not compared. */
function sorted(events: readonly string[]): string[] {
  const isControl = (event: string) => event.startsWith('ping') || event === 'close';
  return [...events.filter((event) => !isControl(event)), ...events.filter(isControl)];
}

const anyKey = fc.integer({ min: 0, max: 0xffff_ffff });
const anyPayload = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: fc.constantFrom('x', 'é', '烫', '😀', ' '), maxLength: 30 }) },
  { weight: 2, arbitrary: fc.nat(600).map((size) => 'a'.repeat(size)) },
  { weight: 1, arbitrary: fc.constantFrom(124, 125, 126, 127).map((size) => 'b'.repeat(size)) },
);
const anyMessage = fc.record({
  payload: fc.oneof(
    { weight: 8, arbitrary: anyPayload.map((text) => Buffer.from(text)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) },
  ),
  isText: fc.boolean(),
  /** Where it is cut into fragments. */
  cuts: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(fc.nat(40), { maxLength: 3 }) },
  ),
  pings: fc.array(fc.uint8Array({ maxLength: 5 }), { maxLength: 2 }),
});
const anyStream = fc.record({
  messages: fc.array(anyMessage, { maxLength: 8 }),
  closes: fc.boolean(),
  keys: fc.array(anyKey, { minLength: 1, maxLength: 5 }),
});
const anyOptions: fc.Arbitrary<DecoderOptions> = fc.record({
  maxMessageLength: fc.oneof(fc.constant(70_000), fc.integer({ min: 0, max: 130 })),
  onTooLong: fc.constantFrom('close', 'discard'),
  encoding: fc.constantFrom('utf8', 'binary'),
});

interface Stream {
  readonly messages: readonly {
    readonly payload: Buffer;
    readonly isText: boolean;
    readonly cuts: readonly number[];
    readonly pings: readonly Uint8Array[];
  }[];
  readonly closes: boolean;
  readonly keys: readonly number[];
}

function framesOf({ messages, closes, keys }: Stream, isMasked: boolean): Frame[] {
  const frames: Frame[] = [];
  const add = (frame: Frame) => frames.push(isMasked ? { ...frame, key: keys[frames.length % keys.length] } : frame);
  for (const { payload, isText, cuts, pings } of messages) {
    const ends = [...cuts.map((at) => Math.min(at, payload.length)).sort((a, b) => a - b), payload.length];
    ends.forEach((end, index) => {
      const part = payload.subarray(ends[index - 1] ?? 0, end);
      add({ opcode: index === 0 ? (isText ? 1 : 2) : 0, isFinal: index === ends.length - 1, payload: part });
      const ping = pings[index];
      if (ping) add({ opcode: 9, isFinal: true, payload: Buffer.from(ping) });
    });
  }
  if (closes) add({ opcode: 8, isFinal: true, payload: closePayload(1000, 'bye') });
  return frames;
}

describe.each([
  ['a client sends', 'masked', true],
  ['a server sends', 'unmasked', false],
  ['either sends', 'either', true],
  ['either sends, unmasked', 'either', false],
] as const)('what %s', (_, masking, isMasked) => {
  test('is decoded as the model says, however it is split', () => {
    fc.assert(
      fc.property(anyStream, anyOptions, anyChunking, (stream, options, chunking) => {
        const frames = framesOf(stream, isMasked);
        const chunks = cut(Buffer.concat(frames.map(bytesOf)), chunking);
        expect(sorted(decodeAll(masking, options, chunks))).toEqual(sorted(model(frames, options)));
      }),
    );
  });

  test('is not decoded any more when no more messages are wanted, except pings and the close', () => {
    fc.assert(
      fc.property(anyStream, fc.nat(20), anyChunking, (stream, dropsBefore, chunking) => {
        const frames = framesOf(
          { ...stream, messages: stream.messages.map((one) => ({ ...one, isText: false })) },
          isMasked,
        );
        const options = { maxMessageLength: 70_000, onTooLong: 'close', encoding: 'binary' } as const;
        const chunks = cut(Buffer.concat(frames.map(bytesOf)), chunking);
        const events = decodeAll(masking, options, chunks, dropsBefore);
        const isControl = (event: string) => event.startsWith('ping') || event === 'close';
        expect(events.filter(isControl)).toEqual(model(frames, options).filter(isControl));
        const dropped = events.indexOf('dropped');
        if (dropped >= 0) expect(events.slice(dropped).filter((event) => event.startsWith('binary'))).toEqual([]);
      }),
    );
  });

  test('is decoded alike in every chunking, even if it is damaged', () => {
    const damage = fc.array(fc.record({ at: fc.nat(60), byte: fc.nat(255) }), { maxLength: 3 });
    fc.assert(
      fc.property(anyStream, damage, anyOptions, anyChunking, (stream, damages, options, chunking) => {
        const bytes = Buffer.concat(framesOf(stream, isMasked).map(bytesOf));
        for (const { at, byte } of damages) if (at < bytes.length) bytes[at] = byte;
        const whole = decodeAll(masking, options, bytes.length > 0 ? [bytes] : []);
        expect(sorted(decodeAll(masking, options, cut(bytes, chunking)))).toEqual(sorted(whole));
      }),
    );
  });
});

test.each([65_535, 65_536, 300_000])('a message of %i bytes is decoded, however it is split', (size) => {
  const options = { maxMessageLength: 300_000, onTooLong: 'close', encoding: 'binary' } as const;
  const payload = Buffer.from(Array.from({ length: size }, (_, at) => at % 251));
  const small: Frame = { opcode: 1, isFinal: true, payload: Buffer.from('small') };
  const frames = [small, { opcode: 2, isFinal: true, payload }, small];
  for (const isMasked of [true, false]) {
    const masked = frames.map((frame) => (isMasked ? { ...frame, key: 0x01fe_02fd } : frame));
    const bytes = Buffer.concat(masked.map(bytesOf));
    for (const chunkSize of [1000, 65_536, bytes.length]) {
      const events = decodeAll(isMasked ? 'masked' : 'unmasked', options, cut(bytes, [chunkSize]));
      expect(events.join() === model(frames, options).join()).toBe(true);
    }
  }
});

describe('encoding', () => {
  const kinds = fc.constantFrom('text' as const, 'binary' as const);

  test('gives the plainest frame of the message, masked for a server', () => {
    fc.assert(
      fc.property(anyMessage, kinds, ({ payload }, kind) => {
        const message = Message.of(payload, { kind });
        const opcode = kind === 'text' && isUtf8(payload) ? 1 : 2;
        expect(encode(websocket, message)).toEqual(bytesOf({ opcode, isFinal: true, payload }));
        const frame = Buffer.from(encode(websocketClient, message));
        const key = frame.readUInt32BE(frame.length - payload.length - 4);
        expect(frame).toEqual(bytesOf({ opcode, isFinal: true, payload, key }));
      }),
    );
  });

  test('uses another key for each message, also for the frame of a server', () => {
    const options = { maxMessageLength: 100, onTooLong: 'close', encoding: 'binary' } as const;
    const [received] = websocket.createDecoder(options).decode(encode(websocket, 'hello'));
    const frames = [received, received, 'hello'].map((message) => encode(websocketClient, message ?? ''));
    const keys = frames.map((frame) => Buffer.from(frame.subarray(2, 6)).toString('hex'));
    expect(new Set(keys).size).toBe(3);
    for (const frame of frames) expect(frame.length).toBe(2 + 4 + 5);
  });

  test('of bytes without a kind is text if they are UTF-8', () => {
    expect(encode(websocket, Buffer.from('ä'))[0]).toBe(0x81);
    expect(encode(websocket, Buffer.from([0xff]))[0]).toBe(0x82);
    expect(encode(websocket, Message.of('ä', { kind: 'binary' }))[0]).toBe(0x82);
  });

  test('of a control frame is what the decoder passes on', () => {
    for (const isClient of [true, false]) {
      const pings: string[] = [];
      const options = { maxMessageLength: 100, onTooLong: 'close', encoding: 'binary' } as const;
      const control = { pinged: (data: Buffer) => void pings.push(data.toString()), closed: () => undefined };
      const decoder = websocketDecoder(isClient ? 'masked' : 'unmasked', options, control);
      decoder.decode(controlFrame(9, Buffer.from('are you there'), isClient));
      expect(pings).toEqual(['are you there']);
    }
  });
});

describe('a frame that is not allowed', () => {
  const options = { maxMessageLength: 100, onTooLong: 'close', encoding: 'binary' } as const;
  const client = (opcode: number, isFinal: boolean, size = 1) =>
    bytesOf({ opcode, isFinal, payload: Buffer.alloc(size, 'x'), key: 1 });
  const fragment = client(1, false);
  const eightBytes = (high: number, low: number) => {
    const header = Buffer.from('82ff0000000000000000c0ffee00', 'hex');
    header.writeUInt32BE(high, 2);
    header.writeUInt32BE(low, 6);
    return header;
  };
  const close = (...payload: number[]) => bytesOf({ opcode: 8, isFinal: true, payload: Buffer.from(payload), key: 1 });

  test.each<[string, Buffer, RegExp]>([
    ['a reserved bit', Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), /a reserved bit is set/],
    ['an unknown opcode', client(3, true), /opcode 3 is not defined/],
    ['an unknown control opcode', client(11, true), /opcode 11 is not defined/],
    ['no mask', bytesOf({ opcode: 1, isFinal: true, payload: Buffer.from('x') }), /is not masked/],
    [
      'a length of two bytes that fits one',
      Buffer.from([0x82, 0xfe, 0, 125, 0, 0, 0, 0]),
      /length 125 is not written in as few/,
    ],
    ['a length of eight bytes that fits two', eightBytes(0, 65_535), /length 65535 is not written in as few/],
    ['a length whose highest bit is set', eightBytes(0x8000_0000, 70_000), /the highest bit of a length/],
    [
      'a long length in a control frame',
      Buffer.from([0x89, 0xfe, 0, 1, 0, 0, 0, 0, 1]),
      /length 1 is not written in as few/,
    ],
    ['a fragmented ping', client(9, false), /a control frame is fragmented/],
    ['a long ping', client(9, true, 126), /a control frame has 126 bytes/],
    ['a continuation of nothing', client(0, true), /continues no message/],
    ['a message in a message', Buffer.concat([fragment, client(2, true)]), /before the one before it has ended/],
    ['a close frame of one byte', close(3), /a close frame has 1 byte/],
    ['a close code that means a missing one', close(3, 237), /1005 must not be sent/],
    ['a close code below 1000', close(3, 0), /code 768 must not be sent/],
    ['a close reason that is not UTF-8', close(3, 232, 0xff), /reason of a close frame is not UTF-8/],
  ])('%s is a fault', (_, bytes, reason) => {
    for (const chunks of [[bytes], Array.from(bytes, (byte) => Buffer.of(byte))]) {
      const decoder = websocketDecoder('masked', options);
      const faults = chunks.flatMap((chunk) => [...decodeChunk(decoder, Buffer.from(chunk))].map(({ fault }) => fault));
      expect(faults.find((fault) => fault)).toMatchObject({
        code: 'YODEL_INVALID_FRAME',
        message: expect.stringMatching(reason),
      });
      expect(decoder.fault).toBeDefined();
    }
  });

  test('also in a client: a masked frame', () => {
    const { fault } = websocketDecoder('unmasked', options).decode(client(1, true));
    expect(fault?.message).toMatch(/a frame of a server is masked/);
  });
});

test('a message may have 1024 fragments, and no more', () => {
  for (const count of [1024, 1025]) {
    const options = { maxMessageLength: 10_000, onTooLong: 'discard', encoding: 'binary' } as const;
    const frames = Array.from({ length: count }, (_, index) =>
      bytesOf({ opcode: index === 0 ? 1 : 0, isFinal: index === count - 1, payload: Buffer.from('x'), key: 7 }),
    );
    const last = bytesOf({ opcode: 1, isFinal: true, payload: Buffer.from('next'), key: 7 });
    const decoder = websocketDecoder('masked', options);
    const batches = [...decodeChunk(decoder, Buffer.concat([...frames, last]))];
    const messages = batches.flatMap((batch) => Array.from(batch, ({ text }) => text));
    expect(messages).toEqual(count === 1024 ? ['x'.repeat(1024), 'next'] : ['next']);
    const faults = batches.flatMap(({ fault }) => (fault ? [fault.message] : []));
    expect(faults).toEqual(count === 1024 ? [] : ['message 1 has more than 1024 fragments']);
  }
});

test('a close reason is cut at a character', () => {
  const payload = closePayload(1008, 'é'.repeat(100));
  expect(payload.length).toBe(124);
  expect(closeReason(payload)).toEqual({ code: 1008, text: 'é'.repeat(61) });
});
