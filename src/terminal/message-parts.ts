/** How output shows what a message has besides its payload: its header, and whether it is binary. */
import { isTextHeader, spacedHex } from '../format/hex.ts';
import { escapeBeginning } from './escape.ts';

/** What a message has besides its payload. */
interface Parts {
  readonly header: Uint8Array;
  /** Null or undefined where messages have no kind. */
  readonly kind?: 'text' | 'binary' | null | undefined;
}

/** What stands before the payload in a line for people: `00 01 | `, `Content-Type: text/plain\r\n | `, `binary `, or nothing. */
export function beforePayload({ header, kind }: Parts): string {
  const mark = kind === 'binary' ? 'binary ' : '';
  if (header.length === 0) return mark;
  // Cut before it is examined, because a header may have as many bytes as a message.
  if (isTextHeader(header.subarray(0, maxShown))) return `${mark}${escapeBeginning(header)} | `;
  const more = header.length > maxHex ? ` … ${header.length - maxHex} B more` : '';
  return `${mark}${spacedHex(header.subarray(0, maxHex))}${more} | `;
}

/** How many bytes of a header are examined, and shown in hexadecimal digits. */
const maxShown = 1024;
const maxHex = 256;

/**
 * The same as fields of a JSON object: `header`, in hexadecimal digits, and `kind`.
 *
 * @param maxHeader the number of bytes of the header that are shown. Default: all
 */
export function jsonParts(
  { header, kind }: Parts,
  maxHeader: number = header.length,
): { readonly header?: string; readonly kind?: 'text' | 'binary' } {
  const size = Math.min(header.length, maxHeader);
  return {
    ...(size > 0 && { header: Buffer.from(header.buffer, header.byteOffset, size).toString('hex') }),
    ...(kind && { kind }),
  };
}
