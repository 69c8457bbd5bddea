/**
 * An endless stream of known bytes. Each byte follows from its position, so that hundreds of megabytes can be checked without
 * keeping what was sent.
 */

/** A prime: no chunk, buffer or page is a multiple of it, so that a lost or repeated piece is always noticed. */
const period = 65_521;
const periods = 16;
const repeated = makeRepeated();

/** `length` bytes of the stream, from `position` on. */
export function patternBytes(position: number, length: number): Buffer {
  const start = position % period;
  if (start + length <= repeated.length) return repeated.subarray(start, start + length);
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let done = 0; done < length; ) done += repeated.copy(bytes, done, (position + done) % period);
  return bytes;
}

/** Whether `bytes` are those at `position`. */
export function isPattern(bytes: Uint8Array, position: number): boolean {
  for (let done = 0; done < bytes.length; done += period) {
    const piece = bytes.subarray(done, done + period);
    if (!patternBytes(position + done, piece.length).equals(piece)) return false;
  }
  return true;
}

function makeRepeated(): Buffer {
  const bytes = Buffer.allocUnsafeSlow(period * periods);
  // xorshift32 (G. Marsaglia, 2003): no two short pieces of it are the same.
  let state = 2_463_534_242;
  for (let i = 0; i < period; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  for (let i = 1; i < periods; i++) bytes.copy(bytes, i * period, 0, period);
  return bytes;
}
