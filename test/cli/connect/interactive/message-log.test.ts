import { expect, test } from 'vitest';
import { parseAddress } from '../../../../src/address.ts';
import { MessageLog } from '../../../../src/cli/connect/interactive/message-log.ts';
import { length } from '../../../../src/framing/counted/length.ts';
import { lines } from '../../../../src/framing/delimited/lines.ts';
import { encode, type Framing } from '../../../../src/framing/framing.ts';
import { Message } from '../../../../src/framing/message.ts';
import { websocket } from '../../../../src/framing/websocket.ts';
import { escapeText } from '../../../../src/terminal/escape.ts';
import { check } from '../../../../src/transcript/check.ts';
import { parseTranscript } from '../../../../src/transcript/parse.ts';
import { protocolFrom } from '../../../../src/transcript/wire.ts';
import { fc } from '../../../support/fast-check.ts';
import { listen } from '../../../support/servers.ts';

/** The transcript of messages that were sent, and received again. */
function saved(framing: Framing, ...messages: readonly (string | Uint8Array | Message)[]): string {
  const log = new MessageLog();
  for (const message of messages) {
    log.add('sent', encode(framing, message));
    log.add('received', encode(framing, message));
  }
  return log.toTranscript(protocolFrom(framing));
}

test('a conversation is saved as a transcript, with its framing and line ending', () => {
  expect(saved(lines(), 'hello', '/not a pattern/')).toBe(
    '@framing lines\n> hello\n< hello\n>\\ \\/not a pattern/\n<\\ \\/not a pattern/\n',
  );
  expect(saved(lines({ crlf: true }), 'a')).toBe('@framing lines\n@ending crlf\n> a\n< a\n');
  expect(saved(length({ bytes: 2 }))).toBe('@framing length:2\n');
  const withHeader = Message.of(Buffer.of(0, 255), { header: Buffer.of(16) });
  expect(saved(length({ bytes: 2, offset: 1 }), withHeader)).toBe(
    '@framing length:2,offset=1\n>x 10 | 00 ff\n<x 10 | 00 ff\n',
  );
  expect(saved(websocket, Message.of('a', { kind: 'binary' }))).toBe('@framing websocket\n>b a\n<b a\n');
});

test('every saved conversation with an echo server passes a check, and no line can control a terminal', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
  );
  const address = parseAddress((await listen((socket) => socket.pipe(socket))).address);
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { minLength: 1, maxLength: 4 }), async (messages) => {
      const text = saved(length({ bytes: 2 }), ...messages);
      for (const line of text.split('\n')) expect(escapeText(line)).toBe(line);
      const { differences } = await check(parseTranscript(text, 'saved'), { address });
      expect(differences).toEqual([]);
    }),
    { numRuns: 30 },
  );
});

test('drops the oldest messages when there are too many, and says how many', () => {
  const log = new MessageLog();
  for (let number = 0; number < 70; number++) log.add('sent', Buffer.from(`${'A'.repeat(999_999)}\n`));
  expect(log.count + log.dropped).toBe(70);
  expect(log.dropped).toBe(3);
  expect(log.toTranscript(protocolFrom(lines()))).toMatch(/^@framing lines\n# the first 3 messages were dropped\n> A/);
});
