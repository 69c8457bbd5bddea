/** Clients that send much while the transcript waits: what a mock keeps is bounded, and counts towards maxPendingBytes. */
import { expect, onTestFinished, test } from 'vitest';
import { waitUntil } from '../../support/process/process.ts';
import { mocked } from './mocked.ts';

const mebibyte = 1_048_576;
const line = `${'x'.repeat(60_000)}\n`;

test.each([
  ['lines', '', false],
  ['raw bytes', '@framing raw\n', false],
  ['lines in any order', '', true],
])('a client that sends %s while the transcript pauses is not read on', async (_, head, lenient) => {
  const { server, connect } = await mocked(`${head}@wait 1h\n> a\n`, { lenient });
  const peer = await connect();
  peer.ended.catch(() => undefined);
  peer.socket.write(line.repeat(500));
  const { counters } = server;
  await waitUntil('the mock keeps enough', () => server.pendingBytes > mebibyte);
  for (let before = -1; before !== counters.bytesReceived; await new Promise((resolve) => setTimeout(resolve, 50)))
    before = counters.bytesReceived;
  expect(counters.bytesReceived).toBeLessThan(8 * mebibyte);
  expect(server.pendingBytes).toBeLessThan(4 * mebibyte);
  await server.close({ timeoutMs: 0 });
  expect(server.pendingBytes).toBe(0);
});

test('messages that had to wait are compared in order, also more than are kept', async () => {
  const { connect, mock } = await mocked('@wait 50ms\n@repeat 500\n> /x+/\n@end\n< done\n');
  const peer = await connect();
  await peer.send(line.repeat(500));
  await peer.saw(/done\n/);
  peer.end();
  expect((await mock.done).problems).toEqual([]);
});

test('a line of raw bytes may be longer than what is kept for others', async () => {
  const text = 'x'.repeat(1_500_000);
  const { say } = await mocked(`@framing raw\n> ${text}\n< done\n`);
  expect(await say(text)).toBe('done');
});

test('what clients leave behind is bounded, and said to be too much', async () => {
  const { server, connect, mock } = await mocked('@wait 1h\n> a\n');
  onTestFinished(() => mock.stop());
  const { counters } = server;
  const peers = await Promise.all(Array.from({ length: 20 }, connect));
  for (const peer of peers) {
    peer.ended.catch(() => undefined);
    peer.socket.write(line.repeat(16));
  }
  await waitUntil('everything has arrived', () => counters.bytesReceived === 20 * 16 * line.length);
  for (const peer of peers) peer.socket.resetAndDestroy();
  await waitUntil('all have left', () => server.sessions.size === 0);
  const tooMuch = mock.verdict().problems.filter(({ message }) => message.includes('too much to keep'));
  expect(tooMuch).toHaveLength(20 - Math.floor((16 * mebibyte) / (16 * (line.length - 1 + 512))));
});
