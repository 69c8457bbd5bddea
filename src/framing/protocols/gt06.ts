/**
 * Trackers that speak GT06 and its relatives.
 *
 * ```
 * 78 78 | 05 | 13 00 01 e9 f1 | 0d 0a          start (the header), length of one byte, payload, end
 * 79 79 | 00 05 | 94 0a 00 01 3c | 0d 0a       the same with a length of two bytes
 * ```
 *
 * The payload is what the length counts: protocol number, content, serial number and checksum.
 */
import { type Encoder, type Framing, inPlace } from '../framing.ts';
import type { Message } from '../message.ts';
import { reader } from '../reader.ts';
import { type FrameScanner, invalidFrame, nameByte } from '../scanning.ts';
import { binaryFraming, headerOf, idOf, unencodable } from './fixed.ts';

const framing = idOf('gt06');
const short = 0x78;
const long = 0x79;
const ending = Buffer.from('\r\n');

function lengthSizeOf(first: number | undefined): number {
  return first === long ? 2 : 1;
}

const frames = reader(framing, -1, ending.length, {
  payloadStart: (bytes, start) => start + 2 + lengthSizeOf(bytes[start]),
  header: (bytes, start) => bytes.subarray(start, start + 2),
});

const scanner: FrameScanner = {
  reader: frames,
  maxFrameSize: (limit) => 4 + limit + ending.length,
  scan(bytes, start) {
    const first = bytes[start];
    if (first !== short && first !== long)
      throw invalidFrame(0, `expected 0x78 0x78 or 0x79 0x79, not ${nameByte(first)}`);
    const second = bytes[start + 1];
    if (second !== undefined && second !== first)
      throw invalidFrame(1, `expected ${nameByte(first)} again, not ${nameByte(second)}`);
    const at = start + 2;
    const size = lengthSizeOf(first);
    if (at + size > bytes.length) return 0;
    return at + size + bytes.readUIntBE(at, size) + ending.length;
  },
  check(bytes, start, end) {
    if (bytes.readUInt16BE(end - 2) !== ending.readUInt16BE())
      throw invalidFrame(end - 2 - start, 'expected 0x0d 0x0a at the end of the frame');
  },
};

const encoder: Encoder = {
  ...inPlace({
    headerSize: (size, header) => 2 + lengthSizeOf(header ? header[0] : size > 255 ? long : short),
    trailerSize: ending.length,
    seal(target, at, start, end, header) {
      const size = end - start;
      const bytes = start - at - 2;
      if (size >= 2 ** (8 * bytes))
        unencodable(`a message of ${size} bytes does not fit a length field of ${bytes} bytes`);
      target.fill(bytes === 2 ? long : short, at, at + 2);
      if (header) target.set(header, at);
      target.writeUIntBE(size, at + 2, bytes);
      target.set(ending, end);
      return end + ending.length;
    },
  }),
  shapeOf,
};

/** The start bytes; undefined of messages of other framings, whose headers mean something else. */
function shapeOf(message: Message): Uint8Array | undefined {
  if (message.framing && message.framing.id !== framing.id) return undefined;
  const header = headerOf(message, framing, [2]);
  if (header && ((header[0] !== short && header[0] !== long) || header[1] !== header[0]))
    unencodable('the header of a GT06 message is 0x78 0x78 or 0x79 0x79');
  return header;
}

/** See the top of this file. */
export const gt06: Framing = binaryFraming(framing, () => scanner, encoder);
