/**
 * The content of a payload or a header, in one of three forms:
 *
 *     > hello {name}          literal text, with names in braces; for an expected message also /pattern/flags
 *     >\ \x02hello\x03\r      text with escapes
 *     >x 02 68 65 6c 6c 6f 03 bytes in hexadecimal digits
 */
import { isUtf8 } from 'node:buffer';
import { countPrintable, spacedHex } from '../format/hex.ts';
import { asBuffer } from '../framing/framing.ts';
import type { Captures, Content, Part } from './transcript.ts';

/** A syntax error at an index of the text. The caller knows the line and turns it into a TranscriptError. */
export class ContentError extends Error {
  readonly at: number;

  constructor(at: number, problem: string) {
    super(problem);
    this.at = at;
  }
}

const name = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** A pattern: after the last slash only letters that are flags in JavaScript, so that `/usr/bin` is literal text. */
const patternForm = /^\/(.+)\/([dgimsuvy]*)$/;

/** Reads literal text, or a pattern. @throws ContentError */
export function parsePlain(text: string): Content {
  const [whole, source, flags] = patternForm.exec(text) ?? [];
  if (whole !== undefined && source !== undefined)
    return { kind: 'pattern', pattern: parsePattern(source, flags ?? '') };
  const parts: Part[] = [];
  let from = 0;
  for (const match of text.matchAll(name)) {
    if (match.index > from) parts.push(Buffer.from(text.slice(from, match.index)));
    parts.push({ name: match[1] as string });
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push(Buffer.from(text.slice(from)));
  return { kind: 'parts', parts };
}

function parsePattern(source: string, flags: string): RegExp {
  const wrong = /[^imsu]/.exec(flags);
  if (wrong)
    throw new ContentError(
      source.length + 2 + wrong.index,
      `a pattern takes the flags i, m, s and u, not "${wrong[0]}"`,
    );
  if (new Set(flags).size < flags.length) throw new ContentError(source.length + 2, 'a pattern flag is repeated');
  try {
    return new RegExp(source, flags);
  } catch (error) {
    const [, reason] = /: ([^:]+)$/.exec((error as Error).message) ?? [];
    throw new ContentError(
      1,
      `invalid pattern: ${reason ?? (error as Error).message}; text that starts and ends with / is written in the form with escapes: \\/`,
    );
  }
}

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '0': '\0',
  '\\': '\\',
  '{': '{',
  '/': '/',
  '|': '|',
  ' ': ' ',
};

/** Reads text with escapes. @throws ContentError */
export function parseEscaped(text: string): Content {
  const parts: Part[] = [];
  let bytes: Buffer[] = [];
  const seal = () => {
    if (bytes.length > 0) parts.push(Buffer.concat(bytes));
    bytes = [];
  };
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at);
    const [token = '', hex, point, letter, captured] =
      /^(?:\\x([0-9a-fA-F]{2})|\\u\{([0-9a-fA-F]{1,6})\}|\\(.)|\{([A-Za-z_][A-Za-z0-9_]*)\}|[^\\{]+|\{)/su.exec(rest) ??
      [];
    if (token === '') throw new ContentError(at, 'unfinished escape at the end; a backslash is written \\\\');
    if (captured !== undefined) {
      seal();
      parts.push({ name: captured });
    } else if (hex !== undefined) bytes.push(Buffer.from([Number.parseInt(hex, 16)]));
    else if (point !== undefined) bytes.push(Buffer.from(characterOf(point, at)));
    else if (letter !== undefined) bytes.push(Buffer.from(lookUp(letter, at)));
    else bytes.push(Buffer.from(token));
    at += token.length;
  }
  seal();
  return { kind: 'parts', parts };
}

function characterOf(point: string, at: number): string {
  const value = Number.parseInt(point, 16);
  const isCharacter = value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
  if (!isCharacter) throw new ContentError(at, `\\u{${point}} is not a character; the highest is \\u{10ffff}`);
  return String.fromCodePoint(value);
}

function lookUp(letter: string, at: number): string {
  const value = escapes[letter];
  if (value !== undefined) return value;
  if (letter === 'x') throw new ContentError(at, '\\x takes two hexadecimal digits, such as \\x1b');
  if (letter === 'u') throw new ContentError(at, '\\u takes a number in braces, such as \\u{1f600}');
  throw new ContentError(
    at,
    `unknown escape \\${letter}; known escapes are \\n \\r \\t \\0 \\\\ \\{ \\/ \\| \\xHH and \\u{H…}`,
  );
}

/** Reads bytes in hexadecimal digits; spaces may separate pairs. @throws ContentError */
export function parseHex(text: string): Content {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; ) {
    if (text[at] === ' ') {
      at++;
      continue;
    }
    const pair = text.slice(at, at + 2);
    const wrong = /[^0-9a-fA-F]/.exec(pair);
    if (wrong?.[0] === ' ' || pair.length < 2)
      throw new ContentError(at, 'a byte is two hexadecimal digits, such as 0a');
    if (wrong) throw new ContentError(at + wrong.index, `"${wrong[0]}" is not a hexadecimal digit (0 to 9, a to f)`);
    bytes.push(Number.parseInt(pair, 16));
    at += 2;
  }
  return { kind: 'parts', parts: bytes.length > 0 ? [Uint8Array.from(bytes)] : [] };
}

// Characters that are invisible in a file that people read, or that control a terminal.
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u;

/** The shortest form that parses as these bytes. It follows the arrow of a message line. */
export function formatContent(bytes: Uint8Array): string {
  if (bytes.length === 0) return '';
  if (!isUtf8(bytes)) return isMostlyText(bytes) ? `\\ ${escapeBytes(bytes)}` : `x ${spacedHex(bytes)}`;
  const text = Buffer.from(bytes).toString();
  const isPlain = !invisible.test(text) && !patternForm.test(text) && text.search(name) === -1 && !/ $/.test(text);
  return isPlain ? ` ${text}` : `\\ ${formatEscaped(text)}`;
}

function isMostlyText(bytes: Uint8Array): boolean {
  return countPrintable(bytes) >= bytes.length * 0.75;
}

/** Text with escapes, as {@link parseEscaped} reads it. */
export function formatEscaped(text: string): string {
  const escaped = text.replace(/[\\]/g, '\\\\').replace(name, '\\$&').replace(/^\//, '\\/').replace(/ $/, '\\ ');
  return Array.from(escaped, (character) => (invisible.test(character) ? escapeCharacter(character) : character)).join(
    '',
  );
}

function escapeCharacter(character: string): string {
  const [letter] = Object.entries(escapes).find(([, value]) => value === character) ?? [];
  if (letter !== undefined) return `\\${letter}`;
  const point = character.codePointAt(0) ?? 0;
  // \x is a byte: above 0x7f a character takes several.
  return point < 0x80 ? `\\x${point.toString(16).padStart(2, '0')}` : `\\u{${point.toString(16)}}`;
}

/** Escapes bytes that are not UTF-8: keeps printable ASCII, escapes every other byte. */
function escapeBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte, index) => {
    const character = String.fromCharCode(byte);
    if (byte >= 0x80) return `\\x${byte.toString(16)}`;
    if (character === '\\' || character === '{') return `\\${character}`;
    if (character === ' ' && index === bytes.length - 1) return '\\ ';
    return invisible.test(character) ? escapeCharacter(character) : character;
  }).join('');
}

/** The bytes of a message to send. Undefined for a pattern, and when a name has no value yet. */
export function bytesOf(content: Content, captures: Captures): Buffer | undefined {
  if (content.kind === 'pattern') return undefined;
  const parts: Uint8Array[] = [];
  for (const part of content.parts) {
    if (part instanceof Uint8Array) parts.push(part);
    else {
      const value = captures.get(part.name);
      if (value === undefined) return undefined;
      parts.push(value);
    }
  }
  return Buffer.concat(parts);
}

/** Whether bytes match the expected content. If so, names without a value get the bytes found in their places. */
export function matches(content: Content, bytes: Uint8Array, captures: Captures): boolean {
  const found =
    content.kind === 'pattern' ? groupsOf(content.pattern, bytes) : placesOf(content.parts, bytes, captures);
  for (const [name, value] of found ?? []) captures.set(name, value);
  return found !== undefined;
}

type Found = ReadonlyMap<string, Uint8Array>;

/** Patterns match the bytes as text. */
function groupsOf(pattern: RegExp, bytes: Uint8Array): Found | undefined {
  const found = pattern.exec(asBuffer(bytes).toString());
  if (!found) return undefined;
  const groups = Object.entries(found.groups ?? {}).filter(([, value]) => value !== undefined);
  return new Map(groups.map(([name, value]) => [name, Buffer.from(value)]));
}

/**
 * The shortest bytes that each name can capture. It is enough to take the first occurrence of each literal between two
 * names, because what fits after a later occurrence also fits after an earlier one. So the time is linear, which a regular
 * expression would not guarantee.
 */
function placesOf(parts: readonly Part[], bytes: Uint8Array, captures: Captures): Found | undefined {
  const pieces = piecesOf(parts, captures);
  const names = pieces.filter((piece): piece is string => typeof piece === 'string');
  if (new Set(names).size < names.length) return repeatedPlacesOf(pieces, bytes);
  const whole = asBuffer(bytes);
  const found = new Map<string, Uint8Array>();
  let at = 0;
  let open: string | undefined;
  for (const [index, piece] of pieces.entries()) {
    if (typeof piece === 'string') {
      if (open !== undefined) found.set(open, new Uint8Array());
      open = piece;
      continue;
    }
    const end = whole.length - piece.length;
    const start = open === undefined ? at : index === pieces.length - 1 ? end : whole.indexOf(piece, at);
    if (start < at || !whole.subarray(start, start + piece.length).equals(piece)) return undefined;
    if (open !== undefined) found.set(open, Uint8Array.from(whole.subarray(at, start)));
    open = undefined;
    at = start + piece.length;
  }
  if (open !== undefined) found.set(open, Uint8Array.from(whole.subarray(at)));
  else if (at !== whole.length) return undefined;
  return found;
}

/** Names without a value, and the bytes between them. */
function piecesOf(parts: readonly Part[], captures: Captures): (Buffer | string)[] {
  const pieces: (Buffer | string)[] = [];
  for (const part of parts) {
    const bytes = part instanceof Uint8Array ? part : captures.get(part.name);
    const last = pieces.at(-1);
    if (bytes === undefined) pieces.push((part as { readonly name: string }).name);
    else if (last === undefined || typeof last === 'string') pieces.push(asBuffer(bytes));
    else pieces[pieces.length - 1] = Buffer.concat([last, bytes]);
  }
  return pieces;
}

/** A new name that occurs twice must capture the same bytes twice. Latin-1 makes each byte a character, so any bytes match. */
function repeatedPlacesOf(pieces: readonly (Buffer | string)[], bytes: Uint8Array): Found | undefined {
  const seen = new Set<string>();
  const sources = pieces.map((piece) => {
    if (typeof piece !== 'string') return quoted(piece);
    if (seen.has(piece)) return `\\k<${piece}>`;
    seen.add(piece);
    return `(?<${piece}>[\\s\\S]*?)`;
  });
  const found = new RegExp(`^${sources.join('')}$`).exec(asBuffer(bytes).toString('latin1'));
  if (!found) return undefined;
  return new Map(Object.entries(found.groups ?? {}).map(([name, value]) => [name, Buffer.from(value, 'latin1')]));
}

function quoted(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}

/** The names in the content. */
export function namesIn(content: Content): string[] {
  if (content.kind === 'parts') return content.parts.flatMap((part) => (part instanceof Uint8Array ? [] : [part.name]));
  // A parenthesis after an odd number of backslashes is literal.
  const groups = content.pattern.source.matchAll(/(?<!\\)(?:\\\\)*\(\?<([A-Za-z_]\w*)>/g);
  return Array.from(groups, ([, group]) => group as string);
}
