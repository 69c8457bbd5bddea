/** Generators of bytes that are difficult for framings. */
import { fc } from '../../support/fast-check.ts';

/** Text of one to four bytes a character. */
export const text = ['x', 'xy', 'é', '烫', '😀'].map((piece) => Buffer.from(piece));
export const ends = ['\r', '\n', '\r\n', '\0'].map((piece) => Buffer.from(piece));
/** Halves of "é" and of "烫", a byte that never occurs in UTF-8, an encoded surrogate. */
export const notText = ['c3', 'a9', 'e783', 'ff', 'eda080'].map((hex) => Buffer.from(hex, 'hex'));

/** Up to `maxLength` pieces, end to end. */
export function joined(pieces: fc.Arbitrary<Uint8Array>, maxLength: number): fc.Arbitrary<Uint8Array> {
  return fc.array(pieces, { maxLength }).map((parts) => Buffer.concat(parts));
}

/** Messages of short pieces of text and of anything else. @param special bytes that have a meaning in the framing */
export function messageOf(...special: (string | Uint8Array)[]): fc.Arbitrary<Uint8Array> {
  const pieces = special.map((piece) => Buffer.from(piece as string));
  return joined(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...text, ...ends, ...pieces) },
      { weight: 1, arbitrary: fc.constantFrom(...notText) },
    ),
    6,
  );
}

/** Input of frames and of parts of frames. @param special pieces that frames consist of */
export function inputOf(
  frame: fc.Arbitrary<Uint8Array>,
  ...special: (string | Uint8Array)[]
): fc.Arbitrary<Uint8Array> {
  const pieces = special.map((piece) => Buffer.from(piece as string));
  return joined(
    fc.oneof(
      { weight: 6, arbitrary: frame },
      { weight: 2, arbitrary: fc.constantFrom(...text, ...ends, ...pieces) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 4 }) },
    ),
    10,
  );
}
