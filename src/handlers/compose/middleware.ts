/** Middleware: code between a session and its handler. */
import type { AnyCodec, MaybeCodec, Received, ReplyOf } from '../../codec/codec.ts';
import type { Reply } from '../../codec/reply.ts';
import type { YodelError } from '../../errors.ts';
import type { Batch, Message } from '../../framing/message.ts';
import type { HandlerCallbacks, HandlerObject } from '../../session/handler.ts';
import type { RoomAction, StoredMessage } from '../../session/joining.ts';
import type { AnySession, Session, SessionServer } from '../../session/public-session.ts';

/**
 * Calls what follows in the chain, and returns what that returns. Arguments that are given replace those that the middleware was
 * called with; others stay as they are, so `next()` changes nothing. If what follows does not have the callback, nothing happens.
 *
 * It may be called once, several times, later, or not at all: what follows sees exactly these calls. Once the session is over,
 * it calls nothing and returns undefined.
 */
export type Next<Arguments extends readonly unknown[], Result> = (
  ...replaced: { [Index in keyof Arguments]?: Arguments[Index] | undefined }
) => Result;

/**
 * Middleware for messages: called instead of what follows in the chain, with `next`, which calls that. What it returns is the
 * reply; without `next()` nothing that follows sees the message.
 */
export type MessageMiddleware<Data = unknown, C extends MaybeCodec = undefined> = (
  message: Received<C>,
  session: Session<Data, C>,
  next: Next<[message: Received<C>, session: AnySession], ReplyOf<C> | Promise<ReplyOf<C>>>,
) => ReplyOf<C> | Promise<ReplyOf<C>>;

/**
 * Middleware with several callbacks: those of a handler, each with `next` as its last parameter. All are optional; what is absent
 * is not in the way.
 *
 * With both `message` and `batch`, a chain whose handler has `batch` calls `batch`, and any other chain `message`. With one of them,
 * it works in every chain: a batch may then have one message only.
 */
export interface MiddlewareObject<Data = unknown, C extends MaybeCodec = undefined>
  extends Pick<
    HandlerCallbacks<Data, C>,
    'descriptors' | 'descriptorsPerCall' | 'startsTls' | 'awaitsClose' | 'limitsItself' | 'sequential'
  > {
  /** See {@link HandlerCallbacks.start}. What follows starts when `next()` is called. */
  readonly start?:
    | ((
        server: SessionServer<Data, C>,
        next: Next<[server: SessionServer], void | Promise<void>>,
      ) => void | Promise<void>)
    | undefined;
  /** See {@link HandlerCallbacks.stop}. What follows stops when `next()` is called. */
  readonly stop?:
    | ((
        server: SessionServer<Data, C>,
        next: Next<[server: SessionServer], void | Promise<void>>,
      ) => void | Promise<void>)
    | undefined;
  /** See {@link HandlerCallbacks.open}. Messages wait for its promise. */
  readonly open?:
    | ((
        session: Session<Data, C>,
        next: Next<[session: AnySession], ReplyOf<C> | Promise<ReplyOf<C>>>,
      ) => ReplyOf<C> | Promise<ReplyOf<C>>)
    | undefined;
  /** See {@link MessageMiddleware}. */
  readonly message?: MessageMiddleware<Data, C> | undefined;
  /** See {@link HandlerCallbacks.batch}. The batch's bytes are borrowed until the promise settles, also for what follows. */
  readonly batch?:
    | ((
        batch: Batch,
        session: Session<Data, C>,
        next: Next<[batch: Batch, session: AnySession], Reply | Promise<Reply>>,
      ) => Reply | Promise<Reply>)
    | undefined;
  /** See {@link HandlerCallbacks.end}. */
  readonly end?:
    | ((
        session: Session<Data, C>,
        next: Next<[session: AnySession], ReplyOf<C> | Promise<ReplyOf<C>>>,
      ) => ReplyOf<C> | Promise<ReplyOf<C>>)
    | undefined;
  /** See {@link HandlerCallbacks.missed}. With this callback the session is not closed, whatever follows. */
  readonly missed?:
    | ((
        session: Session<Data, C>,
        room: string,
        messages: number,
        next: Next<[session: AnySession, room: string, messages: number], ReplyOf<C>>,
      ) => ReplyOf<C>)
    | undefined;
  /** See {@link HandlerCallbacks.taken}. With this callback the session is not closed, whatever follows. */
  readonly taken?:
    | ((
        session: Session<Data, C>,
        room: string,
        next: Next<[session: AnySession, room: string], ReplyOf<C>>,
      ) => ReplyOf<C>)
    | undefined;
  /** See {@link HandlerCallbacks.stored}. */
  readonly stored?:
    | ((
        message: StoredMessage,
        room: string,
        next: Next<[message: StoredMessage, room: string], string | Uint8Array | Message | undefined>,
      ) => string | Uint8Array | Message | undefined)
    | undefined;
  /** See {@link HandlerCallbacks.authorize}. `next()` returns false if nothing that follows has the callback. */
  readonly authorize?:
    | ((
        room: string,
        action: RoomAction,
        session: Session<Data, C>,
        next: Next<[room: string, action: RoomAction, session: AnySession], boolean | Promise<boolean>>,
      ) => boolean | Promise<boolean>)
    | undefined;
  /** See {@link HandlerCallbacks.close}. What follows releases what it has for the session only if `next()` is called. */
  readonly close?:
    | ((
        session: Session<Data, C>,
        error: YodelError | undefined,
        next: Next<[session: AnySession, error: YodelError | undefined], void | Promise<void>>,
      ) => void | Promise<void>)
    | undefined;
  /**
   * @internal For middleware that depends on what follows in the chain, and that gets messages although what follows gets values of a
   * codec: the middleware for these.
   */
  readonly [madeFor]?: ((inner: HandlerObject, codec: AnyCodec | undefined) => MiddlewareObject) | undefined;
}

/** Middleware: a function that is called for each message, or an object with callbacks. */
export type Middleware<Data = unknown, C extends MaybeCodec = undefined> =
  | MessageMiddleware<Data, C>
  | MiddlewareObject<Data, C>;

/** @internal See {@link MiddlewareObject}. */
export const madeFor: unique symbol = Symbol('yodel.madeFor');
