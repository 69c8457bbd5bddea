/** The framings `slip` and `cobs` again: as text. */

import { cobs } from '../../../src/framing/delimited/cobs.ts';
import { slip } from '../../../src/framing/delimited/slip.ts';
import type { Framing } from '../../../src/framing/framing.ts';
import { fc } from '../../support/fast-check.ts';
import { type Parsed, readFrameByFrame } from './frame-by-frame.ts';
import { inputOf, messageOf } from './pieces.ts';
import type { Subject } from './subject.ts';

/** What a frame without its end means, leniently, and its first wrong byte, counted from 1. */
type Read = (frame: string) => { readonly payload: string; readonly errorAt: number | undefined };

const readSlip: Read = (frame) => {
  const wrong = /\xdb(?![\xdc\xdd])/.exec(frame.replace(/\xdb[\xdc\xdd]/g, '..'));
  return {
    payload: frame.replace(/\xdb(.?)/gs, (_, byte) => (byte === '\xdc' ? '\xc0' : byte === '\xdd' ? '\xdb' : byte)),
    errorAt: wrong ? wrong.index + 2 : undefined,
  };
};

const readCobs: Read = (frame) => {
  const blocks: string[] = [];
  let errorAt: number | undefined;
  for (let rest = frame; rest !== ''; ) {
    const code = rest.charCodeAt(0);
    if (code > rest.length) errorAt = frame.length - rest.length + 1;
    const isLast = code >= rest.length;
    blocks.push(rest.slice(1, code) + (isLast || code === 255 ? '' : '\0'));
    rest = rest.slice(code);
  }
  return { payload: blocks.join(''), errorAt };
};

/** @param overhead the most bytes by which a frame is longer than its payload of `limit` bytes */
function subject(
  framing: Framing,
  end: string,
  read: Read,
  overhead: (limit: number) => number,
  special: readonly string[],
): Subject {
  const parse = (bytes: Buffer, limit: number): Parsed => {
    const rest = bytes.toString('latin1');
    const empty = rest.length - rest.replace(new RegExp(`^${end}+`), '').length;
    if (empty > 0) return { skip: empty };
    const found = rest.indexOf(end);
    const isLong = (found === -1 ? rest.length : found + 1) > limit + overhead(limit);
    const size = found === -1 ? rest.length : found + 1;
    if (isLong) return { start: 0, size: limit + 1, end: size };
    if (found === -1) return undefined;
    const { payload, errorAt } = read(rest.slice(0, found));
    if (errorAt !== undefined && payload.length <= limit) return { errorAt };
    return { start: 0, size: payload.length, end: size, payload: Buffer.from(payload, 'latin1') };
  };
  const message = messageOf(...special.map((piece) => Buffer.from(piece, 'latin1')));
  const frame = message.map((bytes) => (bytes.length === 0 ? bytes : framing.encoder.encode(bytes)));
  return {
    name: framing.name,
    framing,
    reference: readFrameByFrame(framing.name, parse),
    framesOf: () => [],
    message,
    input: inputOf(
      fc.oneof({ weight: 5, arbitrary: frame }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }) }),
      ...[end, ...special].map((piece) => Buffer.from(piece, 'latin1')),
      'x'.repeat(20),
    ),
  };
}

const slipSubject = subject(slip(), '\xc0', readSlip, (limit) => limit + 1, [
  '\xc0',
  '\xdb',
  '\xdc',
  '\xdd',
  '\xdb\xdc',
]);

/** The property tests of `slip` and `cobs`. */
export const stuffedSubjects: readonly Subject[] = [
  { ...slipSubject, smallest: 1 },
  subject(cobs(), '\0', readCobs, (limit) => Math.floor(limit / 254) + 2, ['\0', '\x01', '\x02', '\xff', '\x05xxxx']),
];
