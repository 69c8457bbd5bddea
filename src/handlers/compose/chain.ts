/**
 * Joins middleware and the handler that it precedes to one handler.
 *
 * | What follows has           | Middleware has            | The joined handler has                              |
 * |----------------------------|---------------------------|-----------------------------------------------------|
 * | `message`                  | `message`                 | `message`                                           |
 * | `message`                  | only `batch`              | `message`; middleware gets batches of one           |
 * | `batch`                    | `batch`                   | `batch`                                             |
 * | `batch`                    | only `message`            | `message`; what follows gets batches of one         |
 * | `batch`, with `forwarding` | only `message`            | `batch`; both get its messages one by one (1)       |
 * | neither                    | `message`, or only `batch`| the same                                            |
 *
 * (1) What is passed on includes bytes between messages, which a handler with `message` does not get.
 */
import type { AnyCodec } from '../../codec/codec.ts';
import type { Reply } from '../../codec/reply.ts';
import { YodelError } from '../../errors.ts';
import { asBuffer, encodeLike, type Framing, shapeFor } from '../../framing/framing.ts';
import { type Batch, isMessage, type Message } from '../../framing/message.ts';
import { reframed } from '../../framing/singles.ts';
import { type HandlerCallbacks, type HandlerObject, withCodec } from '../../session/handler.ts';
import type { Session } from '../../session/public-session.ts';
import { type MiddlewareObject, madeFor } from './middleware.ts';
import { type Answer, batchOf, eachInTurn, inBatches, oneByOne, type TakeBatch, type TakeMessage } from './singles.ts';

/** The callbacks of a middleware or handler besides `message` and `batch`, with the position of the session that must not be over. */
const events = {
  open: 0,
  end: 0,
  missed: 0,
  taken: 0,
  stored: undefined,
  authorize: undefined,
  close: undefined,
  start: undefined,
  stop: undefined,
} as const satisfies Partial<Record<keyof HandlerCallbacks, 0 | undefined>>;

type EventName = keyof typeof events;
type Callback = (...args: unknown[]) => unknown;

/** A middleware whose `message` or `batch` is known to be there. */
type ContentCallbacks = { readonly [Name in 'message' | 'batch']: NonNullable<MiddlewareObject[Name]> };

/** Joins a middleware and what follows it to one handler. */
export function join(given: MiddlewareObject, inner: HandlerObject, codec?: AnyCodec): HandlerObject {
  const middleware = given[madeFor]?.(inner, codec) ?? given;
  const names = (Object.keys(events) as EventName[]).filter((name) => middleware[name] ?? inner[name]);
  const joined: HandlerCallbacks = {
    ...propertiesOf(middleware, inner),
    ...Object.fromEntries(names.map((name) => [name, eventOf(name, middleware, inner)])),
    ...contentOf(middleware, inner),
    ...valuesOf(given, middleware, inner),
  };
  return joined as HandlerObject;
}

function propertiesOf(middleware: MiddlewareObject, inner: HandlerObject): HandlerCallbacks {
  const { forwarding, upstream } = inner;
  const sum = (name: 'descriptors' | 'descriptorsPerCall') => {
    const total = (middleware[name] ?? 0) + (inner[name] ?? 0);
    return total && { [name]: total };
  };
  const isEither = (name: 'startsTls' | 'awaitsClose' | 'limitsItself' | 'sequential') =>
    (middleware[name] || inner[name]) && { [name]: true };
  return {
    ...symbolsOf(inner),
    ...(forwarding && { forwarding }),
    ...(upstream && { upstream }),
    ...sum('descriptors'),
    ...sum('descriptorsPerCall'),
    ...isEither('startsTls'),
    ...isEither('awaitsClose'),
    ...isEither('limitsItself'),
    ...isEither('sequential'),
  };
}

/** What the chain does where its messages have values, unless all of it takes them as they are. */
function valuesOf(given: MiddlewareObject, middleware: MiddlewareObject, inner: HandlerObject): HandlerCallbacks {
  const refuse = (text: string) => ({
    [withCodec]: () => {
      throw new YodelError('YODEL_INVALID_HANDLER', text);
    },
  });
  if (given[madeFor]) return { [withCodec]: (toMessages, codec) => join(given, toMessages(inner), codec) };
  if (inner[withCodec])
    return refuse(
      'with the option "codec", faults() comes first in a chain, and handlers of messages are no part of one',
    );
  const isMixed =
    (middleware.message && !middleware.batch && inner.batch) ||
    (middleware.batch && !middleware.message && inner.message);
  if (isMixed)
    return refuse(
      'with the option "codec", every part of a chain needs "message", which gets values; "batch" gets messages',
    );
  return {};
}

/** What yodel's own handlers tell each other. */
function symbolsOf(inner: HandlerObject): object {
  const all = inner as unknown as Record<symbol, unknown>;
  return Object.fromEntries(
    Object.getOwnPropertySymbols(inner)
      .filter((symbol) => symbol !== withCodec)
      .map((symbol) => [symbol, all[symbol]]),
  );
}

function eventOf(name: EventName, middleware: MiddlewareObject, inner: HandlerObject): Callback {
  const call = (of: object, args: readonly unknown[]) => (of as Record<string, Callback | undefined>)[name]?.(...args);
  const callInner = (args: readonly unknown[]) => {
    if (events[name] !== undefined && isOver(args[0] as Session)) return undefined;
    return name === 'authorize' ? (call(inner, args) ?? false) : call(inner, args);
  };
  if (!middleware[name]) return (...args) => callInner(args);
  return (...given) =>
    call(middleware, [
      ...given,
      (...replaced: unknown[]) =>
        callInner(given.map((one, index) => (replaced[index] === undefined ? one : replaced[index]))),
    ]);
}

/** A chain's `message` or `batch`. */
function contentOf(middleware: MiddlewareObject, inner: HandlerObject): HandlerCallbacks {
  if (inner.batch && !middleware.batch && middleware.message) {
    return inner.forwarding ? { batch: eachThrough(middleware, inner) } : { message: messagesTo(middleware, inner) };
  }
  if (inner.batch)
    return { batch: middleware.batch ? batches(middleware, inner) : (...args) => takeBatch(inner, ...args) };
  if (middleware.message) return { message: messages(middleware, inner) };
  if (middleware.batch)
    return inner.message ? { message: batchesOf(middleware, inner) } : { batch: batches(middleware, inner) };
  return inner.message ? { message: (...args) => takeMessage(inner, ...args) } : {};
}

// Each function below is called for every message or batch, so it does nothing that it could have done before.

function messages(middleware: MiddlewareObject, inner: HandlerObject): TakeMessage {
  const own = middleware as ContentCallbacks;
  return (message, session) =>
    own.message(message, session, (changed = message, seenBy = session) =>
      takeMessage(inner, changed, seenBy),
    ) as Answer;
}

function batches(middleware: MiddlewareObject, inner: HandlerObject): TakeBatch {
  const own = middleware as ContentCallbacks;
  return (batch, session) =>
    own.batch(batch, session, (changed = batch, seenBy = session) => takeBatch(inner, changed, seenBy));
}

/** `message` before `batch`. */
function messagesTo(middleware: MiddlewareObject, inner: HandlerObject): TakeMessage {
  const take = inBatches((single, session) => takeBatch(inner, single, session));
  return messages(middleware, { message: take });
}

/** `batch` before `message`. */
function batchesOf(middleware: MiddlewareObject, inner: HandlerObject): TakeMessage {
  const own = middleware as ContentCallbacks;
  const take: TakeMessage = (message, session) => takeMessage(inner, message, session);
  return inBatches((single, session, message) =>
    own.batch(single, session, (changed = single, seenBy = session) =>
      changed === single ? take(message, seenBy) : eachInTurn(changed, seenBy, take),
    ),
  );
}

/** `message` before `batch` of a handler that passes on everything. */
function eachThrough(middleware: MiddlewareObject, inner: HandlerObject): TakeBatch {
  const own = middleware as ContentCallbacks;
  const takeOther: TakeBatch = (batch, session) => takeBatch(inner, batch, session);
  return oneByOne(
    (message, session, single) =>
      own.message(message, session, (changed = message, seenBy = session) =>
        takeBatch(inner, changed === message ? single : inPlaceOf(single, changed, session), seenBy),
      ),
    takeOther,
  );
}

/** Another message in the frame of the one that it replaces, so that the bytes before that still go with it. */
function inPlaceOf(single: Batch, message: Message, { framing }: Session): Batch {
  const replaced = single.first as Message;
  const changed = isMessage(message) ? encodedAs(replaced, message, framing) : batchOf(message);
  changed.before = single.before;
  return changed;
}

function encodedAs(replaced: Message, message: Message, framing: Framing): Batch {
  try {
    return reframed(
      replaced,
      asBuffer(encodeLike(framing, message, shapeFor(framing.encoder, message, framing.encoder.shapeOf(replaced)))),
    );
  } catch (thrown) {
    // The handler may have another framing, in which it can be expressed.
    if (thrown instanceof YodelError) return batchOf(message);
    throw thrown;
  }
}

function takeMessage(inner: HandlerObject, message: Message, session: Session): Reply | Promise<Reply> {
  return isOver(session) ? undefined : inner.message?.(message, session);
}

function takeBatch(inner: HandlerObject, batch: Batch, session: Session): Reply | Promise<Reply> {
  return isOver(session) ? undefined : inner.batch?.(batch, session);
}

/** Whether `close` is called or was: handlers expect no other call after it. The signal is created only for sessions that have ended. */
function isOver(session: Session): boolean {
  return session.ended && session.signal.aborted;
}
