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
  return `${mark}${isTextHeader(header) ? escapeBeginning(header) : spacedHex(header)} | `;
}

/** The same as fields of a JSON object: `header`, in hexadecimal digits, and `kind`. */
export function jsonParts({ header, kind }: Parts): { readonly header?: string; readonly kind?: 'text' | 'binary' } {
  return {
    ...(header.length > 0 && { header: Buffer.from(header.buffer, header.byteOffset, header.length).toString('hex') }),
    ...(kind && { kind }),
  };
}
