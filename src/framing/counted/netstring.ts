/** Netstrings: the length in decimal digits, a colon, the payload, a comma. */

import type { FrameReader } from '../frames.ts';
import { type Framing, inPlace } from '../framing.ts';
import type { FramingId } from '../message-parts.ts';
import { type FrameScanner, invalidFrame, nameByte, ScanningDecoder } from '../scanning.ts';
import { decimalSize, endOfDecimal, maxDigits, readDecimal, writeDecimal } from './decimal.ts';

const colon = 0x3a;
const comma = 0x2c;

/**
 * Netstrings (D. J. Bernstein, 1997; used by QMQP and SCGI).
 *
 * ```
 * 5:hello,          "hello"
 * 0:,3:a,b,         "" "a,b"
 * 05:hello,         an error: a length has no leading zeros
 * 5:hello!          an error: expected the comma
 * ```
 *
 * The length counts bytes, in at most 15 digits. The comma of a message that is discarded as too long is not checked.
 */
export function netstring(): Framing {
  return framing;
}

const id: FramingId = { name: 'netstring', id: 'netstring' };

const reader: FrameReader = {
  framing: id,
  headerSize: -1,
  payloadStart: (bytes, start) => endOfDecimal(bytes, start, colon),
  payloadEnd: (_bytes, _start, end) => end - 1,
  terminatorSize: () => 1,
};

const scanner: FrameScanner = {
  reader,
  maxFrameSize: (limit) => maxDigits + 1 + limit + 1,
  scan(bytes, start) {
    const length = readDecimal(bytes, start, colon);
    return length === -1 ? 0 : start + decimalSize(length) + length + 1;
  },
  check(bytes, start, end) {
    const last = bytes[end - 1];
    if (last === comma) return;
    throw invalidFrame(end - 1 - start, `expected the comma after the message, not ${nameByte(last)}`);
  },
};

const framing: Framing = {
  ...id,
  defaultEncoding: 'binary',
  encoder: {
    ...inPlace({
      headerSize: decimalSize,
      trailerSize: 1,
      seal(target, at, start, end) {
        writeDecimal(target, at, end - start, colon);
        target[end] = comma;
        return end + 1;
      },
    }),
    shapeOf: () => undefined,
  },
  createDecoder: (options) => new ScanningDecoder(scanner, options),
};
