import { expect, it } from 'vitest';
import { lines } from '../../../src/framing/delimited/lines.ts';
import { decodeChunk } from '../../../src/framing/framing.ts';
import { fc } from '../../support/fast-check.ts';

const options = { maxMessageLength: 4, onTooLong: 'close', encoding: 'binary', atOnce: true } as const;

/** The messages and the frames of each chunk. */
function decoded(...chunks: readonly string[]): { messages: string[]; frames: string; pending: number } {
  const decoder = lines().createDecoder(options);
  const messages: string[] = [];
  let frames = '';
  for (const chunk of chunks) {
    for (const batch of decodeChunk(decoder, Buffer.from(chunk, 'latin1'))) {
      messages.push(...[...batch].map(({ bytes }) => Buffer.from(bytes).toString('latin1')));
      frames += batch.slices.map((slice) => Buffer.from(slice).toString('latin1')).join('');
      expect(batch.fault).toBeUndefined();
    }
  }
  expect(decoder.end().count).toBe(0);
  return { messages, frames, pending: decoder.pending };
}

it('the end of a chunk ends a message, and nothing is kept or refused', () => {
  expect(decoded('a\nb\r\nlogin: ', 'x\n', '').messages).toEqual(['a', 'b', 'login: ', 'x']);
  expect(decoded('longer than the limit').messages).toEqual(['longer than the limit']);
  expect(decoded('\n\n').messages).toEqual(['', '']);
});

it('every byte passes, and lines that arrive whole are messages', () => {
  const chunk = fc.array(fc.constantFrom('a', '\r', '\n', '\xff'), { maxLength: 12 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 6 }), (chunks) => {
      const { messages, frames, pending } = decoded(...chunks);
      expect(frames).toBe(chunks.join(''));
      expect(pending).toBe(0);
      const expected = chunks.flatMap((text) => text.match(/[^\n]*\n|[^\n]+/g) ?? []);
      expect(messages).toEqual(expected.map((line) => line.replace(/\r?\n$/, '')));
    }),
  );
});
