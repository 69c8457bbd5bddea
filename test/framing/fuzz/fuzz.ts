/**
 * Compares decoders with the models of their framings, which are written in another way: on frames, damaged frames and any bytes,
 * with small limits, in one chunk, byte by byte, cut at each place, and cut at random.
 */

import type { DecoderOptions } from '../../../src/framing/framing.ts';
import { fc } from '../../support/fast-check.ts';
import { anyChunking, type Chunking, cut, inOneChunk } from '../chunking.ts';
import type { Subject } from '../models/subject.ts';
import { decodeAll, withoutReasons } from '../outcome.ts';
import { anyOptions, subjects, tryEncode } from '../subjects.ts';

/** Own framings are among them. */
export const fuzzed: readonly Subject[] = subjects;

/** Bytes above which cutting at each place would take too long. */
const mostPlaces = 80;

/** One input that is decoded. */
interface Case {
  readonly input: Uint8Array;
  readonly options: DecoderOptions;
  readonly chunking: Chunking;
}

/** Frames, one of which is damaged: a byte is changed, removed or inserted, or the rest is missing. */
function damaged({ framing, message }: Subject): fc.Arbitrary<Uint8Array> {
  const stream = fc
    .array(message, { minLength: 1, maxLength: 5 })
    .map((all) => Buffer.concat(all.map((bytes) => tryEncode(framing, bytes) ?? Buffer.alloc(0))));
  return fc
    .tuple(stream, fc.nat(), fc.nat(255), fc.constantFrom('none', 'change', 'remove', 'insert', 'end'))
    .map(([bytes, place, byte, how]) => {
      const at = bytes.length === 0 ? 0 : place % bytes.length;
      const before = bytes.subarray(0, at);
      if (how === 'none') return bytes;
      if (how === 'end') return before;
      if (how === 'remove') return Buffer.concat([before, bytes.subarray(at + 1)]);
      return Buffer.concat([before, Buffer.of(byte), bytes.subarray(how === 'change' ? at + 1 : at)]);
    });
}

function casesOf(subject: Subject): fc.Arbitrary<Case> {
  const input = fc.oneof(subject.input, damaged(subject), fc.uint8Array({ maxLength: 40 }));
  return fc.record({ input, options: anyOptions, chunking: anyChunking });
}

/** @throws Error that shows the difference */
function tryCase({ framing, reference }: Subject, { input, options, chunking }: Case): void {
  const expected = withoutReasons(reference(Buffer.from(input), options));
  const whole = decodeAll(framing, options, cut(input, inOneChunk));
  compare('in one chunk, and in the model', withoutReasons(whole.events), expected);
  const chunkings: Chunking[] = [chunking, [1]];
  for (let at = 1; at < Math.min(input.length, mostPlaces); at++) chunkings.push([at, Number.POSITIVE_INFINITY]);
  for (const other of chunkings) {
    compare(`in chunks of ${other}, and in one`, decodeAll(framing, options, cut(input, other)), whole);
  }
}

function compare(what: string, found: unknown, expected: unknown): void {
  const [one, other] = [found, expected].map((value) => JSON.stringify(value, undefined, 1));
  if (one !== other) throw new Error(`different ${what}:\n${one}\n${other}`);
}

/**
 * Tries `runs` cases of one framing.
 *
 * @returns undefined, or the smallest case found that fails, with the seed
 */
export function fuzz(subject: Subject, runs: number, seed: number): string | undefined {
  const property = fc.property(casesOf(subject), (one) => tryCase(subject, one));
  const result = fc.check(property, { numRuns: runs, seed });
  if (!result.failed) return undefined;
  const [smallest] = result.counterexample ?? [];
  const input = smallest && Buffer.from(smallest.input).toString('hex');
  const reason = (result.errorInstance as Error | undefined)?.message ?? 'timed out';
  return `${subject.name}, seed ${seed}:\ninput (hex) ${input}\n${JSON.stringify(smallest?.options)}\n${reason}`;
}
