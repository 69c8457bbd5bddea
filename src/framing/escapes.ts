/** Bytes written as text: `\0`, `\r\n`, `\xff`. */
import { YodelError } from '../errors.ts';

/**
 * Formats bytes as text with escapes, which {@link parseBytes} reads.
 *
 * @param special characters that are escaped too, such as those that separate several texts
 */
export function formatBytes(bytes: Uint8Array, special = ''): string {
  return Array.from(bytes, (byte) => formatByte(byte, special)).join('');
}

const escapes: Record<string, number> = { '0': 0, n: 10, r: 13, t: 9, '\\': 92 };

function formatByte(byte: number, special: string): string {
  for (const [letter, value] of Object.entries(escapes)) if (value === byte) return `\\${letter}`;
  const character = String.fromCharCode(byte);
  const isPlain = byte > 0x20 && byte < 0x7f && !special.includes(character);
  return isPlain ? character : `\\x${byte.toString(16).padStart(2, '0')}`;
}

/**
 * Parses text with the escapes `\0 \n \r \t \\ \xHH`.
 *
 * @throws YodelError `YODEL_INVALID_OPTION` for any other escape
 */
export function parseBytes(text: string): Uint8Array {
  const parts: Buffer[] = [];
  for (const [token, hex, letter] of text.matchAll(/\\x([0-9a-f]{2})|\\(.)|[^\\]+|\\$/gis)) {
    const value = hex !== undefined ? Number.parseInt(hex, 16) : letter === undefined ? undefined : escapes[letter];
    if (value !== undefined) parts.push(Buffer.from([value]));
    else if (token.startsWith('\\')) {
      throw new YodelError(
        'YODEL_INVALID_OPTION',
        `unknown escape "${token}"; use \\0 \\n \\r \\t \\\\ and \\xHH with two hexadecimal digits`,
      );
    } else parts.push(Buffer.from(token));
  }
  return Buffer.concat(parts);
}
