/** What could reach a peer as something else than was sent, case by case. */

import { describe, expect, it } from 'vitest';
import { YodelError } from '../../../src/errors.ts';
import { headers } from '../../../src/framing/counted/headers.ts';
import { length } from '../../../src/framing/counted/length.ts';
import { octetCounted } from '../../../src/framing/counted/octet-counted.ts';
import { delimiter } from '../../../src/framing/delimited/delimiter.ts';
import { lines } from '../../../src/framing/delimited/lines.ts';
import { encode, type Framing } from '../../../src/framing/framing.ts';
import { until } from '../../../src/framing/grouped/until.ts';
import { type Batch, Message } from '../../../src/framing/message.ts';
import { defineFraming } from '../../../src/framing/own/define.ts';
import type { Protocol } from '../../../src/framing/protocol.ts';
import type { ProtocolName } from '../../../src/framing/protocols/protocols.ts';
import { withFaults } from '../../../src/handlers/faults.ts';
import type { Handler } from '../../../src/session/handler.ts';
import { settled } from '../../../src/testing/turns.ts';
import { meet } from '../../client/host.ts';
import { Harness, type HarnessOptions, serveOneClient } from '../harness.ts';

/** The messages that a server receives from these bytes. */
async function messagesIn(
  options: { framing?: Framing; protocol?: ProtocolName },
  ...inputs: string[]
): Promise<Message[]> {
  const messages: Message[] = [];
  const { peer } = await serveOneClient({ ...options, handler: (message) => void messages.push(message) });
  for (const input of inputs) await peer.says(Buffer.from(input, 'latin1'));
  await peer.ends();
  return messages;
}

async function lastLine(text: string): Promise<Message> {
  const [message] = await messagesIn({ framing: lines() }, text);
  return message as Message;
}

describe('a last line without its ending', () => {
  it('gets the ending of the peer that it is sent to, whichever way', async () => {
    const line = await lastLine('last');
    const { peer, session } = await serveOneClient({ handler: ({ text }) => (text === 'reply' ? line : [line, line]) });
    await peer.says('reply\r\n');
    session.send(line);
    await peer.says('twice\r\n');
    expect(peer.text).toBe('last\r\n'.repeat(4));
  });

  it('is also completed in a batch of another session', async () => {
    const harness = await Harness.open({
      handler: {
        batch(batch, { id }) {
          if (id === 1) return;
          const [first] = harness.server.sessions;
          first?.send(batch);
          first?.send('next');
        },
      },
    });
    const [one, two] = [await harness.connect(), await harness.connect()];
    two.connection.write(Buffer.from('last'));
    await two.ends();
    expect(one.text).toBe('last\nnext\n');
  });

  it('is completed when another session replies with its batch', async () => {
    const kept: unknown[] = [];
    const released = Promise.withResolvers<void>();
    const harness = await Harness.open({
      handler: {
        batch(batch, { id }) {
          if (id === 1) return [...kept, 'next'] as never;
          kept.push(batch);
          return released.promise;
        },
      },
    });
    const [one, two] = [await harness.connect(), await harness.connect()];
    two.connection.write(Buffer.from('last'));
    await two.ends();
    expect(await one.says('go\n')).toBe('last\nnext\n');
    released.resolve();
  });

  it('goes back as it came to the peer that sent it', async () => {
    for (const handler of [(message: Message) => message, { batch: (batch: Batch) => batch }]) {
      const { peer } = await serveOneClient({ handler });
      await peer.says('a\nlast');
      await peer.ends();
      expect(peer.text).toBe('a\nlast');
    }
  });

  it('is completed when something follows it after all', async () => {
    const handlers: Handler[] = [
      { message: (message) => message, end: () => ['b', 'c'] },
      { batch: (batch) => batch, end: () => 'b\nc'.split('\n') },
    ];
    for (const handler of handlers) {
      const { peer, session } = await serveOneClient({ handler });
      await peer.says('a\r\nlast');
      await peer.ends();
      expect(peer.text).toBe('a\r\nlast\r\nb\r\nc\r\n');
      expect(session.messagesSent).toBe(4);
    }
  });

  it('is completed so that it stays what it is', async () => {
    for (const [framing, input] of [
      [lines(), 'a\r'],
      [until(lines(), /^END$/), 'a\nEND'],
    ] as const) {
      const received = await messagesIn({ framing }, input);
      const { peer } = await serveOneClient({
        framing,
        handler: { message: (message) => message, end: () => received },
      });
      peer.connection.write(Buffer.from(input));
      await peer.ends();
      const twice = await messagesIn({ framing }, peer.text);
      expect(twice.map(({ text }) => text)).toEqual([input, input]);
    }
  });

  it('gets a delimiter, too', async () => {
    const [message] = await messagesIn({ framing: delimiter('||') }, 'last');
    const { peer } = await serveOneClient({ framing: delimiter('||'), handler: () => [message as Message, 'next'] });
    expect(await peer.says('go||')).toBe('last||next||');
  });
});

describe('the header', () => {
  const framing = length({ bytes: 1, offset: 2 });

  it('of a message is its own, also when it answers another', async () => {
    const answer = Message.of('b', { header: Buffer.from('id') });
    const { peer } = await serveOneClient({
      framing,
      handler(message, session) {
        session.send(answer, message);
        return answer;
      },
    });
    expect(await peer.says('xx\x01a')).toBe('id\x01bid\x01b');
  });

  it('of the message that is answered is that of a reply without one, wherever that came from', async () => {
    const answer = await lastLine('b\n');
    const { peer } = await serveOneClient({
      framing,
      handler(message, session) {
        session.send(answer, message);
        return [answer, Message.of('c')];
      },
    });
    expect(await peer.says('xx\x01a')).toBe('xx\x01bxx\x01bxx\x01c');
  });

  it('of the first message is not that of later ones', async () => {
    const { peer, session } = await serveOneClient({ framing });
    await peer.says('xx\x01a');
    session.send('b');
    await settled();
    expect(peer.text.slice(4)).toBe('\0\0\x01b');
  });

  it('of one limit is refused where another is lower', async () => {
    const header = Buffer.from(`A: ${'b'.repeat(100)}\r\n`);
    const framed = encode(headers(), Message.of('{}', { header })).toString();
    const [large] = await messagesIn({ framing: headers() }, framed);
    const { peer, session } = await serveOneClient({ framing: headers({ maxHeaderSize: 64 }) });
    expect(session.send(large as Message)).toMatchObject({ code: 'YODEL_UNENCODABLE_MESSAGE' });
    session.send('fine');
    await settled();
    expect(peer.text).toBe('Content-Length: 4\r\n\r\nfine');
  });

  it('is start bytes in gt06, and nothing else', async () => {
    const [foreign] = await messagesIn({ framing }, 'xx\x01a');
    const { peer, session } = await serveOneClient({ protocol: 'gt06' });
    expect(session.send(Message.of('a', { header: Buffer.from('xx') }))).toBe(true);
    expect(session.send(Message.of('a', { header: Buffer.from('xy') }))).toBeInstanceOf(YodelError);
    expect(session.send(foreign as Message)).toBe(true);
    await settled();
    expect(peer.text).toBe('xx\x01a\r\n'.repeat(2));
  });
});

describe('a frame that depends on what was said before', () => {
  const mail = ['EHLO a\r\n', 'DATA\r\n'];
  const text = 'Subject: a\r\n\r\n..b\r\nc\r.d\r\n.\r\n';

  /** A mail, as an SMTP server receives it. */
  async function receivedMail(): Promise<Message> {
    const messages: Message[] = [];
    const { peer } = await serveOneClient({
      protocol: 'smtp',
      handler: {
        open: () => '220 a',
        message(message) {
          messages.push(message);
          return message.text === 'DATA' ? '354 go on' : '250 fine';
        },
      },
    });
    for (const input of [...mail, text]) await peer.says(input);
    expect(messages).toHaveLength(3);
    return messages[2] as Message;
  }

  it('is a mail only after DATA was granted', async () => {
    const received = await receivedMail();
    expect(received.text).toBe('Subject: a\r\n\r\n.b\r\nc\r.d');
    const { client, peer } = await meet({ protocol: 'smtp' });
    await peer.says('220 a\r\n');
    expect(client.send(received)).toMatchObject({ code: 'YODEL_UNENCODABLE_MESSAGE' });
    client.send('DATA');
    await settled();
    await peer.says('354 go on\r\n');
    expect(client.send(received)).toBe(true);
    await settled();
    await peer.says('250 fine\r\n');
    client.send('QUIT');
    await settled();
    expect(peer.text).toBe(`DATA\r\n${text}QUIT\r\n`);
  });

  it('is a line, and not a mail, of a message that arrived as a line', async () => {
    const [, line] = await messagesIn({ protocol: 'smtp' }, 'a\r\n', '.b\r\n');
    const { client, peer } = await meet({ protocol: 'smtp' });
    await peer.says('220 a\r\n');
    client.send('DATA');
    await settled();
    await peer.says('354 go on\r\n');
    client.send(line as Message);
    await settled();
    expect(peer.text).toBe('DATA\r\n..b\r\n.\r\n');
  });

  it('is a list only where a list was asked for', async () => {
    const list = '+OK 2\r\n1 10\r\n2 20\r\n.';
    const failures: string[] = [];
    const { peer } = await serveOneClient({
      protocol: 'pop3',
      handler: { open: () => '+OK', message: () => list },
      telemetry: { handlerFailed: (_, error) => void failures.push(String(error.cause)) },
    });
    await peer.says('LIST\r\nNOOP\r\nLIST\r\n');
    expect(peer.text).toBe(`+OK\r\n${list}\r\n-ERR the handler failed on the server\r\n`);
    expect(failures.join()).toContain('the message would arrive as several in pop3-replies');
    await peer.ends();
  });

  it('is encoded again in a framing of a program whose frames depend on the state', async () => {
    interface Turns {
      count: number;
    }
    const numbered = defineFraming<Turns>({
      name: 'numbered',
      headerSize: 2,
      trailerSize: 1,
      decode: (bytes, start) => bytes.indexOf('\n', start) + 1,
      check(bytes, start) {
        if (bytes[start + 1] !== 0x3a) throw new Error('no number');
      },
      next(_bytes, _start, _end, turns) {
        turns.count++;
        return undefined;
      },
      encode: (payload, _header, turns) => Buffer.concat([Buffer.from(`${turns.count}:`), payload, Buffer.from('\n')]),
    });
    const protocol: Protocol = {
      framing: numbered,
      replyFraming: numbered,
      encoding: 'binary',
      createState: (): Turns => ({ count: 0 }),
    };
    for (const handler of [(message: Message) => [message, message], { batch: (batch: Batch) => [batch, batch] }]) {
      const { peer } = await serveOneClient({ protocol, handler });
      expect(await peer.says('0:a\n')).toBe('1:a\n2:a\n');
    }
  });

  it('is a startup message of PostgreSQL once', async () => {
    const startup = '\0\0\0\x09\0\x03\0\0\0';
    const [first, second] = await messagesIn({ protocol: 'postgres' }, startup, 'Q\0\0\0\x05\0');
    const { client, peer } = await meet({ protocol: 'postgres' });
    expect(client.send(second as Message)).toBeInstanceOf(YodelError);
    expect(client.send(first as Message)).toBe(true);
    expect(client.send(first as Message)).toBeInstanceOf(YodelError);
    expect(client.send(second as Message)).toBe(true);
    await settled();
    expect(peer.received.toString('latin1')).toBe(`${startup}Q\0\0\0\x05\0`);
  });
});

describe('the peer', () => {
  it('gets a line of another peer with its own line ending, as session.encode says', async () => {
    const line = await lastLine('b\r\n');
    const { peer, session } = await serveOneClient();
    await peer.says('a\n');
    expect(Buffer.from(session.encode(line)).toString()).toBe('b\n');
    session.send(line);
    await settled();
    expect(peer.text).toBe('a\nb\n');
  });

  it('gets lines and counted messages as it sends them itself', async () => {
    const framing = octetCounted({ mixed: true });
    const { peer, session } = await serveOneClient({ framing });
    await peer.says('<1>a\n');
    session.send('<1>b');
    await settled();
    expect(peer.text.slice(5)).toBe('<1>b\n');
  });

  it('gets its counted message back, also after a line, and split by the network', async () => {
    const framing = octetCounted({ mixed: true });
    for (const handler of [(message: Message) => message, { batch: (batch: Batch) => batch }]) {
      const { peer } = await serveOneClient({ framing, handler });
      await peer.says('<1>a\n5 <');
      await peer.says('1>\nb');
      await peer.says('<1>c\n');
      expect(peer.text).toBe('<1>a\n5 <1>\nb<1>c\n');
    }
  });

  it('is told of its own reply that cannot be sent, and not of the message that follows it', async () => {
    const results: unknown[] = [];
    const undelivered: unknown[] = [];
    const failures: string[] = [];
    const { peer } = await serveOneClient({
      handler({ text }, session) {
        if (text === 'send') results.push(session.send('fine'));
        return text === 'bad' ? 'two\nlines' : text;
      },
      telemetry: {
        undelivered: (_, error) => void undelivered.push(error),
        handlerFailed: (_, error) => void failures.push(String(error.cause)),
      },
    });
    expect(await peer.says('a\nbad\nsend\n')).toBe('a\nerror: the handler failed on the server\n');
    expect([results, undelivered]).toEqual([[], []]);
    expect(failures.join()).toContain('line feed at offset 3');
    await peer.ends();
  });
});

describe('a message of another copy of yodel', () => {
  it('is sent, is a reply, and is sent by a client', async () => {
    const copy = await otherCopy();
    expect(copy.Message).not.toBe(Message);
    const header = Buffer.from('id');
    const foreign = copy.Message.of('a\nb', { header }) as unknown as Message;
    const own = await lastLine('line\n');
    const framing = length({ bytes: 1, offset: 2 });
    const { peer, session } = await serveOneClient({ framing, handler: () => [foreign, own] });
    expect(session.send(foreign)).toBe(true);
    await settled();
    expect(peer.text).toBe('id\x03a\nb');
    expect(await peer.says('xx\x01c')).toBe('id\x03a\nbxx\x04line');
    const { host, client } = await meet({ framing });
    expect(client.send(foreign)).toBe(true);
    await settled();
    expect(host.peer.text).toBe('id\x03a\nb');
  });

  it('is also sent in a batch', async () => {
    const copy = await otherCopy();
    const reader = {
      framing: { name: 'bytes', id: 'bytes' },
      headerSize: 0,
      payloadStart: (_bytes: Buffer, start: number) => start,
      payloadEnd: (_bytes: Buffer, _start: number, end: number) => end,
      terminatorSize: () => 0,
    };
    const batch = () =>
      new copy.Batch(reader, undefined, Buffer.from('abc'), 3, undefined, undefined, [1, 2, 3]) as never;
    const { peer, session } = await serveOneClient({ handler: batch });
    expect(session.send(batch())).toBe(true);
    await settled();
    expect(await peer.says('go\n')).toBe('a\nb\nc\n');
    expect(peer.text).toBe('a\nb\nc\n'.repeat(2));
  });
});

/** Messages of this module are of another class. */
describe('a framing of another copy of yodel', () => {
  const chunk = Buffer.from('one\n');
  const reader = {
    framing: { name: 'lines', id: 'lines' },
    headerSize: 0,
    payloadStart: (_bytes: Buffer, start: number) => start,
    payloadEnd: (_bytes: Buffer, _start: number, end: number) => end - 1,
    terminatorSize: () => 1,
  };

  it.each<[string, HarnessOptions]>([
    ['a handler', { handler: ({ text }) => text.toUpperCase() }],
    ['a handler of batches', { handler: { batch: ([message]) => message?.text.toUpperCase() } }],
    ['an asynchronous handler', { handler: async ({ text }) => text.toUpperCase(), concurrency: 2 }],
    ['requests to the client', { handler: async (_, session) => (await session.request('what?')).text.toUpperCase() }],
    ['faults', { handler: withFaults(({ text }) => text.toUpperCase(), ['100% latency 0ms']) }],
  ])('gives its messages to %s', async (_, options) => {
    const copy = await otherCopy();
    const createDecoder = () => ({
      pending: 0,
      decode: () => new copy.Batch(reader, undefined, chunk, 1) as unknown as Batch,
      end: () => new copy.Batch(reader, undefined, undefined, 0) as unknown as Batch,
    });
    const { peer } = await serveOneClient({ framing: { ...lines(), createDecoder }, ...options });
    for (let count = 0; count < 2; count++) await peer.says(chunk);
    expect(peer.text).toMatch(/^(what\?\n)?ONE\n/);
  });
});

async function otherCopy(): Promise<typeof import('../../../src/framing/message.ts')> {
  return import('../../../src/framing/message.ts?copy' as string);
}

describe('bytes that are not text', () => {
  it('are not delivered to a peer that expects text, and the next message is', async () => {
    const [binary] = await messagesIn({ framing: length({ bytes: 1 }) }, '\x02\xff\xfe');
    const { peer, session, harness } = await serveOneClient();
    await peer.says('hi\n');
    expect(session.send(binary as Message)).toMatchObject({ code: 'YODEL_UNENCODABLE_MESSAGE' });
    expect(session.send('fine')).toBe(true);
    await settled();
    expect(peer.text).toBe('hi\nfine\n');
    expect(harness.server.counters.errors.get('YODEL_UNENCODABLE_MESSAGE')).toBe(1);
  });

  it('are delivered where messages are binary', async () => {
    const [binary] = await messagesIn({ framing: length({ bytes: 1 }) }, '\x02\xff\xfe');
    const { peer, session } = await serveOneClient({ encoding: 'binary' });
    expect(session.send(binary as Message)).toBe(true);
    await settled();
    expect(peer.received.toString('latin1')).toBe('\xff\xfe\n');
  });

  it('are not sent by a client of text', async () => {
    const [binary] = await messagesIn({ framing: length({ bytes: 1 }) }, '\x02\xff\xfe');
    const { client, peer } = await meet();
    expect(client.send(binary as Message)).toMatchObject({ code: 'YODEL_UNENCODABLE_MESSAGE' });
    expect(client.send('fine')).toBe(true);
    await settled();
    expect(peer.text).toBe('fine\n');
  });
});
