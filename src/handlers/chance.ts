/** Chance that can be had again. */

/** Gives the next number from 0 to below 1. */
export type Chance = () => number;

/**
 * A sequence of numbers that depends on the seed and the number of the sequence alone. The generator is xorshift32
 * (G. Marsaglia, "Xorshift RNGs", 2003); its start is mixed by the finalizer of MurmurHash3 (A. Appleby), so that
 * neighbouring seeds and sequences have nothing in common.
 *
 * @param seed from 0 to 4294967295
 */
export function chanceOf(seed: number, sequence: number): Chance {
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
