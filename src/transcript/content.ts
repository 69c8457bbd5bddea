/**
 * How a message stands in a line, in one of three forms:
 *
 *     > hello {name}          text as it is, with names in braces; on the side that is received also /pattern/flags
 *     >\ \x02hello\x03\r      text with escapes
 *     >x 02 68 65 6c 6c 6f 03 bytes in hexadecimal digits
 */
import { isUtf8 } from 'node:buffer';
import type { Captures, Content, Part } from './transcript.ts';

/** Thrown with the place in the text where it is wrong. Whoever knows the line makes a TranscriptError of it. */
export class ContentError extends Error {
  readonly at: number;

  constructor(at: number, problem: string) {
    super(problem);
    this.at = at;
  }
}

const name = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** What looks like a pattern: letters behind the last slash that are flags in JavaScript, so that `/usr/bin` is a text. */
const patternForm = /^\/(.+)\/([dgimsuvy]*)$/;

/** Text as it is. */
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
  if (new Set(flags).size < flags.length)
    throw new ContentError(source.length + 2, 'a flag of the pattern stands there twice');
  try {
    return new RegExp(source, flags);
  } catch (error) {
    const [, reason] = /: ([^:]+)$/.exec((error as Error).message) ?? [];
    throw new ContentError(
      1,
      `the pattern cannot be read: ${reason ?? (error as Error).message}; a text that begins and ends with / is written in the form with escapes: \\/`,
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
  ' ': ' ',
};

/** Text with escapes. */
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
    if (token === '') throw new ContentError(at, 'a \\ stands at the end; a backslash itself is written \\\\');
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
  if (!isCharacter) throw new ContentError(at, `there is no character \\u{${point}}; the last one is \\u{10ffff}`);
  return String.fromCodePoint(value);
}

function lookUp(letter: string, at: number): string {
  const value = escapes[letter];
  if (value !== undefined) return value;
  if (letter === 'x') throw new ContentError(at, '\\x takes two hexadecimal digits, such as \\x1b');
  if (letter === 'u') throw new ContentError(at, '\\u takes a number in braces, such as \\u{1f600}');
  throw new ContentError(
    at,
    `there is no escape \\${letter}; there are \\n \\r \\t \\0 \\\\ \\{ \\/ \\xHH and \\u{H…}`,
  );
}

/** Bytes in hexadecimal digits, of which spaces may separate pairs. */
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
    if (wrong)
      throw new ContentError(at + wrong.index, `"${wrong[0]}" is no hexadecimal digit; they are 0 to 9 and a to f`);
    bytes.push(Number.parseInt(pair, 16));
    at += 2;
  }
  return { kind: 'parts', parts: bytes.length > 0 ? [Uint8Array.from(bytes)] : [] };
}

// What would not be seen, or could steer a terminal, in a file that people read.
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u;

/** The shortest form of a message that reads as these bytes again: what stands behind the arrow. */
export function formatContent(bytes: Uint8Array): string {
  if (bytes.length === 0) return '';
  if (!isUtf8(bytes)) return isMostlyText(bytes) ? `\\ ${escapeBytes(bytes)}` : `x ${hexOf(bytes)}`;
  const text = Buffer.from(bytes).toString();
  const isPlain = !invisible.test(text) && !patternForm.test(text) && text.search(name) === -1 && !/ $/.test(text);
  return isPlain ? ` ${text}` : `\\ ${escapeText(text)}`;
}

function isMostlyText(bytes: Uint8Array): boolean {
  let printable = 0;
  for (const byte of bytes)
    if ((byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d || byte === 0x09) printable++;
  return printable >= bytes.length * 0.75;
}

function escapeText(text: string): string {
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

/** Bytes that are not UTF-8: ASCII as it is, all others one by one. */
function escapeBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte, index) => {
    const character = String.fromCharCode(byte);
    if (byte >= 0x80) return `\\x${byte.toString(16)}`;
    if (character === '\\' || character === '{') return `\\${character}`;
    if (character === ' ' && index === bytes.length - 1) return '\\ ';
    return invisible.test(character) ? escapeCharacter(character) : character;
  }).join('');
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** The bytes of a message to be sent. Undefined: it is a pattern, or a name stands for nothing yet. */
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

/** Whether bytes are what was expected. If so, names that were new stand for what was found in their places. */
export function matches(content: Content, bytes: Uint8Array, captures: Captures): boolean {
  const found =
    content.kind === 'pattern' ? groupsOf(content.pattern, bytes) : placesOf(content.parts, bytes, captures);
  for (const [name, value] of found ?? []) captures.set(name, value);
  return found !== undefined;
}

type Found = ReadonlyMap<string, Uint8Array>;

/** Patterns look at text. */
function groupsOf(pattern: RegExp, bytes: Uint8Array): Found | undefined {
  const found = pattern.exec(bufferOf(bytes).toString());
  if (!found) return undefined;
  const groups = Object.entries(found.groups ?? {}).filter(([, value]) => value !== undefined);
  return new Map(groups.map(([name, value]) => [name, Buffer.from(value)]));
}

/**
 * What stands in the places of the names: each as short as it can be. To take the first place of each text between two names
 * is enough, for what fits further on fits behind an earlier one too; so no pattern is needed, which could take for ever.
 */
function placesOf(parts: readonly Part[], bytes: Uint8Array, captures: Captures): Found | undefined {
  const pieces = piecesOf(parts, captures);
  const names = pieces.filter((piece): piece is string => typeof piece === 'string');
  if (new Set(names).size < names.length) return repeatedPlacesOf(pieces, bytes);
  const whole = bufferOf(bytes);
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

/** Names that are new, and the bytes between them. */
function piecesOf(parts: readonly Part[], captures: Captures): (Buffer | string)[] {
  const pieces: (Buffer | string)[] = [];
  for (const part of parts) {
    const bytes = part instanceof Uint8Array ? part : captures.get(part.name);
    const last = pieces.at(-1);
    if (bytes === undefined) pieces.push((part as { readonly name: string }).name);
    else if (last === undefined || typeof last === 'string') pieces.push(bufferOf(bytes));
    else pieces[pieces.length - 1] = Buffer.concat([last, bytes]);
  }
  return pieces;
}

/** Where a new name stands twice, both must be the same: each byte is a character, so that any bytes can stand there. */
function repeatedPlacesOf(pieces: readonly (Buffer | string)[], bytes: Uint8Array): Found | undefined {
  const seen = new Set<string>();
  const sources = pieces.map((piece) => {
    if (typeof piece !== 'string') return quoted(piece);
    if (seen.has(piece)) return `\\k<${piece}>`;
    seen.add(piece);
    return `(?<${piece}>[\\s\\S]*?)`;
  });
  const found = new RegExp(`^${sources.join('')}$`).exec(bufferOf(bytes).toString('latin1'));
  if (!found) return undefined;
  return new Map(Object.entries(found.groups ?? {}).map(([name, value]) => [name, Buffer.from(value, 'latin1')]));
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function quoted(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}

/** The names that stand in it. */
export function namesIn(content: Content): string[] {
  if (content.kind === 'parts') return content.parts.flatMap((part) => (part instanceof Uint8Array ? [] : [part.name]));
  // A parenthesis behind an odd number of backslashes is one of the text.
  const groups = content.pattern.source.matchAll(/(?<!\\)(?:\\\\)*\(\?<([A-Za-z_]\w*)>/g);
  return Array.from(groups, ([, group]) => group as string);
}
