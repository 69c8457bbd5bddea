/** Lengths in decimal digits, as many as needed, up to a separator: `12:`. */
import { invalidFrame, nameByte } from '../scanning.ts';

/** More digits than any message needs, and few enough for an exact number. */
export const maxDigits = 15;

/** The bytes that a length takes, separator included. */
export function decimalSize(value: number): number {
  return String(value).length + 1;
}

/**
 * Reads a length without leading zeros. Its first byte has arrived.
 *
 * @returns the length; -1 if its separator has not arrived
 * @throws YodelError from `invalidFrame`
 */
export function readDecimal(bytes: Buffer, start: number, separator: number): number {
  let value = 0;
  let at = start;
  for (; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    const digit = byte - 0x30;
    if (digit < 0 || digit > 9) break;
    if (at > start && value === 0) throw invalidFrame(at - start, 'a length has no leading zeros');
    if (at - start === maxDigits) throw invalidFrame(maxDigits, `the length has more than ${maxDigits} digits`);
    value = value * 10 + digit;
  }
  if (at === bytes.length) return -1;
  if (bytes[at] === separator && at > start) return value;
  const expected = at === start ? 'a digit of the length' : `a digit or ${nameByte(separator)} after the length`;
  throw invalidFrame(at - start, `expected ${expected}, not ${nameByte(bytes[at])}`);
}

/** The offset after the separator of a length that is known to be valid. */
export function endOfDecimal(bytes: Buffer, start: number, separator: number): number {
  let at = start + 1;
  while (bytes[at] !== separator) at++;
  return at + 1;
}

/** Writes a length and its separator. */
export function writeDecimal(target: Buffer, at: number, value: number, separator: number): void {
  target[at + target.write(String(value), at, 'latin1')] = separator;
}
