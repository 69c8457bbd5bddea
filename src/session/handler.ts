/** Handlers: the application's code that processes messages. */
import type { Address } from '../address.ts';
import type { AnyCodec, MaybeCodec, Received, ReplyOf } from '../codec/codec.ts';
import type { Reply } from '../codec/reply.ts';
import { YodelError } from '../errors.ts';
import type { Batch, Message } from '../framing/message.ts';
import { checkHandlerFunction, checkHandlerObject } from './handler-checks.ts';
import type { RoomAction, StoredMessage } from './joining.ts';
import type { Session, SessionServer } from './public-session.ts';

/**
 * Called for each message, or its value with a codec, in order, while the connection is open. The return value is sent as the reply; a promise is
 * awaited first, and the session's next message waits for it. If it throws, the session is closed with an error reply: an own
 * error, such as `new YodelError('APP_DENIED', …)`, says what the peer receives.
 *
 * A handler may keep the message, but a stored message, or its `bytes`, keeps its whole chunk of up to 64 KiB in memory: store
 * `message.copy()` or `message.text`.
 */
export type MessageHandler<Data = unknown, C extends MaybeCodec = undefined> = (
  message: Received<C>,
  session: Session<Data, C>,
) => ReplyOf<C> | Promise<ReplyOf<C>>;

/**
 * The callbacks of a handler, for classes: `class Counter implements HandlerCallbacks`. All are optional; `message` and `batch`
 * exclude each other.
 */
export interface HandlerCallbacks<Data = unknown, C extends MaybeCodec = undefined> {
  /**
   * For handlers that pass messages on, such as to another server: their messages are binary unless the server's options say
   * otherwise, and frames of the connection's framing are sent exactly as they are, even with a line ending that the peer does
   * not use. With `transparent` the peer receives nothing but what the handler sends: instead of an error reply, its connection
   * is closed. Default: neither.
   */
  readonly forwarding?: 'frames' | 'transparent' | undefined;
  /**
   * How many descriptors (open files and sockets) a session takes at most besides its connection, such as 1 for a connection
   * to another server. The number of connections that fit into the process's limit depends on it. Default: 0.
   */
  readonly descriptors?: number | undefined;
  /**
   * How many descriptors each call of `message` takes at most while it is pending, such as for a child process. A session takes
   * that many for each call that `concurrency` allows. Default: 0.
   */
  readonly descriptorsPerCall?: number | undefined;
  /** Whether sessions may go on over TLS later, with {@link Session.startTls}. Default: no. */
  readonly startsTls?: boolean | undefined;
  /**
   * Whether the promise that `close` returns is awaited: until it settles, the connection keeps its place among maxConnections
   * and maxConnectionsPerAddress, and a server that shuts down waits for it. For handlers whose programs or connections outlive
   * a session for a moment. Default: no.
   */
  readonly awaitsClose?: boolean | undefined;
  /** The address that the handler connects to for each session. A server that listens there itself does not start. */
  readonly upstream?: Address | undefined;
  /**
   * Whether the handler limits its own time, so that `handlerTimeout` does not apply to it: a proxy waits for its server for as
   * long as its own time-outs say. Default: no.
   */
  readonly limitsItself?: boolean | undefined;
  /**
   * Called once before the server listens, and before any session, such as to connect to a database. A promise is awaited, for
   * `startTimeout`. If it fails, `serve()` rejects with what was thrown, and nothing listens. A handler that `reload()` brings is started before it gets
   * sessions. With several servers or processes: called in each.
   */
  readonly start?: ((server: SessionServer<Data, C>) => void | Promise<void>) | undefined;
  /**
   * Called once when the last session is closed: after a shutdown, or after `reload()` has brought another handler. `close()` of the
   * server waits for the promise for as long as is left of `shutdownTimeout`, at least a second. A failure is reported. Not
   * called if `start` has failed; if it took too long, called when it has succeeded after all.
   */
  readonly stop?: ((server: SessionServer<Data, C>) => void | Promise<void>) | undefined;
  /**
   * Whether its messages are handled one after another, whatever `concurrency` says: for handlers in which a message depends on
   * the one before it, such as a login. Default: no. Handlers with `startsTls` always handle one message at a time.
   */
  readonly sequential?: boolean | undefined;
  /**
   * Called once when the session begins, before any message. The connection is open. The return value is sent as a greeting;
   * a promise is awaited first, and messages wait for it.
   */
  readonly open?: ((session: Session<Data, C>) => ReplyOf<C> | Promise<ReplyOf<C>>) | undefined;
  /** See {@link MessageHandler}. */
  readonly message?: MessageHandler<Data, C> | undefined;
  /**
   * Called with all messages that one chunk completed, instead of `message`. This is the fastest form, because it does no work per
   * message. One call at a time: `concurrency` does not apply. The connection is open. The return value is sent; a promise is awaited first. The batch's bytes are borrowed
   * until the handler returns, or until its promise settles: copy what you keep longer. Sending them, to any session, is
   * always safe. See {@link Batch.slices}.
   */
  readonly batch?: ((batch: Batch, session: Session<Data, C>) => Reply | Promise<Reply>) | undefined;
  /**
   * Called once when all messages have been handled and no more will come: the peer has ended its side, the server shuts
   * down, or maxMessages was reached. `session.endedBy` says which, or `handler` if `session.end()` came first. The connection
   * is open. The return value is sent; a promise is awaited first, and more can be sent until it settles; then the session
   * ends. Not called after an error, nor after `session.close()` or `abort()`.
   */
  readonly end?: ((session: Session<Data, C>) => ReplyOf<C> | Promise<ReplyOf<C>>) | undefined;
  /**
   * Called when the session has read too slowly and has missed messages of a room: as many as it was not sent, just before it
   * receives the next one. The return value is sent, such as a line that says so. Without this callback the session is closed
   * instead. `room` is `''` if they were broadcasts.
   */
  readonly missed?: ((session: Session<Data, C>, room: string, messages: number) => ReplyOf<C>) | undefined;
  /**
   * Called for each message that was stored in a room, in each process that has members there, before they receive it, and for each
   * one that a session receives as history. What it returns is sent instead, such as the message with its position, from which
   * clients continue later. Without this callback, or if it returns nothing, the message is sent as it is.
   */
  readonly stored?: ((message: StoredMessage, room: string) => string | Uint8Array | Message | undefined) | undefined;
  /**
   * Called when the session has lost a room that it had joined alone, because a session in another process was first. It is no
   * member any more. The return value is sent. Without this callback the session is closed instead.
   */
  readonly taken?: ((session: Session<Data, C>, room: string) => ReplyOf<C>) | undefined;
  /**
   * Whether a client may do what it asks a built-in handler for: join a room, send to it, or receive its history. Handlers such as
   * `chat` ask this of the handler that they were made with. Absent: it may not.
   */
  readonly authorize?:
    | ((room: string, action: RoomAction, session: Session<Data, C>) => boolean | Promise<boolean>)
    | undefined;
  /**
   * Called once when the session is over. The connection is closed, and nothing can be sent. `error` is the reason; undefined
   * if both sides ended normally. A promise is awaited only with `awaitsClose`; its failure is reported in any case.
   */
  readonly close?: ((session: Session<Data, C>, error: YodelError | undefined) => void | Promise<void>) | undefined;
  /**
   * @internal For handlers that need messages also with a codec, and have a handler inside that gets values: returns the same handler
   * around one that `toMessages` has made of the handler inside.
   */
  readonly [withCodec]?:
    | ((toMessages: (inner: HandlerObject) => HandlerObject, codec: AnyCodec) => HandlerObject)
    | undefined;
}

/** @internal See {@link HandlerCallbacks}. */
export const withCodec: unique symbol = Symbol('yodel.withCodec');

/** @internal For handlers whose `message` gets messages in any case: with a codec the server does not start. @param what they are called */
export function takesMessages(what: string): Pick<HandlerCallbacks, typeof withCodec> {
  return {
    [withCodec]: () => {
      const text = `with the option "codec" handlers get values, and ${what} is a handler of messages`;
      throw new YodelError('YODEL_INVALID_HANDLER', text);
    },
  };
}

/**
 * A handler with several callbacks, of which `message` and `batch` exclude each other; with a codec it has no `batch`. See
 * {@link HandlerCallbacks}.
 */
export type HandlerObject<Data = unknown, C extends MaybeCodec = undefined> = HandlerCallbacks<Data, C> &
  ({ readonly batch?: undefined } | ([C] extends [undefined] ? { readonly message?: undefined } : never));

/** A handler: a function that is called for each message, or an object with callbacks. */
export type Handler<Data = unknown, C extends MaybeCodec = undefined> =
  | MessageHandler<Data, C>
  | HandlerObject<Data, C>;

/**
 * The object form of a handler.
 *
 * @throws YodelError `YODEL_INVALID_HANDLER`
 */
export function resolveHandler(handler: unknown): HandlerObject {
  if (typeof handler === 'function') {
    checkHandlerFunction(handler);
    return nameHandler({ message: handler as MessageHandler }, handler.name);
  }
  checkHandlerObject(handler);
  return handler as HandlerObject;
}

const names = new WeakMap<object, string>();

/** @internal Says what the log calls a handler: its name on the command line, or its function's. Returns the handler. */
export function nameHandler<Named extends object>(handler: Named, name: string): Named {
  names.set(handler, name);
  return handler;
}

/** @internal What the log calls a handler; undefined if it has no name. */
export function nameOfHandler(handler: object): string | undefined {
  return names.get(handler);
}

/** @internal Whether a callback returned a promise: any object with a `then` method, as for `await`. */
export function isPromise<Value>(value: Value | Promise<Value>): value is Promise<Value> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
