/**
 * UTF-8 checking. `isUtf8` of `node:buffer`, which uses SIMD on both runtimes, only answers yes or no. The invalid byte is
 * found here, on the slow path.
 */
import { isUtf8 } from 'node:buffer';
import { YodelError } from '../errors.ts';

export { isUtf8 };

/** @internal The fault of a message that is not UTF-8. Names the byte. */
export function invalidUtf8(messageNumber: number, bytes: Uint8Array): YodelError {
  const at = firstInvalidByte(bytes);
  const byte = bytes[at];
  const what = byte === undefined ? 'it ends inside a character' : `byte 0x${byte.toString(16).padStart(2, '0')}`;
  return new YodelError('YODEL_INVALID_UTF8', `message ${messageNumber} is not valid UTF-8: ${what} at offset ${at}`);
}

/**
 * @internal Refuses bytes for a connection that carries text: its peer would refuse them, and end.
 *
 * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`
 */
export function refuseBinary(bytes: Uint8Array): void {
  if (isUtf8(bytes)) return;
  const at = firstInvalidByte(bytes);
  const text = `the message is not valid UTF-8 at offset ${at}, and this connection carries text; use the encoding "binary"`;
  throw new YodelError('YODEL_UNENCODABLE_MESSAGE', text);
}

/**
 * Where the first sequence that is not UTF-8 begins, by the table of well-formed byte sequences in the Unicode standard
 * (table 3-7). The length if the last sequence is incomplete; -1 if all are valid.
 */
export function firstInvalidByte(bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length; ) {
    const sequence = sequenceAfter(bytes[at] as number);
    if (sequence === undefined) return at;
    for (let i = 1; i < sequence.length; i++) {
      const next = bytes[at + i];
      if (next === undefined) return bytes.length;
      const [low, high] = i === 1 ? [sequence.low, sequence.high] : [0x80, 0xbf];
      if (next < low || next > high) return at;
    }
    at += sequence.length;
  }
  return -1;
}

/** The length of a sequence with this first byte, and the range of its second byte. */
function sequenceAfter(lead: number): { length: number; low: number; high: number } | undefined {
  if (lead <= 0x7f) return { length: 1, low: 0, high: 0 };
  if (lead >= 0xc2 && lead <= 0xdf) return { length: 2, low: 0x80, high: 0xbf };
  if (lead >= 0xe0 && lead <= 0xef) {
    return { length: 3, low: lead === 0xe0 ? 0xa0 : 0x80, high: lead === 0xed ? 0x9f : 0xbf };
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    return { length: 4, low: lead === 0xf0 ? 0x90 : 0x80, high: lead === 0xf4 ? 0x8f : 0xbf };
  }
  return undefined;
}
