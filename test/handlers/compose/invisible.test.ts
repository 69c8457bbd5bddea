/** Middleware that changes nothing is invisible: the same bytes come back as without it. */

import { describe, expect, it } from 'vitest';
import { TcpAddress } from '../../../src/address.ts';
import type { FramingText } from '../../../src/framing/notation.ts';
import { chargen } from '../../../src/handlers/chargen.ts';
import { chat } from '../../../src/handlers/chat.ts';
import type { Middleware } from '../../../src/handlers/compose/middleware.ts';
import { compose } from '../../../src/handlers/compose.ts';
import { discard } from '../../../src/handlers/discard.ts';
import { echo } from '../../../src/handlers/echo.ts';
import { exec } from '../../../src/handlers/exec.ts';
import { faults } from '../../../src/handlers/faults.ts';
import { proxy } from '../../../src/handlers/proxy.ts';
import { time } from '../../../src/handlers/time.ts';
import { serve } from '../../../src/server/server.ts';
import { ForwardedSession } from '../../../src/session/forwarded-session.ts';
import type { Handler } from '../../../src/session/handler.ts';
import type { AnySession } from '../../../src/session/public-session.ts';
import { FakeClock } from '../../../src/testing/fake-clock.ts';
import { Peer } from '../../../src/testing/peer.ts';
import { settled } from '../../../src/testing/turns.ts';
import { memoryTransport } from '../../../src/transport/memory.ts';
import type { Transport } from '../../../src/transport/transport.ts';
import { fc } from '../../support/fast-check.ts';

/** Middleware that changes nothing, in every form that it can have. */
const kinds: Record<string, () => Middleware> = {
  function: () => (_message, _session, next) => next(),
  'async function': () => async (_message, _session, next) => await next(),
  'function that passes on what it got': () => (message, session, next) => next(message, session),
  'object with message': () => ({ message: (_message, _session, next) => next() }),
  'object with batch': () => ({ batch: (_batch, _session, next) => next() }),
  'object with async batch': () => ({ batch: async (batch, session, next) => await next(batch, session) }),
  'object with message and batch': () => ({
    message: (_message, _session, next) => next(),
    batch: (_batch, _session, next) => next(),
  }),
  'object with events': () => ({
    open: (_session, next) => next(),
    end: (_session, next) => next(),
    close: (_session, _error, next) => next(),
  }),
  'object with everything, async': () => ({
    open: async (session, next) => await next(session),
    message: async (_message, _session, next) => await next(),
    batch: async (_batch, _session, next) => await next(),
    end: async (_session, next) => await next(),
    close: async (_session, error, next) => await next(undefined, error),
    missed: (_session, _room, _messages, next) => next(),
    taken: (_session, _room, next) => next(),
    stored: (_message, _room, next) => next(),
    authorize: (_room, _action, _session, next) => next(),
  }),
  'object with a session of its own': () => {
    const sessions = new WeakMap<AnySession, ForwardedSession>();
    const own = (session: AnySession) => {
      const found = sessions.get(session) ?? new ForwardedSession(session);
      sessions.set(session, found);
      return found;
    };
    return {
      open: (session, next) => next(own(session)),
      message: (message, session, next) => next(message, own(session)),
      batch: (batch, session, next) => next(batch, own(session)),
      end: (session, next) => next(own(session)),
      close: (session, error, next) => next(own(session), error),
    };
  },
  'faults that never apply': () => faults([]),
};

/** Handlers of both kinds that answer in every way, and the built-in ones. */
const handlers: Record<string, (transport: Transport, clock: FakeClock) => Handler> = {
  echo: () => echo,
  discard: () => discard,
  chargen: () => ({ ...chargen, open: (session) => session.close() }),
  chat: () => chat({ authorize: () => true }),
  proxy: (transport, clock) => proxy(9, { transport, clock }),
  'a function': () => (message) => message.text.toUpperCase(),
  'a function that returns its message': () => (message) => message,
  'a function with several replies': () => (message) => [message, message.text, message.bytes],
  'an async function': () => async (message) => (message.size > 3 ? message.text : undefined),
  'an object with every callback': () => ({
    open: () => 'welcome',
    message: (message, session) => void session.send(`> ${message.size}`, message),
    end: () => 'bye',
  }),
  'an object with batch': () => ({
    open: () => 'welcome',
    batch: (batch) => batch,
    end: () => 'bye',
  }),
  'an object with async batch': () => ({ batch: async (batch) => batch, end: async () => 'bye' }),
  'an object with batch that sends': () => ({ batch: (batch, session) => void session.send(batch) }),
  'an object without messages': () => ({ open: () => 'welcome', end: (session) => session.close() }),
} as Record<string, (transport: Transport, clock: FakeClock) => Handler>;

/** Framings, and texts of which conversations in them are made. */
const framings: Partial<Record<FramingText, readonly string[]>> = {
  lines: ['a\n', 'bcd\r\n', '\n', 'wörld\n', 'last'],
  'between:\\x02,\\x03,gap=\\r\\n': ['\x02a\x03', '\r\n', '\x02bcd\x03\n', '\x02\x03'],
  'length:2': ['\0\x01a', '\0\x03bcd', '\0\0'],
  netstring: ['1:a,', '3:bcd,', '0:,'],
  raw: ['a', 'bcd', '\n'],
};

/** Everything that comes back for these chunks. */
async function conversation(
  name: string,
  middlewares: readonly Middleware[],
  framing: FramingText,
  chunks: readonly string[],
): Promise<string> {
  const clock = new FakeClock();
  const transport = memoryTransport();
  const behind = await serve({
    ...{ clock, transport, framing, listen: 'tcp://127.0.0.1:9' },
    handler: { open: () => 'hi', batch: echo.batch },
  });
  const handler = handlers[name]?.(transport, clock) as Handler;
  const composed = compose(...middlewares, handler);
  const server = await serve({ clock, transport, framing, listen: 'tcp://127.0.0.1:10', handler: composed });
  const peer = new Peer(await transport.connect(new TcpAddress('127.0.0.1', 10)));
  for (const chunk of chunks) {
    peer.write(Buffer.from(chunk));
    await settled(4);
  }
  peer.connection.end();
  await peer.until(() => peer.ended || peer.closed).catch(() => undefined);
  const closing = [server.close({ timeoutMs: 0 }), behind.close({ timeoutMs: 0 })];
  await settled();
  await clock.advance(10);
  await Promise.all(closing);
  return `${peer.received.toString('latin1')}${peer.error ? ` ${peer.error.message}` : ''}`;
}

const chain = fc.array(fc.constantFrom(...Object.keys(kinds)), { minLength: 1, maxLength: 4 });
const talk = fc.constantFrom(...(Object.keys(framings) as FramingText[])).chain((framing) =>
  fc.tuple(
    fc.constant(framing),
    fc.array(
      fc.array(fc.constantFrom(...(framings[framing] as string[]))).map((texts) => texts.join('')),
      {
        maxLength: 4,
      },
    ),
  ),
);

describe('middleware that changes nothing is invisible before', () => {
  it.each(Object.keys(handlers))('%s', async (name) => {
    await fc.assert(
      fc.asyncProperty(chain, talk, async (names, [framing, chunks]) => {
        const middlewares = names.map((kind) => (kinds[kind] as () => Middleware)());
        const plain = await conversation(name, [], framing, chunks);
        expect(await conversation(name, middlewares, framing, chunks)).toBe(plain);
      }),
      { numRuns: 100 },
    );
  });

  it('time, which ends the session before any message', async () => {
    for (const kind of Object.values(kinds)) {
      const server = await serve({ listen: 0, handler: compose(kind(), time), transport: memoryTransport() });
      expect(server).toBeDefined();
      await server.close();
    }
  });

  it.each(['cat', 'tr a-z A-Z'])('exec:%s', async (command) => {
    for (const perMessage of [false, true]) {
      for (const kind of ['async function', 'object with batch', 'object with a session of its own']) {
        const middleware = (kinds[kind] as () => Middleware)();
        const transport = memoryTransport();
        const server = await serve({
          transport,
          listen: 1,
          handler: compose(middleware, exec(command, { perMessage })),
        });
        const peer = new Peer(await transport.connect(server.addresses[0] as TcpAddress));
        peer.write('a\r\nb\n');
        peer.connection.end();
        await peer.until(() => peer.ended);
        const reply = command === 'cat' ? 'a\r\nb\n' : 'A\r\nB\n';
        expect([perMessage, kind, peer.text]).toEqual([perMessage, kind, reply]);
        await server.close();
      }
    }
  });
});
