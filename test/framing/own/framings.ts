/** Own framings as programs write them, for the tests. */
import { type FramingDefinition, type FramingRule, invalidFrame, Message } from '../../../src/index.ts';

/** The same frames as `length:4`. */
export const prefixed: FramingDefinition = {
  name: 'prefixed',
  headerSize: 4,
  decode: (bytes, start) => (bytes.length < start + 4 ? 0 : start + 4 + bytes.readUInt32BE(start)),
  encode(payload) {
    const frame = Buffer.alloc(4 + payload.length);
    frame.writeUInt32BE(payload.length);
    frame.set(payload, 4);
    return frame;
  },
};

/** Text up to `|`, with a checksum of two digits before it. */
export const summed: FramingDefinition = {
  name: 'summed',
  trailerSize: 3,
  ending: '|',
  decode: (bytes, start) => bytes.indexOf('|', start) + 1,
  check(bytes, start, end) {
    const sum = sumOf(bytes.subarray(start, end - 3));
    const found = bytes.toString('latin1', end - 3, end - 1);
    if (sum !== found) throw invalidFrame(end - 3 - start, `the checksum is ${found}, and should be ${sum}`);
  },
  encode(payload) {
    if (payload.includes(0x7c)) throw new Error('it contains a bar');
    return Buffer.concat([payload, Buffer.from(`${sumOf(payload)}|`)]);
  },
};

function sumOf(bytes: Uint8Array): string {
  return (bytes.reduce((sum, byte) => sum + byte, 0) & 0xff).toString(16).padStart(2, '0');
}

/** Ends with 0x7e; 0x7d escapes it and itself, with bit 5 inverted. */
export const stuffed: FramingDefinition = {
  name: 'stuffed',
  trailerSize: 1,
  ending: Uint8Array.of(0x7e),
  maxFrameSize: (limit) => 2 * limit + 1,
  decode: (bytes, start) => bytes.indexOf(0x7e, start) + 1,
  payload(bytes, start, end) {
    const escaped = bytes.indexOf(0x7d, start);
    // Returns a part of the chunk where nothing is escaped, as a program would that copies no more than it must.
    if (escaped === -1 || escaped >= end) return bytes.subarray(start, end - 1);
    const payload: number[] = [];
    for (let at = start; at < end - 1; at++) {
      const byte = bytes[at] as number;
      if (byte !== 0x7d) payload.push(byte);
      else if (++at < end - 1) payload.push((bytes[at] as number) ^ 0x20);
      else throw invalidFrame(at - 1 - start, 'an escape without a byte');
    }
    return Uint8Array.from(payload);
  },
  encode: (payload) =>
    Uint8Array.from([
      ...Array.from(payload).flatMap((byte) => (byte === 0x7d || byte === 0x7e ? [0x7d, byte ^ 0x20] : [byte])),
      0x7e,
    ]),
};

/** A type, and a length of one byte or, above 127, of two. */
export const varied: FramingDefinition = {
  name: 'varied',
  maxFrameSize: (limit) => limit + 3,
  headerSize: (bytes, start) => ((bytes[start + 1] as number) < 128 ? 2 : 3),
  header: (bytes, start) => bytes.subarray(start, start + 1),
  decode(bytes, start) {
    const first = bytes[start + 1];
    if (first === undefined) return undefined;
    if (first < 128) return start + 2 + first;
    return bytes.length < start + 3 ? undefined : start + 3 + bytes.readUInt16BE(start + 1) - 0x8000;
  },
  encode(payload, header) {
    const { length } = payload;
    if (length > 0x7fff) throw new Error('it is too long');
    if (header.length > 1) throw new Error('its type has more than a byte');
    const field = length < 128 ? [length] : [0x80 | (length >> 8), length & 0xff];
    return Buffer.concat([Uint8Array.of(header[0] ?? 0, ...field), payload]);
  },
};

const block = (size: number): FramingRule => ({
  trailerSize: 1,
  header: () => Buffer.from('block'),
  decode: (_bytes, start) => start + size + 1,
  check(bytes, start, end) {
    if (bytes[end - 1] !== 0x0a) throw invalidFrame(end - 1 - start, 'a block ends with a line feed');
  },
  next: () => changing,
});

/** Lines; after `block N` follow N bytes and a line feed, which are one message. */
export const changing: FramingDefinition = {
  name: 'changing',
  trailerSize: 1,
  decode: (bytes, start) => bytes.indexOf('\n', start) + 1,
  next(bytes, start, end) {
    const [, size] = /^block (\d+)\n$/.exec(bytes.toString('latin1', start, end)) ?? [];
    return size === undefined ? undefined : block(Number(size));
  },
  encode(payload, header) {
    if (header.length === 0 && payload.includes(0x0a)) throw new Error('a line contains a line feed');
    return Buffer.concat([payload, Buffer.from('\n')]);
  },
};

/** What two ends of `changing` say. */
export const changingConversation = [
  'hello',
  'block 5',
  Message.of('a\nb\nc', { header: Buffer.from('block') }),
  'block 0',
  Message.of('', { header: Buffer.from('block') }),
  'bye',
];
