import { describe, expect, it } from 'vitest';
import type { Reply } from '../../src/codec/reply.ts';
import { length } from '../../src/framing/counted/length.ts';
import { delimiter } from '../../src/framing/delimited/delimiter.ts';
import type { Batch, Message } from '../../src/framing/message.ts';
import type { Session } from '../../src/session/public-session.ts';
import { fc } from '../support/fast-check.ts';
import { serveOneClient } from './harness.ts';

describe('a reply ends as the message did', () => {
  const shout = (message: Message) => message.text.toUpperCase();

  it.each([
    ['LF', 'hi\n', 'HI\n'],
    ['CRLF', 'hi\r\n', 'HI\r\n'],
    ['LF, if the message had no ending', 'hi', 'HI\n'],
    ['each as its own message, if they are mixed', 'a\r\nb\nc\r\n', 'A\r\nB\nC\r\n'],
    ['as the first message of the peer, if the last one had no ending', 'a\r\nb', 'A\r\nB\r\n'],
    ['CRLF, if the reply itself ends in CR', 'cr\r\r\n', 'CR\r\r\n'],
  ])('%s', async (_, said, answer) => {
    const { peer } = await serveOneClient({ handler: shout });
    await peer.says(said);
    await peer.ends();
    expect(peer.text).toBe(answer);
  });

  it('with the delimiter, whichever it is', async () => {
    const { peer } = await serveOneClient({ framing: delimiter('||'), handler: shout });
    expect(await peer.says('a||b||')).toBe('A||B||');
  });

  it('with the bytes that preceded the length field', async () => {
    const { peer } = await serveOneClient({ framing: length({ bytes: 1, offset: 1 }), handler: shout });
    expect(await peer.says('x\x02aby\x01c')).toBe('x\x02ABy\x01C');
  });

  it('also if an asynchronous handler answers a chunk of mixed endings', async () => {
    const { peer } = await serveOneClient({ handler: async (message) => shout(message) });
    expect(await peer.says('a\r\nb\n')).toBe('A\r\nB\n');
  });
});

describe('a handler may reply with', () => {
  const cases: [string, (message: Message) => Reply, string][] = [
    ['text', () => 'grüße', 'grüße\n'],
    ['empty text', () => '', '\n'],
    ['bytes', () => Buffer.from('bytes'), 'bytes\n'],
    ['a plain Uint8Array', () => Uint8Array.of(0x68, 0x69), 'hi\n'],
    ['no bytes', () => new Uint8Array(0), '\n'],
    ['the message', (message) => message, 'said\r\n'],
    ['an array', () => ['one', Buffer.from('two')], 'one\r\ntwo\r\n'],
    ['arrays in arrays', (message) => ['one', [[], ['two', [message]], 'three']], 'one\r\ntwo\r\nsaid\r\nthree\r\n'],
    ['an empty array', () => [], ''],
    ['nothing', () => undefined, ''],
    ['null', () => null, ''],
    ['nothing, within an array', () => [null, 'one', undefined], 'one\r\n'],
  ];

  it.each(cases)('%s', async (_, handler, answer) => {
    const { peer, session } = await serveOneClient({ handler });
    expect(await peer.says('said\r\n')).toBe(answer.replace(/\r?\n/g, '\r\n'));
    expect(session.ended).toBe(false);
  });

  it.each(cases)('%s, later', async (_, handler, answer) => {
    const { peer } = await serveOneClient({ handler: async (message) => handler(message) });
    expect(await peer.says('said\r\n')).toBe(answer.replace(/\r?\n/g, '\r\n'));
  });

  it('a batch, or a batch and more', async () => {
    const { peer } = await serveOneClient({ handler: { batch: (batch) => ['all of it:', batch, 'done'] } });
    expect(await peer.says('a\nb\n')).toBe('all of it:\na\nb\ndone\n');
  });

  it('a message that it kept from earlier, as it arrived', async () => {
    const kept: Message[] = [];
    const { peer } = await serveOneClient({
      handler: (message) => {
        kept.push(message);
        return kept;
      },
    });
    await peer.says('a\r\n');
    await peer.says('b\n');
    expect(peer.text).toBe('a\r\na\r\nb\n');
  });

  it('the batch, later', async () => {
    const { peer } = await serveOneClient({
      handler: {
        async batch(batch) {
          await new Promise((resolve) => setImmediate(resolve));
          return batch;
        },
      },
    });
    expect(await peer.says('a\nb\n')).toBe('a\nb\n');
  });

  it('megabytes to a message of one byte', async () => {
    const long = 'x'.repeat(1_000_000);
    const { peer } = await serveOneClient({ handler: () => long });
    await peer.says('a\nb\n');
    expect(peer.text === `${long}\n${long}\n`).toBe(true);
  });
});

describe('the text of the message itself, as a reply,', () => {
  const same = (message: Message) => message.text;

  it.each([
    ['arrives as it was sent', 'a\nb\r\n\r\n\nc\r\r\n', 'a\nb\r\n\r\n\nc\r\r\n'],
    ['gets the ending that the last line lacked', 'a\nb', 'a\nb\n'],
    ['in any script', 'grüße\n日本\r\n', 'grüße\n日本\r\n'],
  ])('%s', async (_, said, answer) => {
    for (const handler of [same, async (message: Message) => same(message)]) {
      const { peer } = await serveOneClient({ handler });
      await peer.says(said);
      await peer.ends();
      expect(peer.text).toBe(answer);
    }
  });

  it('is text also where the bytes are not', async () => {
    const { peer } = await serveOneClient({ encoding: 'binary', handler: same });
    await peer.says(Buffer.from('a\n\xff\nb\n', 'latin1'));
    expect(peer.received).toEqual(Buffer.from('a\n\ufffd\nb\n'));
  });

  it('stays the same, although the handler has changed the bytes', async () => {
    const { peer } = await serveOneClient({
      handler: (message) => {
        const { text } = message;
        message.bytes.fill(0x21);
        return text;
      },
    });
    expect(await peer.says('one\ntwo\nthree\n')).toBe('one\ntwo\nthree\n');
  });

  it('keeps its place among other replies and sent messages', async () => {
    const ways = ['text', 'other', 'message', 'send', 'nothing', 'both'] as const;
    const words = fc.constantFrom('', 'a', 'bb', 'å', 'x'.repeat(300), '7');
    const said = fc.array(fc.tuple(words, fc.constantFrom(...ways), fc.constantFrom('\n', '\r\n')), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(said, fc.integer({ min: 1, max: 400 }), fc.boolean(), async (all, chunkSize, isAsync) => {
        let calls = 0;
        const reply = (message: Message, session: Session): Reply => {
          const way = all[calls++]?.[1];
          if (way === 'send' || way === 'both') session.send(`sent ${message.text}`, message);
          if (way === 'message') return message;
          if (way === 'other') return `<${message.text}>`;
          return way === 'text' || way === 'both' ? message.text : undefined;
        };
        const later = async (message: Message, session: Session) => reply(message, session);
        const { peer } = await serveOneClient({ handler: isAsync ? later : reply, network: { chunkSize } });
        await peer.says(all.map(([text, , ending]) => text + ending).join(''));
        await peer.ends();
        const due = all.map(([text, way, ending]) => {
          if (way === 'other') return `<${text}>${ending}`;
          const sent = way === 'send' || way === 'both' ? `sent ${text}${ending}` : '';
          return way === 'send' || way === 'nothing' ? sent : `${sent}${text}${ending}`;
        });
        expect(peer.text).toBe(due.join(''));
      }),
      { numRuns: 60 },
    );
  });
});

describe('messages that a handler keeps', () => {
  it('stay as they were, whatever it read of them', async () => {
    const looks: ((message: Message) => unknown)[] = [
      () => undefined,
      (message) => message.text,
      (message) => message.bytes,
      (message) => message.frame,
    ];
    for (const isAsync of [false, true]) {
      const kept: { message: Message; seen: unknown }[] = [];
      const keep = (message: Message) => {
        kept.push({ message, seen: looks[kept.length % looks.length]?.(message) });
      };
      const { peer } = await serveOneClient({ handler: isAsync ? async (message) => keep(message) : keep });
      const said = ['one', 'two', 'three', 'four', 'five', 'six'];
      for (const each of said) await peer.says(`${each}\n`);
      await peer.says(`${said.join('\r\n')}\r\n`);
      await peer.says(`${said.join('\n')}\nå\n`);
      const expected = [...said, ...said, ...said, 'å'];
      expect(kept.map(({ message }) => Buffer.from(message.bytes).toString())).toEqual(expected);
      expect(kept.map(({ message }) => message.text)).toEqual(expected);
      for (const { message, seen } of kept) {
        if (typeof seen === 'string') expect(seen).toBe(message.text);
        else if (seen) expect(Buffer.from(seen as Uint8Array).toString()).toContain(message.text);
      }
    }
  });
});

describe('a reply of a wrong kind', () => {
  it.each([
    ['a number', 42, 'a handler cannot reply with 42 (number)'],
    ['true', true, 'a handler cannot reply with true (boolean)'],
    ['an object', { text: 'hi' }, 'a handler cannot reply with an object (object)'],
    ['a function', String, 'a handler cannot reply with'],
    ['a number in an array', [[42]], 'a handler cannot reply with 42 (number)'],
  ])('fails the handler: %s', async (_, reply, expectedMessage) => {
    const causes: unknown[] = [];
    const { peer } = await serveOneClient({
      handler: () => reply as Reply,
      telemetry: { handlerFailed: (_session, error) => causes.push(error.cause) },
    });
    expect(await peer.says('a\n')).toBe('error: the handler failed on the server\n');
    expect(peer.ended).toBe(true);
    expect(String(causes)).toContain(expectedMessage);
    expect(String(causes)).toContain('it takes text, bytes, a message, a batch, an array of these, or nothing');
  });
});

describe('the messages of a batch', () => {
  it('can be iterated over before it is sent back', async () => {
    const seen: string[] = [];
    const batch = (all: Batch) => {
      for (const message of all) seen.push(message.text);
      return all;
    };
    const { peer } = await serveOneClient({ handler: { batch }, network: { chunkSize: 4 } });
    expect(await peer.says('a\nb\nc\nlonger\n')).toBe('a\nb\nc\nlonger\n');
    expect(seen).toEqual(['a', 'b', 'c', 'longer']);
  });

  it('can be sent back one by one', async () => {
    const { peer } = await serveOneClient({
      handler: { batch: (batch) => [...batch].reverse() },
      network: { chunkSize: 5 },
    });
    expect(await peer.says('a\nb\nc\nd\ne\n')).toBe('b\na\ne\nd\nc\n');
  });
});
