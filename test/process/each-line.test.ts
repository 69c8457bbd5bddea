import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { eachLine } from '../../src/process/each-line.ts';
import { fc } from '../support/fast-check.ts';

/** The lines of a stream that emits these chunks. */
async function linesOf(chunks: readonly Buffer[], maxLength: number, options = {}): Promise<string[]> {
  const stream = new PassThrough();
  const lines: string[] = [];
  eachLine(stream, (line) => lines.push(line), maxLength, options);
  const closed = new Promise((resolve) => stream.on('close', resolve));
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await closed;
  return lines;
}

const cut = (bytes: Buffer, size: number) =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );

describe('eachLine', () => {
  it('finds the same lines however the stream is cut into chunks', async () => {
    const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replaceAll('\n', '')));
    await fc.assert(
      fc.asyncProperty(texts, fc.integer({ min: 1, max: 30 }), async (lines, size) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        expect(await linesOf(cut(bytes, size), 1000)).toEqual(lines);
      }),
    );
  });

  it('splits a line that is too long', async () => {
    for (const size of [1, 3, 100]) {
      const chunks = cut(Buffer.from('abcdefghij\nklm\nnopq\n'), size);
      expect(await linesOf(chunks, 4)).toEqual(['abcd', 'efgh', 'ij', 'klm', 'nopq']);
    }
  });

  it('ignores a last line without a newline, unless it is to be kept', async () => {
    const chunks = [Buffer.from('whole\nhal'), Buffer.from('f')];
    expect(await linesOf(chunks, 100)).toEqual(['whole']);
    expect(await linesOf(chunks, 100, { keepsPartial: true })).toEqual(['whole', 'half']);
  });
});
