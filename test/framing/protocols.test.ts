/** Short conversations of the protocols whose directions depend on each other, or that have a framing of their own. */

import { describe, expect, it } from 'vitest';
import { YodelError } from '../../src/errors.ts';
import { decodeChunk, encode, type Framing } from '../../src/framing/framing.ts';
import { Message } from '../../src/framing/message.ts';
import { openConversation, type Protocol } from '../../src/framing/protocol.ts';
import { protocolNamed, protocols } from '../../src/framing/protocols/protocols.ts';
import { fc } from '../support/fast-check.ts';

/** What the client (`>`) and the server (`<`) send, as Latin-1, and the messages: header, `|`, payload. */
interface Conversation {
  readonly protocol: string;
  readonly says: readonly (readonly [sender: '>' | '<', bytes: string, ...messages: string[]])[];
}

const conversations: readonly Conversation[] = [
  {
    protocol: 'smtp',
    says: [
      ['<', '220-mx\r\n220 ready\r\n', '|220-mx\r\n220 ready'],
      ['>', 'EHLO a\r\n', '|EHLO a'],
      ['<', '250-mx\r\n250-PIPELINING\r\n250 SIZE\r\n', '|250-mx\r\n250-PIPELINING\r\n250 SIZE'],
      ['>', 'MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n', '|MAIL FROM:<a>', '|RCPT TO:<b>', '|DATA'],
      ['<', '250 ok\r\n250 ok\r\n354 go\r\n', '|250 ok', '|250 ok', '|354 go'],
      ['>', 'Subject: x\r\n\r\n..hi\r\n...\r\n.\r\nQUIT\r\n', '|Subject: x\r\n\r\n.hi\r\n..', '|QUIT'],
      ['<', '250 queued\r\n221 bye\r\n', '|250 queued', '|221 bye'],
    ],
  },
  {
    protocol: 'smtp',
    says: [
      ['<', '220 mx\r\n', '|220 mx'],
      ['>', 'DATA\r\n', '|DATA'],
      ['<', '503 no\r\n', '|503 no'],
      ['>', 'QUIT\r\n', '|QUIT'],
    ],
  },
  {
    // Against RFC 2920, the client does not wait for the grant of DATA.
    protocol: 'smtp',
    says: [
      ['<', '220 mx\r\n', '|220 mx'],
      ['>', 'DATA\r\nDATA\r\nhi\r\n.\r\nNOOP\r\n', '|DATA', '|DATA', '|hi', '|.', '|NOOP'],
      ['<', '354 go\r\n250 queued\r\n250 ok\r\n', '|354 go', '|250 queued', '|250 ok'],
      ['>', 'DATA\r\n', '|DATA'],
      ['<', '354 go\r\n', '|354 go'],
      ['>', 'QUIT\r\n.\r\nQUIT\r\n', '|QUIT', '|QUIT'],
      ['<', '250 queued\r\n221 bye\r\n', '|250 queued', '|221 bye'],
    ],
  },
  {
    // The first bytes of a text arrive before its grant has been seen, after a text that was longer.
    protocol: 'smtp',
    says: [
      ['<', '220 mx\r\n', '|220 mx'],
      ['>', 'DATA\r\n', '|DATA'],
      ['<', '354 go\r\n', '|354 go'],
      ['>', 'a long text\r\nof two lines\r\n.\r\n', '|a long text\r\nof two lines'],
      ['<', '250 ok\r\n', '|250 ok'],
      ['>', 'DATA\r\nSub', '|DATA'],
      ['<', '354 go\r\n', '|354 go'],
      [
        '>',
        'ject: x\r\n\r\nshorter, of several lines\r\n\r\n\r\n\r\nx\r\n.\r\nQUIT\r\n',
        '|Subject: x\r\n\r\nshorter, of several lines\r\n\r\n\r\n\r\nx',
        '|QUIT',
      ],
    ],
  },
  {
    protocol: 'smtp',
    says: [
      ['<', '220 mx\r\n', '|220 mx'],
      ['>', 'BDAT 5\r\na\n.\nbBDAT 0 LAST\r\nQUIT\r\n', '|BDAT 5\r\na\n.\nb', '|BDAT 0 LAST', '|QUIT'],
      ['<', '250 ok\r\n250 queued\r\n221 bye\r\n', '|250 ok', '|250 queued', '|221 bye'],
    ],
  },
  {
    protocol: 'ftp',
    says: [
      ['<', '220 hi\r\n', '|220 hi'],
      ['>', 'RETR x\r\nFEAT\r\n', '|RETR x', '|FEAT'],
      [
        '<',
        '150 soon\r\n226 done\r\n211-Features:\r\n 226 x\r\n211 End\r\n',
        '|150 soon',
        '|226 done',
        '|211-Features:\r\n 226 x\r\n211 End',
      ],
    ],
  },
  {
    protocol: 'pop3',
    says: [
      ['<', '+OK hi\r\n', '|+OK hi'],
      ['>', 'USER a\r\nLIST\r\nLIST 1\r\nRETR 9\r\n', '|USER a', '|LIST', '|LIST 1', '|RETR 9'],
      ['<', '+OK\r\n+OK 1\r\n1 5\r\n.\r\n+OK 1 5\r\n-ERR no\r\n', '|+OK', '|+OK 1\r\n1 5\r\n.', '|+OK 1 5', '|-ERR no'],
    ],
  },
  {
    protocol: 'nntp',
    says: [
      ['<', '200 hi\r\n', '|200 hi'],
      ['>', 'GROUP a\r\nLISTGROUP a\r\nPOST\r\n', '|GROUP a', '|LISTGROUP a', '|POST'],
      ['<', '211 1 2 3 a\r\n211 1 2 3 a\r\n1\r\n.\r\n340 go\r\n', '|211 1 2 3 a', '|211 1 2 3 a\r\n1\r\n.', '|340 go'],
      ['>', 'From: a\r\n\r\nx\r\n.\r\nTAKETHIS <1>\r\nx\r\n.\r\n', '|From: a\r\n\r\nx', '|TAKETHIS <1>', '|x'],
      ['<', '240 ok\r\n239 <1>\r\n', '|240 ok', '|239 <1>'],
    ],
  },
  {
    protocol: 'memcached',
    says: [
      ['>', 'set k 0 0 6\r\nhe\r\nlo\r\nget k\r\nget x\r\n', '|set k 0 0 6\r\nhe\r\nlo', '|get k', '|get x'],
      [
        '<',
        'STORED\r\nVALUE k 0 6\r\nhe\r\nlo\r\nEND\r\nEND\r\n',
        '|STORED',
        '|VALUE k 0 6\r\nhe\r\nlo\r\nEND',
        '|END',
      ],
      ['>', 'mg k v\r\nstats\r\n', '|mg k v', '|stats'],
      ['<', 'VA 2\r\nhi\r\nSTAT pid 1\r\nEND\r\n', '|VA 2\r\nhi', '|STAT pid 1\r\nEND'],
    ],
  },
  {
    protocol: 'nats',
    says: [
      ['<', 'INFO {}\r\n', '|INFO {}'],
      ['>', 'PUB a 5\r\nhe\nlo\r\nPING\r\n', '|PUB a 5\r\nhe\nlo', '|PING'],
      ['<', '+OK\r\nMSG a 1 reply 5\r\nhello\r\nPONG\r\n', '|+OK', '|MSG a 1 reply 5\r\nhello', '|PONG'],
    ],
  },
  {
    protocol: 'postgres',
    says: [
      ['>', '\0\0\0\x08\x04\xd2\x16\x2f', '|\x04\xd2\x16\x2f'],
      ['<', 'N', '|N'],
      ['>', '\0\0\0\x09\0\x03\0\0\0', '|\0\x03\0\0\0'],
      ['<', 'R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I', 'R|\0\0\0\0', 'Z|I'],
      ['>', 'Q\0\0\0\x0dselect 1\0', 'Q|select 1\0'],
    ],
  },
  {
    protocol: 'postgres',
    says: [
      ['>', '\0\0\0\x08\x04\xd2\x16\x2f', '|\x04\xd2\x16\x2f'],
      ['<', 'E\0\0\0\x0dSFATAL\0\0\0', 'E|SFATAL\0\0\0'],
    ],
  },
  {
    protocol: 'mysql',
    says: [
      ['<', '\x02\0\0\0\x0ax', '\0|\x0ax'],
      ['>', mysqlLogin(0x0200, 32), `\x01|${mysqlLogin(0x0200, 32).slice(4)}`],
      ['<', '\x01\0\0\x02\0', '\x02|\0'],
      ['>', '\x02\0\0\0\x03x', '\0|\x03x'],
      // The rest of a long command looks like a login that asks for TLS.
      ['>', mysqlLogin(0xffff, 32), `\x01|${mysqlLogin(0xffff, 32).slice(4)}`],
      ['<', '\x01\0\0\x02\0\x01\0\0\0\0', '\x02|\0', '\0|\0'],
    ],
  },
  {
    protocol: 'amqp',
    says: [
      ['>', 'AMQP\0\0\x09\x01', '|AMQP\0\0\x09\x01'],
      ['<', '\x01\0\x02\0\0\0\x02hi\xce', '\x01\0\x02|hi'],
    ],
  },
  {
    protocol: 'gt06',
    says: [
      [
        '>',
        'xx\x05\x13\0\x01\xe9\xf1\r\nyy\0\x05\x94\x0a\0\x01\x3c\r\n',
        'xx|\x13\0\x01\xe9\xf1',
        'yy|\x94\x0a\0\x01\x3c',
      ],
    ],
  },
  {
    protocol: 'fix',
    says: [['>', '8=FIX.4.4\x019=5\x0135=0\x0110=163\x01', '8=FIX.4.4\x01|35=0\x01']],
  },
  {
    protocol: 'stomp',
    says: [
      [
        ...(['>', 'SEND\na:/q\ncontent-length:3\nx:y\n\nh\0i\0\n\r\nSEND\r\na:b\r\n\r\nhi\0'] as const),
        ...['SEND\na:/q\nx:y\n|h\0i', '|', '|', 'SEND\r\na:b\r\n|hi'],
      ],
    ],
  },
];

const options = { maxMessageLength: 100, onTooLong: 'close', encoding: 'binary' } as const;
const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

/** Both ends talk, in chunks of these sizes. Returns what arrives at each side, and the frames of each. */
function talk(
  protocol: Protocol,
  { says }: Conversation,
  sizes: readonly number[],
): { events: string[]; frames: Readonly<Record<'>' | '<', string>> } {
  const ends = {
    '>': openConversation(protocol, 'client', options),
    '<': openConversation(protocol, 'server', options),
  };
  const events: string[] = [];
  const frames = { '>': '', '<': '' };
  let turn = 0;
  for (const [sender, text] of says) {
    const bytes = Buffer.from(text, 'latin1');
    for (let at = 0; at < bytes.length; ) {
      const chunk = bytes.subarray(at, at + (sizes[turn++ % sizes.length] as number));
      at += chunk.length;
      ends[sender].sent?.(chunk);
      for (const batch of decodeChunk(ends[sender === '>' ? '<' : '>'].decoder, chunk)) {
        for (const message of batch) {
          events.push(`${sender}${latin1(message.header)}|${latin1(message.bytes)}`);
          frames[sender] += latin1(message.frame);
        }
        if (batch.fault) events.push(batch.fault.message);
      }
    }
  }
  return { events, frames };
}

/** The first packet of a client of MySQL. */
function mysqlLogin(flags: number, size: number): string {
  const packet = Buffer.alloc(4 + size);
  packet.writeUIntLE(size, 0, 3);
  packet[3] = 1;
  packet.writeUInt16LE(flags, 4);
  return packet.toString('latin1');
}

/** What each side sends. */
function sentBy({ says }: Conversation): Readonly<Record<'>' | '<', string>> {
  const by = (side: string) => says.map(([sender, text]) => (sender === side ? text : '')).join('');
  return { '>': by('>'), '<': by('<') };
}

describe.each(conversations)('$protocol', (conversation) => {
  const protocol = protocolNamed(conversation.protocol);

  it('has the messages of its conversation, in any chunks, and their frames', () => {
    const expected = conversation.says.flatMap(([sender, , ...messages]) => messages.map((one) => `${sender}${one}`));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 9 }), (sizes) => {
        const { events, frames } = talk(protocol, conversation, sizes);
        expect(events).toEqual(expected);
        expect(frames).toEqual(sentBy(conversation));
      }),
    );
  });
});

describe('a message encoded again is the same message', () => {
  /** The only message of a frame. */
  function decoded(framing: Framing, frame: Uint8Array, state: unknown): string {
    const decoder = framing.createDecoder(options, state);
    return [...decodeChunk(decoder, frame)]
      .flatMap((batch) => [...batch].map((one) => `${latin1(one.header)}|${latin1(one.bytes)}`))
      .join();
  }

  it.each([
    ['postgres', 'Q', 'select 1\0'],
    ['amqp', '\x01\0\0', 'hi'],
    ['amqp', '', 'AMQP\0\0\x09\x01'],
    ['gt06', 'xx', 'hi'],
    ['gt06', 'yy', 'hi'],
    ['fix', '8=FIX.4.2\x01', '35=0\x01'],
    ['stomp', 'SEND\na:b\n', 'h\0i'],
    ['stomp', '', ''],
    ['mqtt', '\x30', 'hi'],
    ['modbus', '\0\x01\0\0\x07', '\x03\0\0\0\x01'],
    ['memcached', '', 'set k 0 0 2\r\nhi'],
    ['nats', '', 'PUB a 2\r\nhi'],
    ['smtp', '', 'BDAT 5 LAST\r\na\nb\0c'],
  ])('in %s: %j, %j', (name, header, payload) => {
    const { framing } = protocolNamed(name);
    const message = Message.of(Buffer.from(payload, 'latin1'), { header: Buffer.from(header, 'latin1') });
    const state = name === 'postgres' ? { phase: 'typed', awaitedBytes: 0 } : undefined;
    expect(decoded(framing, encode(framing, message), state)).toBe(`${header}|${payload}`);
  });

  it.each([
    ['amqp', '', 'hi', 'needs its type and channel'],
    ['amqp', '\x01', 'hi', 'has 3 bytes, not 1'],
    ['gt06', '', 'x'.repeat(70_000), 'does not fit'],
    ['fix', 'x', 'hi', 'is its field 8'],
    ['stomp', 'SEND', 'hi', 'is a command and header lines'],
    ['stomp', '', 'hi', 'needs its command'],
    ['memcached', '', 'set k 0 0 2', 'not complete'],
    ['memcached', '', 'get a\r\nget b', 'as several'],
    ['nats', '', 'PUB a 2\r\nhello', 'as several'],
    ['smtp', '', 'HELO a\r\nQUIT', 'as several'],
  ])('in %s, or refused: %j, %j', (name, header, payload, reason) => {
    const message = Message.of(payload, header === '' ? {} : { header: Buffer.from(header, 'latin1') });
    expect(() => encode(protocolNamed(name).framing, message)).toThrow(
      expect.objectContaining({
        code: 'YODEL_UNENCODABLE_MESSAGE',
        message: expect.stringContaining(reason) as string,
      }),
    );
  });
});

describe('bytes that are no frame', () => {
  it.each([
    ['postgres', '\0\0\0\x03', 'at byte 1: the length field counts itself'],
    ['amqp', '\x01\0\0\0\0\0\x01xx', 'at byte 9: expected the frame-end 0xce, not "x" (0x78)'],
    ['amqp', 'APQM\0\0\0\0', 'at byte 1: a protocol header begins with "AMQP"'],
    ['gt06', 'xy', 'at byte 2: expected "x" (0x78) again, not "y" (0x79)'],
    ['gt06', 'xx\x01abc', 'at byte 5: expected 0x0d 0x0a'],
    ['fix', '8=FIX.4.4\x019=5\x0135=0\x0110=164\x01', 'the checksum is 163, not "164"'],
    ['fix', '8=FIX.4.4\x019=x', "at byte 13: expected the body's length in digits"],
    ['fix', `8=${'x'.repeat(70)}`, 'at byte 65: the field 8 (BeginString) does not end'],
    ['stomp', 'SEND\ncontent-length:x\n\n', 'at byte 6: the content-length is not a number: "x"'],
    ['stomp', 'SEND\ncontent-length:1\n\nhix', 'at byte 25: expected NUL after the body'],
  ])('in %s: %j', (name, input, reason) => {
    for (const size of [1, 3, input.length]) {
      const decoder = protocolNamed(name).framing.createDecoder(options);
      const faults: string[] = [];
      for (let at = 0; at < input.length; at += size) {
        for (const { fault } of decodeChunk(decoder, Buffer.from(input.slice(at, at + size), 'latin1'))) {
          if (fault) faults.push(`${fault.code} ${fault.message}`);
        }
      }
      expect(faults).toEqual([expect.stringContaining(reason)]);
    }
  });
});

it('a protocol that is not known is refused, with a suggestion', () => {
  const refused = (name: string) => () => protocolNamed(name);
  expect(refused('stmp')).toThrow(YodelError);
  expect(refused('modbuss')).toThrow('unknown protocol "modbuss". Did you mean "modbus"?');
});

it('all protocols have a name of their own, in alphabetical order', () => {
  const names = protocols.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)].sort());
});

describe('a connection that is encrypted in the middle', () => {
  const hello = `\x16\x03\x01${'x'.repeat(40_000)}`;
  const requests: readonly { name: string; says: Conversation['says'] }[] = [
    {
      name: 'smtp',
      says: [
        ['<', '220 mx\r\n'],
        ['>', 'STARTTLS\r\n'],
        ['<', '220 go\r\n'],
      ],
    },
    {
      name: 'ftp',
      says: [
        ['<', '220 mx\r\n'],
        ['>', 'AUTH TLS\r\n'],
        ['<', '234 go\r\n'],
      ],
    },
    {
      name: 'nntp',
      says: [
        ['<', '200 hi\r\n'],
        ['>', 'COMPRESS DEFLATE\r\n'],
        ['<', '206 go\r\n'],
      ],
    },
    {
      name: 'postgres',
      says: [
        ['>', '\0\0\0\x08\x04\xd2\x16\x2f'],
        ['<', 'S'],
      ],
    },
    { name: 'postgres', says: [] },
    { name: 'nats', says: [['<', 'INFO {}\r\n']] },
    {
      name: 'mysql',
      says: [
        ['<', '\x02\0\0\0\x0ax'],
        ['>', mysqlLogin(0x0800, 32)],
      ],
    },
    {
      name: 'mysql',
      says: [
        ['<', '\x02\0\0\0\x0ax'],
        ['>', mysqlLogin(0x0020, 40)],
        ['<', '\x01\0\0\x02\0'],
      ],
    },
  ];

  it.each(requests)('is passed on in pieces as long as a message may be: $name', ({ name, says }) => {
    const conversation: Conversation = { protocol: name, says: [...says, ['>', hello], ['<', hello]] };
    const { events, frames } = talk(protocolNamed(name), conversation, [65_536]);
    const pieces = events.slice(-802);
    expect(Math.max(...pieces.map((piece) => piece.length))).toBe('<|'.length + options.maxMessageLength);
    expect(frames).toEqual(sentBy(conversation));
  });
});

it('keeps no more of requests that nobody answers, however many arrive', () => {
  const decoder = protocolNamed('smtp').framing.createDecoder(options);
  const decode = (text: string) => {
    let batch = decoder.decode(Buffer.from(text));
    while (batch.rest && !batch.fault) batch = decoder.decode(batch.rest);
    return batch.fault?.message;
  };
  expect(decode('NOOP\r\n'.repeat(200_000))).toBeUndefined();
  expect(decode('DATA\r\n'.repeat(200_000))).toBeUndefined();
  expect(decode('DATA\r\nNOOP\r\n'.repeat(200_000))).toContain('more requests are without a reply');
});
