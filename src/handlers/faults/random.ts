/** Reproducible random numbers. */

/** Returns the next number, from 0 to below 1. */
export type RandomSequence = () => number;

/**
 * A sequence of numbers that depends only on the seed and on the number of the sequence. The generator is xorshift32
 * (G. Marsaglia, "Xorshift RNGs", 2003); its start is mixed by the finalizer of MurmurHash3 (A. Appleby), so that
 * neighbouring seeds and sequences are unrelated.
 *
 * @param seed from 0 to 4294967295
 */
export function randomSequence(seed: number, sequence: number): RandomSequence {
  // Zero is the one state that xorshift never leaves.
  let state = mixed(mixed(seed) ^ sequence) || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

function mixed(bits: number): number {
  let mix = bits ^ (bits >>> 16);
  mix = Math.imul(mix, 0x85ebca6b);
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35);
  return mix ^ (mix >>> 16);
}
