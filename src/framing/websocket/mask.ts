/** Masking (RFC 6455, section 5.3): every byte of a client's payload is XORed with one of the four bytes of a key. */

/** Reads a masking key as a word whose lowest byte is the key's first. */
export function keyAt(bytes: Buffer, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** The key for a payload's bytes from `offset` on. */
export function rotatedKey(key: number, offset: number): number {
  const bits = (offset & 3) * 8;
  return bits === 0 ? key : (key >>> bits) | (key << (32 - bits));
}

/** Shorter payloads are unmasked byte by byte, 0.6 ns each: the words of a buffer cost Bun 300 ns, unless it has just been used. */
const fewBytes = 256;

/** The words of the buffer that was used last. On Node all sockets read into the same one. */
let words: Int32Array = new Int32Array(0);
let wordsOf: ArrayBufferLike | undefined;

/**
 * XORs the bytes from `start` to `end` with the key, and writes them to other bytes.
 *
 * @returns as {@link applyMask}
 */
export function maskInto(bytes: Buffer, start: number, end: number, key: number, target: Buffer, at: number): number {
  let found = 0;
  let rest = key;
  for (let from = start, to = at; from < end; from++, to++) {
    const byte = (bytes[from] as number) ^ (rest & 0xff);
    target[to] = byte;
    found |= byte;
    rest = (rest >>> 8) | (rest << 24);
  }
  return found;
}

/**
 * XORs the bytes from `start` to `end` with the key, and moves them to `target`, at or before `start`.
 *
 * @returns the results joined by OR: without the bit 0x80 in any of its four bytes, all of them are ASCII
 */
export function applyMask(bytes: Buffer, start: number, end: number, key: number, target: number): number {
  if (end - start < fewBytes) return maskInto(bytes, start, end, key, bytes, target);
  const before = -(bytes.byteOffset + start) & 3;
  const at = start + before;
  let found = maskInto(bytes, start, at, key, bytes, target);
  const rotated = rotatedKey(key, before);
  const shift = start - target;
  const count = (end - at) >> 2;
  const rest = at + count * 4;
  if (shift & 3) {
    // Words cannot be moved by an odd distance.
    found |= maskWords(bytes, at, count, rotated, 0) | maskInto(bytes, rest, end, rotated, bytes, rest);
    bytes.copyWithin(at - shift, at, end);
    return found;
  }
  found |= maskWords(bytes, at, count, rotated, shift >> 2);
  return found | maskInto(bytes, rest, end, rotated, bytes, rest - shift);
}

/** @param shift how many words before its place each word is written */
function maskWords(bytes: Buffer, start: number, count: number, key: number, shift: number): number {
  const { buffer } = bytes;
  if (buffer !== wordsOf) {
    wordsOf = buffer;
    words = new Int32Array(buffer, 0, buffer.byteLength >> 2);
  }
  const all = words;
  let found = 0;
  let at = (bytes.byteOffset + start) >> 2;
  const end = at + count;
  for (const fours = end - 3; at < fours; at += 4) {
    const first = (all[at] as number) ^ key;
    const second = (all[at + 1] as number) ^ key;
    const third = (all[at + 2] as number) ^ key;
    const fourth = (all[at + 3] as number) ^ key;
    all[at - shift] = first;
    all[at + 1 - shift] = second;
    all[at + 2 - shift] = third;
    all[at + 3 - shift] = fourth;
    found |= first | second | third | fourth;
  }
  for (; at < end; at++) {
    const word = (all[at] as number) ^ key;
    all[at - shift] = word;
    found |= word;
  }
  return found;
}
