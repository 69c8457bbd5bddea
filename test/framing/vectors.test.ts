import { describe, expect, it } from 'vitest';
import type { DecoderOptions, Encoding } from '../../src/framing/framing.ts';
import { parseFraming } from '../../src/framing/notation.ts';
import { cut, inOneChunk } from './chunking.ts';
import { decodeAll } from './outcome.ts';
import file from './vectors.json' with { type: 'json' };

interface Vector {
  id: string;
  says: string;
  framing: string;
  max: number | null;
  encoding?: Encoding;
  chunks_hex: string[];
  expect: string[] | Record<DecoderOptions['onTooLong'], string[]>;
}

const chunkings = [[1], [2], [3], [4], [5], [6], [7], [8], [9], inOneChunk];

describe.each(file.vectors as Vector[])(
  '$id: $says',
  ({ framing: notation, max, encoding, chunks_hex, expect: due }) => {
    const framing = parseFraming(notation);
    const chunks = chunks_hex.map((hex) => Buffer.from(hex, 'hex'));

    it.each(['close', 'discard'] as const)('with onTooLong "%s", as given and in chunks of every size', (onTooLong) => {
      const options = { maxMessageLength: max ?? 65_536, onTooLong, encoding: encoding ?? framing.defaultEncoding };
      const events = Array.isArray(due) ? due : due[onTooLong];
      expect(decodeAll(framing, options, chunks).events).toEqual(events);
      for (const chunking of chunkings) {
        const rechunked = cut(Buffer.concat(chunks), chunking);
        expect(decodeAll(framing, options, rechunked).events, `in chunks of ${chunking}`).toEqual(events);
      }
    });
  },
);
