/** The framing `between` again: with regular expressions. */

import { type BetweenOptions, between } from '../../../src/framing/delimited/between.ts';
import { fc } from '../../support/fast-check.ts';
import { type Parsed, readFrameByFrame } from './frame-by-frame.ts';
import { inputOf, messageOf } from './pieces.ts';
import type { Subject } from './subject.ts';

const quoted = (text: string) =>
  text.replace(/[^\w]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);

function parser(start: string, end: string, { gap = '', escape: esc }: BetweenOptions) {
  const [first, last, escaping] = [quoted(start), quoted(end), quoted(String(esc ?? ''))];
  const isLast = esc !== undefined && end.startsWith(String(esc));
  const byte = esc === undefined ? `(?!${last})[^]` : `(?!${last})(?!${escaping})[^]`;
  const pair = esc === undefined ? '(?!)' : isLast ? `${escaping}${escaping}` : `${escaping}[^]`;
  const strict = new RegExp(`^${first}((?:${pair}|${byte})*)`);
  const lenient = new RegExp(`^${first}(?:(?!${last})${esc === undefined ? '(?!)' : escaping}[^]|${byte})*${last}`);
  const gaps = new RegExp(`^[${quoted(String(gap)) || '^\\x00-\\xff'}]+`);

  return (bytes: Buffer, limit: number): Parsed => {
    const rest = bytes.toString('latin1');
    const between = gaps.exec(rest)?.[0].length;
    if (between !== undefined) return { skip: between };
    const beginning = commonLength(rest, start);
    if (beginning < start.length) return beginning < rest.length ? { errorAt: beginning + 1 } : undefined;
    const maxFrame = start.length + end.length + limit * (esc === undefined ? 1 : 2);
    const [whole = '', raw = ''] = strict.exec(rest) ?? [];
    const tail = rest.slice(whole.length);
    const matched = commonLength(tail, end);
    const wrong = whole.length + Math.max(1, matched) + 1;
    const isOpen = matched === tail.length || tail === String(esc);
    if (matched < end.length && !isOpen && wrong <= maxFrame) return { errorAt: wrong };
    if (matched === end.length && whole.length + end.length <= maxFrame) {
      const payload = Buffer.from(
        esc === undefined ? raw : raw.replace(new RegExp(`${escaping}([^])`, 'g'), '$1'),
        'latin1',
      );
      return { start: start.length, size: payload.length, end: whole.length + end.length, payload };
    }
    if (rest.length <= maxFrame) return undefined;
    const found = lenient.exec(rest)?.[0].length;
    return { start: 0, size: limit + 1, end: found ?? rest.length };
  };
}

function commonLength(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length++;
  return length;
}

/** The property tests of `between`. Marks are text of bytes. */
export function betweenSubject(start: string, end: string, options: BetweenOptions = {}): Subject {
  const bytesOf = (text: unknown) => Buffer.from(String(text ?? ''), 'latin1');
  const { gap, escape: esc } = options;
  const marks = {
    ...(gap !== undefined && { gap: bytesOf(gap) }),
    ...(esc !== undefined && { escape: bytesOf(esc) }),
  };
  const framing = between(bytesOf(start), bytesOf(end), marks);
  const special = [start, end, gap, esc, start[0], end[0], end.slice(1)]
    .map(bytesOf)
    .filter(({ length }) => length > 0);
  const message = messageOf(...special);
  const raw = fc
    .tuple(message, fc.boolean())
    .map(([body, isGap]) => Buffer.concat([bytesOf(isGap ? gap : ''), bytesOf(start), body, bytesOf(end)]));
  const encoded = message.map((body) => {
    try {
      return framing.encoder.encode(body);
    } catch {
      return Buffer.alloc(0);
    }
  });
  return {
    name: framing.name,
    framing,
    reference: readFrameByFrame(framing.name, parser(start, end, options)),
    framesOf: (body) => [Buffer.concat([bytesOf(start), body, bytesOf(end)])],
    message,
    input: inputOf(fc.oneof(raw, encoded), ...special, start + 'x'.repeat(14), start + 'x'.repeat(30)),
  };
}
