/** Framings written as text: `lines`, `delimiter:\0`, `length:4,little`, `raw`. */
import { YodelError } from '../errors.ts';
import { delimiter } from './delimiter.ts';
import { parseBytes } from './escapes.ts';
import type { Framing } from './framing.ts';
import { type LengthCounts, type LengthOptions, length } from './length.ts';
import { lines } from './lines.ts';
import { raw } from './raw.ts';

/** The values of `--framing`, and what a message is with each. */
export const framingKinds: readonly (readonly [form: string, meaning: string])[] = [
  ['lines', 'the bytes before LF or CRLF; a lone CR is data'],
  [
    'delimiter:BYTES',
    'the bytes before this delimiter of 1 to 64 bytes, written with \\0 \\n \\r \\t \\\\ and \\xHH where needed',
  ],
  [
    'length[:BYTES][,digits|bcd|varint][,little][,offset=N][,after=N][,inclusive|counts=rest|frame][,adjust=N]',
    'as many bytes as the preceding length field says, which is 1 to 8 bytes wide (default 4)',
  ],
  ['raw', 'whatever one read from the socket returned; boundaries are not preserved'],
];

/** The values alone, for help and errors. */
export const framingForms: string = framingKinds.map(([form]) => form).join(', ');

/**
 * Parses the text form of a framing.
 *
 * `delimiter:` is followed by the delimiter, in which `\0 \n \r \t \\ \xHH` are escapes. `length:` is followed by the width of
 * the length field (1, 2, 4 or 8; default 4) and the options of {@link length}.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function parseFraming(text: string): Framing {
  const [, kind, argument] = /^([a-z]+)(?:[:](.*))?$/s.exec(text) ?? [];
  if (kind === 'lines' && argument === undefined) return lines();
  if (kind === 'raw' && argument === undefined) return raw();
  if (kind === 'delimiter' && argument !== undefined) return delimiter(parseBytes(argument));
  if (kind === 'length') return length(parseLength(text, argument ?? '4'));
  throw invalid(text);
}

function parseLength(text: string, argument: string): LengthOptions {
  const options: { -readonly [Name in keyof LengthOptions]: LengthOptions[Name] } = {};
  for (const part of argument.split(',')) {
    const [, name, value] = /^(offset|after|adjust)=(-?\d+)$/.exec(part) ?? [];
    const [, counts] = /^counts=(payload|rest|self|frame)$/.exec(part) ?? [];
    if (/^[1-8]$/.test(part)) options.bytes = Number(part);
    else if (part === 'little' || part === 'big') options.endian = part;
    else if (part === 'digits' || part === 'bcd' || part === 'varint') options.format = part;
    else if (part === 'inclusive') options.counts = 'self';
    else if (counts !== undefined) options.counts = counts as LengthCounts;
    else if (name === 'offset') options.offset = Number(value);
    else if (name === 'after') options.after = Number(value);
    else if (name === 'adjust') options.adjustment = Number(value);
    else throw invalid(text);
  }
  return options;
}

function invalid(text: string): YodelError {
  return new YodelError('YODEL_INVALID_OPTION', `unknown framing "${text}"; use one of: ${framingForms}`);
}
