/** What a server does with messages. */
import type { Address } from '../address.ts';
import { YodelError } from '../errors.ts';
import type { Framing } from '../framing/framing.ts';
import type { Batch, Message } from '../framing/message.ts';
import type { SessionView } from '../telemetry/telemetry.ts';
import type { Security } from '../transport/transport.ts';

/**
 * What a handler sends back to the same session: text, bytes, a message (its frame goes back byte for byte), a batch
 * (likewise), several of these in order, or nothing.
 */
export type Reply = string | Uint8Array | Message | Batch | readonly Reply[] | null | undefined | void;

/** One conversation, as its handler sees it. */
export interface Session extends SessionView {
  /** Counted from 1 over the life of the server. */
  readonly id: number;
  readonly peer: Address;
  readonly local: Address;
  /** What was agreed on when the connection is encrypted, the client's certificate included; else undefined. */
  readonly security: Security | undefined;
  /** The framing that the server was given: for handlers that pass messages on to something else, or take some from it. */
  readonly framing: Framing;
  /**
   * Whether the connection keeps messages apart by itself (WebSocket): then their frames are not of {@link framing}, and
   * mean nothing elsewhere.
   */
  readonly carriesMessages: boolean;
  /** A place for what the handler wants to remember about this session. Empty at first. */
  readonly data: Record<string, unknown>;
  /** Aborted when the session is over: for handlers that wait for something. */
  readonly signal: AbortSignal;
  /** True once nothing can be sent any more. */
  readonly ended: boolean;
  /**
   * Sends a message, also when none was received; or all messages of a batch. It leaves with the replies of the current
   * batch, or at the end of the current turn of the event loop. The frames of a message and a batch are sent as they
   * came; they may come from another connection of the same framing.
   *
   * @param to the message that it answers: text and bytes end as that one did
   * @returns false when the peer is behind by more than highWaterMark (wait for {@link drained}), or the session has ended
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`
   */
  send(message: string | Uint8Array | Message | Batch, to?: Message): boolean;
  /**
   * Puts bytes on the wire as they are. It is for frames that are cut or wrong on purpose: whoever reads them must find
   * their ends. A WebSocket takes only whole frames, as {@link encode} makes them.
   *
   * @param messages how many messages end in these bytes, for the counters. Default 0
   * @returns as {@link send}
   */
  write(bytes: Uint8Array, messages?: number): boolean;
  /**
   * The frame in which {@link send} would send the message.
   *
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`
   */
  encode(message: string | Uint8Array | Message, to?: Message): Uint8Array;
  /** Resolves when the peer has caught up, or the session has ended. */
  drained(): Promise<void>;
  /**
   * Sends no more (FIN, after all that was sent). Messages are still taken and handled, until the peer ends as well.
   * {@link ended} is true from now on.
   */
  end(): void;
  /**
   * Ends the session: what was sent still arrives, messages not yet handled are dropped.
   *
   * @param error why, when something is wrong: the peer is told its text in a last reply, `error: …`, and the log has it
   */
  close(error?: YodelError): void;
  /**
   * Breaks the session off at once; what is unsent is lost.
   *
   * @param error why, for the log
   */
  abort(error?: YodelError): void;
}

/**
 * Called for each message, in order, while the connection is open. The return value is sent as the reply; a promise is
 * awaited, and the session's next message waits for it. If it throws, the session is closed with an error reply.
 */
export type MessageHandler = (message: Message, session: Session) => Reply | Promise<Reply>;

/** A handler with more than one callback. All are optional; `message` and `batch` exclude one another. */
export interface HandlerObject {
  /**
   * Called once when the session begins, before any message; the connection is open. The return value is sent (a greeting);
   * a promise is awaited, and messages wait for it.
   */
  open?(session: Session): Reply | Promise<Reply>;
  /** See {@link MessageHandler}. */
  message?(message: Message, session: Session): Reply | Promise<Reply>;
  /**
   * Called with all messages that one chunk completed, instead of `message`: the fastest way, for nothing is done per message.
   * The connection is open. The return value is sent; a promise is awaited. The batch's bytes are borrowed until the handler
   * has returned, or until its promise is settled: copy what you keep longer. What is sent, to whichever session, is safe.
   * See {@link Batch.slices}.
   */
  batch?(batch: Batch, session: Session): Reply | Promise<Reply>;
  /**
   * Called once when no more messages will come and all have been handled: the peer has ended its side, the server
   * shuts down, or maxMessages was reached (`session.endedBy` says which). The connection is open. The return value is
   * sent; a promise is awaited, and meanwhile more can be sent; then the session ends. It is not called when something
   * went wrong, nor after `session.close()` and `abort()`.
   */
  end?(session: Session): Reply | Promise<Reply>;
  /**
   * Called once when the session is over, after `open`; the connection is closed and nothing can be sent. `error` says
   * why, unless both sides wished it. Nothing waits for a promise, but its failure is reported.
   */
  close?(session: Session, error: YodelError | undefined): void | Promise<void>;
}

/** What a server does with messages: a function called for each, or an object. */
export type Handler = MessageHandler | HandlerObject;

/**
 * The object form of a handler.
 *
 * @throws YodelError `YODEL_INVALID_HANDLER`
 */
export function resolveHandler(handler: unknown): HandlerObject {
  if (typeof handler === 'function') return { message: handler as MessageHandler };
  const invalid = (why: string) => new YodelError('YODEL_INVALID_HANDLER', `${why}. ${rightForm}`);
  if (typeof handler !== 'object' || handler === null) throw invalid('this is not a handler');
  const callbacks = handler as Record<string, unknown>;
  const given = callbackNames.filter((name) => callbacks[name] !== undefined);
  if (given.length === 0) throw invalid('the handler has no callback');
  const wrong = given.find((name) => typeof callbacks[name] !== 'function');
  if (wrong !== undefined) throw invalid(`the handler's "${wrong}" is not a function`);
  if (callbacks.message && callbacks.batch) throw invalid('the handler has both "message" and "batch"');
  return handler as HandlerObject;
}

/** @internal Whether a callback returned a promise: any object with a `then`, as `await` sees it. */
export function isPromise<Value>(value: Value | Promise<Value>): value is Promise<Value> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

const callbackNames = ['open', 'message', 'batch', 'end', 'close'];
const rightForm =
  'A handler is a function (message, session) => reply, or an object with open, message or batch, end, and close';
