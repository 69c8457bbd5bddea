import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConversationRecord, transcriptLine } from '../../src/cli/conversation-record.ts';
import { harmlessText } from '../../src/cli/harmless.ts';
import { parseBytes } from '../../src/framing/escapes.ts';

const examples: readonly [message: string | Uint8Array, line: string][] = [
  ['hello', '> hello\n'],
  ['wörld 你好 🎉', '> wörld 你好 🎉\n'],
  ['', '> \n'],
  ['C:\\new', '> C:\\new\n'],
  ['a\tb\0', '>\\ a\\tb\\0\n'],
  ['C:\\new\r\n', '>\\ C:\\\\new\\r\\n\n'],
  ['a ', '>\\ a\\x20\n'],
  ['\x1b[31m', '>\\ \\x1b[31m\n'],
  ['a\u202eb', '>\\ a\\xe2\\x80\\xaeb\n'],
  [Uint8Array.of(0xff, 0x41, 0xc3), '>\\ \\xffA\\xc3\n'],
];

for (const [message, line] of examples) {
  test(`a transcript has ${JSON.stringify(message)} as ${JSON.stringify(line)}`, () => {
    expect(transcriptLine('sent', Buffer.from(message))).toBe(line);
    expect(transcriptLine('received', Buffer.from(message))).toBe(line.replace('>', '<'));
  });
}

test('every message can be read back from its line, and no line can harm a terminal', () => {
  const bytes = fc.oneof(
    fc.uint8Array(),
    fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(bytes, (message) => {
      const line = transcriptLine('sent', message).slice(0, -1);
      expect(harmlessText(line)).toBe(line);
      const read = line.startsWith('>\\ ') ? parseBytes(line.slice(3)) : Buffer.from(line.slice(2));
      expect(Buffer.from(read)).toEqual(Buffer.from(message));
    }),
  );
});

test('what is too much to be kept is told of', () => {
  const record = new ConversationRecord();
  for (let number = 0; number < 70; number++) record.add('sent', Buffer.alloc(1_000_000, 65));
  expect(record.count + record.dropped).toBe(70);
  expect(record.dropped).toBe(3);
  expect(record.toText()).toMatch(/^# the first 3 messages are not kept any more\n> A/);
});
