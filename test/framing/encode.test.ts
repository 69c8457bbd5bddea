import { describe, expect, it } from 'vitest';
import { delimiter } from '../../src/framing/delimited/delimiter.ts';
import { lines } from '../../src/framing/delimited/lines.ts';
import { encode, type InPlaceEncoder } from '../../src/framing/framing.ts';
import { parseFraming } from '../../src/framing/notation.ts';
import { fc } from '../support/fast-check.ts';
import { firstMessage } from './first-message.ts';
import { show } from './outcome.ts';

describe('the frame of a message', () => {
  it.each([
    ['lines', 'hi', 'hi\\x0a'],
    ['lines', '', '\\x0a'],
    ['lines', 'é', '\\xc3\\xa9\\x0a'],
    ['lines', 'a\rb', 'a\\x0db\\x0a'],
    ['lines', 'hi\r', 'hi\\x0d\\x0d\\x0a'],
    ['delimiter:||', 'a|b', 'a|b||'],
    ['delimiter:\\n', 'hi\r', 'hi\\x0d\\x0a'],
    ['length:4', 'A', '\\x00\\x00\\x00\\x01A'],
    ['length:4', '', '\\x00\\x00\\x00\\x00'],
    ['length:4,little', 'A', '\\x01\\x00\\x00\\x00A'],
    ['length:4,inclusive', 'A', '\\x00\\x00\\x00\\x05A'],
    ['length:4,adjust=1', 'A', '\\x00\\x00\\x00\\x00A'],
    ['length:4,adjust=-1', 'A', '\\x00\\x00\\x00\\x02A'],
    ['length:8', 'A', '\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01A'],
    ['length:8,little', 'A', '\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00A'],
    ['length:2,offset=2,counts=frame', 'A', '\\x00\\x00\\x00\\x05A'],
    ['raw', 'hi', 'hi'],
  ])('in %s, of %j, is %s', (notation, message, frame) => {
    expect(show(encode(parseFraming(notation), message))).toBe(frame);
  });

  it('of lines with CRLF ends with CRLF', () => {
    const framing = lines({ crlf: true });
    expect(show(encode(framing, 'hi'))).toBe('hi\\x0d\\x0a');
    expect(show(encode(framing, 'hi\r'))).toBe('hi\\x0d\\x0d\\x0a');
    expect(framing.encoder.text?.ending()).toBe('\r\n');
    expect(framing.encoder.text?.ending(Buffer.from('\n'))).toBe('\n');
  });

  it.each([
    ['length:1', 255, 256],
    ['length:1,adjust=-1', 254, 255],
    ['length:1,adjust=1', 256, 257],
    ['length:1,inclusive', 254, 255],
    ['length:1,offset=2,counts=frame', 252, 253],
    ['length:2', 65_535, 65_536],
  ])('in %s may have %d bytes but not %d', (notation, most, tooMany) => {
    const framing = parseFraming(notation);
    const decoder = framing.createDecoder({ maxMessageLength: most, onTooLong: 'close', encoding: 'binary' });
    expect(Array.from(decoder.decode(encode(framing, Buffer.alloc(most))), ({ size }) => size)).toEqual([most]);
    expect(() => encode(framing, Buffer.alloc(tooMany))).toThrow(`a message of ${tooMany} bytes does not fit`);
  });
});

describe('a message that cannot be sent', () => {
  it.each([
    [
      'lines',
      'hi\nthere',
      'the message contains a line feed at offset 2, so it would arrive as several lines; send one message per line, or use another framing, such as raw',
    ],
    [
      'delimiter:||',
      'a||b',
      'the message contains the delimiter at offset 1, so it would arrive as two messages; use another delimiter, or the framing "length"',
    ],
    [
      'delimiter:aaa',
      'xa',
      'the message contains the delimiter at offset 1, so it would arrive as two messages; use another delimiter, or the framing "length"',
    ],
    ['length:1', 'x'.repeat(256), 'a message of 256 bytes does not fit a length field of 1 byte; use a wider one'],
    [
      'length:2',
      'x'.repeat(65_536),
      'a message of 65536 bytes does not fit a length field of 2 bytes; use a wider one',
    ],
    ['length:4,adjust=2', 'x', 'a message of 1 bytes is too short for the adjustment; the shortest has 2 bytes'],
  ])('in %s is refused with the reason: case %#', (notation, message, text) => {
    const refused = () => encode(parseFraming(notation), message);
    expect(refused).toThrow(expect.objectContaining({ code: 'YODEL_UNENCODABLE_MESSAGE', message: text }));
  });
});

describe('a frame is completed in place', () => {
  it.each(['lines', 'delimiter:||', 'length:4', 'length:2,offset=3', 'raw'])(
    'in %s, with nothing written around it',
    (notation) => {
      const framing = parseFraming(notation);
      const frame = encode(framing, 'hello');
      const encoder = framing.encoder.inPlace as InPlaceEncoder;
      const at = 7;
      const target = Buffer.alloc(at + frame.length + 7, 0xee);
      const start = at + encoder.headerSize(5);
      target.write('hello', start);
      const end = encoder.seal(target, at, start, start + 5);
      expect(show(target.subarray(at, end))).toBe(show(frame));
      expect(show(target.subarray(0, at))).toBe('\\xee'.repeat(7));
      // The encoder may use headerSize bytes before a message and trailerSize bytes after it.
      expect(show(target.subarray(start + 5 + encoder.trailerSize))).toMatch(/^(\\xee)+$/);
    },
  );

  it('in lines, regardless of the bytes before an empty message', () => {
    const target = Buffer.from('\r..');
    expect(parseFraming('lines').encoder.inPlace?.seal(target, 1, 1, 1)).toBe(2);
    expect(target.toString()).toBe('\r\n.');
  });
});

describe('a reply', () => {
  it.each([
    ['lines', 'hi\n', 'ok', 'ok\\x0a'],
    ['lines', 'hi\r\n', 'ok', 'ok\\x0d\\x0a'],
    ['lines', '\r\n', '', '\\x0d\\x0a'],
    ['lines', 'hi', 'ok', 'ok\\x0a'],
    ['lines', 'hi\r', 'ok', 'ok\\x0a'],
    ['lines', 'hi\n', 'ok\r', 'ok\\x0d\\x0d\\x0a'],
    ['delimiter:||', 'hi||', 'ok', 'ok||'],
    ['delimiter:||', 'hi', 'ok', 'ok||'],
    ['length:1', '\x02hi', 'ok!', '\\x03ok!'],
    ['length:1,offset=2', '\x07\xff\x02hi', 'ok!', '\\x07\\xff\\x03ok!'],
    ['raw', 'hi', 'ok', 'ok'],
  ])('in %s, to %j, looks like the message it answers: %j is %s', (notation, input, reply, frame) => {
    const framing = parseFraming(notation);
    const { encoder } = framing;
    const shape = encoder.shapeOf(firstMessage(framing, input));
    expect(show(encoder.encode(Buffer.from(reply), shape))).toBe(frame);
  });

  it('in lines arrives unchanged with either line ending', () => {
    const framing = parseFraming('lines');
    const reply = fc.array(fc.constantFrom('\r', 'a', 'é'), { maxLength: 4 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(reply, fc.constantFrom('\n', '\r\n'), (text, ending) => {
        const frame = framing.encoder.encode(Buffer.from(text), Buffer.from(ending));
        expect(firstMessage(framing, Buffer.from(frame).toString('latin1')).text).toBe(text);
      }),
    );
  });
});

describe('a delimiter', () => {
  it('is copied, so that the caller may change its bytes', () => {
    const bytes = Buffer.from('||');
    const framing = delimiter(bytes);
    bytes.fill(0xee);
    expect(show(encode(framing, 'a'))).toBe('a||');
    expect(firstMessage(framing, 'b||c').text).toBe('b');
  });
});
