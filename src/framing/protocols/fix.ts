/**
 * FIX, the Financial Information eXchange protocol in its tag=value encoding (FIX 4.4, volume 2). Fields end with 0x01, here
 * written `|`. The second field counts the bytes from after itself to before the checksum.
 *
 * ```
 * 8=FIX.4.4|9=5|35=0|10=163|          header "8=FIX.4.4|", payload "35=0|"
 * ```
 */
import type { FrameReader } from '../frames.ts';
import type { Encoder, Framing } from '../framing.ts';
import type { Message } from '../message.ts';
import { reader } from '../reader.ts';
import { type FrameScanner, invalidFrame, nameByte } from '../scanning.ts';
import { binaryFraming, idOf, unencodable } from './fixed.ts';

const framing = idOf('fix');
const SOH = 0x01;
/** `10=` and three digits and 0x01. */
const trailerSize = 7;
/** `8=FIXT.1.1|` is the longest of the standard's; `9=` and up to 9 digits follow. */
const maxBeginString = 64;
const maxDigits = 9;

/** Where the first field ends; 0 if its end has not arrived. */
function endOfBeginString(bytes: Buffer, start: number): number {
  const end = bytes.indexOf(SOH, start + 2);
  return end === -1 || end - start > maxBeginString ? 0 : end + 1;
}

/** Where the payload begins. The frame's first two fields are complete. */
function payloadStart(bytes: Buffer, start: number): number {
  return bytes.indexOf(SOH, endOfBeginString(bytes, start)) + 1;
}

const frames: FrameReader = reader(framing, -1, trailerSize, {
  payloadStart,
  header: (bytes, start) => bytes.subarray(start, endOfBeginString(bytes, start)),
});

const scanner: FrameScanner = {
  reader: frames,
  maxFrameSize: (limit) => maxBeginString + 3 + maxDigits + limit + trailerSize,
  scan(bytes, start) {
    expectText(bytes, start, start, '8=');
    const first = endOfBeginString(bytes, start);
    if (first === 0) {
      if (bytes.length - start > maxBeginString)
        throw invalidFrame(maxBeginString, 'the field 8 (BeginString) does not end');
      return 0;
    }
    expectText(bytes, start, first, '9=');
    let length = 0;
    for (let at = first + 2; ; at++) {
      const byte = bytes[at];
      if (byte === undefined) return 0;
      if (byte === SOH && at > first + 2) return at + 1 + length + trailerSize;
      if (byte < 0x30 || byte > 0x39 || at - first - 2 >= maxDigits)
        throw invalidFrame(at - start, `expected the body's length in digits, not ${nameByte(byte)}`);
      length = length * 10 + byte - 0x30;
    }
  },
  check(bytes, start, end) {
    const at = end - trailerSize;
    expectText(bytes, start, at, '10=');
    const given = bytes.toString('latin1', at + 3, end - 1);
    const sum = checksum(bytes, start, at);
    if (given !== sum || bytes[end - 1] !== SOH)
      throw invalidFrame(at + 3 - start, `the checksum is ${sum}, not ${JSON.stringify(given)}`);
  },
};

/** The part of `text` that has arrived must be there. */
function expectText(bytes: Buffer, start: number, at: number, text: string): void {
  for (let index = 0; index < text.length && at + index < bytes.length; index++) {
    const byte = bytes[at + index];
    if (byte !== text.charCodeAt(index))
      throw invalidFrame(at + index - start, `expected "${text}", not ${nameByte(byte)}`);
  }
}

/** The sum of the bytes, modulo 256, in three digits. */
function checksum(bytes: Uint8Array, start: number, end: number): string {
  let sum = 0;
  for (let at = start; at < end; at++) sum += bytes[at] as number;
  return String(sum % 256).padStart(3, '0');
}

const usual = Buffer.from('8=FIX.4.4\x01');

const encoder: Encoder = {
  encode(payload, header = usual) {
    const lengthField = Buffer.from(`9=${payload.length}\x01`);
    const body = Buffer.concat([header, lengthField, payload]);
    return Buffer.concat([body, Buffer.from(`10=${checksum(body, 0, body.length)}\x01`)]);
  },
  shapeOf,
};

function shapeOf({ header, framing: own }: Message): Uint8Array | undefined {
  if (header.length === 0 || (own && own.id !== framing.id)) return undefined;
  const isField = header.length > 3 && header.length <= maxBeginString && header.indexOf(SOH) === header.length - 1;
  if (isField && header[0] === 0x38 && header[1] === 0x3d) return Uint8Array.from(header);
  return unencodable('the header of a FIX message is its field 8, such as "8=FIX.4.4\\x01"');
}

/** See the top of this file. */
export const fix: Framing = binaryFraming(framing, () => scanner, encoder);
