/** Framings that programs define, beside what their frames mean. */
import * as fc from 'fast-check';
import { defineFraming, type FramingDefinition } from '../../../src/index.ts';
import { type Parsed, readFrameByFrame } from '../models/frame-by-frame.ts';
import { inputOf, messageOf } from '../models/pieces.ts';
import type { Subject } from '../models/subject.ts';
import { prefixed, stuffed, summed } from '../own/framings.ts';

function own(
  definition: FramingDefinition,
  parse: (rest: Buffer, limit: number) => Parsed,
  special: readonly (string | Uint8Array)[],
): Subject {
  const framing = defineFraming(definition);
  const message = messageOf(...special);
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
      fc.oneof({ weight: 5, arbitrary: frame }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }) }),
      ...special,
      'x'.repeat(20),
    ),
  };
}

function parsePrefixed(rest: Buffer): Parsed {
  if (rest.length < 4) return undefined;
  const size = Number(`0x${rest.toString('hex', 0, 4)}`);
  return { start: 4, size, end: 4 + size };
}

/** Up to an ending that occurs nowhere else; undefined if it has not arrived. */
function upTo(end: string, rest: Buffer, longest: number): number | 'long' | undefined {
  const [found] = rest.toString('latin1').split(end, 1) as [string];
  const isWhole = found.length < rest.length;
  const size = isWhole ? found.length + end.length : rest.length;
  return size > longest ? 'long' : isWhole ? size : undefined;
}

/** A message that is too long, up to the next ending. */
function long(end: string, rest: Buffer, limit: number): Parsed {
  const found = rest.toString('latin1').indexOf(end);
  return { start: 0, size: limit + 1, end: found === -1 ? rest.length : found + 1 };
}

function parseSummed(rest: Buffer, limit: number): Parsed {
  const size = upTo('*', rest, limit + 3);
  if (size === 'long') return long('*', rest, limit);
  if (size === undefined) return undefined;
  if (size < 3) return { errorAt: 1 };
  const text = rest.toString('latin1', 0, size);
  let sum = 0;
  for (const char of text.slice(0, -3)) sum = (sum + char.charCodeAt(0)) % 256;
  if (text.slice(-3, -1) !== sum.toString(16).padStart(2, '0')) return { errorAt: size - 2 };
  return { start: 0, size: size - 3, end: size };
}

function parseStuffed(rest: Buffer, limit: number): Parsed {
  const size = upTo('~', rest, 2 * limit + 1);
  if (size === 'long') return long('~', rest, limit);
  if (size === undefined) return undefined;
  const text = rest.toString('latin1', 0, size - 1);
  const payload = text.replace(/\}(.)/gs, (_, char) => String.fromCharCode(char.charCodeAt(0) ^ 0x20));
  const isOpen = /^(?:[^}]|\}.)*\}$/s.test(text);
  if (isOpen) return { errorAt: text.length };
  return { start: 0, size: payload.length, end: size, payload: Buffer.from(payload, 'latin1') };
}

export const ownSubjects: readonly Subject[] = [
  own(prefixed, parsePrefixed, [Buffer.alloc(3), Buffer.of(0, 0, 0, 20)]),
  own(summed, parseSummed, ['*', '00*', '78*']),
  own(stuffed, parseStuffed, ['}', '~', '}}', '}~']),
];
