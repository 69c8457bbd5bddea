import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { AnyCodec, Codec } from '../../src/codec/codec.ts';
import { json } from '../../src/codec/json.ts';
import type { YodelError } from '../../src/errors.ts';
import { Message } from '../../src/framing/message.ts';
import { chat } from '../../src/handlers/chat.ts';
import { echo } from '../../src/handlers/echo.ts';
import { exec } from '../../src/handlers/exec.ts';
import { withFaults } from '../../src/handlers/faults.ts';
import type { AnyServeOptions } from '../../src/server/options.ts';
import type { SessionJournal } from '../../src/session/journaling.ts';
import type { Session } from '../../src/session/public-session.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { settled } from '../../src/testing/turns.ts';
import { parse } from '../../src/transcript/library.ts';
import { mockServer } from '../../src/transcript/mock/mock.ts';
import { Harness, type HarnessOptions } from './harness.ts';

/** A server with this codec, and its first client. */
async function meet(options: AnyServeOptions & Pick<HarnessOptions, 'network'>) {
  const errors: YodelError[] = [];
  const telemetry = {
    handlerFailed: (_: unknown, error: YodelError) => errors.push(error),
    discarded: (_: unknown, error: YodelError) => errors.push(error),
  };
  const harness = await Harness.open({ codec: json(), telemetry, ...options } as HarnessOptions);
  const peer = await harness.connect();
  return { harness, peer, errors, counts: harness.server.counters.errors };
}

describe('a handler of a server with a codec', () => {
  it('gets values, and what it returns is encoded, at once or later', async () => {
    // biome-ignore lint/suspicious/noExplicitAny: a handler for any codec
    const handler = (n: any) => (n % 2 === 0 ? { half: n / 2 } : Promise.resolve({ odd: n }));
    const { peer } = await meet({ handler });
    await peer.says('4\n5\r\n 6 \n');
    expect(peer.text).toBe('{"half":2}\n{"odd":5}\r\n{"half":3}\n');
  });

  it('is an echo of values by default', async () => {
    const { peer } = await meet({});
    await peer.says('{"a":  [1, null]}\nnull\nx\n');
    expect(peer.text).toBe(
      '{"a":[1,null]}\nnull\n{"error":"invalid message: not JSON: unexpected \\"x\\" at character 1"}\n',
    );
  });

  it('sends nothing for undefined, and messages as they are', async () => {
    const handler = (value: unknown) => (value === 1 ? undefined : Message.of('as it is'));
    const { peer } = await meet({ handler });
    await peer.says('1\n2\n');
    expect(peer.text).toBe('as it is\n');
  });

  it('is encoded in all of its callbacks, which are methods of its object', async () => {
    class Counter {
      readonly #replies = ['hello', 'one', 'bye'];
      readonly #next = () => ({ says: this.#replies.shift() });
      open() {
        return this.#next();
      }
      async message() {
        return this.#next();
      }
      end() {
        return this.#next();
      }
    }
    const { peer } = await meet({ handler: new Counter() });
    await peer.says('0\n');
    peer.ends();
    await settled();
    expect(peer.text).toBe('{"says":"hello"}\n{"says":"one"}\n{"says":"bye"}\n');
  });

  it('sends values by itself: to its session, to rooms, to all', async () => {
    const { harness, peer } = await meet({
      handler: {
        open: (session) => session.join('news'),
        message: (value, session) => {
          session.send({ got: value });
          session.server.room('news').send({ news: value });
          session.server.broadcast({ all: value });
          expect(Buffer.from(session.encode({ frame: 1 })).toString()).toBe('{"frame":1}\n');
        },
      },
    });
    const other = await harness.connect();
    await peer.says('7\n');
    expect(peer.text.split('\n').sort()).toEqual(['', '{"all":7}', '{"got":7}', '{"news":7}']);
    expect(other.text.split('\n').sort()).toEqual(['', '{"all":7}', '{"news":7}']);
  });

  it('stores values in rooms, which those who join later receive', async () => {
    const { harness, peer } = await meet({
      handler: {
        message: async (value, session) => {
          if (value === 'join') await session.join('log', { history: 10 });
          else await session.server.room('log').store({ entry: value });
        },
      },
    });
    await peer.says('1\n2\n');
    const other = await harness.connect();
    await other.says('"join"\n');
    expect(other.text).toBe('{"entry":1}\n{"entry":2}\n');
  });

  it('cannot take batches', async () => {
    const refused = { code: 'YODEL_INVALID_HANDLER', message: expect.stringContaining('"batch" gets messages') };
    await expect(meet({ handler: echo })).rejects.toMatchObject(refused);
  });

  it.each([
    ['chat()', chat()],
    ['exec()', exec('cat', { perMessage: true })],
    ['mockServer()', mockServer(parse('> 1\n< 2\n'))],
    ['chat()', withFaults(chat(), [])],
  ])('cannot be one that needs messages: %s', async (name, handler) => {
    const message = `with the option "codec" handlers get values, and ${name} is a handler of messages`;
    await expect(meet({ handler })).rejects.toMatchObject({ code: 'YODEL_INVALID_HANDLER', message });
  });

  it('fails if what it returns cannot be encoded: the session ends, and the log has the reason', async () => {
    const { peer, errors } = await meet({ handler: () => ({ price: Number.NaN }) });
    await peer.says('1\n2\n');
    expect(peer.text).toBe('{"error":"the handler failed on the server"}\n');
    expect(peer.ended).toBe(true);
    expect(errors).toMatchObject([
      { code: 'YODEL_HANDLER_FAILED', cause: { code: 'YODEL_UNENCODABLE_MESSAGE', message: /NaN at price/ } },
    ]);
  });

  it('learns what it cannot send, and goes on', async () => {
    let returned: unknown;
    const { harness, peer } = await meet({
      handler: (_value, session) => {
        returned = session.send({ id: 1n });
        expect(() => session.server.broadcast({ id: 1n })).toThrow('1n at id is no JSON value');
        return 'still here';
      },
    });
    await peer.says('1\n');
    expect(returned).toMatchObject({ code: 'YODEL_UNENCODABLE_MESSAGE' });
    expect(harness.server.counters.messagesUndelivered).toBe(1);
    expect(peer.text).toBe('"still here"\n');
  });
});

describe('a message that the codec refuses', () => {
  it('is answered in its place, counted and reported, and the session goes on', async () => {
    const { peer, errors, counts } = await meet({
      codec: json(z.object({ n: z.number() })),
      handler: (value: unknown) => (value as { n: number }).n + 1,
    });
    await peer.says('{"n":1}\n{"n":"x"}\n{"n":2}\n');
    expect(peer.text).toMatch(/^2\n\{"error":"invalid message: n: [^"]*"\}\n3\n$/);
    expect(errors).toMatchObject([{ code: 'YODEL_UNDECODABLE_MESSAGE' }]);
    expect([...counts]).toEqual([['YODEL_UNDECODABLE_MESSAGE', 1]]);
  });

  it('is answered as the program says, which sees the message', async () => {
    const codec = json(undefined, {
      invalid: (error, message) => ({ code: -32700, data: message.text, message: error.message }),
    });
    const { peer } = await meet({ codec });
    await peer.says('}\n');
    expect(JSON.parse(peer.text)).toEqual({
      code: -32700,
      data: '}',
      message: 'invalid message: not JSON: unexpected "}" at character 1',
    });
  });

  it('is not answered if the program says so', async () => {
    const { peer } = await meet({ codec: json(undefined, { invalid: () => undefined }) });
    await peer.says('}\n1\n');
    expect(peer.text).toBe('1\n');
  });

  it('closes the session where that is the rule', async () => {
    const { peer, counts } = await meet({ codec: json(undefined, { invalid: 'close' }) });
    await peer.says('1\n}\n2\n');
    expect(peer.text).toBe('1\n{"error":"invalid message: not JSON: unexpected \\"}\\" at character 1"}\n');
    expect(peer.ended).toBe(true);
    await peer.ends();
    expect(counts.get('YODEL_UNDECODABLE_MESSAGE')).toBe(1);
  });

  it('closes the session also where the handler has faults', async () => {
    const clock = new FakeClock();
    const { peer } = await meet({
      codec: json(undefined, { invalid: 'close' }),
      handler: withFaults<unknown, Codec>((value) => value, ['request latency 20ms'], { clock }),
    });
    await peer.says('1\n}\n2\n');
    await clock.advance(20);
    expect(peer.text).toBe('1\n{"error":"invalid message: not JSON: unexpected \\"}\\" at character 1"}\n');
  });

  it('closes the session after the replies to earlier messages, where several are handled at a time', async () => {
    const slow = Promise.withResolvers<number>();
    const failures: unknown[] = [];
    const { peer } = await meet({
      codec: json(undefined, { invalid: 'close' }),
      concurrency: 2,
      handler: () => slow.promise,
      telemetry: { handlerFailed: (_, error) => failures.push(error) },
    });
    expect(await peer.says('1\n}\n2\n')).toBe('');
    slow.resolve(1);
    await settled();
    expect(peer.text).toBe('1\n{"error":"invalid message: not JSON: unexpected \\"}\\" at character 1"}\n');
    expect(peer.ended).toBe(true);
    expect(failures).toEqual([]);
  });

  it('is answered by a line of text if the codec has no error replies, also where the framing can hardly carry one', async () => {
    const codec: AnyCodec = {
      name: 'numbers',
      decode: ({ text }) => {
        if (!/^\d+$/.test(text)) throw new Error('write, a number');
        return Number(text);
      },
      encode: String,
    };
    const plain = await meet({ codec });
    await plain.peer.says('1\nx\n2\n');
    expect(plain.peer.text).toBe('1\nerror: invalid message: write, a number\n2\n');
    const commas = await meet({ codec, framing: 'delimiter:,' });
    await commas.peer.says('1,x,2,');
    expect(commas.peer.text).toMatch(/^1,.*2,$/);
    expect(commas.peer.ended).toBe(false);
    const redis = await meet({ codec, framing: 'resp' });
    await redis.peer.says('+x\r\n');
    expect(redis.peer.text).toBe('-ERR invalid message: write, a number\r\n');
  });

  it('is the failure of the handler if the codec itself fails', async () => {
    const { peer, errors } = await meet({ codec: json(z.number().refine(async () => true)) });
    await peer.says('1\n');
    expect(peer.text).toBe('{"error":"the handler failed on the server"}\n');
    expect(errors).toMatchObject([{ code: 'YODEL_HANDLER_FAILED', cause: { code: 'YODEL_INVALID_OPTION' } }]);
  });
});

describe('with a codec', () => {
  it('error replies are values, also to clients that are refused', async () => {
    const { harness, peer } = await meet({ maxMessageLength: 10, maxConnections: 1 });
    const refused = await harness.connect();
    expect(JSON.parse(refused.text)).toEqual({ error: expect.stringContaining('connections') });
    await peer.says(`${'x'.repeat(11)}\n`);
    expect(JSON.parse(peer.text)).toEqual({ error: expect.stringContaining('longer than the limit of 10 bytes') });
  });

  it('an error reply that fails is a line of text', async () => {
    const codec = json(undefined, {
      errorReply: () => {
        throw new Error('not now');
      },
    });
    const { peer } = await meet({ codec, maxMessageLength: 10 });
    await peer.says(`${'x'.repeat(11)}\n`);
    expect(peer.text).toMatch(/^error: message 1 is longer/);
  });

  it('faults apply to the messages of a handler of values', async () => {
    const clock = new FakeClock();
    const handler = withFaults<unknown, Codec>(
      (value, session) => {
        session.send({ pushed: value });
        return { reply: value };
      },
      ['request /2/ drop', 'reply latency 10ms'],
      { clock },
    );
    const { harness, peer } = await meet({ handler, clock });
    await peer.says('1\n2\nx\n3\n');
    expect(peer.text).toBe('');
    await harness.passes(10);
    await harness.passes(10);
    expect(peer.text).toBe(
      '{"pushed":1}\n{"reply":1}\n{"error":"invalid message: not JSON: unexpected \\"x\\" at character 1"}\n{"pushed":3}\n{"reply":3}\n',
    );
  });

  it('a session asks its client in values, and gets values', async () => {
    const handler = {
      message: async (_value: unknown, session: Session) => ({ told: await session.request('name?') }),
    };
    const { peer, counts } = await meet({ handler });
    await peer.says('1\n');
    expect(peer.text).toBe('"name?"\n');
    await peer.says('{"name":"Ada"}\n');
    expect(peer.text).toBe('"name?"\n{"told":{"name":"Ada"}}\n');
    expect(counts.size).toBe(0);
  });

  it('a reply of the client that is not valid rejects the request of the session, and no error reply is sent', async () => {
    const ask = (session: Session) => session.request('name?').catch(({ code }: YodelError) => ({ code }) as never);
    const { peer } = await meet({ handler: { message: async (_value: unknown, session: Session) => ask(session) } });
    await peer.says('1\n}\n2\n');
    expect(peer.text).toBe('"name?"\n{"code":"YODEL_UNDECODABLE_MESSAGE"}\n"name?"\n');
  });

  it('a codec that fails ends the session that asks its client, and nothing else', async () => {
    const codec = json(z.union([z.string(), z.number().refine(async () => true)]));
    const { harness, peer, errors } = await meet({
      codec,
      handler: { message: async (value: unknown, session: Session) => session.request(value as never) },
    });
    const other = await harness.connect();
    await peer.says('"a"\n');
    await peer.says('1\n');
    await other.says('1\n');
    expect(errors.length).toBeGreaterThan(0);
    expect(other.text).toBe('{"error":"the handler failed on the server"}\n');
  });

  it('several messages may be handled at a time, and what is not valid is answered in its place', async () => {
    const handler = { message: async (value: unknown) => value };
    const { peer } = await meet({ handler, concurrency: 4 });
    await peer.says('1\n}\n[2]\n');
    expect(peer.text).toBe('1\n{"error":"invalid message: not JSON: unexpected \\"}\\" at character 1"}\n[2]\n');
  });

  it('a journal has the messages as they arrived, also those that are not valid', async () => {
    const recorded: string[] = [];
    const journal: SessionJournal = {
      append: async (_session, batch) => {
        for (const { text } of batch) recorded.push(text);
      },
      failed: new Promise(() => undefined),
    };
    const { peer } = await meet({ journal });
    await peer.says('[ 1 ]\n}\n');
    expect(recorded).toEqual(['[ 1 ]', '}']);
    expect(peer.text).toBe('[1]\n{"error":"invalid message: not JSON: unexpected \\"}\\" at character 1"}\n');
  });

  it('a reload may change the codec, for new sessions and for rooms', async () => {
    const handler = {
      open: (session: { join(room: string): void }) => session.join('all'),
      message: (v: unknown) => v,
    };
    const { harness, peer } = await meet({ handler });
    const wrapped: AnyCodec = { ...json(), encode: (value) => `<${JSON.stringify(value)}>` };
    await harness.server.reload({ codec: wrapped } as object);
    const newer = await harness.connect();
    await peer.says('1\n');
    await newer.says('2\n');
    harness.server.room('all').send(3 as never);
    await settled();
    expect([peer.text, newer.text]).toEqual(['1\n<3>\n', '<2>\n<3>\n']);
  });

  it.each<[codec: unknown, reason: string]>([
    [{}, 'it needs functions "decode" and "encode"'],
    ['json', 'it needs functions "decode" and "encode"'],
    [json, 'a function is none; call it, as in json()'],
    [null, 'it needs functions "decode" and "encode"'],
    [{ decode: String, encode: String }, 'its "name" is not text'],
    [{ ...json(), invalid: 'ignore' }, 'its "invalid" is neither a function nor "close"'],
    [{ ...json(), errorReply: 'x' }, 'its "errorReply" is not a function'],
  ])('%j is refused as a codec', async (codec, reason) => {
    await expect(meet({ codec: codec as never })).rejects.toMatchObject({
      code: 'YODEL_INVALID_OPTION',
      message: `the option "codec" takes a codec, such as json(): ${reason}`,
    });
  });
});
