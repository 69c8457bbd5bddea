/** Escapes text from a peer for display: nothing in it can move the cursor, change colours, reorder text or hide. */
import { isUtf8 } from 'node:buffer';
import { escapeJson, escapeText } from '../format/escape.ts';

export { escapeJson, escapeText };

/** The beginning of a long text, which says how much was cut. Not escaped: cut first, because escaping costs time. */
export function cutText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  // Not inside a surrogate pair.
  const isPair = (text.codePointAt(maxLength - 1) ?? 0) > 0xffff;
  const end = isPair ? maxLength - 1 : maxLength;
  return `${text.slice(0, end)} … ${text.length - end} characters more`;
}

/** How much of an error's text is shown, in UTF-16 units. It may repeat a message of megabytes. */
const maxErrorText = 2048;
/** How many calls of a stack are shown. The runtimes collect 10, unless they are told otherwise. */
const maxCalls = 50;

/** The text of an error, escaped, without what exceeds 2 KiB. */
export function escapeError(text: string): string {
  return escapeText(cutText(text, maxErrorText));
}

/** A thrown value, escaped: its message in one line, because it may contain text from a peer, and the calls of its stack. */
export function escapeStack(thrown: unknown): string {
  return [thrownText(thrown), ...callsOf(thrown)].map(escapeText).join('\n');
}

/**
 * A thrown value as text of at most 2 KiB, not escaped. A handler may throw anything, even a value that cannot be converted to
 * a string.
 */
export function thrownText(thrown: unknown): string {
  try {
    return cutText(String(thrown), maxErrorText);
  } catch {
    return 'a value that cannot be converted to text was thrown';
  }
}

/** The lines of the stack that name calls. Other lines may come from the message, and could be mistaken for output of yodel. */
function callsOf(thrown: unknown): string[] {
  if (!(thrown instanceof Error)) return [];
  const { message, stack } = thrown;
  if (typeof message !== 'string' || typeof stack !== 'string') return [];
  const at = stack.indexOf(message);
  const start = at === -1 ? 0 : at + message.length;
  const below = stack.slice(start, start + maxCalls * maxErrorText);
  const calls = below.split('\n').filter((line) => /^ +at /.test(line));
  return calls.slice(0, maxCalls).map((call) => cutText(call, maxErrorText));
}

/** Bytes as escaped text: decoded if they are UTF-8, otherwise with `\xHH` for each byte that is not printable ASCII. */
export function escapeBytes(bytes: Uint8Array): string {
  if (isUtf8(bytes)) return escapeText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  let text = '';
  for (const byte of bytes) text += byteEscapes[byte];
  return text;
}

/** Bytes as fields of a JSON object: as text where they are UTF-8, otherwise as base64, because JSON has no bytes. */
export type JsonContent = { readonly text: string } | { readonly base64: string };

/** See {@link JsonContent}. */
export function jsonContent(bytes: Uint8Array): JsonContent {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(bytes) ? { text: buffer.toString() } : { base64: buffer.toString('base64') };
}

/** As {@link jsonContent}, but only the first bytes; `truncated` says that there are more. */
export function jsonBeginning(bytes: Uint8Array, max: number): JsonContent & { readonly truncated?: true } {
  if (bytes.length <= max) return jsonContent(bytes);
  return { ...jsonContent(bytes.subarray(0, characterStart(bytes, max))), truncated: true };
}

/** How many bytes of a message a line for people shows. */
const maxShown = 1024;

/** As {@link escapeBytes}, but shortens a long message and says by how much. */
export function escapeBeginning(bytes: Uint8Array): string {
  if (bytes.length <= maxShown) return escapeBytes(bytes);
  // Cut between characters: a cut character would make the text look like binary data.
  const end = characterStart(bytes, maxShown);
  return `${escapeBytes(bytes.subarray(0, end))} … ${bytes.length - end} B more`;
}

/** The start of the UTF-8 character that contains offset `at`. */
function characterStart(bytes: Uint8Array, at: number): number {
  let start = at;
  while (start > at - 4 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start--;
  return start;
}

/** Escapes a stream of bytes for a terminal. Newlines, CRLF and tabs are kept; bytes that are not UTF-8 become U+FFFD. */
export class EscapingStream {
  // A byte order mark is escaped like other invisible characters, not dropped.
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  /** A carriage return at the end of a chunk: it is kept if a newline follows, otherwise escaped. */
  #carriageReturn = '';

  /** Escapes the next bytes. A character that is not complete yet is returned by a later call. */
  add(bytes: Uint8Array): string {
    const text = this.#carriageReturn + this.#decoder.decode(bytes, { stream: true });
    this.#carriageReturn = text.endsWith('\r') ? '\r' : '';
    return escapeLines(text.slice(0, text.length - this.#carriageReturn.length));
  }

  /** Escapes the rest at the end of the stream. */
  end(): string {
    return escapeLines(this.#carriageReturn + this.#decoder.decode());
  }
}

function escapeLines(text: string): string {
  const parts = text.split(/(\r?\n|\t)/);
  return parts.map((part, index) => (index % 2 === 0 ? escapeText(part) : part)).join('');
}

/** Bytes that are not text: printable ASCII as it is, every other byte as `\xHH`. */
const byteEscapes: readonly string[] = Array.from({ length: 0x100 }, (_, byte) =>
  byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`,
);
