import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { eachLineInTurns } from '../../src/process/lines-in-turns.ts';

/** What is printed by several children at once, each with its own number. */
async function linesOf(texts: readonly string[]): Promise<string[][]> {
  const all = texts.map(() => [] as string[]);
  const streams = texts.map(() => new PassThrough());
  const closed = streams.map((stream) => new Promise((resolve) => stream.on('close', resolve)));
  for (const [n, stream] of streams.entries()) {
    eachLineInTurns(stream, (line) => all[n]?.push(line), 1000);
    stream.end(texts[n]);
  }
  await Promise.all(closed);
  // What is read before the end may still wait for its turn.
  for (const [n, text] of texts.entries()) {
    const count = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
    while ((all[n]?.length ?? 0) < count) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return all;
}

it('every line arrives, in order, also a last one without an end', async () => {
  const many = Array.from({ length: 30_000 }, (_, n) => `line ${n}`);
  const texts = [`${many.join('\n')}\n`, many.slice(0, 5000).join('\n'), 'one\n'];
  expect(await linesOf(texts)).toEqual([many, many.slice(0, 5000), ['one']]);
});

it('in one turn of the event loop only a part of what was read is split', async () => {
  const stream = new PassThrough({ highWaterMark: 1_000_000 });
  const lines: string[] = [];
  const counts: number[] = [];
  eachLineInTurns(stream, (line) => lines.push(line), 1000);
  stream.end('x\n'.repeat(100_000));
  while (lines.length < 100_000) {
    await new Promise((resolve) => setImmediate(resolve));
    counts.push(lines.length);
  }
  const steps = counts.map((count, n) => count - (counts[n - 1] ?? 0));
  expect(Math.max(...steps)).toBeLessThan(20_000);
});
