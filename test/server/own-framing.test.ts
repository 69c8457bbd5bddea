/** What a server does for a framing that a program defined: limits, time-outs, error replies. */
import { expect, onTestFinished, test } from 'vitest';
import { defineFraming, encode, Message, type ServeOptions, serve, type TcpAddress } from '../../src/index.ts';
import { decodeAll } from '../../src/testing/testing.ts';
import { changing, stuffed, summed, varied } from '../framing/own/framings.ts';
import { dial, type Peer } from '../support/peer.ts';

async function dialServer(options: Omit<ServeOptions, 'listen'>): Promise<Peer> {
  const server = await serve({ listen: 'tcp://127.0.0.1:0', ...options });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  return await dial((server.addresses[0] as TcpAddress).port);
}

const echo = (message: Message) => message.text;

test('a message that is too long gets an error in the same framing, and the connection ends', async () => {
  const framing = defineFraming(stuffed);
  const peer = await dialServer({ framing, maxMessageLength: 4, handler: echo });
  await peer.send(Buffer.concat([encode(framing, 'fits'), encode(framing, 'too long')]));
  await peer.ended;
  const texts = decodeAll(framing, peer.received).messages.map(({ text }) => text);
  expect(texts).toEqual(['fits', 'error: message 2 is longer than the limit of 4 bytes']);
});

test('a wrong checksum gets an error that names the byte', async () => {
  const framing = defineFraming(summed);
  const peer = await dialServer({ framing, handler: echo });
  await peer.send('hid1|hi00|');
  await peer.ended;
  const texts = decodeAll(framing, peer.received).messages.map(({ text }) => text);
  expect(texts).toEqual([
    'hi',
    'error: message 2 is not a valid frame of the framing "summed": at byte 3: the checksum is 00, and should be d1',
  ]);
});

test('a frame that is never finished ends the connection after messageTimeout', async () => {
  const framing = defineFraming(varied);
  const peer = await dialServer({ framing, messageTimeout: 50, handler: echo });
  await peer.send(Uint8Array.of(7, 100, 1));
  await peer.ended;
  expect(decodeAll(framing, peer.received).messages[0]?.text).toMatch(/^error: .* 50 ms/);
});

test('a reply has the header of its message, and a message of its own header that one', async () => {
  const framing = defineFraming(varied);
  const handler = (message: Message) => [message.text, Message.of('other', { header: Uint8Array.of(9) })];
  const peer = await dialServer({ framing, handler });
  await peer.send(Uint8Array.of(7, 2, 0x68, 0x69));
  await peer.end();
  await peer.ended;
  const replies = decodeAll(framing, peer.received).messages.map(({ text, header }) => [text, ...header]);
  expect(replies).toEqual([
    ['hi', 7],
    ['other', 9],
  ]);
});

test('the rule changes for each connection on its own, and replies follow', async () => {
  const framing = defineFraming(changing);
  const handler = (message: Message) => message.text.toUpperCase();
  const peer = await dialServer({ framing, handler });
  await peer.send('block 3\na\nb\nbye\n');
  await peer.end();
  await peer.ended;
  expect(peer.received.toString()).toBe('BLOCK 3\nA\nB\nBYE\n');
});

test('a message that the framing cannot send is refused, and the session goes on', async () => {
  const framing = defineFraming(summed);
  const results: unknown[] = [];
  const peer = await dialServer({
    framing,
    handler(message, session) {
      results.push(session.send('a|b'), session.send('ab'));
      return message.text;
    },
  });
  await peer.send('hid1|');
  await peer.end();
  await peer.ended;
  expect(results).toEqual([expect.objectContaining({ code: 'YODEL_UNENCODABLE_MESSAGE' }), true]);
  expect(decodeAll(framing, peer.received).messages.map(({ text }) => text)).toEqual(['ab', 'hi']);
});
