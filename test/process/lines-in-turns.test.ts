import { PassThrough } from 'node:stream';
import { expect, it, vi } from 'vitest';
import { LinesInTurns } from '../../src/process/lines-in-turns.ts';

/** What is printed by several children at once, each with its own number. */
async function linesOf(texts: readonly string[]): Promise<string[][]> {
  const all = texts.map(() => [] as string[]);
  const streams = texts.map(() => new PassThrough());
  const readers: LinesInTurns[] = [];
  for (const [n, stream] of streams.entries()) {
    readers.push(new LinesInTurns(stream, { take: (line) => all[n]?.push(line), maxLength: 1000 }));
    stream.end(texts[n]);
  }
  await Promise.all(readers.map((reader) => reader.finish()));
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
  let most = 0;
  const take = (line: string) => {
    // As a log does, it takes a moment.
    for (const end = performance.now() + 0.02; performance.now() < end; );
    lines.push(line);
  };
  new LinesInTurns(stream, { take, maxLength: 1000 });
  stream.end('x\n'.repeat(4000));
  while (lines.length < 4000) {
    const before = lines.length;
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, lines.length - before);
  }
  expect(most).toBeLessThan(2000);
});

it('one that prints a few lines waits for a moment only, while others print without an end', async () => {
  const told: string[] = [];
  const print = (text: string) => {
    const stream = new PassThrough({ highWaterMark: 1_000_000 });
    new LinesInTurns(stream, { take: (line) => told.push(line), maxLength: 1000 });
    stream.write(text);
    return stream;
  };
  const floods = [1, 2, 3].map(() => print('flood\n'.repeat(100_000)));
  await vi.waitFor(() => expect(told.length).toBeGreaterThan(1000), { interval: 1 });
  const before = told.length;
  print('few\n');
  await vi.waitFor(() => expect(told).toContain('few'), { interval: 1, timeout: 10_000 });
  // Far less than what was read of the others.
  expect(told.indexOf('few') - before).toBeLessThan(50_000);
  for (const stream of floods) stream.destroy();
});

it('a stream that something keeps open is closed when it delivers nothing more, or more than a pipe contains', async () => {
  const silent = new PassThrough();
  const endless = new PassThrough({ highWaterMark: 65_536 });
  let [few, many] = [0, 0];
  const readers = [
    new LinesInTurns(silent, { take: () => few++, maxLength: 1000 }),
    new LinesInTurns(endless, { take: () => many++, maxLength: 1000 }),
  ];
  silent.write('one\ntwo\nthree');
  const fill = () => {
    while (!endless.destroyed && endless.write('x'.repeat(999).concat('\n')));
  };
  endless.on('drain', fill);
  fill();
  await Promise.all(readers.map((reader) => reader.finish()));
  expect(few).toBe(3);
  expect(many).toBeGreaterThan(1000);
  expect(many).toBeLessThan(2000);
});
