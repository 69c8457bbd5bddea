/**
 * Faults between a handler and its clients, in both directions, to test how clients and servers cope.
 *
 * Everything that a session sends passes through one link, in order, and everything that it receives through another. Which
 * faults a message has depends only on the seed, the session's number and the message's number, not on chunks or on other
 * sessions; the only exceptions are conditions of time.
 */

import { type Clock, realClock } from '../clock.ts';
import type { AnyCodec, MaybeCodec } from '../codec/codec.ts';
import type { Reply } from '../codec/reply.ts';
import type { Batch, Message } from '../framing/message.ts';
import {
  type Handler,
  type HandlerCallbacks,
  type HandlerObject,
  resolveHandler,
  withCodec,
} from '../session/handler.ts';
import type { Session } from '../session/public-session.ts';
import type { Fault } from './faults/fault.ts';
import { Faults, type FaultsOptions } from './faults/fault-set.ts';
import { FaultySession } from './faults/session.ts';
import { writesShapes } from './faults/shape.ts';

/**
 * Wraps a handler, and applies faults to what it receives and sends.
 *
 * ```ts
 * withFaults(proxy(6379), ['request /QUIT/ reset', '10% latency 50ms±20ms'], { seed: 7 });
 * ```
 *
 * @param faults in the notation or as objects; or a {@link Faults}, to change them while the handler runs
 * @param options of the faults, unless they are a `Faults`
 * @throws YodelError `YODEL_INVALID_OPTION`, `YODEL_INVALID_HANDLER`
 */
export function withFaults<Data = unknown, C extends MaybeCodec = undefined>(
  handler: Handler<Data, C>,
  faults: Faults | readonly (Fault | string)[],
  options: FaultsOptions = {},
): HandlerObject<Data, C> {
  const { clock = realClock, ...rest } = options;
  const set = faults instanceof Faults ? faults : new Faults(faults, rest);
  // It has `message` or `batch`, as the handler inside.
  return faulty(resolveHandler(handler), set, clock, undefined) as HandlerObject<Data, C>;
}

/** @param codec encodes what the handler sends by itself */
function faulty(inner: HandlerObject, set: Faults, clock: Clock, codec: AnyCodec | undefined): HandlerCallbacks {
  const take = (content: Message | Batch, session: FaultySession): Reply | Promise<Reply> =>
    inner.message ? inner.message(content as Message, session) : inner.batch?.(content as Batch, session);
  const settings = {
    clock,
    take,
    codec,
    isExact: inner.forwarding !== undefined,
    writesShapes: (inner as { [writesShapes]?: boolean })[writesShapes] === true,
  };
  const sessions = new WeakMap<Session, FaultySession>();
  const of = (session: Session) => sessions.get(session) as FaultySession;
  return {
    // Faults match and change the bytes of messages, and the handler inside gets values.
    [withCodec]: (toMessages, codec) => faulty(toMessages(inner), set, clock, codec) as HandlerObject,
    ...(inner.forwarding && { forwarding: inner.forwarding }),
    ...(inner.startsTls && { startsTls: true }),
    // What delays a message is the fault, and not the handler.
    limitsItself: true,
    ...(inner.awaitsClose && { awaitsClose: true }),
    ...(inner.descriptors && { descriptors: inner.descriptors }),
    ...(inner.upstream && { upstream: inner.upstream }),
    ...(inner.start && { start: inner.start.bind(inner) }),
    ...(inner.stop && { stop: inner.stop.bind(inner) }),
    open(session) {
      const inside = new FaultySession(session, set, settings);
      sessions.set(session, inside);
      return inside.handle(() => inner.open?.(inside));
    },
    ...(inner.message && { message: (message: Message, session: Session) => of(session).receive(message) }),
    ...(inner.batch && { batch: (batch: Batch, session: Session) => of(session).receive(batch) }),
    ...callbacksOfRooms(inner, of),
    async end(session) {
      const faulty = of(session);
      await faulty.requestsEnded();
      const last = await faulty.handle(() => inner.end?.(faulty));
      await faulty.repliesEnded();
      return last;
    },
    async close(session, error) {
      const faulty = of(session);
      faulty.stop();
      const closed = inner.close?.(faulty, error);
      if (faulty.thrown) throw faulty.thrown.error;
      await closed;
    },
  };
}

/** What rooms call. What they send to their members has no faults. */
function callbacksOfRooms(inner: HandlerCallbacks, of: (session: Session) => FaultySession): HandlerCallbacks {
  const { missed, taken, authorize } = inner;
  return {
    ...(missed && {
      missed(session, room, messages) {
        const reply = missed.call(inner, of(session), room, messages);
        void of(session).handle(() => reply, undefined, true);
      },
    }),
    ...(taken && {
      taken(session, room) {
        const reply = taken.call(inner, of(session), room);
        void of(session).handle(() => reply, undefined, true);
      },
    }),
    ...(authorize && { authorize: authorize.bind(inner) }),
  };
}
