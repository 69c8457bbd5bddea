/**
 * Delays, drops, corrupts or splits a handler's replies, to test how clients react.
 *
 * Everything that a session sends, greetings and replies alike, passes through one queue in order: a fault changes whether,
 * when and how a message is sent, but never its position. The faults of a message depend only on the seed, the session's
 * number and the message's number, not on time or on other sessions.
 */
import type { Batch, Message } from '../framing/message.ts';
import { type Handler, type HandlerObject, resolveHandler, type Session } from '../session/handler.ts';
import { checkFaults, type Faults } from './faults/options.ts';
import { randomSequence } from './faults/random.ts';
import { FaultySession } from './faults/session.ts';

/**
 * Wraps a handler, and applies faults to its replies.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`, `YODEL_INVALID_HANDLER`
 */
export function withFaults(handler: Handler, faults: Faults): HandlerObject {
  const inner = resolveHandler(handler);
  checkFaults(faults);
  const seed = faults.seed ?? randomSeed();
  const sessions = new WeakMap<Session, FaultySession>();
  const of = (session: Session) => sessions.get(session) as FaultySession;
  return {
    ...(inner.forwarding && { forwarding: inner.forwarding }),
    open(session) {
      const faulty = new FaultySession(session, faults, randomSequence(seed, session.id));
      sessions.set(session, faulty);
      return faulty.handle(() => inner.open?.(faulty));
    },
    ...(inner.message && {
      message: (message: Message, session: Session) =>
        of(session).handle(() => inner.message?.(message, of(session)), message),
    }),
    ...(inner.batch && {
      batch: (batch: Batch, session: Session) => of(session).handle(() => inner.batch?.(batch, of(session))),
    }),
    async end(session) {
      await of(session).handle(() => inner.end?.(of(session)));
      await of(session).emptied();
    },
    close(session, error) {
      of(session).stop();
      return inner.close?.(of(session), error);
    },
  };
}

/** A random seed. */
export function randomSeed(): number {
  return Math.floor(Math.random() * 2 ** 32);
}
