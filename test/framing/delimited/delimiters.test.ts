import { describe, expect, it } from 'vitest';
import { delimiter } from '../../../src/framing/delimited/delimiter.ts';
import { encode } from '../../../src/framing/framing.ts';
import { firstMessage } from '../first-message.ts';
import { show } from '../outcome.ts';

const lfOrNul = delimiter('\n', '\0');
const anyLineEnd = delimiter('\n', '\r', '\r\n');

describe('with several delimiters', () => {
  it('a message ends with the first one', () => {
    expect(show(encode(lfOrNul, 'hi'))).toBe('hi\\x0a');
    expect(show(encode(delimiter('\0', '\n'), 'hi'))).toBe('hi\\x00');
  });

  it('a message ends with another one if the first would change it', () => {
    expect(show(encode(delimiter('\n', '\r\n'), 'hi\r'))).toBe('hi\\x0d\\x0d\\x0a');
    expect(show(encode(anyLineEnd, ''))).toBe('\\x0d\\x0a');
  });

  it.each([
    ['hi\n', 'ok\\x0a'],
    ['hi\0', 'ok\\x00'],
    ['hi', 'ok\\x0a'],
  ])('a reply to %j is %s', (input, frame) => {
    const { encoder } = lfOrNul;
    const shape = encoder.shapeOf(firstMessage(lfOrNul, input));
    expect(show(encoder.encode(Buffer.from('ok'), shape))).toBe(frame);
  });

  it('a message leaves with the delimiter that it came with, unless the peer uses another one', () => {
    const { encoder } = lfOrNul;
    const message = firstMessage(lfOrNul, 'hi\0');
    expect(show(encode(lfOrNul, message))).toBe('hi\\x00');
    expect(encoder.suits?.(message, encoder.shapeOf(firstMessage(lfOrNul, 'x\n')))).toBe(false);
    expect(encoder.suits?.(message, encoder.shapeOf(firstMessage(lfOrNul, 'x\0')))).toBe(true);
    expect(encoder.suits?.(firstMessage(lfOrNul, 'last'), undefined)).toBe(false);
  });

  it('a message that begins with what makes a delimiter longer is not sent as it came', () => {
    const empty = firstMessage(anyLineEnd, '\n');
    expect(anyLineEnd.encoder.suits?.(empty, undefined)).toBe(false);
    // After "x\r", a frame of "\n" alone would be taken for the rest of "\r\n".
    expect(show(encode(anyLineEnd, empty))).toBe('\\x0d\\x0a');
  });

  it.each([
    [lfOrNul, 'a\0b', 'contains the delimiter \\0 at offset 1, so it would arrive as two messages'],
    [delimiter('\n', '\r\n'), 'a\r\n', 'contains the delimiter \\r\\n at offset 1, so it would arrive as two messages'],
    [delimiter('x', 'xy'), 'yes', 'would change the delimiter before or after it'],
  ])('a message is refused that cannot arrive unchanged: case %#', (framing, message, reason) => {
    const send = () => encode(framing, message);
    expect(send).toThrow(`the message ${reason}; use other delimiters, or the framing "length"`);
    expect(send).toThrow(expect.objectContaining({ code: 'YODEL_UNENCODABLE_MESSAGE' }));
  });

  it('many texts are encoded at once only where each ends with the same one', () => {
    const text = lfOrNul.encoder.text;
    const areSealed = (bytes: string, count: number, ending: string) =>
      text?.areSealed(Buffer.from(bytes), 0, bytes.length, count, ending);
    expect([text?.ending(), text?.ending(Buffer.from('\0'))]).toEqual(['\n', '\0']);
    expect(areSealed('a\nb\n', 2, '\n')).toBe(true);
    expect(areSealed('a\0b\0', 2, '\0')).toBe(true);
    expect(areSealed('a\nb\0c\n', 2, '\n')).toBe(false);
    expect(areSealed('a\nb\n\n', 2, '\n')).toBe(false);
    expect(delimiter('\n', 'é').encoder.text).toBeUndefined();
  });

  it.each([
    [['\n', '\0', '\n'], 'the delimiter \\n occurs twice'],
    [['\n', ''], 'a delimiter has 1 to 64 bytes, not 0'],
    [Array.from('abcdefghijklmnopq'), 'there are at most 16 delimiters, not 17'],
    [['b', 'abc'], 'the delimiter abc contains b, so that bytes after a message would decide where it ends'],
    [['a', 'abc'], 'the delimiter abc contains a, so that bytes after a message would decide where it ends'],
  ])('%j are refused', (delimiters, reason) => {
    const [first = '', ...others] = delimiters;
    expect(() => delimiter(first, ...others)).toThrow(
      expect.objectContaining({ code: 'YODEL_INVALID_OPTION', message: reason }),
    );
  });
});
