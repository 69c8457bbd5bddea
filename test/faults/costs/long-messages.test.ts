/**
 * Messages of 15 MB from many clients, more than the limit for all of them: the memory of those that are disconnected must not wait
 * for the garbage collector, which hardly sees it. The highest resident memory is the judge.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../support/files.ts';
import { serve } from '../../support/process/command.ts';
import { residentBytes } from '../../support/process/process.ts';

const mebibyte = 1_048_576;
const limit = 64 * mebibyte;
const message = Buffer.alloc(15_000_000, 'x');
message[message.length - 1] = 0x0a;

/** The highest resident memory of a process so far, in bytes. */
function highestResidentBytes(pid: number): number {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

/** Sends a whole message and reads nothing. Resolves when it is disconnected, or the server has everything. */
async function sendMessage(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  await new Promise<void>((resolve) => {
    socket.on('close', () => resolve());
    socket.write(message, () => resolve());
  });
  socket.destroy();
}

test('the process stays within twice the limit and 96 MiB', { timeout: 60_000 }, async () => {
  const handler = join(temporaryFolder(), 'handler.mjs');
  writeFileSync(handler, 'export default (message) => message;\n');
  const server = await serve([handler, '--quiet', '--max-message', '16MiB', '--max-pending-bytes', '64MiB']);
  const pid = server.process.pid as number;
  const before = residentBytes(pid);
  await Promise.all(Array.from({ length: 60 }, () => sendMessage(server.port)));
  expect(highestResidentBytes(pid) - before).toBeLessThan(2 * limit + 96 * mebibyte);
});
