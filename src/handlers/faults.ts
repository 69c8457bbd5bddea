/**
 * Faults between a handler and its clients, in both directions, to test how clients and servers cope.
 *
 * Everything that a session sends passes through one link, in order, and everything that it receives through another. Which
 * faults a message has depends only on the seed, the session's number and the message's number, not on chunks or on other
 * sessions; the only exceptions are conditions of time.
 */

import { realClock } from '../clock.ts';
import type { MaybeCodec } from '../codec/codec.ts';
import type { Reply } from '../codec/reply.ts';
import type { Batch, Message } from '../framing/message.ts';
import type { Handler, HandlerObject } from '../session/handler.ts';
import type { AnySession, Session } from '../session/public-session.ts';
import { type MiddlewareObject, madeFor } from './compose/middleware.ts';
import { compose } from './compose.ts';
import type { Fault } from './faults/fault.ts';
import { Faults, type FaultsOptions } from './faults/fault-set.ts';
import { FaultySession, type TakeRequest } from './faults/session.ts';
import { writesShapes } from './faults/shape.ts';

/**
 * Middleware that applies faults to what the rest of the chain receives and sends. With a codec, it must be the first of its chain:
 * faults apply to messages. What rooms send to members, and `session.request` with its reply, have no faults, and are not counted.
 *
 * ```ts
 * compose(faults(['request /QUIT/ reset', '10% latency 50ms±20ms'], { seed: 7 }), proxy(6379));
 * ```
 *
 * @param given in the notation or as objects; or a {@link Faults}, to change them while the handler runs
 * @param options of the faults, unless they are a `Faults`
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function faults(
  given: Faults | readonly (Fault | string)[],
  options: FaultsOptions = {},
  // biome-ignore lint/suspicious/noExplicitAny: for sessions with any data and any codec
): MiddlewareObject<any, any> {
  const { clock = realClock, ...rest } = options;
  const set = given instanceof Faults ? given : new Faults(given, rest);
  return {
    [madeFor]: (inner, codec) => {
      const isExact = inner.forwarding !== undefined;
      const settings = { clock, codec, isExact, writesShapes: writesShapes in inner };
      return middlewareFor(inner, (session) => new FaultySession(session, set, settings));
    },
  };
}

/** The same as `compose(faults(given, options), handler)`. @throws YodelError `YODEL_INVALID_OPTION`, `YODEL_INVALID_HANDLER` */
export function withFaults<Data = unknown, C extends MaybeCodec = undefined>(
  handler: Handler<Data, C>,
  given: Faults | readonly (Fault | string)[],
  options: FaultsOptions = {},
): HandlerObject<Data, C> {
  return compose(faults(given, options), handler);
}

function middlewareFor(inner: HandlerObject, sessionFor: (session: Session) => FaultySession): MiddlewareObject {
  const sessions = new WeakMap<AnySession, FaultySession>();
  const of = (session: AnySession) => sessions.get(session) as FaultySession;
  return {
    // What delays a message is the fault, and not the handler.
    limitsItself: true,
    // Messages pass through the faults in order.
    sequential: true,
    open(session, next) {
      const inside = sessionFor(session);
      sessions.set(session, inside);
      return inside.handle(() => next(inside));
    },
    ...(inner.message && {
      message: (
        message: Message,
        session: Session,
        next: (message?: Message, session?: AnySession) => Reply | Promise<Reply>,
      ) => of(session).receive(message, next as TakeRequest),
    }),
    ...(inner.batch && {
      batch: (batch: Batch, session: Session, next: (batch?: Batch, session?: AnySession) => Reply | Promise<Reply>) =>
        of(session).receive(batch, next as TakeRequest),
    }),
    ...callbacksOfRooms(inner, of),
    async end(session, next) {
      const faulty = of(session);
      await faulty.requestsEnded();
      const last = await faulty.handle(() => next(faulty));
      await faulty.repliesEnded();
      return last;
    },
    async close(session, _error, next) {
      const faulty = of(session);
      faulty.stop();
      const closed = next(faulty);
      if (faulty.thrown) throw faulty.thrown.error;
      await closed;
    },
  };
}

/** What rooms call. What they send to their members has no faults. */
function callbacksOfRooms(inner: HandlerObject, of: (session: AnySession) => FaultySession): MiddlewareObject {
  return {
    ...(inner.missed && {
      missed(session, _room, _messages, next) {
        const faulty = of(session);
        const reply = next(faulty);
        void faulty.handle(() => reply, undefined, true);
      },
    }),
    ...(inner.taken && {
      taken(session, _room, next) {
        const faulty = of(session);
        const reply = next(faulty);
        void faulty.handle(() => reply, undefined, true);
      },
    }),
  };
}
