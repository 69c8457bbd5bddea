/** Random numbers that can be repeated. */

/**
 * A number from 0 to below 1 that depends only on the seed and the keys, not on the numbers drawn before: so no fault changes
 * what another does, and faults can come and go. It is MurmurHash3 (A. Appleby) of the keys, with its finalizer after each.
 *
 * @param seed from 0 to 4294967295
 * @param keys whole numbers, such as those of a session and a message
 */
export function randomNumber(seed: number, ...keys: readonly number[]): number {
  let state = mixed(seed);
  for (const key of keys) {
    const scrambled = Math.imul(rotated(Math.imul(key, 0xcc9e2d51), 15), 0x1b873593);
    state = mixed(Math.imul(rotated(state ^ scrambled, 13), 5) + 0xe6546b64);
  }
  return (state >>> 0) / 2 ** 32;
}

/** A key for a text, by FNV-1a (G. Fowler, L. Noll, K.-P. Vo). */
export function keyOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** A seed by chance. */
export function randomSeed(): number {
  return Math.floor(Math.random() * 2 ** 32);
}

function rotated(bits: number, by: number): number {
  return (bits << by) | (bits >>> (32 - by));
}

function mixed(bits: number): number {
  let mix = bits ^ (bits >>> 16);
  mix = Math.imul(mix, 0x85ebca6b);
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35);
  return mix ^ (mix >>> 16);
}
