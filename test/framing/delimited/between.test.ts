import { describe, expect, it } from 'vitest';
import { between } from '../../../src/framing/delimited/between.ts';
import { encode } from '../../../src/framing/framing.ts';
import { parseFraming } from '../../../src/framing/notation.ts';
import { firstMessage } from '../first-message.ts';
import { show } from '../outcome.ts';

describe('a frame between start and end', () => {
  it.each([
    ['between:\\x0b,\\x1c\\r', 'hi', '\\x0bhi\\x1c\\x0d'],
    ['between:\\x0b,\\x1c\\r', 'a\x1c', '\\x0ba\\x1c\\x1c\\x0d'],
    ['between:\\x02,\\x03', '', '\\x02\\x03'],
    ['between:\\x10\\x02,\\x10\\x03,escape=\\x10', 'a\x10\x02\x03', '\\x10\\x02a\\x10\\x10\\x02\\x03\\x10\\x03'],
    ['between:\\x02,\\x03,escape=\\x1b', 'a\x1b\x02\x03', '\\x02a\\x1b\\x1b\\x1b\\x02\\x1b\\x03\\x03'],
  ])('in %s, of %j, is %s', (notation, message, frame) => {
    expect(show(encode(parseFraming(notation), message))).toBe(frame);
  });

  it.each([
    ['between:\\x02,\\x03', 'a\x03b', 1],
    ['between:<,aba', 'ab', 0],
  ])('in %s, cannot have the message %j', (notation, message, offset) => {
    const send = () => encode(parseFraming(notation), message);
    expect(send).toThrow(`at offset ${offset}, so it would arrive as something else`);
    expect(send).toThrow(expect.objectContaining({ code: 'YODEL_UNENCODABLE_MESSAGE' }));
  });

  it('leaves as it arrived, escapes included', () => {
    const framing = between('\x02', '\x03', { escape: '\x1b' });
    const message = firstMessage(framing, '\x02\x1ba\x03');
    expect(message.text).toBe('a');
    expect(show(encode(framing, message))).toBe('\\x02\\x1ba\\x03');
    expect(show(encode(framing, message.bytes))).toBe('\\x02a\\x03');
  });
});

describe('start and end', () => {
  it.each([
    [() => between('', 'x'), '1 to 64 bytes as start, not 0'],
    [() => between('x', 'y'.repeat(65)), '1 to 64 bytes as end, not 65'],
    [() => between('x', 'y', { gap: 'yx' }), 'gap bytes that do not begin a start'],
    [() => between('x', 'y', { escape: 'ab' }), 'one byte as escape, not 2'],
    [() => between('x', 'y', { escape: '' }), 'one byte as escape, not 0'],
    [() => between('x', 'y', { escape: 'y' }), 'an escape byte other than the end'],
    [() => between('x', 'yz', { escape: 'z' }), 'an end that contains the escape byte only as its first byte'],
    [() => between('x', 'zz', { escape: 'z' }), 'an end that contains the escape byte only as its first byte'],
  ])('are refused where they are ambiguous: case %#', (call, reason) => {
    expect(call).toThrow(expect.objectContaining({ code: 'YODEL_INVALID_OPTION' }));
    expect(call).toThrow(`the framing "between" takes ${reason}`);
  });
});
