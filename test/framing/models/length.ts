/** The framing `length` again: every format by arithmetic on whole fields. */

import { type LengthOptions, length } from '../../../src/framing/counted/length.ts';
import type { Framing } from '../../../src/framing/framing.ts';
import { fc } from '../../support/fast-check.ts';
import { type Parsed, readFrameByFrame } from './frame-by-frame.ts';
import { inputOf, messageOf } from './pieces.ts';
import type { Subject } from './subject.ts';

/** What a length is written as. @returns the field, or undefined if it has not arrived, or the first wrong byte in it, from 1 */
function readField(bytes: Buffer, width: number, { format, endian }: LengthOptions) {
  if (format === 'varint') {
    const last = bytes.findIndex((byte) => byte < 128);
    const size = last === -1 ? bytes.length : last + 1;
    if (size > width || (last === -1 && size === width)) return { wrong: width };
    if (last === -1) return undefined;
    const bits = Array.from(bytes.subarray(0, size), (byte) => (byte & 127).toString(2).padStart(7, '0'));
    return { size, value: BigInt(`0b${bits.reverse().join('')}`) };
  }
  if (bytes.length < width) return undefined;
  const field = Buffer.from(bytes.subarray(0, width));
  if (format === 'digits') {
    const wrong = field.findIndex((byte) => !/\d/.test(String.fromCharCode(byte)));
    return wrong === -1 ? { size: width, value: BigInt(field.toString()) } : { wrong: wrong + 1 };
  }
  const hex = (endian === 'little' && format !== 'bcd' ? field.reverse() : field).toString('hex');
  if (format !== 'bcd') return { size: width, value: BigInt(`0x${hex}`) };
  const letter = hex.search(/[a-f]/);
  return letter === -1 ? { size: width, value: BigInt(hex) } : { wrong: Math.floor(letter / 2) + 1 };
}

/** The field of any value that fits, and of the lowest bytes of any other. */
function writeField(value: bigint, width: number, { format, endian }: LengthOptions): Buffer {
  const positive = value < 0n ? 0n : value;
  if (format === 'digits') return Buffer.from(positive.toString().padStart(width, '0').slice(-width));
  if (format === 'bcd')
    return Buffer.from(
      positive
        .toString()
        .padStart(2 * width, '0')
        .slice(-2 * width),
      'hex',
    );
  if (format === 'varint') {
    const bits = positive.toString(2);
    const groups = bits.padStart(Math.ceil(bits.length / 7) * 7, '0').match(/.{7}/g) ?? [];
    const bytes = groups.reverse().map((group) => Number.parseInt(group, 2));
    return Buffer.from(bytes.map((byte, index) => (index < bytes.length - 1 ? byte | 128 : byte)));
  }
  const hex = BigInt.asUintN(8 * width, value)
    .toString(16)
    .padStart(2 * width, '0');
  const field = Buffer.from(hex, 'hex');
  return endian === 'little' ? field.reverse() : field;
}

/** How many bytes besides the payload the length counts. */
function countedOf(width: number, { offset = 0, after = 0, counts }: LengthOptions): number {
  if (counts === 'rest') return after;
  if (counts === 'self') return width + after;
  return counts === 'frame' ? offset + width + after : 0;
}

function parse(rest: Buffer, width: number, options: LengthOptions): Parsed {
  const { offset = 0, after = 0, adjustment = 0 } = options;
  if (rest.length <= offset) return undefined;
  const field = readField(rest.subarray(offset), width, options);
  if (field === undefined) return undefined;
  if ('wrong' in field) return { errorAt: offset + field.wrong };
  const size = Number(field.value) + adjustment - countedOf(width, options);
  if (size < 0) return { errorAt: offset + 1 };
  const start = offset + field.size + after;
  return { start, size, end: start + size };
}

/** The property tests of `length`, or of a framing that does the same. */
export function lengthSubject(options: LengthOptions, framing: Framing = length(options)): Subject {
  const { bytes: width = options.format === 'varint' ? 5 : 4, offset = 0, after = 0, adjustment = 0 } = options;
  const message = messageOf();
  /** A length field of any value, with bytes of any kind around it. */
  const header = (value: bigint, lead: number) =>
    Buffer.concat([Buffer.alloc(offset, lead), writeField(value, width, options), Buffer.alloc(after, lead)]);
  const fieldOf = (size: number) => BigInt(size - adjustment + countedOf(width, options));
  const frame = fc
    .tuple(message, fc.nat(255))
    .map(([body, lead]) => Buffer.concat([header(fieldOf(body.length), lead), body]));
  // Lengths around the limits, below 0, and near the capacity of the field: -1 is its highest value.
  const value = fc.oneof(fc.integer({ min: -4, max: 24 }).map(fieldOf), fc.integer({ min: -3, max: 3 }).map(BigInt));
  const headers = fc.tuple(value, fc.nat(255)).map(([size, lead]) => header(size, lead));
  const isNarrow = width === 1 && (options.format ?? 'binary') === 'binary';
  return {
    name: framing.name,
    framing,
    reference: readFrameByFrame(framing.name, (rest) => parse(rest, width, options)),
    framesOf: (body) => (isNarrow ? everyByte.map((value) => Buffer.concat([header(value, 0), body])) : []),
    message,
    input: inputOf(
      fc.oneof({ weight: 5, arbitrary: frame }, { weight: 1, arbitrary: headers }),
      '0012',
      ...['ff', '9a', '80', '8080'].map((hex) => Buffer.from(hex, 'hex')),
    ),
  };
}

const everyByte = Array.from({ length: 256 }, (_, value) => BigInt(value));
