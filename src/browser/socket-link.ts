/**
 * A connection in messages over the WebSocket of a browser.
 *
 * | The browser's WebSocket                              | The link                                                     |
 * |------------------------------------------------------|--------------------------------------------------------------|
 * | delivers messages as fast as they arrive             | `pause` does nothing                                         |
 * | has no event for what was sent, only a number        | `drained` looks at the number again and again                |
 * | drops what arrives after `close()`                   | `endsBothSides`: the client ends it when it has its replies  |
 * | cannot be cut off                                    | `abort` and `release` close it, and no longer listen to it   |
 * | gives no reason why it could not connect             | `open-socket.ts` asks the server over HTTP                   |
 */
import type { WebSocketAddress } from '../address.ts';
import type { Link, LinkReceiver } from '../client/link.ts';
import type { Clock } from '../clock.ts';
import { YodelError } from '../errors.ts';
import { hasMark, messageMark } from '../framing/marks.ts';
import type { Message } from '../framing/message.ts';
import { describeClose, isOrderly, normalCode } from '../transport/websocket/close-codes.ts';
import type { Socket, SocketClose } from './environment.ts';
import { asMessage, WebSocketMessage } from './message.ts';
import { utf8Length } from './utf8-length.ts';

/** Programs in browsers may close only with 1000 and the codes above 3000: this is the usual one, 1009, in the private range. */
const tooBig = 4009;
/** The same for any other error: 1011. */
const otherError = 4011;
/** The connection broke, without a close frame. */
const broken = 1006;

/** How often it is checked whether everything was sent, in milliseconds. */
const checkEvery = 10;

/** A WebSocket that is open, or being opened. */
export class SocketLink implements Link {
  readonly handshake = undefined;
  readonly unfinishedMessage = undefined;
  readonly endsBothSides = true;
  readonly greetings = 0;
  readonly #socket: Socket;
  readonly #address: WebSocketAddress;
  readonly #maxMessageLength: number;
  readonly #clock: Clock;
  #receiver: LinkReceiver | undefined;
  /** What happened before `start`. */
  #early: (() => void)[] = [];
  /** `end` was called. */
  #isEnding = false;
  #isClosed = false;
  #whenDrained: (() => void)[] = [];
  #position = 0;

  constructor(socket: Socket, address: WebSocketAddress, maxMessageLength: number, clock: Clock) {
    this.#socket = socket;
    this.#address = address;
    this.#maxMessageLength = maxMessageLength;
    this.#clock = clock;
    socket.onmessage = ({ data }) => this.#happened(() => this.#received(data));
    socket.onclose = (event) => this.#happened(() => this.#ended(event));
  }

  get unsent(): number {
    return this.#socket.bufferedAmount;
  }

  /** Begins to deliver, after this turn. */
  start(receiver: LinkReceiver): this {
    queueMicrotask(() => {
      this.#receiver = receiver;
      for (const event of this.#early.splice(0)) if (!this.#isClosed) event();
    });
    return this;
  }

  get position(): number {
    return this.#position;
  }

  /** The browser's number of unsent bytes is not exact enough to tell. */
  hasLeft(): boolean {
    return true;
  }

  send(message: string | Uint8Array | Message): void {
    const payload = payloadOf(message);
    this.#position += typeof payload === 'string' ? utf8Length(payload) : payload.length;
    this.#socket.send(payload);
  }

  encode(message: string | Uint8Array | Message): Uint8Array {
    const payload = payloadOf(message);
    return typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
  }

  drained(): Promise<void> {
    if (this.#isClosed || this.unsent === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenDrained.push(resolve);
      if (this.#whenDrained.length === 1) this.#checkLater();
    });
  }

  pause(): void {}

  resume(): void {}

  end(): void {
    this.#isEnding = true;
    this.#socket.close(normalCode);
  }

  release(): void {
    this.#socket.close(normalCode);
    this.#forget();
  }

  abort(why?: YodelError): void {
    if (why) this.#socket.close(why.code === 'YODEL_MESSAGE_TOO_LONG' ? tooBig : otherError);
    else this.#socket.close();
    this.#forget();
  }

  #happened(event: () => void): void {
    if (this.#receiver) event();
    else this.#early.push(event);
  }

  #received(data: unknown): void {
    const payload = typeof data === 'string' ? data : new Uint8Array(data as ArrayBuffer);
    const message = new WebSocketMessage(payload);
    const { size } = message;
    this.#receiver?.onChunk({ length: size });
    if (size <= this.#maxMessageLength) return this.#receiver?.onBatch([asMessage(message)]);
    const text = `a message has ${size} bytes, and maxMessageLength is ${this.#maxMessageLength}`;
    this.#receiver?.onBatch(Object.assign([], { fault: new YodelError('YODEL_MESSAGE_TOO_LONG', text) }));
  }

  #ended({ code, reason }: SocketClose): void {
    const error = this.#errorOf(code, reason);
    if (!error) this.#receiver?.onEnd();
    // In `onEnd` the client may have given up the link.
    if (!this.#isClosed) this.#close(error);
  }

  #errorOf(code: number, reason: string): YodelError | undefined {
    // Some servers answer a close frame by ending the connection.
    if (isOrderly(code) || (code === broken && this.#isEnding && this.unsent === 0)) return undefined;
    if (code === broken) {
      const text = `the connection to ${this.#address} broke: it ended without a close frame${lost(this.unsent)}`;
      return new YodelError('YODEL_CONNECTION_RESET', text);
    }
    const text = `${this.#address} closed the WebSocket with ${describeClose(code, reason)}${lost(this.unsent)}`;
    return new YodelError('YODEL_WEBSOCKET_CLOSED', text);
  }

  /** Closes without waiting for the server. */
  #forget(): void {
    if (this.#isClosed) return;
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    queueMicrotask(() => {
      if (!this.#isClosed) this.#close(undefined);
    });
  }

  #close(error: YodelError | undefined): void {
    this.#isClosed = true;
    for (const wake of this.#whenDrained.splice(0)) wake();
    this.#receiver?.onClose(error);
  }

  #checkLater(): void {
    this.#clock.after(checkEvery, () => {
      if (this.unsent > 0 && !this.#isClosed) this.#checkLater();
      else for (const wake of this.#whenDrained.splice(0)) wake();
    });
  }
}

/** `; 12 bytes were not sent`, or nothing. */
function lost(unsent: number): string {
  return unsent > 0 ? `; ${unsent} bytes were not sent` : '';
}

/** What the WebSocket sends as text, or as a binary message. */
function payloadOf(message: string | Uint8Array | Message): string | Uint8Array {
  if (typeof message === 'string' || message instanceof Uint8Array) return message;
  if (hasMark(message, messageMark)) return message.kind === 'text' ? message.text : message.bytes;
  throw new YodelError(
    'YODEL_UNENCODABLE_MESSAGE',
    'a message is text, a Uint8Array or a Message; other values need a codec',
  );
}
