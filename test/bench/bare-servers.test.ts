/** The bare servers show what yodel's structure costs, so they must do what an echo server for lines does. */
import { expect, test } from 'vitest';
import { dial } from '../support/peer.ts';
import { start } from '../support/process/command.ts';

const runtime = process.versions.bun ? 'bun' : 'node';
const program = new URL(`../../bench/peers/bare-${runtime}.mjs`, import.meta.url).pathname;

/** The longest line that the server accepts. */
const longest = 65_536;

async function serve(): Promise<number> {
  const server = start([process.execPath, program, '0', 'echo', String(longest)]);
  const [, port] = await server.saw(/listening on 127\.0\.0\.1:(\d+)/);
  return Number(port);
}

test('a bare server echoes whole lines, whatever the chunks, and a last line without a newline', async () => {
  const port = await serve();
  const text = `one\n\nwörld\r\n${'x'.repeat(longest)}\nlast`;
  const bytes = Buffer.from(text);
  for (const size of [1, 7, 1000, 65_536, bytes.length]) {
    const peer = await dial(port);
    // A line is echoed only when it is whole.
    await peer.send(bytes.subarray(0, 2));
    for (let at = 2; at < bytes.length; at += size) await peer.send(bytes.subarray(at, at + size));
    peer.socket.end();
    expect(String(await peer.ended) === text, `chunks of ${size}`).toBe(true);
  }
});

test.each([
  ['invalid UTF-8', Buffer.from('good\n\xff\nnever\n', 'latin1'), 'good\nerror: not valid UTF-8\n'],
  ['a character cut off by the end', Buffer.from('good\nb\xc3', 'latin1'), 'good\nerror: not valid UTF-8\n'],
  ['a line above the limit', Buffer.from(`good\n${'x'.repeat(longest + 1)}\n`), 'good\nerror: a line is too long\n'],
  ['an unfinished line above it', Buffer.from(`good\n${'x'.repeat(longest * 2)}`), 'good\nerror: a line is too long\n'],
])('a bare server answers what was good and refuses %s', async (_what, bytes, expected) => {
  const peer = await dial(await serve());
  peer.socket.end(bytes);
  expect(String(await peer.ended)).toBe(expected);
});

test('a bare server waits for a client that does not read, and loses nothing', async () => {
  const port = await serve();
  const peer = await dial(port);
  const lines = Buffer.from(`${'y'.repeat(2999)}\n`.repeat(8000));
  peer.socket.pause();
  let isSent = false;
  peer.socket.end(lines, () => {
    isSent = true;
  });
  const other = await dial(port);
  for (let turn = 1; turn <= 300; turn++) expect(await other.ask('x')).toBe('x');
  // 24 MB is more than the kernel buffers on both sides.
  expect(isSent).toBe(false);
  peer.socket.resume();
  expect(lines.equals(await peer.ended)).toBe(true);
});
