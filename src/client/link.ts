/** What a client needs below it: a connection in messages. `MessageConnection` is one, over the transports; `browser/` has another. */
import type { YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import type { Handshake } from '../transport/client-handshake.ts';
import type { UnfinishedMessage } from './unfinished-message.ts';

/** A connection in messages. */
export interface Link {
  /** How it was established, if that is known. */
  readonly handshake: Handshake | undefined;
  /** The number of messages that the server sends before any reply. */
  readonly greetings: number;
  /** Bytes sent that the operating system has not taken yet. */
  readonly unsent: number;
  /** The message whose rest has not arrived, if there is one. */
  readonly unfinishedMessage: UnfinishedMessage | undefined;
  /** Where the next frame begins in all the bytes that were sent: their number. */
  readonly position: number;
  /** Whether the byte at this position has left this process, or may have. */
  hasLeft(position: number): boolean;
  /** Sends a message. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
  send(message: string | Uint8Array | Message): void;
  /** The frame that {@link send} would send. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
  encode(message: string | Uint8Array | Message): Uint8Array;
  /** Resolves when everything was taken, or the connection is closed. */
  drained(): Promise<void>;
  /** Stops receiving until {@link resume}, where that is possible. */
  pause(): void;
  resume(): void;
  /**
   * Whether nothing is received after {@link end}, as in browsers. The client then waits with it for the replies to its requests.
   */
  readonly endsBothSides?: boolean | undefined;
  /** Sends what is buffered, then ends this side. */
  end(): void;
  /** Closes the connection without a reset where possible, and receives nothing more. */
  release(): void;
  /** Closes the connection at once; `why` is an error of the peer. */
  abort(why?: YodelError): void;
}

/** Messages that arrived together, and the error that follows them, if there is one. */
export interface ReceivedMessages extends Iterable<Message> {
  readonly fault?: YodelError | undefined;
}

/** Receives the events of a link, in this order. No method is called from inside a call to the link, and none after `onClose`. */
export interface LinkReceiver {
  /** Bytes arrived. Called before they are decoded. */
  onChunk(chunk: { readonly length: number }): void;
  /** The messages that a chunk completed, possibly none. */
  onBatch(batch: ReceivedMessages): void;
  /** The peer ended its side. */
  onEnd(): void;
  /** The connection is closed; with an error if it broke, which names the address and what was lost. Called exactly once. */
  onClose(error: YodelError | undefined): void;
}

/** A connection that is established, and not received from yet. */
export type OpenedLink = (receiver: LinkReceiver) => Link;

/** Connects. Rejects with a YodelError that names the address, or with the signal's reason. */
export type OpenLink = (signal: AbortSignal | undefined) => Promise<OpenedLink>;
