/**
 * The client's side of a connection, in messages. Used by `connect()`, the transcript player and `yodel send`.
 *
 *     chunk -> decode -> onBatch          send -> buffer -> one write
 */
import type { YodelError } from '../errors.ts';
import {
  asBuffer,
  type DecoderOptions,
  decodeChunk,
  encode,
  encodeLike,
  type Framing,
  isSameFraming,
} from '../framing/framing.ts';
import { type Batch, isMessage, type Message } from '../framing/message.ts';
import { type Conversation, openConversation, type Protocol } from '../framing/protocol.ts';
import { refuseBinary } from '../framing/utf8.ts';
import { Output } from '../session/output.ts';
import type { Connection, Handshake, Receiver } from '../transport/transport.ts';
import type { Link } from './link.ts';
import type { UnfinishedMessage } from './unfinished-message.ts';

/** Receives the events of a message connection, in this order. No call follows `onClose`. */
export interface MessageReceiver {
  /** Bytes arrived. Called before they are decoded; the chunk is valid during the call only. */
  onChunk?(chunk: Uint8Array): void;
  /**
   * The messages that a chunk completed, possibly none. Their memory is not borrowed. With `batch.fault`, the peer sent an
   * invalid message.
   */
  onBatch(batch: Batch): void;
  /** The peer ended its side. If the framing allows an unfinished last message, `onBatch` has already reported it. */
  onEnd(): void;
  /** The operating system took some of what was unsent. */
  onDrain?(): void;
  /** As `Receiver.onClose`; `unsent` bytes were lost. */
  onClose(error: Error | undefined, unsent: number): void;
}

/** Messages are buffered up to this size. Above it they are written without waiting for the end of the turn. */
const flushAt = 65_536;

/** A connection with a framing. It starts to receive when it is created. */
export class MessageConnection implements Receiver, Link {
  readonly #connection: Connection;
  readonly #protocol: Protocol;
  readonly #options: DecoderOptions;
  #framing: Framing;
  #conversation: Conversation;
  readonly #receiver: MessageReceiver;
  readonly #output = new Output();
  /** Whether the server may expect messages to be UTF-8. */
  readonly #isText: boolean;
  /** Whether `unsent` of the connection counts the bytes that it was given, and no others, as those of TLS or a WebSocket. */
  readonly #countsExactly: boolean;
  /** Bytes that the connection was given. */
  #written = 0;
  #isFlushDue = false;
  #isPaused = false;
  #isClosed = false;
  #whenDrained: (() => void)[] = [];

  /** @param protocol its framings are not used if the connection has its own */
  constructor(connection: Connection, protocol: Protocol, options: DecoderOptions, receiver: MessageReceiver) {
    this.#connection = connection;
    this.#protocol = protocol;
    this.#options = options;
    this.#conversation = openConversation(protocol, 'client', options, connection.framing);
    this.#framing = this.#framingOf(this.#conversation);
    this.#isText = options.encoding === 'utf8' && !connection.framing;
    this.#receiver = receiver;
    const { scheme } = connection.peer;
    this.#countsExactly = scheme === 'tcp' || scheme === 'unix';
    connection.start(this);
  }

  /** How the connection was established. */
  get handshake(): Handshake | undefined {
    return this.#connection.handshake;
  }

  /** A WebSocket has its own framing, and none of the protocol's customs. */
  get greetings(): number {
    return this.#connection.framing ? 0 : (this.#protocol.greeting ?? 0);
  }

  /** The framing of what this end sends, with the encoder of this connection. */
  get framing(): Framing {
    return this.#framing;
  }

  /** The framing of what it receives. */
  get replyFraming(): Framing {
    return this.#connection.framing ?? this.#protocol.replyFraming;
  }

  /** The connection goes on over TLS: the conversation begins anew, without a greeting. What was unfinished is dropped. */
  secured(): void {
    this.#conversation = openConversation(this.#protocol, 'client', this.#options, this.#connection.framing, true);
    this.#framing = this.#framingOf(this.#conversation);
  }

  #framingOf({ encoder }: Conversation): Framing {
    const framing = this.#connection.framing ?? this.#protocol.framing;
    return encoder === framing.encoder ? framing : { ...framing, encoder };
  }

  /** Bytes sent that the operating system has not taken yet. */
  get unsent(): number {
    return this.#connection.unsent + this.#output.size;
  }

  /** Where the next frame begins in all the bytes that were sent. */
  get position(): number {
    return this.#written + this.#output.size;
  }

  /** Whether the byte at this position was given to the operating system. Where that is not known exactly: to the transport. */
  hasLeft(position: number): boolean {
    return position < this.#written - (this.#countsExactly ? this.#connection.unsent : 0);
  }

  /** The message whose rest has not arrived, if there is one. */
  get unfinishedMessage(): UnfinishedMessage | undefined {
    const { pending: size, unfinished: bytes } = this.#conversation.decoder;
    return size > 0 ? { size, bytes } : undefined;
  }

  /** Sends a message. Messages sent in the same turn are sent in one write. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
  send(message: string | Uint8Array | Message): void {
    if (this.#conversation.sent || isMessage(message)) this.#sendEncoded(message);
    else this.#output.appendMessage(this.#conversation.encoder, message, undefined);
    if (this.#output.size >= flushAt) return this.#flush();
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    queueMicrotask(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  /** The frame that {@link send} would send. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
  encode(message: string | Uint8Array | Message): Uint8Array {
    return encode(this.#framing, message);
  }

  /** Sends a frame at once, after all earlier messages. Its bytes must not change afterwards. */
  sendFrame(frame: Uint8Array): void {
    this.#flush();
    this.#conversation.sent?.(frame);
    this.#written += frame.length;
    this.#connection.write(frame);
  }

  /** Resolves when the operating system has taken everything, or the connection is closed. */
  drained(): Promise<void> {
    if (this.#isClosed || this.unsent === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenDrained.push(resolve));
  }

  /** Stops receiving until {@link resume}. */
  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#connection.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#connection.resume();
  }

  /** Sends what is buffered, then FIN. */
  end(): void {
    this.#flush();
    this.#connection.end();
  }

  /** As `Connection.release`. */
  release(): void {
    this.#connection.release();
  }

  /** As `Connection.abort`. */
  abort(why?: YodelError): void {
    this.#connection.abort(why);
  }

  /** The unfinished last message, if the framing allows one. Nothing may be decoded after this. */
  unfinished(): Batch {
    return this.#conversation.decoder.end();
  }

  /** @internal */
  onData(chunk: Uint8Array): void {
    this.#receiver.onChunk?.(chunk);
    // Receivers keep messages beyond this call.
    const owned = this.#connection.chunksAreBorrowed ? Buffer.from(chunk) : chunk;
    for (const batch of decodeChunk(this.#conversation.decoder, owned)) this.#receiver.onBatch(batch);
  }

  /** @internal */
  onEnd(): void {
    this.#receiver.onBatch(this.#conversation.decoder.end());
    this.#receiver.onEnd();
  }

  /** @internal */
  onDrain(): void {
    this.#wakeIfDrained();
    this.#receiver.onDrain?.();
  }

  /** @internal */
  onClose(error?: Error): void {
    const { unsent } = this;
    this.#isClosed = true;
    this.#output.clear();
    this.#wake();
    this.#receiver.onClose(error, unsent);
  }

  #flush(): void {
    if (this.#output.size === 0) return;
    this.#written += this.#output.size;
    this.#output.writeTo(this.#connection);
    // The transport reports only bytes that had to wait.
    this.#wakeIfDrained();
  }

  #sendEncoded(message: string | Uint8Array | Message): void {
    const isForeign = isMessage(message) && !isSameFraming(message.framing, this.framing);
    if (this.#isText && isForeign && message.kind !== 'text') refuseBinary(message.bytes);
    const frame = asBuffer(encodeLike(this.framing, message, undefined, this.#conversation.encoder));
    this.#conversation.sent?.(frame);
    this.#output.append(frame, 0, frame.length);
  }

  #wakeIfDrained(): void {
    if (this.unsent === 0) this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#whenDrained.splice(0)) resolve();
  }
}
