import type { Address } from '../address.ts';
import type { MaybeCodec, Received, Sendable } from '../codec/codec.ts';
import type { YodelError } from '../errors.ts';
import type { RequestOptions } from '../requests/request-options.ts';
import type { Handshake } from '../transport/transport.ts';
import type { ClientState } from './options.ts';
import type { UnfinishedMessage } from './unfinished-message.ts';

/**
 * A connection to a server. Iterate over it to receive the messages that are not replies to a request:
 * `for await (const message of client)`. The iteration ends when the server ends the connection, and throws when the
 * connection breaks.
 */
export interface Client<C extends MaybeCodec = undefined>
  extends AsyncIterable<Received<C>, undefined>,
    AsyncDisposable {
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
  /** Resolves when the client is closed for any reason. Never rejects. */
  readonly closed: Promise<void>;
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
   * The frame that {@link send} would send.
   *
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`, `YODEL_NOT_CONNECTED`
   */
  encode(message: Sendable<C>): Uint8Array;
  /** Resolves when the operating system has taken everything, or the connection has ended. */
  drained(): Promise<void>;
  /**
   * Sends a message and resolves with its reply. Any number of requests may be in flight: the server answers in order, so
   * the first message that arrives is the reply to the oldest request.
   *
   * @param options.timeoutMs default: the option `requestTimeout`; 0 for no limit
   * @throws YodelError `YODEL_REQUEST_TIMEOUT`, `YODEL_CONNECTION_CLOSED`, `YODEL_CONNECTION_RESET`,
   *   `YODEL_NOT_CONNECTED`, `YODEL_UNENCODABLE_MESSAGE`, `YODEL_INVALID_OPTION`; the signal's reason when it is aborted
   */
  request(message: Sendable<C>, options?: RequestOptions): Promise<Received<C>>;
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
