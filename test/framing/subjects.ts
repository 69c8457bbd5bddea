/** The framings of the property tests, with generators that favour edge cases. */

import { YodelError } from '../../src/errors.ts';
import type { LengthOptions } from '../../src/framing/counted/length.ts';
import { delimiter } from '../../src/framing/delimited/delimiter.ts';
import { lines } from '../../src/framing/delimited/lines.ts';
import { type DecoderOptions, encode, type Framing } from '../../src/framing/framing.ts';
import { fc } from '../support/fast-check.ts';
import { betweenSubject } from './models/between.ts';
import { netstringSubject, octetCountedSubject } from './models/counted.ts';
import { delimitersSubject } from './models/delimiters.ts';
import { headersSubject } from './models/headers.ts';
import { lengthSubject } from './models/length.ts';
import { ownSubjects } from './models/own.ts';
import { ends, joined, notText, text } from './models/pieces.ts';
import { respSubjects } from './models/resp.ts';
import { stuffedSubjects } from './models/stuffed.ts';
import type { Subject } from './models/subject.ts';
import { untilSubjects } from './models/until.ts';
import { readDelimited } from './reference.ts';

/** The limits in the properties are small, so that messages are often near them. */
export const anyLimit = fc.integer({ min: 1, max: 12 });

export const anyOptions: fc.Arbitrary<DecoderOptions> = fc.record({
  maxMessageLength: anyLimit,
  onTooLong: fc.constantFrom('close', 'discard'),
  encoding: fc.constantFrom('utf8', 'binary'),
});

/** The frame, or undefined if the framing refuses to carry the message. */
export function tryEncode(framing: Framing, message: Uint8Array): Uint8Array | undefined {
  try {
    return encode(framing, message);
  } catch (error) {
    if (error instanceof YodelError && error.code === 'YODEL_UNENCODABLE_MESSAGE') return undefined;
    throw error;
  }
}

/** Messages that the framing can carry. */
export function carriedBy({ framing, message }: Subject): fc.Arbitrary<Uint8Array> {
  return message.filter((bytes) => tryEncode(framing, bytes) !== undefined);
}

/** Messages of exactly `size` bytes that the framing can carry. */
export function carriedOfSize(subject: Subject, size: number): fc.Arbitrary<Uint8Array> {
  if (subject.sized) return fc.constant(subject.sized(size));
  return fc
    .tuple(carriedBy(subject), fc.nat(size))
    .map(([bytes, keep]) => {
      // The message's own end stays at the end, where a CR or a part of the delimiter matters.
      const end = bytes.subarray(Math.max(0, bytes.length - Math.min(keep, size)));
      return Buffer.concat([Buffer.alloc(size - end.length, 'x'), end]);
    })
    .filter((bytes) => tryEncode(subject.framing, bytes) !== undefined);
}

function delimited(framing: Framing, ...endings: Buffer[]): Subject {
  const prefixes = endings.flatMap((ending) => Array.from(ending, (_, at) => ending.subarray(0, at + 1)));
  const piece = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...text) },
    { weight: 2, arbitrary: fc.constantFrom(...prefixes) },
    { weight: 1, arbitrary: fc.constantFrom(...ends) },
    { weight: 1, arbitrary: fc.nat(14).map((count) => Buffer.alloc(count, 'x')) },
  );
  const badPiece = fc.constantFrom(...notText);
  return {
    name: framing.name,
    framing,
    reference: readDelimited(endings),
    framesOf: (bytes) => endings.map((end) => Buffer.concat([bytes, end])),
    message: joined(fc.oneof({ weight: 9, arbitrary: piece }, { weight: 1, arbitrary: badPiece }), 6),
    input: joined(
      fc.oneof(
        { weight: 12, arbitrary: piece },
        { weight: 6, arbitrary: fc.constantFrom(...endings) },
        { weight: 1, arbitrary: badPiece },
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 4 }) },
      ),
      30,
    ),
  };
}

const delimiters = ['0a', '00', '7c7c', '616161', '61626162', '0d0a', 'c3a9', 'fffe', 'ff', '0d0a2e0d0a'];

const layouts: LengthOptions[] = [
  { bytes: 1 },
  { bytes: 2 },
  { bytes: 4 },
  { bytes: 8 },
  { bytes: 2, endian: 'little' },
  { bytes: 4, endian: 'little' },
  { bytes: 8, endian: 'little' },
  { bytes: 8, adjustment: -1, counts: 'self' },
  { bytes: 2, offset: 3 },
  { bytes: 1, adjustment: 1 },
  { bytes: 4, adjustment: -3 },
  { bytes: 2, counts: 'self' },
  { bytes: 3 },
  { bytes: 5, endian: 'little' },
  { bytes: 7 },
  { bytes: 4, offset: 1, counts: 'self' },
  { bytes: 1, endian: 'little', offset: 2, adjustment: -1, counts: 'frame' },
  { format: 'digits' },
  { format: 'digits', bytes: 3, counts: 'self', offset: 1 },
  { format: 'bcd', bytes: 2 },
  { format: 'bcd', bytes: 8, after: 2, counts: 'rest' },
  { format: 'varint' },
  { format: 'varint', bytes: 2, after: 1, counts: 'rest' },
  { format: 'varint', bytes: 8, adjustment: 1 },
  // MQTT, MySQL, Modbus, TPKT, BGP.
  { format: 'varint', bytes: 4, offset: 1 },
  { bytes: 3, endian: 'little', after: 1 },
  { bytes: 2, offset: 4, after: 1, counts: 'rest' },
  { bytes: 2, offset: 2, counts: 'frame' },
  { bytes: 2, offset: 16, after: 1, counts: 'frame' },
];

/** Every framing except `raw`, whose messages depend on chunks. */
export const subjects: Subject[] = [
  delimited(lines(), Buffer.from('\n'), Buffer.from('\r\n')),
  ...delimiters.map((hex) => Buffer.from(hex, 'hex')).map((bytes) => delimited(delimiter(bytes), bytes)),
  ...layouts.map((layout) => lengthSubject(layout)),
  delimitersSubject('\n', '\0'),
  delimitersSubject('\n', '\r\n', '||'),
  delimitersSubject('\n', '\r', '\r\n'),
  delimitersSubject('ab', 'bcc', 'ca'),
  delimitersSubject('\x01', 'ÿþ', '\x02', '\x02\x03', '\x02\x03\x02'),
  betweenSubject('\x02', '\x03'),
  betweenSubject('\x0b', '\x1c\r', { gap: '\r\n' }),
  betweenSubject('ab', 'aba'),
  betweenSubject('\x10\x02', '\x10\x03', { escape: '\x10' }),
  betweenSubject('\x02', '\x10\x03\r', { escape: '\x10', gap: '\r\n\0' }),
  betweenSubject('\x02', '\x03', { escape: '\x1b', gap: ' ' }),
  betweenSubject('x', '\r\n', { escape: '\\' }),
  netstringSubject(),
  octetCountedSubject({}),
  octetCountedSubject({ mixed: true }),
  octetCountedSubject({ mixed: true, nul: true }),
  headersSubject({}),
  headersSubject({ maxHeaderSize: 64 }),
  ...untilSubjects,
  ...respSubjects,
  ...stuffedSubjects,
  ...ownSubjects,
];
