/** The framing `headers` again: as text, line by line. */

import { type HeadersOptions, headers } from '../../../src/framing/counted/headers.ts';
import { fc } from '../../support/fast-check.ts';
import { type Parsed, readFrameByFrame } from './frame-by-frame.ts';
import { inputOf, messageOf } from './pieces.ts';
import type { Subject } from './subject.ts';

function parse(rest: Buffer, maxSize: number): Parsed {
  const all = rest.toString('latin1').slice(0, maxSize);
  const lengths: string[] = [];
  for (let at = 0; ; ) {
    const [line = ''] = /^.*?\r\n/s.exec(all.slice(at)) ?? [all.slice(at)];
    const valid = validPart(line);
    if (valid < line.length) return { errorAt: at + valid + 1 };
    if (!line.endsWith('\r\n')) return all.length === maxSize ? { errorAt: maxSize + 1 } : undefined;
    if (line === '\r\n' && at === 0) return { errorAt: 1 };
    if (line === '\r\n') return payloadAfter(all.slice(0, at), lengths, at + 2);
    const [, value] = /^content-length:\s*(\d+)/i.exec(line) ?? [];
    if (value !== undefined) lengths.push(value);
    at += line.length;
  }
}

function payloadAfter(lines: string, lengths: readonly string[], start: number): Parsed {
  if (lengths.length === 0) return { errorAt: start - 1 };
  if (lengths.length > 1) {
    const [first, second] = [...lines.matchAll(/^content-length:/gim)];
    return { errorAt: ((second ?? first)?.index ?? 0) + 1 };
  }
  const size = Number(lengths[0]);
  return { start, size, end: start + size };
}

/** How much of a line, which need not be complete, is right. */
function validPart(line: string): number {
  if (/^\r\n?$/.test(line)) return line.length;
  if (line.startsWith('\r')) return 1;
  const [name = ''] = /^[\w!#$%&'*+\-.^`|~]*/.exec(line) ?? [];
  if (name.length === line.length) return line.length;
  if (name === '' || line[name.length] !== ':') return name.length;
  const isLength = name.toLowerCase() === 'content-length';
  const value = isLength ? /^[ \t]*(?:\d{1,15}(?:[ \t]*(?:\r\n?)?))?/ : /^[\t -~\x80-\xff]*(?:\r\n?)?/;
  const [right = ''] = value.exec(line.slice(name.length + 1)) ?? [];
  return name.length + 1 + right.length;
}

/** The property tests of `headers`. */
export function headersSubject(options: HeadersOptions): Subject {
  const framing = headers(options);
  const message = messageOf('Content-Length: 2\r\n\r\n', '{}');
  const line = fc.constantFrom('A: b', 'Content-Type: x; charset=é', 'x-y:', '~: \t', 'content-lengthy: 7');
  const name = fc.constantFrom('Content-Length', 'content-length', 'CONTENT-length');
  const frame = fc
    .tuple(
      message,
      fc.array(line, { maxLength: 2 }),
      fc.array(line, { maxLength: 2 }),
      name,
      fc.integer({ min: -1, max: 1 }),
    )
    .map(([body, before, after, named, wrong]) => {
      // Now and then the length is wrong by one.
      const lines = [...before, `${named}: ${Math.max(0, body.length + (before.length > 1 ? wrong : 0))}`, ...after];
      return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body]);
    });
  const special = [
    'Content-Length: ',
    'Content-Length: 3\r\n',
    'content-length:1\r\n\r\n',
    '\r\n\r\n',
    '7',
    '-',
    ':',
    'A: b',
  ];
  return {
    name: framing.name,
    framing,
    reference: readFrameByFrame(framing.name, (rest) => parse(rest, options.maxHeaderSize ?? 8192)),
    framesOf: () => [],
    message,
    input: inputOf(frame, ...special, '1'.repeat(16), 'x'.repeat(20)),
  };
}
