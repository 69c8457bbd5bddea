import { describe, expect, it } from 'vitest';
import { YodelError } from '../../../src/errors.ts';
import { headers } from '../../../src/framing/counted/headers.ts';
import { length } from '../../../src/framing/counted/length.ts';
import { encode } from '../../../src/framing/framing.ts';
import { Message } from '../../../src/framing/message.ts';
import { firstMessage } from '../first-message.ts';
import { show } from '../outcome.ts';

const type = 'Content-Type: application/x; charset=utf-8\r\n';

describe('a message with header lines', () => {
  it('is sent with its length first', () => {
    expect(show(encode(headers(), 'é'))).toBe('Content-Length: 2\\x0d\\x0a\\x0d\\x0a\\xc3\\xa9');
    const message = Message.of('{}', { header: Buffer.from(type) });
    expect(Buffer.from(encode(headers(), message)).toString()).toBe(`Content-Length: 2\r\n${type}\r\n{}`);
  });

  it('leaves with the frame that it arrived in', () => {
    const frame = `${type}CONTENT-length:\t2 \r\nX: y\r\n\r\n{}`;
    expect(Buffer.from(encode(headers(), firstMessage(headers(), frame))).toString()).toBe(frame);
  });

  it('is answered with the same lines', () => {
    const { encoder } = headers();
    const shape = encoder.shapeOf(firstMessage(headers(), `A: b\r\nContent-Length: 1\r\nC: d\r\n\r\nx`));
    expect(Buffer.from(encoder.encode(Buffer.from('yes'), shape)).toString()).toBe(
      'Content-Length: 3\r\nA: b\r\nC: d\r\n\r\nyes',
    );
  });

  it('leaves behind the header of another framing', () => {
    const message = firstMessage(length({ bytes: 1, offset: 2 }), '\x07\x08\x02hi');
    expect(Buffer.from(encode(headers(), message)).toString()).toBe('Content-Length: 2\r\n\r\nhi');
  });
});

describe('a header that cannot be sent', () => {
  it.each([
    ['A', 'at byte 2: expected a colon after the name of a header, not 0x0d'],
    ['A: b', 'its last line does not end with CRLF'],
    ['A: b\n', 'at byte 5: header lines end with CRLF, not with LF alone'],
    ['A: b\r\n\r\n', 'it contains an empty line'],
    ['\r\n', 'it contains an empty line'],
    ['A: b\r\ncontent-length: 3\r\n', 'at byte 7: a second Content-Length'],
    [`A: ${'b'.repeat(9000)}\r\n`, 'the header lines have not ended after 8192 bytes'],
  ])('is refused: %j', (header, reason) => {
    const send = () => encode(headers(), Message.of('x', { header: Buffer.from(header) }));
    expect(send).toThrow(YodelError);
    expect(send).toThrow(reason);
    expect(send).toThrow(expect.objectContaining({ code: 'YODEL_UNENCODABLE_MESSAGE' }));
  });
});

it.each([0, 63, 64.5, 1_048_577, Number.NaN])('header lines of at most %d bytes are not an option', (maxHeaderSize) => {
  expect(() => headers({ maxHeaderSize })).toThrow(`from 64 to 1048576, not ${maxHeaderSize}`);
});
