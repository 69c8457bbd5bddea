/** Message lines with headers and kinds. */

import { describe, expect, it } from 'vitest';
import { Message } from '../../src/framing/message.ts';
import { differenceOf, formatMessage, parseMessage, partsOf } from '../../src/transcript/message-line.ts';
import { Values } from '../../src/transcript/values.ts';
import { fc } from '../support/fast-check.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const parts = (line: string) => {
  const { payload = new Uint8Array(), header, kind } = partsOf(parseMessage(line), new Values()) ?? {};
  return [header && Buffer.from(header).toString('latin1'), Buffer.from(payload).toString('latin1'), kind];
};

it.each([
  [' hello', [undefined, 'hello', undefined]],
  ['b hello', [undefined, 'hello', 'binary']],
  ['b', [undefined, '', 'binary']],
  ['bx 00 ff', [undefined, '\0\xff', 'binary']],
  ['x 10 | 00 04', ['\x10', '\0\x04', undefined]],
  ['x10|0004', ['\x10', '\0\x04', undefined]],
  ['x 10 |', ['\x10', '', undefined]],
  ['h 10 | hello', ['\x10', 'hello', undefined]],
  ['h 10 |  hello ', ['\x10', ' hello ', undefined]],
  ['h 10 20 |\\ a\\tb', ['\x10 ', 'a\tb', undefined]],
  ['h 10 |x 00', ['\x10', '\0', undefined]],
  ['h 10 |', ['\x10', '', undefined]],
  ['h |', ['', '', undefined]],
  ['h\\ Type: a\\r\\n | {"a":1}', ['Type: a\r\n', '{"a":1}', undefined]],
  ['h\\ a\\|b | c|d', ['a|b', 'c|d', undefined]],
  ['h\\ a\\  | c', ['a ', 'c', undefined]],
  ['h\\ |', ['', '', undefined]],
  ['bh 10 | hello', ['\x10', 'hello', 'binary']],
  ['x 41 7c', [undefined, 'A|', undefined]],
  [' a | b', [undefined, 'a | b', undefined]],
])('%j', (line, expected) => {
  expect(parts(line)).toEqual(expected);
});

it.each([
  ['hello', 0, /must be followed by a space/],
  ['binary', 0, /must be followed by a space/],
  ['h 1', 3, /must be followed by \|/],
  ['h\\ abc', 6, /must be followed by \|/],
  ['h 1 | a', 2, /two hexadecimal digits/],
  ['x 10 | 0', 7, /two hexadecimal digits/],
  ['h 10 |y', 6, /must be followed by a space/],
  ['h 10 |\\ \\q', 8, /unknown escape/],
  ['h\\ \\q | a', 3, /unknown escape/],
  ['bb', 0, /must be followed by a space/],
])('%j is an error at its place', (line, at, problem) => {
  expect(() => parseMessage(line)).toThrow(expect.objectContaining({ at, message: expect.stringMatching(problem) }));
});

it('any message is formatted as one line that reads back as the same message', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc
      .array(fc.constantFrom('|', '\\', ' ', 'x', 'h', 'b', '{a}', '/', '\r\n', 'é', 'Content-Type: a'), {
        maxLength: 8,
      })
      .map((pieces) => new Uint8Array(Buffer.from(pieces.join('')))),
  );
  fc.assert(
    fc.property(bytes, bytes, fc.boolean(), (payload, header, isBinary) => {
      const kind = isBinary ? ('binary' as const) : undefined;
      const line = formatMessage({ bytes: payload, header, kind });
      expect(line).not.toMatch(/[\r\n]/);
      const read = partsOf(parseMessage(line), new Values());
      expect(read?.kind).toBe(kind);
      expect(Buffer.compare(read?.payload ?? Buffer.of(1), payload)).toBe(0);
      expect(Buffer.compare(read?.header ?? new Uint8Array(), header)).toBe(0);
      const message = Message.of(payload, { header, kind });
      expect(differenceOf(parseMessage(line), message, new Values())).toBeUndefined();
    }),
    { numRuns: 2000 },
  );
});

describe('comparing', () => {
  const received = Message.of('hi', { header: hex('00 01') });
  it.each([
    [' hi', undefined],
    ['h 00 01 | hi', undefined],
    ['h 00 02 | hi', 'a different header'],
    ['h 00 | hi', 'a different header'],
    ['h 00 01 | ho', 'a different message'],
    ['h\\ {id} | /^h/', undefined],
  ])('%j with header 00 01 and "hi"', (line, expected) => {
    expect(differenceOf(parseMessage(line), received, new Values())).toBe(expected);
  });

  it('remembers names in a header, unless the payload differs', () => {
    const captures = new Values();
    expect(differenceOf(parseMessage('h\\ {id} | ho'), received, captures)).toBe('a different message');
    expect(captures.captured.size).toBe(0);
    expect(differenceOf(parseMessage('h\\ \\0{id} | hi'), received, captures)).toBeUndefined();
    expect(Buffer.from(captures.get('id') ?? []).toString('hex')).toBe('01');
    expect(Buffer.from(partsOf(parseMessage('h\\ {id} | x'), captures)?.header ?? []).toString('hex')).toBe('01');
  });

  it.each([
    [' hi', 'text', undefined],
    ['b hi', 'binary', undefined],
    [' hi', 'binary', 'a binary message instead of a text one'],
    ['b hi', 'text', 'a text message instead of a binary one'],
  ] as const)('%j with a %s message', (line, kind, expected) => {
    expect(differenceOf(parseMessage(line), Message.of('hi', { kind }), new Values())).toBe(expected);
  });
});
