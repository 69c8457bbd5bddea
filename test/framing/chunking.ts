/** Ways to split an input into chunks. */
import { fc } from '../support/fast-check.ts';

/** Chunk sizes, used in turn until the input is used up; 0 is an empty chunk, Infinity all the rest. */
export type Chunking = readonly number[];

/** The whole input in one chunk. */
export const inOneChunk: Chunking = [Number.POSITIVE_INFINITY];

/** Any chunking: single bytes, even pieces, and pieces of all sizes. */
export const anyChunking: fc.Arbitrary<Chunking> = fc.oneof(
  fc.constant([1]),
  fc.integer({ min: 2, max: 9 }).map((size) => [size]),
  fc.array(fc.nat(12), { minLength: 1, maxLength: 12 }).map((sizes) => [...sizes, 1]),
  fc.nat(64).map((first) => [first, Number.POSITIVE_INFINITY]),
);

/** Splits bytes into chunks. */
export function cut(bytes: Uint8Array, chunking: Chunking): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const chunk = bytes.subarray(at, at + (chunking[turn % chunking.length] as number));
    chunks.push(chunk);
    at += chunk.length;
  }
  return chunks;
}
