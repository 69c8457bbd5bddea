import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAddress } from '../../../../src/address.ts';
import { MessageLog } from '../../../../src/cli/connect/interactive/message-log.ts';
import { length } from '../../../../src/framing/length.ts';
import { lines } from '../../../../src/framing/lines.ts';
import { escapeText } from '../../../../src/terminal/escape.ts';
import { check } from '../../../../src/transcript/check.ts';
import { parseTranscript } from '../../../../src/transcript/parse.ts';
import { listen } from '../../../support/servers.ts';

function logOf(...messages: readonly (string | Uint8Array)[]): MessageLog {
  const log = new MessageLog();
  for (const message of messages) {
    log.add('sent', Buffer.from(message));
    log.add('received', Buffer.from(message));
  }
  return log;
}

test('a conversation is saved as a transcript, with its framing and line ending', () => {
  expect(logOf('hello', '/not a pattern/').toTranscript(lines())).toBe(
    '@framing lines\n> hello\n< hello\n>\\ \\/not a pattern/\n<\\ \\/not a pattern/\n',
  );
  expect(logOf('a').toTranscript(lines({ crlf: true }))).toBe('@framing lines\n@ending crlf\n> a\n< a\n');
  expect(logOf().toTranscript(length({ bytes: 2 }))).toBe('@framing length:2\n');
});

test('every saved conversation with an echo server passes a check, and no line can control a terminal', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
  );
  const address = parseAddress((await listen((socket) => socket.pipe(socket))).address);
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { maxLength: 4 }), async (messages) => {
      const text = logOf(...messages).toTranscript(length({ bytes: 2 }));
      for (const line of text.split('\n')) expect(escapeText(line)).toBe(line);
      const { differences } = await check(parseTranscript(text, 'saved'), { address });
      expect(differences).toEqual([]);
    }),
    { numRuns: 30 },
  );
});

test('drops the oldest messages when there are too many, and says how many', () => {
  const log = new MessageLog();
  for (let number = 0; number < 70; number++) log.add('sent', Buffer.alloc(1_000_000, 65));
  expect(log.count + log.dropped).toBe(70);
  expect(log.dropped).toBe(3);
  expect(log.toTranscript(lines())).toMatch(/^@framing lines\n# the first 3 messages were dropped\n> A/);
});
