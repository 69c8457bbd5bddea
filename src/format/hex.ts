/** Bytes in hexadecimal digits, and which bytes are better shown as text. */

/** Two digits and a space for each byte: `00 04`. */
export function spacedHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** The number of printable ASCII characters, tabs and line ends. */
export function countPrintable(bytes: Uint8Array): number {
  let printable = 0;
  for (const byte of bytes)
    if ((byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d || byte === 0x09) printable++;
  return printable;
}

/** A shorter header is a type, a number or an id, and not text, even if its bytes are those of letters. */
const longestCode = 8;

/** Whether a message's header is text, such as header lines. */
export function isTextHeader(header: Uint8Array): boolean {
  return header.length > longestCode && countPrintable(header) === header.length;
}
