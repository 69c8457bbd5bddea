/** The sink that never blocks, with a real FIFO instead of stdout. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/files.ts';

const program = `
import { nonBlockingSink } from '${new URL('../../src/terminal/sink.ts', import.meta.url).href}';
let written = 0;
const sink = nonBlockingSink(1).open({
  written: (bytes) => {
    written += bytes;
    if (written === 1_000_000) process.stderr.write('all written');
  },
  failed: (error) => process.stderr.write(error.code),
});
for (let count = 0; count < 10; count++) sink.write(Buffer.alloc(100_000, String(count)));
process.stderr.write('not blocked, ');
`;

test('a full pipe does not block the process, and gets everything once it is read', async () => {
  const path = join(temporaryFolder(), 'fifo');
  execFileSync('mkfifo', [path]);
  // Opened for reading and writing, so that it has a reader before anything reads it.
  const fifo = openSync(path, 'r+');
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', fifo, 'pipe'] });
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  await once(child.stderr as NodeJS.ReadableStream, 'data');
  expect(stderr).toBe('not blocked, ');
  // cat ends when the last writer closes the FIFO.
  const cat = spawn('cat', [path], { stdio: ['ignore', 'pipe', 'ignore'] });
  closeSync(fifo);
  const [text] = await Promise.all([textOf(cat.stdout), once(child, 'close')]);
  expect(stderr).toBe('not blocked, all written');
  expect(text).toBe(Array.from({ length: 10 }, (_, count) => String(count).repeat(100_000)).join(''));
});
