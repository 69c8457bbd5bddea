import { describe, expect, it } from 'vitest';
import { length } from '../../../src/framing/counted/length.ts';
import { delimiter } from '../../../src/framing/delimited/delimiter.ts';
import { lines } from '../../../src/framing/delimited/lines.ts';
import { encode, type Framing } from '../../../src/framing/framing.ts';
import { GroupScanner, scannerOf } from '../../../src/framing/grouped/group-scanner.ts';
import { until } from '../../../src/framing/grouped/until.ts';
import { Message } from '../../../src/framing/message.ts';
import { raw } from '../../../src/framing/raw.ts';
import { ScanningDecoder } from '../../../src/framing/scanning.ts';

const options = { maxMessageLength: 100_000, onTooLong: 'close', encoding: 'utf8' } as const;

function decodeOne(framing: Framing, input: string): Message {
  const [message] = framing.createDecoder(options).decode(Buffer.from(input));
  if (!message) throw new Error('no message');
  return message;
}

describe('until', () => {
  const smtp = until(lines({ crlf: true }), /^\d{3}( |$)/);

  it('takes the line ending of its inner framing, and of the message that is answered', () => {
    expect(`${encode(smtp, '250-a\r\n250 b')}`).toBe('250-a\r\n250 b\r\n');
    const plain = until(lines(), /^\d{3} /);
    expect(`${encode(plain, '250 b')}`).toBe('250 b\n');
    const shape = plain.encoder.shapeOf(decodeOne(plain, '220 a\r\n'));
    expect(`${plain.encoder.encode(Buffer.from('250 b'), shape)}`).toBe('250 b\r\n');
    expect(`${plain.encoder.encode(Buffer.from('250 b\r'))}`).toBe('250 b\r\r\n');
  });

  it('sends a group as it came, unless its last line lacks the ending that is required', () => {
    expect(`${encode(smtp, decodeOne(smtp, '250-a\n250 b\r\n'))}`).toBe('250-a\n250 b\r\n');
    expect(`${encode(smtp, decodeOne(smtp, '250-a\n250 b\n'))}`).toBe('250-a\n250 b\n');
    const decoder = smtp.createDecoder(options);
    decoder.decode(Buffer.from('250 x'));
    const [last] = decoder.end();
    expect(`${encode(smtp, last as Message)}`).toBe('250 x\r\n');
  });

  it.each([
    ['', 'does not end with one that matches'],
    ['250-a', 'does not end with one that matches'],
    ['250 a\r\n', 'what ends at offset 7 of the message matches'],
    ['250 a\r\n250 b', 'what ends at offset 7 of the message matches'],
    ['250 a\r\nb', 'what ends at offset 7 of the message matches'],
  ])('refuses to send %j, which would not arrive as one message', (text, reason) => {
    expect(() => encode(smtp, text)).toThrow(reason);
    expect(() => encode(smtp, text)).toThrow(expect.objectContaining({ code: 'YODEL_UNENCODABLE_MESSAGE' }));
  });

  it('has the header of its first inner message', () => {
    const framing = until(length({ bytes: 1, offset: 1 }), /\.$/);
    const message = decodeOne(framing, 'A\x01xB\x02y.');
    expect(message.text).toBe('xB\x02y.');
    expect(`${message.header}`).toBe('A');
    expect(`${encode(framing, Message.of('z.', { header: Buffer.from('C') }))}`).toBe('C\x02z.');
    const ids = until(length({ bytes: 1, offset: 1 }), /\.$/);
    expect(`${ids.encoder.encode(Buffer.from('q.'), ids.encoder.shapeOf(message))}`).toBe('A\x02q.');
  });

  it('can be inside another', () => {
    const framing = until(until(lines(), /^\.$/), /^END/);
    expect(decodeOne(framing, 'a\n.\nEND\nb\n.\n').text).toBe('a\n.\nEND\nb\n.');
  });

  it('ignores the flags with which the result of a pattern depends on the test before', () => {
    const framing = until(lines(), /^\./gy);
    const batch = framing.createDecoder(options).decode(Buffer.from('.\n.\n.\n'));
    expect(batch.count).toBe(3);
    expect(framing.name).toBe('until(lines,/^\\./)');
  });

  it('refuses framings without frames, and what is no pattern', () => {
    expect(() => until(raw(), /x/)).toThrow('the framing "until" cannot group messages of "raw"');
    expect(() => until(lines(), 'x' as unknown as RegExp)).toThrow('takes a regular expression as pattern');
  });

  it.each([
    ['lines', lines(), 'line\n'],
    ['delimiter', delimiter('||'), 'line||'],
    ['length', length({ bytes: 1 }), '\x04line'],
  ])('tests each inner message once, in chunks of any size: %s', (_name, inner, frame) => {
    const scanner = scannerOf(inner, 100_000, undefined);
    for (const size of [1, 7, 1000, 100_000]) {
      let tested = 0;
      const group = new GroupScanner(scanner.reader, scanner, () => ++tested % 1001 === 0, 100_000);
      const decoder = new ScanningDecoder(group, { ...options, encoding: 'binary' });
      const input = Buffer.from(frame.repeat(5005));
      let found = 0;
      for (let at = 0; at < input.length; at += size) found += decoder.decode(input.subarray(at, at + size)).count;
      expect([found, tested]).toEqual([5, 5005]);
    }
  });
});
