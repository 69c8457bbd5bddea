/// <reference lib="esnext.disposable" preserve="true" />
import type { Address } from '../address.ts';
import type { MaybeCodec, Received, Sendable } from '../codec/codec.ts';
import type { YodelError } from '../errors.ts';
import type { RequestOptions } from '../requests/request-options.ts';
import type { RequestCounters } from '../requests/requests.ts';
import type { Handshake } from '../transport/client-handshake.ts';
import type { ReadyOptions } from './readiness.ts';
import type { UnfinishedMessage } from './unfinished-message.ts';

/** The state of a client. `message-client.ts` has the table of states. */
export type ClientState = 'open' | 'reconnecting' | 'ending' | 'closed';

/**
 * A connection to a server. Iterate over it to receive the messages that are not replies to a request:
 * `for await (const message of client)`. The iteration ends when the server ends the connection, and throws when the
 * connection breaks.
 */
export interface Client<C extends MaybeCodec = undefined> extends AsyncDisposable {
  /** The server's address. */
  readonly address: Address;
  readonly state: ClientState;
  /** How the current connection was established: addresses, times, TLS, certificate. Undefined while there is none. */
  readonly handshake: Handshake | undefined;
  /**
   * The message whose rest has not arrived, such as a prompt without its line end. Undefined: there is none. What a broken
   * connection left remains until the next one.
   */
  readonly unfinished: UnfinishedMessage | undefined;
  /** Bytes sent that the operating system has not taken yet. */
  readonly unsent: number;
  /** What was sent and received until now, over all connections. */
  readonly counters: ClientCounters;
  /**
   * Resolves when the client is closed for any reason: with the error that closed it, or with undefined after a normal end, by this
   * side or by the server. An end is not normal while requests are in flight, where `closeTimeout` was exceeded, and
   * after the last attempt to reconnect. Never rejects.
   */
  readonly closed: Promise<YodelError | undefined>;
  /**
   * Resolves when the client can send: now if it is open, else once it has reconnected. The connection may be lost again before the
   * program continues, so that {@link send} throws nevertheless.
   *
   * @throws YodelError `YODEL_CONNECTION_CLOSED` it is closed or being closed, or the error that closed it while this waited;
   *   `YODEL_CONNECT_TIMEOUT` after `timeoutMs`; `YODEL_INVALID_OPTION`; the signal's reason when it is aborted
   */
  ready(options?: ReadyOptions): Promise<void>;
  /**
   * Sends a message and expects no reply.
   *
   * A message that came in a frame of the same framing is sent as that frame; any other is encoded again, from its payload and
   * header.
   *
   * @returns true; false when more than highWaterMark bytes are unsent: wait for {@link drained} before you send more; a
   *   `YodelError` (`YODEL_UNENCODABLE_MESSAGE`) if this framing cannot express the message, which is then not sent
   * @throws YodelError `YODEL_CONNECTION_CLOSED`, `YODEL_NOT_CONNECTED`
   */
  send(message: Sendable<C>): boolean | YodelError;
  /**
   * Sends all messages, as fast as the server takes them, and waits while the client reconnects. Messages that were on their way when
   * a connection was lost are lost. Resolves with the number of messages when the operating system has taken them.
   *
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`, and as {@link ready}; what the iteration throws. Nothing more is sent then, and the
   *   iteration is ended. It rejects at once when the client is closed, also while it waits for the iteration
   */
  sendAll(
    messages: object & (Iterable<Sendable<C>> | AsyncIterable<Sendable<C>>),
    options?: SendAllOptions,
  ): Promise<number>;
  /**
   * The frame that {@link send} would send.
   *
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`, `YODEL_NOT_CONNECTED`
   */
  encode(message: Sendable<C>): Uint8Array;
  /** Resolves when the operating system has taken everything, or the connection has ended. */
  drained(): Promise<void>;
  /**
   * Sends a message and resolves with its reply. Any number of requests may be in flight, up to `maxRequestsInFlight`. The option
   * `correlate` says which message is the reply.
   *
   * A request that times out or is cancelled stays sent; its late reply is dropped and counted.
   *
   * @param options.timeoutMs default: the option `requestTimeout`; 0 for no limit
   * @throws YodelError `YODEL_REQUEST_TIMEOUT`, `YODEL_CONNECTION_CLOSED`, `YODEL_CONNECTION_RESET`,
   *   `YODEL_NOT_CONNECTED`, `YODEL_UNENCODABLE_MESSAGE`, `YODEL_INVALID_OPTION`, `YODEL_TOO_MANY_REQUESTS`,
   *   `YODEL_INVALID_REQUEST_ID`, `YODEL_REPLY_MISMATCH`; the signal's reason when it is aborted
   */
  request(message: Sendable<C>, options?: RequestOptions): Promise<Received<C>>;
  /**
   * The messages that are not replies, of which each goes to one of those who iterate. `break` leaves the client open.
   *
   * @throws YodelError why the connection broke, once in each iteration; `YODEL_UNDECODABLE_MESSAGE` of a codec, after which the iteration
   *   may go on
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Received<C>, undefined>;
  /**
   * The messages that are not replies, as a web stream: the same ones as by iteration, of which each goes to one reader. It takes a
   * message when it is read. Cancelling it leaves the client open. This is another stream once the last one was cancelled or has failed.
   */
  readonly readable: ReadableStream<Received<C>>;
  /**
   * Sends what is written, one message for each chunk, as {@link sendAll} does. Closing it ends this side ({@link end}); aborting it
   * aborts the client.
   */
  readonly writable: WritableStream<Sendable<C>>;
  /** Ends this side (FIN). Messages are still received until the server ends its side. */
  end(): void;
  /**
   * Ends this side and waits, at most closeTimeout, for pending replies and for the server to end its side. Messages that are
   * not replies are dropped.
   */
  close(): Promise<void>;
  /** Closes the connection at once. Requests in flight are rejected. */
  abort(): void;
}

/** Options of {@link Client.sendAll}. */
export interface SendAllOptions {
  /** Stops it at once, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What a client has sent and received, over all of its connections. */
export interface ClientCounters extends Readonly<RequestCounters> {
  /** Requests included. */
  readonly messagesSent: number;
  /** Replies included. */
  readonly messagesReceived: number;
  /** In frames. Some may not have left this process, see {@link Client.unsent}. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Connections after the first one. */
  readonly reconnects: number;
}

/**
 * A connection that is being prepared by the option `onConnect`: nobody else can send on it yet. It is valid until `onConnect` is
 * done.
 */
export interface NewConnection<C extends MaybeCodec = undefined> {
  readonly address: Address;
  /** How it was established. */
  readonly handshake: Handshake | undefined;
  /** Whether the client had a connection before. */
  readonly isReconnect: boolean;
  /** Is aborted when the connection is lost, when the client is closed, or after `connectTimeout`. */
  readonly signal: AbortSignal;
  /** As {@link Client.send}. @throws YodelError `YODEL_NOT_CONNECTED` the connection is lost, or `onConnect` is done */
  send(message: Sendable<C>): boolean | YodelError;
  /** As {@link Client.request}. */
  request(message: Sendable<C>, options?: RequestOptions): Promise<Received<C>>;
  /**
   * The next message that is no reply. Those that are not received here can be received from the client afterwards.
   *
   * @throws YodelError why the connection was lost
   */
  receive(): Promise<Received<C>>;
}
