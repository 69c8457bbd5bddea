/** How output shows what a message has besides its payload: its header in hexadecimal digits, and whether it is binary. */

/** What a message has besides its payload. */
interface Parts {
  readonly header: Uint8Array;
  /** Null or undefined where messages have no kind. */
  readonly kind?: 'text' | 'binary' | null | undefined;
}

/** Bytes in hexadecimal digits, two and a space for each. */
export function spacedHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** What stands before the payload in a line for people: `00 01 | `, `binary `, or nothing. */
export function beforePayload({ header, kind }: Parts): string {
  const mark = kind === 'binary' ? 'binary ' : '';
  return header.length > 0 ? `${mark}${spacedHex(header)} | ` : mark;
}

/** The same as fields of a JSON object: `header`, in hexadecimal digits, and `kind`. */
export function jsonParts({ header, kind }: Parts): { readonly header?: string; readonly kind?: 'text' | 'binary' } {
  return {
    ...(header.length > 0 && { header: Buffer.from(header.buffer, header.byteOffset, header.length).toString('hex') }),
    ...(kind && { kind }),
  };
}
