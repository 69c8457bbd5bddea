/**
 * What follows the arrow of a message line: a mark, a header and a payload. The payload is in one of the forms of content.ts.
 *
 *     > hello                             a payload
 *     >h 10 | hello                       a header in hexadecimal digits, and a payload in any form
 *     >h\ Content-Type: text/plain | hi   a header as text with escapes
 *     >x 10 | 00 04                       both in hexadecimal digits
 *     >b hello                            a binary message of a WebSocket
 */
import { isTextHeader, spacedHex } from '../format/hex.ts';
import type { MessageKind } from '../framing/frames.ts';
import type { Message } from '../framing/message.ts';
import {
  bytesOf,
  ContentError,
  formatContent,
  formatEscaped,
  matches,
  namesIn,
  parseEscaped,
  parseHex,
  parsePlain,
} from './content.ts';
import { isUsualKind } from './frames.ts';
import type { Captures, Content, MessageContent } from './transcript.ts';

/** Reads what follows the arrow. @throws ContentError */
export function parseMessage(text: string): MessageContent {
  const isBinary = /^b(?:$|[ \\xh])/.test(text);
  return { isBinary, ...within(text, isBinary ? 1 : 0, parseParts) };
}

function parseParts(text: string): Omit<MessageContent, 'isBinary'> {
  if (/^h[ \\|]/.test(text)) return parseAfterHeader(text);
  const bar = text.startsWith('x') ? text.indexOf('|') : -1;
  if (bar === -1) return { header: undefined, content: parsePayload(text) };
  return { header: within(text.slice(0, bar), 1, parseHex), content: within(text, bar + 1, parseHex) };
}

/** Reads `h HEX | …` or `h\ TEXT | …`. */
function parseAfterHeader(text: string): Omit<MessageContent, 'isBinary'> {
  const isText = text[1] === '\\';
  const [before = ''] = (isText ? /^h\\(?:\\.|[^\\|])*/su : /^h[^|]*/).exec(text) ?? [];
  const bar = before.length;
  if (text[bar] !== '|') throw new ContentError(bar, 'the header must be followed by | and the payload');
  const content = within(text, bar + 1, parsePayload);
  if (!isText) return { header: within(before, 1, parseHex), content };
  // One space before the bar is skipped, as is one after the backslash.
  const tokens = before.match(/\\.|[^\\]/gsu) ?? [];
  const end = tokens.at(-1) === ' ' && bar > 3 ? bar - 1 : bar;
  return { header: within(text.slice(0, end), text[2] === ' ' ? 3 : 2, parseEscaped), content };
}

function parsePayload(text: string): Content {
  const form = text[0];
  if (form === undefined) return { kind: 'parts', parts: [] };
  const parse = form === ' ' ? parsePlain : form === '\\' ? parseEscaped : form === 'x' ? parseHex : undefined;
  if (!parse) {
    throw new ContentError(
      0,
      'the arrow must be followed by a space and text, by \\ and text with escapes, by x and hexadecimal digits, or by h and a header',
    );
  }
  // One space after \ or x is skipped, for readability.
  return within(text, form !== ' ' && text[1] === ' ' ? 2 : 1, parse);
}

/** Parses the text from an offset. */
function within<Result>(text: string, offset: number, parse: (text: string) => Result): Result {
  try {
    return parse(text.slice(offset));
  } catch (error) {
    if (error instanceof ContentError) throw new ContentError(offset + error.at, error.message);
    throw error;
  }
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

/** The message that a line sends. Undefined for a pattern, and when a name has no value yet. */
export function partsOf({ content, header, isBinary }: MessageContent, captures: Captures): SentParts | undefined {
  const payload = bytesOf(content, captures);
  const headerBytes = header && bytesOf(header, captures);
  if (!payload || (header && !headerBytes)) return undefined;
  return { payload, header: headerBytes, kind: isBinary ? 'binary' : undefined };
}

/** The names in a message. */
export function namesInMessage({ content, header }: MessageContent): string[] {
  return [...(header ? namesIn(header) : []), ...namesIn(content)];
}

/**
 * Compares a message with the expected one. If they are equal, names without a value get the bytes found in their places.
 *
 * @returns what differs, if anything
 */
export function differenceOf(
  { content, header, isBinary }: MessageContent,
  message: Message,
  captures: Captures,
): string | undefined {
  if (message.kind !== undefined && isBinary !== (message.kind === 'binary') && (isBinary || !isUsualKind(message)))
    return `a ${message.kind} message instead of a ${isBinary ? 'binary' : 'text'} one`;
  // Both must match before a name gets a value.
  const found = new Map(captures);
  if (header && !matches(header, message.header, found)) return 'a different header';
  if (!matches(content, message.bytes, found)) return 'a different message';
  for (const [name, value] of found) captures.set(name, value);
  return undefined;
}
