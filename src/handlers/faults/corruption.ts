/** Flips bits. */

/** The maximum number of bits to try. */
const maxTries = 64;

/**
 * A copy of the bytes with some bits flipped: for each position the bit there, or the first one after it that keeps the bytes
 * valid. The bytes themselves if there is no such bit.
 *
 * @param positions from 0 to below 1: shares of the number of bits
 * @param isValid whether bytes may be the result. Default: always
 */
export function flipBits(
  original: Uint8Array,
  positions: readonly number[],
  isValid: (bytes: Uint8Array) => boolean = () => true,
): Uint8Array {
  if (positions.length === 0 || original.length === 0) return original;
  const bytes = Buffer.from(original);
  let isChanged = false;
  for (const position of positions) isChanged = flipBit(bytes, position, isValid) || isChanged;
  return isChanged ? bytes : original;
}

function flipBit(bytes: Buffer, position: number, isValid: (bytes: Uint8Array) => boolean): boolean {
  const bits = bytes.length * 8;
  const first = Math.floor(position * bits);
  for (let tries = 0; tries < Math.min(bits, maxTries); tries++) {
    const bit = (first + tries) % bits;
    const at = bit >> 3;
    const before = bytes[at] as number;
    bytes[at] = before ^ (1 << (bit & 7));
    if (isValid(bytes)) return true;
    bytes[at] = before;
  }
  return false;
}
