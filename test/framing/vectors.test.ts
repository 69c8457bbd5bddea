import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { DecoderOptions, Encoding } from '../../src/framing/framing.ts';
import { parseFraming } from '../../src/framing/notation.ts';
import { cut, inOneChunk } from './chunking.ts';
import { decodeAll } from './outcome.ts';

/**
 * What comes out of an input. In what comes out, bytes outside printable ASCII and the backslash are written `\xHH`;
 * `end` is the end of input; `invalid N: …` stands for the fault of message N that is not a valid frame.
 */
interface Vector {
  id: string;
  says: string;
  framing: string;
  /** The longest message. Default: 65536. */
  max?: number | null;
  /** Default: the framing's. */
  encoding?: Encoding;
  /** The input in chunks, in hex. */
  chunks_hex?: string[];
  /** Or the input, a character for each byte. */
  input?: string;
  /** Holds for both values of `onTooLong`, unless it tells them apart. */
  expect: string[] | Record<DecoderOptions['onTooLong'], string[]>;
  /** The header of each message. Default: not compared. */
  headers?: string[];
}

const chunkings = [[1], [2], [3], [4], [5], [6], [7], [8], [9], inOneChunk];

const files = ['vectors.json', ...readdirSync(new URL('vectors', import.meta.url)).map((name) => `vectors/${name}`)];
const vectors = files.flatMap((file) => {
  const { vectors } = JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as { vectors: Vector[] };
  return vectors;
});

describe.each(vectors)('$id: $says', ({ framing: notation, max, encoding, expect: due, headers, ...vector }) => {
  const framing = parseFraming(notation);
  const chunks = vector.chunks_hex?.map((hex) => Buffer.from(hex, 'hex')) ?? [
    Buffer.from(vector.input as string, 'latin1'),
  ];

  it.each(['close', 'discard'] as const)('with onTooLong "%s", as given and in chunks of every size', (onTooLong) => {
    const options = { maxMessageLength: max ?? 65_536, onTooLong, encoding: encoding ?? framing.defaultEncoding };
    const events = (Array.isArray(due) ? due : due[onTooLong]).map((event) => {
      const invalid = `fault: YODEL_INVALID_FRAME: message $1 is not a valid frame of the framing "${framing.name}":`;
      return event.replace(/^invalid (\d+):/, invalid);
    });
    const expected = headers ? { events, headers } : { events };
    expect(decodeAll(framing, options, chunks)).toMatchObject(expected);
    for (const chunking of chunkings) {
      const rechunked = cut(Buffer.concat(chunks), chunking);
      expect(decodeAll(framing, options, rechunked), `in chunks of ${chunking}`).toMatchObject(expected);
    }
  });
});

it('each vector has its own id', () => {
  expect(new Set(vectors.map(({ id }) => id)).size).toBe(vectors.length);
});
