import { describe, expect, it } from 'vitest';
import type { Codec } from '../../../src/codec/codec.ts';
import { json } from '../../../src/codec/json.ts';
import { YodelError } from '../../../src/errors.ts';
import type { Batch } from '../../../src/framing/message.ts';
import { Message } from '../../../src/framing/message.ts';
import { chat } from '../../../src/handlers/chat.ts';
import type { Middleware } from '../../../src/handlers/compose/middleware.ts';
import { compose } from '../../../src/handlers/compose.ts';
import { echo } from '../../../src/handlers/echo.ts';
import { faults } from '../../../src/handlers/faults.ts';
import { proxy } from '../../../src/handlers/proxy.ts';
import { ForwardedSession } from '../../../src/session/forwarded-session.ts';
import { type Handler, type HandlerObject, nameOfHandler } from '../../../src/session/handler.ts';
import type { Session } from '../../../src/session/public-session.ts';
import { settled } from '../../../src/testing/turns.ts';
import { Harness, serveOneClient } from '../../session/harness.ts';

const upperCase: Handler = (message) => message.text.toUpperCase();
const pass: Middleware = (_message, _session, next) => next();

/** What comes back for these lines, with a server of its own. */
async function answered(handler: Handler, ...lines: string[]): Promise<string> {
  const { peer } = await serveOneClient({ handler });
  for (const line of lines) await peer.says(`${line}\n`);
  await peer.ends();
  return peer.text;
}

describe('a chain calls', () => {
  it('its middleware in order, and the handler at last; replies go back the same way', async () => {
    const calls: string[] = [];
    const named =
      (name: string): Middleware =>
      async (_message, _session, next) => {
        calls.push(`${name} in`);
        const reply = await next();
        calls.push(`${name} out`);
        return `${name}(${reply})`;
      };
    const handler: Handler = (message) => {
      calls.push('handler');
      return message.text;
    };
    expect(await answered(compose(named('a'), named('b'), handler), 'x')).toBe('a(b(x))\n');
    expect(calls).toEqual(['a in', 'b in', 'handler', 'b out', 'a out']);
  });

  it('nothing that follows a middleware that does not call next', async () => {
    const only: Middleware = (message, _session, next) => (message.text === 'in' ? next() : 'out');
    expect(await answered(compose(only, upperCase), 'in', 'x', 'in')).toBe('IN\nout\nIN\n');
  });

  it('what follows once more for each call of next, with what is given instead', async () => {
    const twice: Middleware = (_message, _session, next) =>
      [next(), next(Message.of('other'))].map((reply) => reply as string);
    expect(await answered(compose(twice, upperCase), 'x')).toBe('X\nOTHER\n');
  });

  it('what follows later, too: a reply is then the caller’s to send', async () => {
    const later: Middleware = (_message, session, next) => {
      setImmediate(() => session.send(next() as string));
      return 'soon';
    };
    const { peer } = await serveOneClient({ handler: compose(later, upperCase) });
    await peer.says('x\n');
    await settled();
    expect(peer.text).toBe('soon\nX\n');
  });

  it('nothing once the session is over', async () => {
    const calls: string[] = [];
    const waits = Promise.withResolvers<void>();
    const slow: Middleware = async (_message, _session, next) => {
      await waits.promise;
      return next();
    };
    const handler: HandlerObject = {
      message: () => void calls.push('message'),
      close: () => void calls.push('close'),
    };
    const { peer } = await serveOneClient({ handler: compose(slow, handler) });
    await peer.says('x\n');
    await peer.aborts();
    waits.resolve();
    await settled();
    expect(calls).toEqual(['close']);
  });

  it('every callback that a middleware has, and those of the handler that it does not have', async () => {
    const calls: string[] = [];
    const all = (name: string): Middleware & HandlerObject =>
      Object.fromEntries(
        ['open', 'message', 'end', 'close'].map((event) => [
          event,
          (...args: unknown[]) => {
            calls.push(`${name} ${event}`);
            const next = args.at(-1);
            return typeof next === 'function' ? next() : undefined;
          },
        ]),
      );
    const { open } = all('opener') as HandlerObject;
    await answered(compose(all('a'), { open } as Middleware, all('handler')), 'x');
    const opened = ['a open', 'opener open', 'handler open'];
    expect(calls).toEqual([
      ...opened,
      ...['message', 'end', 'close'].flatMap((name) => [`a ${name}`, `handler ${name}`]),
    ]);
  });

  it('start and stop, around those of the handler', async () => {
    const calls: string[] = [];
    const database: Middleware = {
      start: async (_server, next) => {
        calls.push('connect');
        await next();
      },
      stop: async (_server, next) => {
        await next();
        calls.push('disconnect');
      },
    };
    const handler: HandlerObject = {
      start: (server) => void calls.push(`start ${server.sessions.size}`),
      message: upperCase as never,
      stop: () => void calls.push('stop'),
    };
    const harness = await Harness.open({ handler: compose(database, pass, handler) });
    await harness.server.close();
    expect(calls).toEqual(['connect', 'start 0', 'stop', 'disconnect']);
  });

  it('methods of classes as methods', async () => {
    class Counter {
      count = 0;
      message(message: Message, _session: Session, next: (message?: Message) => unknown) {
        this.count++;
        return next(message) as string;
      }
    }
    const counter = new Counter();
    expect(await answered(compose(counter, upperCase), 'a', 'b')).toBe('A\nB\n');
    expect(counter.count).toBe(2);
  });
});

it('messages that are handled at the same time are not confused', async () => {
  const waiting: (() => void)[] = [];
  const waits: Middleware = async (_message, _session, next) => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return await next();
  };
  const handler: Handler = async (message, { id }) => `${id} ${message.text}`;
  const harness = await Harness.open({
    handler: compose(waits, pass, waits, handler),
    concurrency: 4,
    replyOrder: 'finished',
  });
  const peers = [await harness.connect(), await harness.connect()] as const;
  for (const peer of peers) await peer.says('a\nb\nc\n');
  expect(waiting.length).toBe(6);
  // The last one first, in both middlewares.
  for (let round = 0; round < 12; round++) {
    waiting.pop()?.();
    await settled();
  }
  expect(peers.map(({ text }) => text)).toEqual(['1 c\n1 b\n1 a\n', '2 c\n2 b\n2 a\n']);
});

describe('what a middleware throws', () => {
  it('closes the session as if the handler had thrown it', async () => {
    const failing: Middleware = () => {
      throw new YodelError('APP_DENIED', 'ada wrote to #ops', { reply: 'you may not do that' });
    };
    const { peer } = await serveOneClient({ handler: compose(pass, failing, upperCase), telemetry: {} });
    await peer.says('x\n');
    expect(peer.text).toBe('error: you may not do that\n');
    expect(peer.ended).toBe(true);
  });

  it.each([
    ['a', (_message: Message) => Promise.reject(new Error('away'))],
    [
      'a synchronous',
      (): string => {
        throw new Error('away');
      },
    ],
  ] as const)('can be caught by the one before it: %s failure', async (_, handler) => {
    const catching: Middleware = async (_message, _session, next) => {
      try {
        return await next();
      } catch (thrown) {
        return `sorry: ${(thrown as Error).message}`;
      }
    };
    expect(await answered(compose(catching, pass, handler as Handler), 'x', 'y')).toBe('sorry: away\nsorry: away\n');
  });
});

describe('a session of its own', () => {
  class Loud extends ForwardedSession {
    override send(message: string | Uint8Array | Message | Batch, to?: Message) {
      return super.send(typeof message === 'string' ? message.toUpperCase() : message, to);
    }
  }
  it('is what follows sees', async () => {
    const loud: Middleware = (message, session, next) => next(message, new Loud(session));
    const handler: Handler = (message, session) => void session.send(`you said ${message.text}`);
    expect(await answered(compose(loud, handler), 'x')).toBe('YOU SAID X\n');
    expect(
      await answered(compose(loud, pass, { batch: (batch, session) => void session.send(String([...batch])) }), 'x'),
    ).toBe('X\n');
  });

  it('has all that a session has', async () => {
    const { session } = await serveOneClient();
    const own = new ForwardedSession(session);
    const isGetter = ([, property]: [string, PropertyDescriptor]) => property.get !== undefined;
    const all = Object.entries(Object.getOwnPropertyDescriptors(ForwardedSession.prototype));
    for (const [name] of all.filter(isGetter)) {
      const [ours, theirs] = [own, session].map((one) => one[name as keyof Session]);
      if (name !== 'durationMs') expect([name, ours]).toEqual([name, theirs]);
    }
  });
});

describe('messages and batches', () => {
  const sizes = (seen: number[]): Middleware => ({
    batch: (batch, _session, next) => {
      seen.push(batch.count);
      return next();
    },
  });

  it('a middleware with batch sees whole batches before a handler with batch, and single messages before one with message', async () => {
    for (const [handler, expected] of [
      [echo, [3]],
      [upperCase, [1, 1, 1]],
      [compose(pass, echo), [1, 1, 1]],
      [{ open: () => 'welcome' }, [3]],
    ] as [Handler, number[]][]) {
      const seen: number[] = [];
      const { peer } = await serveOneClient({ handler: compose(sizes(seen), handler) });
      await peer.says('a\nb\nc\n');
      expect(seen).toEqual(expected);
    }
  });

  it('each message of a batch that is passed on instead goes to a handler with message, in order', async () => {
    const { session } = await serveOneClient();
    const three = session.framing
      .createDecoder({ maxMessageLength: 10, onTooLong: 'close', encoding: 'binary' })
      .decode(Buffer.from('a\nb\nc\n'));
    const instead: Middleware = { batch: (_batch, _session, next) => next(three) };
    expect(await answered(compose(instead, upperCase), 'x')).toBe('A\nB\nC\n');
    const slow: Handler = async (message) => message.text.toUpperCase();
    expect(await answered(compose(instead, slow), 'x')).toBe('A\nB\nC\n');
  });

  it('a reply of middleware is in the shape of its message, also before a handler that forwards', async () => {
    const no: Middleware = (message, _session, next) => (message.text === 'no' ? ['not', 'that'] : next());
    const forwarding: HandlerObject = { forwarding: 'frames', batch: (batch, session) => void session.send(batch) };
    for (const handler of [echo, forwarding, { ...forwarding, batch: async (batch) => batch } as HandlerObject]) {
      const { peer } = await serveOneClient({ handler: compose(no, handler) });
      await peer.says('a\nno\r\nb\r\nno\n');
      expect(peer.text).toBe('a\nnot\r\nthat\r\nb\r\nnot\nthat\n');
    }
  });

  it('the bytes between messages reach a handler that forwards, with the messages that are passed on', async () => {
    const framing = 'between:\\x02,\\x03,gap=\\r\\n';
    const changed: Middleware = (message, _session, next) => next(message.text === 'b' ? Message.of('B') : undefined);
    const handler: HandlerObject = {
      forwarding: 'frames',
      batch: async (batch, session) => void session.send(batch),
    };
    const { peer } = await serveOneClient({ framing, handler: compose(changed, handler) });
    await peer.says('\x02a\x03\r\n\x02b\x03\n\r\x02c\x03\n');
    expect(peer.text).toBe('\x02a\x03\r\n\x02B\x03\n\r\x02c\x03\n');
  });

  it('with a codec, all parts get values; batches and messages cannot be mixed, which is said at start', async () => {
    const greet: Middleware<unknown, Codec<unknown, unknown>> = (value, _session, next) =>
      value === 'hi' ? 'hello' : next();
    const codec = json();
    const upper: Handler<unknown, typeof codec> = (value) => String(value).toUpperCase();
    const { peer } = await serveOneClient({
      codec,
      handler: compose(faults([]), greet, pass as never, upper),
    } as never);
    await peer.says('"hi"\n"x"\n');
    expect(peer.text).toBe('"hello"\n"X"\n');
    for (const [handler, text] of [
      [compose(pass, echo), /every part of a chain needs "message"/],
      [compose({ batch: (_batch, _session, next) => next() }, upperCase), /every part of a chain needs "message"/],
      [compose(pass, faults([]), upperCase), /faults\(\) comes first/],
      [compose(pass, chat()), /handlers of messages are no part of one/],
    ] as [HandlerObject, RegExp][]) {
      const refused = Harness.open({ codec, handler } as never);
      await expect(refused).rejects.toThrow(
        expect.objectContaining({ code: 'YODEL_INVALID_HANDLER', message: expect.stringMatching(text) }),
      );
    }
  });
});

describe('the handler that it returns', () => {
  it('is the handler itself without middleware', () => {
    expect(compose(echo)).toBe(echo);
  });

  it('has the properties of the handler', () => {
    const inner = proxy('127.0.0.1:6379');
    const { forwarding, upstream, descriptors, awaitsClose, limitsItself } = compose(pass, { message: pass }, inner);
    expect({ forwarding, upstream, descriptors, awaitsClose, limitsItself }).toEqual({
      forwarding: 'transparent',
      upstream: inner.upstream,
      descriptors: 1,
      awaitsClose: true,
      limitsItself: true,
    });
    const own = compose({ descriptors: 2, startsTls: true, message: pass }, { ...inner });
    expect([own.descriptors, own.startsTls]).toEqual([3, true]);
    expect(compose(faults([]), upperCase).limitsItself).toBe(true);
  });

  it('has only the callbacks that a part has', () => {
    expect(Object.keys(compose(pass, upperCase))).toEqual(['message']);
    expect(Object.keys(compose({ open: (_session, next) => next() }, echo))).toEqual(['open', 'batch']);
  });

  it('is named in the log after its parts', async () => {
    const greet: Handler = () => 'hello';
    const stuck: Middleware = () => new Promise(() => undefined);
    expect(nameOfHandler(compose(stuck, greet))).toBe('stuck > greet');
    expect(nameOfHandler(compose({ open: () => 'welcome' }, echo))).toBeUndefined();
    const errors: unknown[] = [];
    const harness = await Harness.open({
      handler: compose(stuck, greet),
      handlerTimeout: 1000,
      telemetry: { handlerFailed: (_session, { cause }) => errors.push(String(cause)) },
    });
    const peer = await harness.connect();
    await peer.says('x\n');
    await harness.passes(1000);
    expect(errors).toEqual([expect.stringContaining('message() of stuck > greet')]);
  });
});

describe('is refused', () => {
  it.each([
    [
      'an argument that is no middleware',
      () => compose(7 as never, echo),
      /argument 1 of compose\(\) is no middleware/,
    ],
    [
      'a misspelt callback',
      () => compose(pass, { mesage: pass } as never, echo),
      /argument 2 .* has "mesage", which is never called. Did you mean "message"\?/,
    ],
    ['a callback that is no function', () => compose({ open: 'x' } as never, echo), /the "open" of argument 1/],
    [
      'an array',
      () => compose([pass] as never, echo),
      /argument 1 of compose\(\) is an array; write compose\(\.\.\.middlewares, handler\)/,
    ],
    [
      'a class',
      () => compose(ForwardedSession as never, echo),
      /argument 1 of compose\(\) is the class ForwardedSession, not an object of it/,
    ],
    ['middleware without a callback', () => compose({} as never, echo), /argument 1 of compose\(\) has no callback/],
    ['a chain without a handler', () => compose(pass, pass as never), /its last argument takes "next": pass/],
    ['nothing at all', () => compose(undefined as never), /this is not a handler/],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(
      expect.objectContaining({ code: 'YODEL_INVALID_HANDLER', message: expect.stringMatching(message) }),
    );
  });
});

describe('rooms and authorisation', () => {
  it('next asks the handler; without one, nothing is allowed', async () => {
    const asks: Middleware = { authorize: (_room, action, _session, next) => action === 'join' || next() };
    const { session } = await serveOneClient();
    expect(compose(asks, echo).authorize?.('news', 'join', session)).toBe(true);
    expect(compose(asks, echo).authorize?.('news', 'send', session)).toBe(false);
    const open: HandlerObject = { batch: echo.batch, authorize: () => true };
    expect(compose(asks, open).authorize?.('news', 'send', session)).toBe(true);
  });

  it('stored changes what the handler makes of a message', () => {
    const stamp: Middleware = { stored: (message, room, next) => `${room}: ${next(message)}` };
    const handler: HandlerObject = { batch: echo.batch, stored: ({ message }) => String(message) };
    const stored = { message: Message.of('hello'), position: '1' } as never;
    expect(compose(stamp, handler).stored?.(stored, 'news')).toBe('news: hello');
    expect(compose(stamp, echo).stored?.(stored, 'news')).toBe('news: undefined');
  });
});

it('middleware and handlers with a codec have its values as types', () => {
  interface Request {
    readonly op: string;
  }
  interface Reply {
    readonly ok: boolean;
  }
  type Values = Codec<Request, Reply>;
  const known = compose<unknown, Values>(
    (request, session, next) => {
      session.send({ ok: request.op === 'x' });
      return request.op === '' ? { ok: false } : next({ op: 'changed' });
    },
    (request) => ({ ok: request.op === 'changed' }),
  );
  // biome-ignore lint/suspicious/noExplicitAny: middleware for all
  const general: Middleware<any, any> = (_message, _session, next) => next();
  const both: HandlerObject<unknown, Values> = compose(general, known);
  const session = { ended: false, send: () => true } as unknown as Session<unknown, Values>;
  expect(both.message?.({ op: 'x' }, session)).toEqual({ ok: true });
  // @ts-expect-error A handler of messages takes no values.
  compose(known, upperCase);
});
