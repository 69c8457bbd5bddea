import { describe, expect, it } from 'vitest';
import { encode, type Framing } from '../../../src/framing/framing.ts';
import { resp } from '../../../src/framing/grouped/resp.ts';

const options = { maxMessageLength: 8_000_000, onTooLong: 'close', encoding: 'binary' } as const;

/** What a decoder says about this input in chunks of `size` bytes. */
function faultOf(framing: Framing, input: Buffer, size: number): string | undefined {
  const decoder = framing.createDecoder(options);
  for (let at = 0; at < input.length; at += size) {
    const { fault } = decoder.decode(input.subarray(at, at + size));
    if (fault) return fault.message;
  }
  return decoder.end().fault?.message;
}

describe('resp', () => {
  it.each(['*1\r\n', '*?\r\n', '|1\r\n', '%1\r\n'])(
    'refuses a million of %j in one another, and names the byte',
    (head) => {
      const input = Buffer.from(head.repeat(1_000_000));
      for (const size of [1000, 4_000_000]) {
        expect(faultOf(resp(), input, size)).toContain('at byte 4097: values are nested more than 1024 levels deep');
      }
    },
  );

  it('accepts 1024 levels', () => {
    const [message] = resp()
      .createDecoder(options)
      .decode(Buffer.from(`${'*1\r\n'.repeat(1024)}:1\r\n`));
    expect(message?.size).toBe(4100);
  });

  it('reads each byte once, so that the smallest chunks are no attack', () => {
    // If each byte were a reason to read all before it again, this would take minutes.
    const value = `*20001\r\n${'+abcde\r\n$3\r\nxyz\r\n'.repeat(10_000)}+${'x'.repeat(1_000_000)}\r\n`;
    const decoder = resp().createDecoder(options);
    const input = Buffer.from(value);
    let messages = 0;
    for (let at = 0; at < input.length; at++) messages += decoder.decode(input.subarray(at, at + 1)).count;
    expect(messages).toBe(1);
  });

  it('sends exactly one value, as it is', () => {
    for (const value of ['+OK\r\n', '$2\r\nhi\r\n', '*1\r\n$4\r\nPING\r\n', '|1\r\n+a\r\n+b\r\n:1\r\n']) {
      expect(`${encode(resp(), value)}`).toBe(value);
      expect(`${encode(resp({ inline: true }), value)}`).toBe(value);
    }
  });

  it.each([
    ['', 'an empty message is no RESP value'],
    ['OK', 'a message is one RESP value, such as +OK with CRLF; "O" (0x4f) begins none'],
    ['+OK', 'the message is only the beginning of a RESP value'],
    ['$5\r\nhi\r\n', 'the message is only the beginning of a RESP value'],
    ['+a\r\n+b\r\n', 'the message continues at offset 4, after a complete RESP value'],
    [':x\r\n', 'the message is not a RESP value: at byte 2: expected a digit, not "x" (0x78)'],
  ])('refuses to send %j', (text, reason) => {
    expect(() => encode(resp(), text)).toThrow(reason);
  });

  it('sends a line that is typed as an inline command', () => {
    const framing = resp({ inline: true });
    expect(`${encode(framing, 'SET key "a b"')}`).toBe('SET key "a b"\r\n');
    expect(() => encode(framing, 'a\nb')).toThrow(
      'an inline command is one line, and the message contains a line feed at offset 1',
    );
    expect(() => encode(framing, '')).toThrow('an empty message is no RESP value');
    expect(() => encode(framing, '+OK')).toThrow('the message is only the beginning of a RESP value');
  });
});
