import { expect, test } from 'vitest';
import { run } from '../support/process/command.ts';

const program = new URL('./storing-program.ts', import.meta.url).pathname;
const flags = process.versions.bun === undefined ? ['--expose-gc'] : [];

/** Bytes of memory for each stored message of 36 bytes, which came in a chunk of 64 KiB. */
async function costOf(what: 'text' | 'bytes' | 'copy'): Promise<number> {
  const { stdout, stderr, status } = await run([process.execPath, ...flags, program, what]);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const { stored, perMessage } = JSON.parse(stdout.toString());
  expect(stored).toBe(1000);
  return perMessage;
}

test('a stored copy of a message keeps only itself in memory', async () => {
  expect(await costOf('copy')).toBeLessThan(4000);
});

test('a stored text keeps a few KiB of its chunk', async () => {
  expect(await costOf('text')).toBeLessThan(12_000);
});

test('stored bytes keep their whole chunk, as the guide warns', async () => {
  expect(await costOf('bytes')).toBeGreaterThan(30_000);
});
