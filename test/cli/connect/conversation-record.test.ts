import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAddress } from '../../../src/address.ts';
import { ConversationRecord } from '../../../src/cli/connect/conversation-record.ts';
import { length } from '../../../src/framing/length.ts';
import { lines } from '../../../src/framing/lines.ts';
import { escapeText } from '../../../src/terminal/escape.ts';
import { check } from '../../../src/transcript/check.ts';
import { parseTranscript } from '../../../src/transcript/parse.ts';
import { listen } from '../../support/servers.ts';

function recordOf(...messages: readonly (string | Uint8Array)[]): ConversationRecord {
  const record = new ConversationRecord();
  for (const message of messages) {
    record.add('sent', Buffer.from(message));
    record.add('received', Buffer.from(message));
  }
  return record;
}

test('a conversation is saved as a transcript, with what the server must know of it', () => {
  expect(recordOf('hello', '/not a pattern/').toText(lines())).toBe(
    '@framing lines\n> hello\n< hello\n>\\ \\/not a pattern/\n<\\ \\/not a pattern/\n',
  );
  expect(recordOf('a').toText(lines({ crlf: true }))).toBe('@framing lines\n@ending crlf\n> a\n< a\n');
  expect(recordOf().toText(length({ bytes: 2 }))).toBe('@framing length:2\n');
});

test('every conversation with a server that echoes is checked green, and no line can harm a terminal', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
  );
  const address = parseAddress((await listen((socket) => socket.pipe(socket))).address);
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { maxLength: 4 }), async (messages) => {
      const text = recordOf(...messages).toText(length({ bytes: 2 }));
      for (const line of text.split('\n')) expect(escapeText(line)).toBe(line);
      const { differences } = await check(parseTranscript(text, 'saved'), { address });
      expect(differences).toEqual([]);
    }),
    { numRuns: 30 },
  );
});

test('what is too much to be kept is told of', () => {
  const record = new ConversationRecord();
  for (let number = 0; number < 70; number++) record.add('sent', Buffer.alloc(1_000_000, 65));
  expect(record.count + record.dropped).toBe(70);
  expect(record.dropped).toBe(3);
  expect(record.toText(lines())).toMatch(/^@framing lines\n# the first 3 messages are not kept any more\n> A/);
});
