import { describe, expect, it, test } from 'vitest';
import { isErrorReply, noErrors } from '../../src/framing/error-pattern.ts';
import { Message } from '../../src/framing/message.ts';
import { openConversation } from '../../src/framing/protocol.ts';
import { protocolNamed, protocols } from '../../src/framing/protocols/protocols.ts';
import { resolveWire } from '../../src/framing/wire.ts';

const options = { maxMessageLength: 1_000_000, onTooLong: 'close', encoding: 'binary' } as const;

/** What a server sends: frames that report errors, and others. Hexadecimal with `x:` before it. */
const replies: Readonly<Record<string, { errors: readonly string[]; others: readonly string[] }>> = {
  amqp: {
    errors: ['x:01 0001 0000000b 00140028 0194 00 0000 0000 ce', 'x:01 0000 0000000b 000a0032 0140 00 0000 0000 ce'],
    others: ['x:01 0001 00000005 0014000b 00 ce', 'x:03 0001 00000004 00140028 ce'],
  },
  bgp: {
    errors: [`x:${'ff'.repeat(16)} 0015 03 0202`],
    others: [`x:${'ff'.repeat(16)} 0013 04`],
  },
  cassandra: {
    errors: ['x:84 00 0001 00 00000006 0000000a 0000'],
    others: ['x:84 00 0001 08 00000004 00000001', 'x:84 00 0001 02 00000000'],
  },
  dap: {
    errors: [json('{"seq":1,"type":"response","success":false,"message":"no"}')],
    others: [json('{"seq":1,"type":"response","success":true}')],
  },
  diameter: {
    errors: [
      'x:01 000014 20 000118 00000000 00000001 00000001',
      'x:01 000020 00 000118 00000000 00000001 00000001 0000010c 40 00000c 00001389',
    ],
    others: ['x:01 000020 00 000118 00000000 00000001 00000001 0000010c 40 00000c 000007d1'],
  },
  dns: {
    errors: ['x:000c 1234 8182 0001 0000 0000 0000', 'x:000c c281 8105 0000 0000 0000 0000'],
    others: ['x:000c 1234 8180 0001 0000 0000 0000', 'x:000c 1234 8183 0001 0000 0000 0000'],
  },
  fix: {
    errors: [fix('35=3|45=2|'), fix('35=8|37=1|39=8|150=8|')],
    others: [fix('35=0|'), fix('35=8|37=1|39=2|'), fix('35=D|58=35=3|')],
  },
  ftp: { errors: ['550 no such file\r\n', '421-bye\r\n421 bye\r\n'], others: ['226 done\r\n', '150 450 bytes\r\n'] },
  lsp: {
    errors: [json('{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}')],
    others: [json('{"jsonrpc":"2.0","id":1,"result":{"severity":"error"}}')],
  },
  memcached: {
    errors: ['ERROR\r\n', 'CLIENT_ERROR bad\r\n', 'SERVER_ERROR out of memory\r\n'],
    others: ['STORED\r\n', 'NOT_FOUND\r\n', 'VALUE k 0 5\r\nERROR\r\nEND\r\n'],
  },
  'memcached-binary': {
    errors: [`x:81 00 0000 00 00 0081 00000000 ${'00'.repeat(12)}`],
    others: [
      `x:81 00 0000 00 00 0000 00000000 ${'00'.repeat(12)}`,
      `x:81 00 0000 00 00 0001 00000000 ${'00'.repeat(12)}`,
    ],
  },
  mllp: {
    errors: ['\x0bMSH|^~\\&|a\rMSA|AE|1\r\x1c\r', '\x0bMSH|^~\\&|a\rMSA|AR\r\x1c\r'],
    others: ['\x0bMSH|^~\\&|a\rMSA|AA|1\r\x1c\r'],
  },
  modbus: { errors: ['x:8001 0000 0003 01 83 02'], others: ['x:8001 0000 0005 01 03 02 8000'] },
  mongodb: {
    errors: [`x:${mongo('01 6f6b00 0000000000000000')}`],
    others: [`x:${mongo('01 6f6b00 000000000000f03f')}`],
  },
  mqtt: {
    errors: ['x:20 02 00 05', 'x:90 03 0001 80', 'x:90 04 0001 00 80', 'x:e0 01 8d', 'x:40 04 0001 97 00'],
    others: ['x:20 02 00 00', 'x:90 03 0001 01', 'x:40 02 8001', 'x:30 05 0001 61 8080', 'x:d0 00'],
  },
  mysql: { errors: ['x:09 0000 01 ff 1504 23 3432303030'], others: ['x:07 0000 01 00 00 00 0200 0000'] },
  nats: { errors: ["-ERR 'Unknown Protocol Operation'\r\n"], others: ['+OK\r\n', 'MSG a 1 4\r\n-ERR\r\n'] },
  nntp: { errors: ['500 what?\r\n', '430 no such article\r\n'], others: ['205 bye\r\n'] },
  pop3: { errors: ['-ERR no\r\n'], others: ['+OK\r\n'] },
  postgres: {
    errors: ['E\0\0\0\x1aSERROR\0VERROR\0C42601\0\0', 'E\0\0\0\x1bSFEHLER\0VERROR\0C42601\0\0'],
    others: ['N\0\0\0\x14SNOTICE\0C00000\0\0', 'C\0\0\0\x0cEXPLAIN\0', 'Z\0\0\0\x05I'],
  },
  redis: { errors: ['-ERR no\r\n', '!3\r\nERR\r\n'], others: ['+OK\r\n', '$4\r\n-ERR\r\n', ':-1\r\n'] },
  smpp: { errors: ['x:00000010 80000004 0000000e 00000001'], others: ['x:00000010 80000004 00000000 00000001'] },
  smtp: { errors: ['550 5.1.1 no\r\n', '421-a\r\n421 b\r\n'], others: ['250 ok\r\n', '354 go\r\n'] },
  stomp: {
    errors: ['ERROR\nmessage:no\n\nwhy\0'],
    others: ['MESSAGE\nsubscription:0\n\nERROR\n\0', 'RECEIPT\nreceipt-id:ERROR\n\n\0'],
  },
  thrift: { errors: ['x:00000006 80010003 0000', 'x:00000003 826100'], others: ['x:00000006 80010002 0000'] },
};

function json(text: string): string {
  return `Content-Length: ${text.length}\r\n\r\n${text}`;
}

function fix(fields: string): string {
  const body = fields.replaceAll('|', '\x01');
  const head = `8=FIX.4.4\x019=${body.length}\x01${body}`;
  const sum = Buffer.from(head, 'latin1').reduce((total, byte) => total + byte, 0) % 256;
  return `${head}10=${String(sum).padStart(3, '0')}\x01`;
}

/** An OP_MSG with a document of one element. */
function mongo(element: string): string {
  const document = bytesOf(`x:${element}`).length + 5;
  const size = Buffer.alloc(4);
  size.writeInt32LE(document);
  const body = `00000000 00 ${size.toString('hex')} ${element} 00`;
  const total = Buffer.alloc(4);
  total.writeInt32LE(bytesOf(`x:${body}`).length + 16);
  return `${total.toString('hex')} 00000001 00000000 dd070000 ${body}`;
}

function bytesOf(text: string): Buffer {
  return text.startsWith('x:')
    ? Buffer.from(text.slice(2).replaceAll(/[\s|]/g, ''), 'hex')
    : Buffer.from(text, 'latin1');
}

/** Whether the only message of a frame, the server's greetings first, reports an error. */
function isError(name: string, frame: string): boolean {
  const protocol = protocolNamed(name);
  const { decoder } = openConversation(protocol, 'client', options);
  const batch = decoder.decode(bytesOf(frame));
  expect({ frame, fault: batch.fault?.message, count: batch.count }).toEqual({ frame, fault: undefined, count: 1 });
  return isErrorReply(protocol, batch.first as Message);
}

describe('protocols', () => {
  for (const [name, { errors, others }] of Object.entries(replies)) {
    it(`${name}: error replies are recognised, others are not`, () => {
      expect(errors.filter((frame) => !isError(name, frame))).toEqual([]);
      expect(others.filter((frame) => isError(name, frame))).toEqual([]);
    });
  }

  it('each protocol with a pattern is tested', () => {
    const withPattern = protocols.filter(({ errorPattern }) => errorPattern).map(({ name }) => name);
    expect(withPattern.toSorted()).toEqual(Object.keys(replies).toSorted());
  });
});

test('without a protocol, replies that begin with "error:" are errors', () => {
  const protocol = resolveWire({});
  expect(isErrorReply(protocol, Message.of('error: no'))).toBe(true);
  expect(isErrorReply(protocol, Message.of('no error: fine'))).toBe(false);
  expect(isErrorReply({ ...protocol, errorPattern: noErrors }, Message.of('error: no'))).toBe(false);
});

test('a pattern sees bytes as characters, and UTF-8 if it names others', () => {
  const is = (errorPattern: RegExp, payload: string | Uint8Array) =>
    isErrorReply({ errorPattern }, Message.of(payload));
  expect(is(/^\xff.$/s, Uint8Array.of(255, 10))).toBe(true);
  expect(is(/^fehlgeschlägen/, 'fehlgeschlägen: 1')).toBe(true);
  expect(is(/\u{1f4a5}/u, 'oh 💥')).toBe(true);
  expect(is(/error/g, 'error')).toBe(true);
  const again = /error/g;
  expect([is(again, 'error'), is(again, 'error')]).toEqual([true, true]);
});
