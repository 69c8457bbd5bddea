/** Makes what a peer sent safe to show: nothing in it can move the cursor, change colours or reorder text. */
import { isUtf8 } from 'node:buffer';

// C0 with its newlines, DEL and C1; then what reorders or hides text: bidi controls, line and paragraph separators, zero
// width and interlinear marks, the byte order mark, and tag characters.
const harmful =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: to find them is the purpose
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udc7f]/g;

const shortEscapes: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\0' };

/** Text with every harmful character as an escape: `\n`, `\x1b`, `\u202e`. */
export function escapeText(text: string): string {
  return text.replace(harmful, escapeCharacter);
}

/** JSON in which every harmful character is written as `\uXXXX`, which means the same. */
export function escapeJson(json: string): string {
  return json.replace(harmful, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** What was thrown: its message in one line, for it may hold what a peer sent, and below it the calls that led to it. */
export function escapeStack(thrown: unknown): string {
  return [thrownText(thrown), ...callsOf(thrown)].map(escapeText).join('\n');
}

/** What was thrown, as text. A handler may throw anything, even what cannot be made text of. Not yet harmless. */
export function thrownText(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return 'something that cannot be shown was thrown';
  }
}

/** The lines of the stack that name calls. Only those: other lines may be a message's, and look as if yodel had said them. */
function callsOf(thrown: unknown): string[] {
  if (!(thrown instanceof Error)) return [];
  const { message, stack } = thrown;
  if (typeof message !== 'string' || typeof stack !== 'string') return [];
  const at = stack.indexOf(message);
  const below = stack.slice(at === -1 ? 0 : at + message.length);
  return below.split('\n').filter((line) => /^ +at /.test(line));
}

/** Bytes as harmless text: as UTF-8 when they are UTF-8, else with `\xHH` for each byte that is not printable ASCII. */
export function escapeBytes(bytes: Uint8Array): string {
  if (isUtf8(bytes)) return escapeText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  return Array.from(bytes, (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`,
  ).join('');
}

/** Bytes as fields of a JSON object: as text where they are UTF-8, else as base64, for JSON has no bytes. */
export function jsonContent(bytes: Uint8Array): { readonly text: string } | { readonly base64: string } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(bytes) ? { text: buffer.toString() } : { base64: buffer.toString('base64') };
}

/** How much of a message a line shows; JSON and transcripts have all of it. */
const mostShown = 1024;

/** As {@link escapeBytes}, but of a long message only the beginning, and how much more there is. */
export function escapeBeginning(bytes: Uint8Array): string {
  if (bytes.length <= mostShown) return escapeBytes(bytes);
  // Cut between characters, or a cut one would make the whole look like binary data.
  const end = characterStart(bytes, mostShown);
  return `${escapeBytes(bytes.subarray(0, end))} … ${bytes.length - end} B more`;
}

/** The nearest place at or before `at` where a UTF-8 character begins. */
function characterStart(bytes: Uint8Array, at: number): number {
  let start = at;
  while (start > at - 4 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start--;
  return start;
}

/**
 * Makes a stream of bytes harmless for a terminal. Newlines, also CRLF, and tabs stay what they are; what is not UTF-8
 * becomes U+FFFD.
 */
export class EscapingStream {
  // A byte order mark is to be seen, and not to vanish.
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  /** A carriage return that a newline may follow. */
  #heldBack = '';

  /** The next bytes, as text: characters that are not complete yet come with the next call. */
  add(bytes: Uint8Array): string {
    const text = this.#heldBack + this.#decoder.decode(bytes, { stream: true });
    this.#heldBack = text.endsWith('\r') ? '\r' : '';
    return harmlessLines(text.slice(0, text.length - this.#heldBack.length));
  }

  /** What is left at the end. */
  end(): string {
    return harmlessLines(this.#heldBack + this.#decoder.decode());
  }
}

function harmlessLines(text: string): string {
  const parts = text.split(/(\r?\n|\t)/);
  return parts.map((part, index) => (index % 2 === 0 ? escapeText(part) : part)).join('');
}

function escapeCharacter(character: string): string {
  const short = shortEscapes[character];
  if (short !== undefined) return short;
  const point = character.codePointAt(0) ?? 0;
  if (point < 0x100) return `\\x${point.toString(16).padStart(2, '0')}`;
  return point < 0x10000 ? `\\u${point.toString(16).padStart(4, '0')}` : `\\u{${point.toString(16)}}`;
}
