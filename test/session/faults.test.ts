import { describe, expect, it } from 'vitest';
import { length } from '../../src/framing/counted/length.ts';
import { delimiter } from '../../src/framing/delimited/delimiter.ts';
import { encode } from '../../src/framing/framing.ts';
import type { ProtocolName } from '../../src/framing/protocols/protocols.ts';
import { protocolNamed } from '../../src/framing/protocols/protocols.ts';
import { settled } from '../../src/testing/turns.ts';
import { type HarnessOptions, serveOneClient } from './harness.ts';

const tooLong = 'error: message 3 is longer than the limit of 10 bytes';
const invalidUtf8 = 'error: message 3 is not valid UTF-8: byte 0xff at offset 1';

const faults: [string, HarnessOptions, string | Buffer, string | Buffer, string][] = [
  ['a line that is too long', {}, 'a\nb\nhello world\n', `a\nb\n${tooLong}\n`, 'MESSAGE_TOO_LONG'],
  ['a line that is too long and has not ended', {}, 'a\nb\nhello world!', `a\nb\n${tooLong}\n`, 'MESSAGE_TOO_LONG'],
  [
    'a line that is too long, of a peer that ends lines with CRLF',
    {},
    'a\r\nb\r\nhello world\r\n',
    `a\r\nb\r\n${tooLong}\r\n`,
    'MESSAGE_TOO_LONG',
  ],
  [
    'bytes that are not UTF-8',
    {},
    Buffer.from('a\nb\nx\xffy\nc\n', 'latin1'),
    `a\nb\n${invalidUtf8}\n`,
    'INVALID_UTF8',
  ],
  [
    'a message too long for a delimiter of its own',
    { framing: delimiter('\0') },
    'a\0b\0hello world\0',
    `a\0b\0${tooLong}\0`,
    'MESSAGE_TOO_LONG',
  ],
  [
    'a length field that announces too much',
    { framing: length({ bytes: 2 }) },
    Buffer.from('\0\x01a\0\x01b\x10\0hel', 'latin1'),
    Buffer.concat(['a', 'b', tooLong].map((text) => encode(length({ bytes: 2 }), text))),
    'MESSAGE_TOO_LONG',
  ],
  [
    'a length field that no frame has',
    { framing: length({ bytes: 1, adjustment: -1 }) },
    Buffer.from('\x02a\x02b\x00', 'latin1'),
    Buffer.concat(
      [
        'a',
        'b',
        'error: message 3 is not a valid frame of the framing "length:1,adjust=-1": at byte 1: the length field gives a payload of -1 bytes',
      ].map((text) => encode(length({ bytes: 1, adjustment: -1 }), text)),
    ),
    'INVALID_FRAME',
  ],
];

describe.each(faults)('%s', (_, options, input, output, code) => {
  const handlers: [string, HarnessOptions][] = [
    ['echo', {}],
    ['a handler of messages', { handler: (message) => message }],
    ['an asynchronous handler', { handler: async (message) => message }],
  ];

  it.each(handlers)('is reported to the peer after all replies, and ends the session: %s', async (_, handler) => {
    for (const chunkSize of [1, 2, 5, 1000]) {
      const errors: unknown[] = [];
      const { peer, harness } = await serveOneClient({
        maxMessageLength: 10,
        network: { chunkSize },
        telemetry: { closed: (_session, error) => errors.push(error?.code) },
        ...options,
        ...handler,
      });
      await peer.says(Buffer.from(input as string));
      expect(peer.text).toBe(String(output));
      expect(peer.ended).toBe(true);
      await peer.says(Buffer.from(input as string));
      await peer.ends();
      expect(peer.text).toBe(String(output));
      expect(peer.error).toBeUndefined();
      expect(errors).toEqual([`YODEL_${code}`]);
      expect(harness.server.counters.errors.get(`YODEL_${code}`)).toBe(1);
    }
  });
});

it('a frame cut off by the end of input is reported to the peer', async () => {
  const framing = length({ bytes: 1 });
  const { peer } = await serveOneClient({ framing });
  await peer.says('\x02hi\x05hel');
  await peer.ends();
  expect(peer.text).toBe(`\x02hi${encode(framing, 'error: input ended after 4 bytes of a frame, in message 2')}`);
  expect(peer.closed).toBe(true);
});

it('a fault in the first message is reported in the default form of the framing', async () => {
  const { peer } = await serveOneClient({ maxMessageLength: 3 });
  expect(await peer.says('long\r\n')).toBe('error: message 1 is longer than the limit of 3 bytes\n');
});

it('if the framing cannot carry the error, the session just ends', async () => {
  const { peer } = await serveOneClient({ framing: delimiter('e'), maxMessageLength: 3 });
  expect(await peer.says('hie')).toBe('hie');
  expect(await peer.says('bye, all')).toBe('bye');
  expect(peer.ended).toBe(true);
});

it('a fault waits for pending replies', async () => {
  const reply = Promise.withResolvers<string>();
  const { peer } = await serveOneClient({ handler: () => reply.promise, maxMessageLength: 3 });
  await peer.says('a\nlong\n');
  expect(peer.text).toBe('');
  reply.resolve('re: a');
  await settled();
  expect(peer.text).toBe('re: a\nerror: message 2 is longer than the limit of 3 bytes\n');
});

describe('a peer that keeps sending after its fault', () => {
  it('still gets the error', async () => {
    const { peer, harness } = await serveOneClient({ maxMessageLength: 3, network: { capacity: 1000 } });
    const flood = Buffer.alloc(100_000, 'x');
    for (let round = 0; round < 5; round++) {
      await peer.says(flood);
      await harness.passes(100);
    }
    expect(peer.text).toBe('error: message 1 is longer than the limit of 3 bytes\n');
    expect(peer.ended).toBe(true);
    expect(peer.error).toBeUndefined();
    expect(peer.connection.unsent).toBe(0);
    await peer.ends();
    expect(peer.error).toBeUndefined();
  });

  it('is released after lingerTimeout', async () => {
    const { peer, harness } = await serveOneClient({ maxMessageLength: 3, lingerTimeout: 400 });
    await peer.says('long\n');
    await harness.passes(399);
    expect(harness.server.sessions.size).toBe(1);
    await peer.says('more\n');
    await harness.passes(1);
    expect(harness.server.sessions.size).toBe(0);
  });
});

describe('with onTooLong "discard"', () => {
  it('ends the session where the end of the message cannot be found', async () => {
    const { framing, replyFraming } = protocolNamed('memcached');
    const { peer } = await serveOneClient({ framing, replyFraming, maxMessageLength: 10, onTooLong: 'discard' });
    await peer.says('get a\r\nget much too long');
    expect(peer.text).toBe('get a\r\nCLIENT_ERROR message 2 is longer than the limit of 10 bytes\r\n');
    expect(peer.ended).toBe(true);
  });

  it.each([1, 3, 1000])(
    'the session continues after a message that is too long, in chunks of %s',
    async (chunkSize) => {
      const discarded: string[] = [];
      const { peer, session } = await serveOneClient({
        maxMessageLength: 5,
        onTooLong: 'discard',
        network: { chunkSize },
        telemetry: { discarded: (_, error) => discarded.push(error.message) },
      });
      await peer.says('one\nmuch too long\ntwo\nthis as well\nthree\n');
      const errors = [2, 4].map((number) => `message ${number} is longer than the limit of 5 bytes`);
      expect(peer.lines).toEqual(['one', `error: ${errors[0]}`, 'two', `error: ${errors[1]}`, 'three']);
      expect(discarded).toEqual(errors);
      expect(session.messagesReceived).toBe(3);
      expect(session.ended).toBe(false);
      await peer.ends();
      expect(peer.closed).toBe(true);
    },
  );

  it('order is kept with a slow handler, too', async () => {
    const { peer } = await serveOneClient({
      maxMessageLength: 5,
      onTooLong: 'discard',
      handler: async ({ text }) => {
        await new Promise((resolve) => setImmediate(resolve));
        return text;
      },
    });
    await peer.says('one\nmuch too long\ntwo\n');
    expect(peer.lines).toEqual(['one', 'error: message 2 is longer than the limit of 5 bytes', 'two']);
  });

  it('what is not text still ends the session', async () => {
    const { peer } = await serveOneClient({ maxMessageLength: 5, onTooLong: 'discard' });
    await peer.says(Buffer.from('much too long\n\xff\nok\n', 'latin1'));
    expect(peer.lines).toHaveLength(2);
    expect(peer.ended).toBe(true);
  });

  it('a discarded message counts as an error, but not as one that ended the session', async () => {
    const closedBy: unknown[] = [];
    const { peer, harness } = await serveOneClient({
      maxMessageLength: 5,
      onTooLong: 'discard',
      telemetry: { closed: (_, error) => closedBy.push(error) },
    });
    await peer.says('much too long\n');
    await peer.ends();
    expect(harness.server.counters.errors).toEqual(new Map([['YODEL_MESSAGE_TOO_LONG', 1]]));
    expect(closedBy).toEqual([undefined]);
  });
});

describe('an error reply of a protocol', () => {
  it.each<[ProtocolName, string, string]>([
    ['redis', 'get much too long\r\n', '-ERR message 1 is longer than the limit of 5 bytes\r\n'],
    ['smtp', 'HELO much too long\r\n', '500 message 1 is longer than the limit of 5 bytes\r\n'],
    ['pop3', 'USER much too long\r\n', '-ERR message 1 is longer than the limit of 5 bytes\r\n'],
    ['memcached', 'get much too long\r\n', 'CLIENT_ERROR message 1 is longer than the limit of 5 bytes\r\n'],
    ['nats', 'SUB much too long\r\n', "-ERR 'message 1 is longer than the limit of 5 bytes'\r\n"],
    ['dns', '\0\x06abcdef', ''],
    ['mqtt', '\x30\x06abcdef', ''],
    ['postgres', '\0\0\0\x20', ''],
  ])('in %s is as the protocol reports errors', async (protocol, input, reply) => {
    const { peer } = await serveOneClient({ protocol, maxMessageLength: 5 });
    await peer.says(Buffer.from(input, 'latin1'));
    expect(peer.text).toBe(reply);
    expect(peer.ended).toBe(true);
  });
});
