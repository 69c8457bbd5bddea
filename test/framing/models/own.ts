/** Framings that programs define, again: as text, and by arithmetic. */

import type { Framing } from '../../../src/framing/framing.ts';
import { defineFraming } from '../../../src/framing/own/define.ts';
import { fc } from '../../support/fast-check.ts';
import { prefixed, stuffed, summed, varied } from '../own/framings.ts';
import { type Parsed, readFrameByFrame } from './frame-by-frame.ts';
import { lengthSubject } from './length.ts';
import { inputOf, messageOf } from './pieces.ts';
import type { Subject } from './subject.ts';

/** What a frame with its end is, as text. */
type Read = (frame: string) => Parsed;

/** @param overhead the most bytes by which a frame is longer than its payload of `limit` bytes */
function endedBy(
  end: string,
  overhead: (limit: number) => number,
  read: Read,
): (rest: Buffer, limit: number) => Parsed {
  return (rest, limit) => {
    const found = rest.toString('latin1').indexOf(end);
    const size = found === -1 ? rest.length : found + end.length;
    if (size > limit + overhead(limit)) return { start: 0, size: limit + 1, end: size };
    return found === -1 ? undefined : read(rest.toString('latin1', 0, size));
  };
}

const parseSummed = endedBy(
  '|',
  () => 3,
  (frame) => {
    const [, text, digits] = /^(.*)(..)\|$/s.exec(frame) ?? [];
    if (text === undefined) return { errorAt: 1 };
    const sum = Buffer.from(text, 'latin1').reduce((before, byte) => (before + byte) % 256, 0);
    if (digits !== sum.toString(16).padStart(2, '0')) return { errorAt: text.length + 1 };
    return { start: 0, size: text.length, end: frame.length };
  },
);

const parseStuffed = endedBy(
  '~',
  (limit) => limit + 1,
  (frame) => {
    const whole = frame.slice(0, -1).replace(/\}(.)/gs, (_, byte) => String.fromCharCode(byte.charCodeAt(0) ^ 0x20));
    if (/^(?:[^}]|\}.)*\}$/s.test(frame.slice(0, -1))) return { errorAt: frame.length - 1 };
    return { start: 0, size: whole.length, end: frame.length, payload: Buffer.from(whole, 'latin1') };
  },
);

function parseVaried(rest: Buffer): Parsed {
  const [, first] = rest;
  if (first === undefined || (first >= 128 && rest.length < 3)) return undefined;
  const start = first < 128 ? 2 : 3;
  const size = first < 128 ? first : rest.readUInt16BE(1) % 0x8000;
  return { start, size, end: start + size };
}

function subject(
  framing: Framing,
  parse: (rest: Buffer, limit: number) => Parsed,
  special: readonly string[],
): Subject {
  const pieces = special.map((piece) => Buffer.from(piece, 'latin1'));
  const message = messageOf(...pieces);
  const frame = message.map((bytes) => {
    try {
      return framing.encoder.encode(bytes);
    } catch {
      return bytes;
    }
  });
  return {
    name: `own ${framing.name}`,
    framing,
    reference: readFrameByFrame(framing.name, parse),
    framesOf: () => [],
    message,
    input: inputOf(
      fc.oneof({ weight: 5, arbitrary: frame }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }) }),
      ...pieces,
      'x'.repeat(20),
    ),
  };
}

const own = defineFraming(prefixed);

/** The property tests of framings that programs define. */
export const ownSubjects: readonly Subject[] = [
  { ...lengthSubject({}, own), name: `own ${own.name}` },
  subject(defineFraming(summed), parseSummed, ['|', '00|', 'x78|']),
  subject(defineFraming(stuffed), parseStuffed, ['~', '}', '}^', '}]']),
  subject(defineFraming(varied), parseVaried, ['\x07\x01', '\x07\x80', '\x80\x02', '\x00']),
];
