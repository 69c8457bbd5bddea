/** Framings written as text: `lines`, `delimiter:\0`, `length:4,little`, `raw`. */
import { YodelError } from '../errors.ts';
import { hintFor } from '../suggestion.ts';
import { headers } from './counted/headers.ts';
import { type LengthCounts, type LengthOptions, length } from './counted/length.ts';
import { netstring } from './counted/netstring.ts';
import { octetCounted } from './counted/octet-counted.ts';
import { type BetweenOptions, between } from './delimited/between.ts';
import { cobs } from './delimited/cobs.ts';
import { delimiter } from './delimited/delimiter.ts';
import { lines } from './delimited/lines.ts';
import { slip } from './delimited/slip.ts';
import { parseBytes } from './escapes.ts';
import type { Framing } from './framing.ts';
import { resp } from './grouped/resp.ts';
import { until } from './grouped/until.ts';
import { ownFraming } from './known.ts';
import { raw } from './raw.ts';

/** How the framings are written: see {@link FramingText}. */
export type FramingForm =
  | 'lines'
  | 'delimiter:BYTES'
  | 'delimiters:BYTES,BYTES...'
  | 'between:START,END[,gap=BYTES][,escape=BYTE]'
  | 'length[:BYTES][,OPTION...]'
  | 'netstring'
  | 'octet-counted[:mixed[,nul]]'
  | 'headers[:max=BYTES]'
  | 'slip'
  | 'cobs'
  | 'resp[:inline]'
  | 'until(FRAMING,/PATTERN/)'
  | 'raw';

/**
 * A framing as text, such as `'lines'` or `'length:2,little'`. The compiler knows the names, and where something follows them; the rest is
 * checked at run time. For text that comes from elsewhere, such as a setting, use {@link parseFraming}.
 */
export type FramingText = TextOf<FramingForm>;

/** What can be written according to a form: capital letters stand for any text, brackets may be left out. */
type TextOf<Form extends string> = Form extends `${infer Name}[:${string}`
  ? Name | `${Name}:${string}`
  : Form extends `${infer Name}:${string}`
    ? `${Name}:${string}`
    : Form extends `${infer Name}(${string}`
      ? `${Name}(${string})`
      : Form;

/** A framing that can be written as text: a row of the table, from which help and completion are made. */
export interface FramingKind {
  readonly name: string;
  /** How it is written: `delimiter:BYTES`. Names of kinds are followed by nothing, by `:`, or by parentheses. */
  readonly form: FramingForm;
  /** What a message is. */
  readonly meaning: string;
  /** The options that the form only hints at. */
  readonly options?: readonly (readonly [option: string, meaning: string])[];
  /**
   * @param argument what follows the colon, or is in the parentheses; undefined if there is neither
   * @param inner parses a framing inside this one
   * @returns undefined if the argument is not of this form
   * @throws YodelError `YODEL_INVALID_OPTION`
   */
  parse(argument: string | undefined, inner: (text: string) => Framing): Framing | undefined;
}

/** All kinds of framings, in the order of the help. */
export const framingKinds: readonly FramingKind[] = [
  {
    name: 'lines',
    form: 'lines',
    meaning: 'the bytes before LF or CRLF; a lone CR is data',
    parse: (argument) => (argument === undefined ? lines() : undefined),
  },
  {
    name: 'delimiter',
    form: 'delimiter:BYTES',
    meaning: 'the bytes before this delimiter of 1 to 64 bytes',
    parse: (argument) => (argument === undefined ? undefined : delimiter(parseBytes(argument))),
  },
  {
    name: 'delimiters',
    form: 'delimiters:BYTES,BYTES...',
    meaning: 'the bytes before the first of these delimiters; a comma among them is written \\x2c',
    parse(argument) {
      const [first, ...others] = argument?.split(',').map(parseBytes) ?? [];
      return first && delimiter(first, ...others);
    },
  },
  {
    name: 'between',
    form: 'between:START,END[,gap=BYTES][,escape=BYTE]',
    meaning: 'the bytes between these bytes; a comma among them is written \\x2c',
    options: [
      ['gap=BYTES', 'these bytes may occur between messages, and belong to none (default: an error)'],
      ['escape=BYTE', 'the byte before a byte of the message that is not the start or end that it looks like'],
    ],
    parse: parseBetween,
  },
  {
    name: 'length',
    form: 'length[:BYTES][,OPTION...]',
    meaning: 'as many bytes as the preceding length field says, which is 1 to 8 bytes wide (default 4)',
    options: [
      ['digits', 'the length is written in decimal digits with leading zeros: 0012'],
      ['bcd', 'two decimal digits in each byte'],
      ['varint', 'seven bits in each byte, the lowest first; BYTES is the most that there may be (default 5)'],
      ['little', 'the lowest byte of the length comes first (default: the highest)'],
      ['offset=N', 'N bytes precede the length; they are in the header of the message'],
      ['after=N', 'N bytes follow the length before the payload; they are in the header too'],
      ['counts=rest', 'the length counts all that follows it (default: the payload)'],
      ['inclusive', 'the length also counts itself; the same as counts=self'],
      ['counts=frame', 'the length counts everything'],
      ['adjust=N', 'N is added to the length, where it counts something else'],
    ],
    parse: (argument) => parseLength(argument ?? '4'),
  },
  {
    name: 'netstring',
    form: 'netstring',
    meaning: 'as many bytes as the digits before the colon say, with a comma after them: 5:hello,',
    parse: (argument) => (argument === undefined ? netstring() : undefined),
  },
  {
    name: 'octet-counted',
    form: 'octet-counted[:mixed[,nul]]',
    meaning:
      'as many bytes as the digits before the space say, as syslog senders count; mixed: what does not begin with a digit ' +
      'from 1 to 9 ends with LF; nul: or with NUL',
    parse(argument) {
      if (argument !== undefined && argument !== 'mixed' && argument !== 'mixed,nul') return undefined;
      return octetCounted({ mixed: argument !== undefined, nul: argument === 'mixed,nul' });
    },
  },
  {
    name: 'headers',
    form: 'headers[:max=BYTES]',
    meaning:
      'the payload after header lines with a Content-Length, as language servers send; the other lines are the header of ' +
      'the message; they may have 8192 bytes, or max=BYTES',
    parse(argument) {
      const [, max] = /^max=(\d+)$/.exec(argument ?? '') ?? [];
      return argument !== undefined && !max ? undefined : headers(max ? { maxHeaderSize: Number(max) } : {});
    },
  },
  {
    name: 'slip',
    form: 'slip',
    meaning: 'the bytes before 0xc0, escaped with 0xdb (RFC 1055)',
    parse: (argument) => (argument === undefined ? slip() : undefined),
  },
  {
    name: 'cobs',
    form: 'cobs',
    meaning: 'the bytes before 0x00, with consistent overhead byte stuffing (COBS)',
    parse: (argument) => (argument === undefined ? cobs() : undefined),
  },
  {
    name: 'resp',
    form: 'resp[:inline]',
    meaning: 'a value of RESP2 or RESP3, the protocol of Redis, as it is on the wire',
    options: [['inline', 'a line that begins with no type of a value is a message too: GET key']],
    parse: (argument) =>
      argument === undefined || argument === 'inline' ? resp({ inline: argument === 'inline' }) : undefined,
  },
  {
    name: 'until',
    form: 'until(FRAMING,/PATTERN/)',
    meaning: 'all messages of another framing up to one that matches: until(lines,/^\\d{3} /) for replies of SMTP',
    parse: parseUntil,
  },
  {
    name: 'raw',
    form: 'raw',
    meaning: 'whatever one read from the socket returned; boundaries are not preserved',
    parse: (argument) => (argument === undefined ? raw() : undefined),
  },
];

/** The help of flags that take a framing. */
export const framingHelp = 'where messages end, such as lines, length:4 or headers; see yodel help framing';

/**
 * Parses the text form of a framing: a row of {@link framingKinds}. Bytes are written with the escapes
 * `\0 \n \r \t \\ \xHH` where needed.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function parseFraming(text: string): Framing {
  return parseWith(text, undefined);
}

/**
 * @internal The same where a framing, or one inside it, may be the path of a file.
 *
 * @param framingOf returns the framing of a file, which was loaded before
 */
export function parseWith(text: string, framingOf: ((file: string) => Framing | undefined) | undefined): Framing {
  const own = (isFramingFile(text) && framingOf?.(text)) || ownFraming(text);
  if (own) return own;
  if (isFramingFile(text)) throw invalid(`the framing file "${text}" is not loaded; import it and pass its framing`);
  const [, name = text, colon, group] = /^([\w-]+)(?::(.*)|\((.*)\))?$/s.exec(text) ?? [];
  const kind = framingKinds.find((one) => one.name === name);
  if (!kind) {
    const names = framingKinds.map((one) => one.name);
    const hint = hintFor(name, names).replace(/^Known: .*/s, '$&; your own is in a file: ./mine.ts');
    throw invalid(`unknown framing "${text}". ${hint}`);
  }
  const isMisplaced = (kind.form.includes('(') ? colon : group) !== undefined;
  const framing = isMisplaced ? undefined : kind.parse(colon ?? group, (inner) => parseWith(inner, framingOf));
  if (framing) return framing;
  throw invalid(`invalid framing "${text}": it is written ${kind.form}; see yodel help framing`);
}

/** Whether this is the path of a file, such as `./mine.ts`, and not a framing's text form. */
export function isFramingFile(text: string): boolean {
  return /^\.{0,2}\/|^[^:()]*\.[cm]?[jt]s$/.test(text);
}

function parseBetween(argument: string | undefined): Framing | undefined {
  const [start, end, ...rest] = argument?.split(',') ?? [];
  if (start === undefined || end === undefined) return undefined;
  const options: { -readonly [Name in keyof BetweenOptions]: BetweenOptions[Name] } = {};
  for (const part of rest) {
    const [, name, value] = /^(gap|escape)=(.+)$/s.exec(part) ?? [];
    if (part === '') return undefined;
    if (value === undefined) throw invalidPart('between', part);
    options[name as keyof BetweenOptions] = parseBytes(value);
  }
  return between(parseBytes(start), parseBytes(end), options);
}

function parseLength(argument: string): Framing | undefined {
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
    else if (part === '') return undefined;
    else throw invalidPart('length', part);
  }
  return length(options);
}

/** A comma and a slash may also be in the inner framing or in the pattern: the first place where both sides can be read counts. */
function parseUntil(argument = '', inner: (text: string) => Framing): Framing | undefined {
  let failure: unknown;
  for (let at = argument.indexOf(',/'); at !== -1; at = argument.indexOf(',/', at + 1)) {
    const [, pattern, flags] = /^,\/(.*)\/([a-z]*)$/s.exec(argument.slice(at)) ?? [];
    if (pattern === undefined) break;
    try {
      return until(inner(argument.slice(0, at)), regularExpression(pattern, flags));
    } catch (error) {
      failure = error;
    }
  }
  if (failure !== undefined) throw failure;
  return undefined;
}

function regularExpression(pattern: string, flags: string | undefined): RegExp {
  try {
    return new RegExp(pattern, flags);
  } catch (error) {
    // Only a SyntaxError: the text is from a user.
    throw invalid(`invalid pattern of the framing "until": ${(error as Error).message}`);
  }
}

/** The error of a part of a framing's text form that is no option, or whose value is not allowed. */
function invalidPart(framing: string, part: string): YodelError {
  const forms = framingKinds.find(({ name }) => name === framing)?.options?.map(([form]) => form) ?? [];
  const [name = ''] = part.split('=');
  const own = forms.filter((form) => form.split('=')[0] === name);
  if (own.length > 0) return invalid(`the framing "${framing}" takes ${own.join(' or ')}, not "${part}"`);
  if (framing === 'length' && /^\d+$/.test(part)) {
    return invalid(`the framing "length" takes a width of 1 to 8 bytes, not ${part}`);
  }
  const names = [...new Set(forms.map((form) => form.replace(/=.*/, '')))];
  return invalid(`the framing "${framing}" has no option "${part}". ${hintFor(name, names)}`);
}

function invalid(message: string): YodelError {
  return new YodelError('YODEL_INVALID_OPTION', message);
}
