/** What a server does with messages. */
import type { Address } from '../address.ts';
import { YodelError } from '../errors.ts';
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
  /** A place for what the handler wants to remember about this session. Empty at first. */
  readonly data: Record<string, unknown>;
  /** Aborted when the session is over: for handlers that wait for something. */
  readonly signal: AbortSignal;
  /** True once nothing can be sent any more. */
  readonly ended: boolean;
  /**
   * Sends a message, also when none was received. It leaves with the replies of the current batch, or at the end of
   * the current turn of the event loop.
   *
   * @returns false when the peer is behind by more than highWaterMark (wait for {@link drained}), or the session has ended
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`
   */
  send(message: string | Uint8Array | Message): boolean;
  /** Resolves when the peer has caught up, or the session has ended. */
  drained(): Promise<void>;
  /** Ends the session: what was sent still arrives, messages not yet handled are dropped. */
  close(): void;
  /** Breaks the session off at once; what is unsent is lost. */
  abort(): void;
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
   * The connection is open. The return value is sent; a promise is awaited. The batch's bytes are lent until the handler
   * has returned, or until its promise is settled: copy what you keep longer. What is sent, to whichever session, is safe.
   * See {@link Batch.slices}.
   */
  batch?(batch: Batch, session: Session): Reply | Promise<Reply>;
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

const callbackNames = ['open', 'message', 'batch', 'close'];
const rightForm =
  'A handler is a function (message, session) => reply, or an object with open, message or batch, and close';
