/**
 * AMQP 0-9-1, sections 4.2.2 and 2.3.5 (https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf).
 *
 * ```
 * start        'A' 'M' 'Q' 'P' 00 00 09 01            the protocol header: no header, these 8 bytes are the payload
 * afterwards   01 | 00 01 | 00 00 00 05 | ... | ce    type and channel are the header, then length, payload, frame-end
 * ```
 */
import { type Encoder, type Framing, inPlace } from '../framing.ts';
import { reader } from '../reader.ts';
import { type FrameScanner, invalidFrame, nameByte } from '../scanning.ts';
import { binaryFraming, headerOf, idOf, unencodable } from './fixed.ts';

const framing = idOf('amqp');
const protocolHeaderSize = 8;
const letterA = 0x41;
const frameEnd = 0xce;
/** Type and channel, then the length. */
const headerSize = 3;
const lengthSize = 4;

const frames = reader(framing, -1, 0, {
  payloadStart: (bytes, start) => (bytes[start] === letterA ? start : start + headerSize + lengthSize),
  payloadEnd: (bytes, start, end) => (bytes[start] === letterA ? end : end - 1),
  terminatorSize: () => -1,
  header: (bytes, start) => bytes.subarray(start, bytes[start] === letterA ? start : start + headerSize),
});

const scanner: FrameScanner = {
  reader: frames,
  maxFrameSize: (limit) => limit + protocolHeaderSize,
  scan(bytes, start) {
    // No frame has the type 0x41.
    if (bytes[start] === letterA) return start + protocolHeaderSize;
    const at = start + headerSize;
    return at + lengthSize > bytes.length ? 0 : at + lengthSize + bytes.readUInt32BE(at) + 1;
  },
  check(bytes, start, end) {
    const isFrame = bytes[start] !== letterA;
    if (isFrame && bytes[end - 1] !== frameEnd)
      throw invalidFrame(end - 1 - start, `expected the frame-end 0xce, not ${nameByte(bytes[end - 1])}`);
    if (!isFrame && bytes.toString('latin1', start, start + 4) !== 'AMQP')
      throw invalidFrame(0, 'a protocol header begins with "AMQP"');
  },
};

const encoder: Encoder = {
  ...inPlace({
    headerSize: (_size, header) => (header ? headerSize + lengthSize : 0),
    trailerSize: 1,
    seal(target, at, start, end, header) {
      if (!header) {
        const isProtocolHeader =
          end - start === protocolHeaderSize && target.toString('latin1', start, start + 4) === 'AMQP';
        return isProtocolHeader ? end : unencodable('an AMQP frame needs its type and channel as a header of 3 bytes');
      }
      if (header[0] === letterA) unencodable('no AMQP frame has the type 0x41, with which a protocol header begins');
      target.set(header, at);
      target.writeUInt32BE(end - start, at + headerSize);
      target[end] = frameEnd;
      return end + 1;
    },
  }),
  shapeOf: (message) => headerOf(message, framing, [headerSize]),
};

/** See the top of this file. */
export const amqp: Framing = binaryFraming(framing, () => scanner, encoder);
