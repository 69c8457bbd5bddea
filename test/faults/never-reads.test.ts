import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { handlerFile } from '../support/files.ts';
import { closedLine } from '../support/log.ts';
import { dial, type Peer } from '../support/peer.ts';
import { type RunningServer, serve } from '../support/process/command.ts';
import { residentBytes } from '../support/process/process.ts';

const mebibyte = 1024 * 1024;
/** Allowance for garbage not yet collected. 200 MB of buffered data would be far above it. */
const flat = 64 * mebibyte;

/** Sends messages until the promise resolves. Resolves with the peak memory of the server. */
async function serveOthersUntil(over: Promise<unknown>, server: RunningServer): Promise<number> {
  const other = await dial(server.port);
  let most = 0;
  let isOver = false;
  const ended = over.finally(() => {
    isOver = true;
  });
  for (let asked = 1; !isOver; asked++) {
    expect(await other.ask(`other ${asked}`)).toMatch(/other/);
    most = Math.max(most, residentBytes(server.pid));
    await Promise.race([ended, delay(20)]);
  }
  await ended;
  other.end();
  return most;
}

/** A client that never reads: without a data listener its socket is not read. */
async function dialWithoutReading(server: RunningServer): Promise<Peer> {
  const peer = await dial(server.port);
  peer.socket.removeAllListeners('data').pause();
  return peer;
}

test('a client that sends 200 MB and never reads is closed after --drain-timeout, and the memory stays flat', async () => {
  const server = await serve(['--quiet', '--json', '--drain-timeout', '1s']);
  const before = residentBytes(server.pid);
  const client = await dialWithoutReading(server);
  const lines = Buffer.from(`${'x'.repeat(1023)}\n`.repeat(64));
  for (let sent = 0; sent < 200_000_000; sent += lines.length) client.socket.write(lines);
  const most = await serveOthersUntil(client.closed, server);
  expect(most - before).toBeLessThan(flat);
});

test('the log has the reason, in one line', async () => {
  const server = await serve(['--no-messages', '--drain-timeout', '200ms']);
  const client = await dialWithoutReading(server);
  const lines = Buffer.from(`${'x'.repeat(1023)}\n`.repeat(64));
  for (let sent = 0; sent < 50_000_000; sent += lines.length) client.socket.write(lines);
  await client.closed;
  const [line] = await server.saw(/.* closed after .*\n/);
  expect(line).toMatch(
    closedLine(String.raw`\d+`, String.raw`\d+`, String.raw`the peer read nothing for 200 ms, with \d+ bytes pending`),
  );
});

test('a client that requests large replies and reads nothing costs no memory either', async () => {
  const large = handlerFile(
    'const reply = "x".repeat(60_000); export default ({ text }) => (text === "much" ? reply : text);',
  );
  const server = await serve([large, '--no-messages', '--drain-timeout', '500ms']);
  const before = residentBytes(server.pid);
  const client = await dialWithoutReading(server);
  // Answered in full, this would be 300 MB.
  client.socket.write('much\n'.repeat(5000));
  const most = await serveOthersUntil(server.saw(/the peer read nothing for 500 ms/), server);
  expect(most - before).toBeLessThan(flat);
});

test('a client that reads slowly, but reads, is not closed, and gets everything', async () => {
  const large = handlerFile('const reply = "x".repeat(59_999); export default () => reply;');
  const server = await serve([large, '--quiet', '--drain-timeout', '2s']);
  const slow = await dial(server.port);
  slow.socket.on('data', () => {
    slow.socket.pause();
    setTimeout(() => slow.socket.resume(), 10);
  });
  // 30 MB: far more than all buffers, and at this speed it takes far longer than the time-out.
  slow.socket.write('much\n'.repeat(500));
  slow.end();
  expect((await slow.ended).length).toBe(500 * 60_000);
});
