import { describe, expect, it } from 'vitest';
import { netstring } from '../../../src/framing/counted/netstring.ts';
import { octetCounted } from '../../../src/framing/counted/octet-counted.ts';
import { encode } from '../../../src/framing/framing.ts';
import { parseFraming } from '../../../src/framing/notation.ts';
import { firstMessage } from '../first-message.ts';
import { show } from '../outcome.ts';

const mixed = octetCounted({ mixed: true, nul: true });

it.each([
  ['netstring', 'hello', '5:hello,'],
  ['netstring', '', '0:,'],
  ['netstring', 'hello world!', '12:hello world!,'],
  ['octet-counted', '<1>é', '5 <1>\\xc3\\xa9'],
  ['octet-counted:mixed', '<1>hi', '5 <1>hi'],
  ['octet-counted:mixed', '', '\\x0a'],
])('in %s, the frame of %j is %s', (notation, message, frame) => {
  expect(show(encode(parseFraming(notation), message))).toBe(frame);
});

it('octet counting has no frame for a message of no bytes', () => {
  expect(() => encode(octetCounted(), '')).toThrow(expect.objectContaining({ code: 'YODEL_UNENCODABLE_MESSAGE' }));
});

it('NUL ends messages only where lines are allowed', () => {
  expect(() => octetCounted({ nul: true })).toThrow('takes "nul" only with "mixed"');
});

describe('where counted messages and lines are mixed', () => {
  const { encoder } = mixed;
  const shapeOf = (input: string) => encoder.shapeOf(firstMessage(mixed, input));

  it.each([
    ['2 hi', 'ok', '2 ok'],
    ['hi\n', 'ok', 'ok\\x0a'],
    ['hi\0', 'ok', 'ok\\x00'],
    ['hi', 'ok', '2 ok'],
    ['2 hi', '', '\\x0a'],
    ['2 hi', 'a\nb', '3 a\\x0ab'],
  ])('the reply to %j, %j, is %s', (input, reply, frame) => {
    expect(show(encoder.encode(Buffer.from(reply), shapeOf(input)))).toBe(frame);
  });

  it.each([
    ['a\nb', 'contains 0x0a at offset 1, so it would arrive as two messages'],
    ['a\0b', 'contains 0x00 at offset 1, so it would arrive as two messages'],
    ['1st', 'begins with "1" (0x31), so it would be taken for a length'],
  ])('the reply to a line cannot be %j', (reply, reason) => {
    const send = () => encoder.encode(Buffer.from(reply), shapeOf('hi\n'));
    expect(send).toThrow(`the message ${reason}`);
    expect(send).toThrow(expect.objectContaining({ code: 'YODEL_UNENCODABLE_MESSAGE' }));
  });

  it('a message leaves as it came, unless the peer sends the other kind', () => {
    const line = firstMessage(mixed, 'hi\n');
    expect(show(encode(mixed, line))).toBe('hi\\x0a');
    expect(encoder.suits?.(line, shapeOf('2 hi'))).toBe(false);
    expect(encoder.suits?.(line, shapeOf('x\n'))).toBe(true);
    expect(encoder.suits?.(firstMessage(mixed, 'last'), undefined)).toBe(false);
    expect(show(encode(mixed, firstMessage(netstring(), '2:hi,')))).toBe('2 hi');
  });
});
