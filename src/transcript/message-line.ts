/**
 * What follows the arrow of a message line: a mark, a header and a payload. The payload is in one of the forms of content.ts.
 *
 *     > hello                             a payload
 *     >h 10 | hello                       a header in hexadecimal digits, and a payload in any form
 *     >h\ Content-Type: text/plain | hi   a header as text with escapes
 *     <h /Content-Length: \d+/ | hi       a header that a pattern matches
 *     >x 10 | 00 04                       both in hexadecimal digits
 *     >b hello                            a binary message of a WebSocket
 */
import { YodelError } from '../errors.ts';
import { isTextHeader, spacedHex } from '../format/hex.ts';
import type { Message } from '../framing/message.ts';
import type { MessageKind } from '../framing/message-parts.ts';
import { within } from './content/error.ts';
import { parsePattern } from './content/pattern.ts';
import type { Functions } from './content/pieces.ts';
import {
  bytesOf,
  ContentError,
  contentDifference,
  formatContent,
  formatEscaped,
  namesIn,
  parseEscaped,
  parseHex,
  parseJsonContent,
  parsePlain,
  unknownIn,
} from './content.ts';
import { isUsualKind } from './frames.ts';
import type { Content, MessageContent } from './transcript.ts';
import type { Values } from './values.ts';

type Parts = Omit<MessageContent, 'isBinary'>;

/** Reads what follows the arrow. @param functions those of `@use` @throws ContentError */
export function parseMessage(text: string, functions?: Functions): MessageContent {
  const isBinary = /^b(?:$|[ \\xhj])/.test(text);
  return { isBinary, ...within(text, isBinary ? 1 : 0, (rest) => parseParts(rest, functions)) };
}

function parseParts(text: string, functions: Functions | undefined): Parts {
  if (/^h [/]/.test(text)) return parseAfterPattern(text, functions);
  if (/^h[ \\|]/.test(text)) return parseAfterHeader(text, functions);
  const bar = text.startsWith('x') ? barAfterHex(text) : -1;
  if (bar === -1) return { header: undefined, content: parsePayload(text, functions) };
  const parse = (hex: string) => parseHex(hex, functions);
  return { header: within(text.slice(0, bar), 1, parse), content: within(text, bar + 1, parse) };
}

/** The index of the bar after a hexadecimal header, -1 if there is none. A bar in braces belongs to what is in them. */
function barAfterHex(text: string): number {
  let depth = 0;
  for (const { 0: character, index } of text.matchAll(/[{}|]/g)) {
    if (character === '{') depth++;
    else if (character === '}') depth--;
    else if (depth <= 0) return index;
  }
  return -1;
}

/** The index of the bar after a header with escapes, that of a last backslash or the end if there is none. */
function barAfterEscaped(text: string): number {
  const special = /[\\|]/g;
  special.lastIndex = 2;
  for (let found = special.exec(text); found; found = special.exec(text)) {
    if (found[0] === '|' || found.index === text.length - 1) return found.index;
    special.lastIndex = found.index + 2;
  }
  return text.length;
}

/** Reads `h /PATTERN/ | …`. */
function parseAfterPattern(text: string, functions: Functions | undefined): Parts {
  const [before, source, flags] = /^h [/]((?:\\.|[^\\/])+)[/]([a-z]*) ?(?=[|])/su.exec(text) ?? [];
  if (before === undefined || source === undefined)
    throw new ContentError(text.length, 'the pattern of a header must be followed by / and | and the payload');
  const pattern = within(text, 2, () => parsePattern(source, flags ?? ''));
  const content = within(text, before.length + 1, (rest) => parsePayload(rest, functions));
  return { header: { kind: 'pattern', pattern }, content };
}

/** Reads `h HEX | …` or `h\ TEXT | …`. */
function parseAfterHeader(text: string, functions: Functions | undefined): Parts {
  const isText = text[1] === '\\';
  const bar = isText ? barAfterEscaped(text) : barAfterHex(text);
  if (text[bar] !== '|')
    throw new ContentError(bar === -1 ? text.length : bar, 'the header must be followed by | and the payload');
  const before = text.slice(0, bar);
  const content = within(text, bar + 1, (rest) => parsePayload(rest, functions));
  if (!isText) return { header: within(before, 1, (hex) => parseHex(hex, functions)), content };
  // One space before the bar is skipped, as is one after the backslash.
  const [backslashes = ''] = /\\*(?= $)/.exec(before.slice(2)) ?? [];
  const end = before.endsWith(' ') && backslashes.length % 2 === 0 && bar > 3 ? bar - 1 : bar;
  const from = text[2] === ' ' ? 3 : 2;
  return { header: within(text.slice(0, end), from, (rest) => parseEscaped(rest, functions)), content };
}

type ParsePayload = (text: string, functions: Functions | undefined) => Content;

const forms: Readonly<Record<string, ParsePayload>> = {
  ' ': parsePlain,
  '\\': parseEscaped,
  x: parseHex,
  j: parseJsonContent,
};

function parsePayload(text: string, functions: Functions | undefined): Content {
  const form = text[0];
  if (form === undefined) return { kind: 'parts', parts: [] };
  const parse = forms[form];
  if (!parse) {
    throw new ContentError(
      0,
      'the arrow must be followed by a space and text, by \\ and text with escapes, by x and hexadecimal digits, by j and JSON, or by h and a header',
    );
  }
  // One space after \ or x is skipped, for readability.
  return within(text, form !== ' ' && text[1] === ' ' ? 2 : 1, (rest) => parse(rest, functions));
}

/** What a line shows of a message. */
export type ShownMessage = Pick<Message, 'bytes' | 'header' | 'kind'>;

/** The shortest text that parses as this message. It follows the arrow of a message line. */
export function formatMessage({ bytes, header, kind }: ShownMessage): string {
  const mark = kind === 'binary' ? 'b' : '';
  const payload = formatContent(bytes);
  if (header.length === 0) return mark + payload;
  if (isTextHeader(header)) return `${mark}h\\ ${formatHeader(header)} |${payload}`;
  const isHex = payload.startsWith('x');
  return `${mark}${isHex ? 'x' : 'h'} ${spacedHex(header)} |${isHex ? payload.slice(1) : payload}`;
}

function formatHeader(header: Uint8Array): string {
  return formatEscaped(Buffer.from(header).toString()).replaceAll('|', '\\|');
}

/** A message to send. */
export interface SentParts {
  readonly payload: Uint8Array;
  readonly header: Uint8Array | undefined;
  readonly kind: MessageKind | undefined;
}

/**
 * The message that a line sends. Names without a value get their defaults. Undefined for a pattern, and when a name has no
 * value and no default: see {@link unknownInMessage}.
 *
 * @throws YodelError `YODEL_INVALID_TRANSCRIPT` if a function cannot be computed
 */
export function partsOf({ content, header, isBinary }: MessageContent, values: Values): SentParts | undefined {
  const headerBytes = header && bytesOf(header, values);
  const payload = bytesOf(content, values);
  if (!payload || (header && !headerBytes)) return undefined;
  return { payload, header: headerBytes, kind: isBinary ? 'binary' : undefined };
}

/** The names that get values when a message is received. */
export function namesInMessage({ content, header }: MessageContent): string[] {
  return [...(header ? namesIn(header) : []), ...namesIn(content)];
}

/** What must have a value before a message can be sent, as within braces. */
export function unknownInMessage({ content, header }: MessageContent, values: Values): string[] {
  const has = (name: string) => values.isSendable(name);
  return [...(header ? unknownIn(header, has, values) : []), ...unknownIn(content, has, values)];
}

/**
 * Compares a message with the expected one. If they are equal, names without a value get the bytes found in their places.
 *
 * @returns what differs, if anything
 */
export function differenceOf(
  { content, header, isBinary }: MessageContent,
  message: Message,
  values: Values,
): string | undefined {
  if (message.kind !== undefined && isBinary !== (message.kind === 'binary') && (isBinary || !isUsualKind(message)))
    return `a ${message.kind} message instead of a ${isBinary ? 'binary' : 'text'} one`;
  // Both must match before a name gets a value.
  const found = values.fork();
  const difference = differenceIn({ content, header }, message, found);
  if (difference === undefined) values.adopt(found);
  return difference;
}

function differenceIn({ content, header }: Parts, message: Message, values: Values): string | undefined {
  try {
    if (header && contentDifference(header, message.header, values) !== undefined) return 'a different header';
    const detail = contentDifference(content, message.bytes, values);
    if (detail === undefined) return undefined;
    return detail === '' ? 'a different message' : `a different message: ${detail}`;
  } catch (error) {
    // A function of what was received cannot be computed, such as one of your own.
    if (error instanceof YodelError) return `not comparable: ${error.message}`;
    throw error;
  }
}
