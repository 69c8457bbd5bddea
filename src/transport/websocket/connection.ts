/**
 * A WebSocket as a connection: its bytes are those of the connection below, with control frames among them. The decoder of
 * {@link WebSocketConnection.framing} passes the control frames on to here.
 *
 * | This side          | The peer                | What happens                                                         |
 * |--------------------|-------------------------|----------------------------------------------------------------------|
 * | open               | sends a close frame     | `onEnd`; with a code that reports a problem, `onClose`               |
 * | `end`              |                         | a close frame is sent; what the peer still sends is delivered        |
 * | both have sent one |                         | FIN is sent; `onClose` when the peer has sent one, too               |
 * | open               | FIN, but no close frame | `onClose` with an error                                              |
 */
import type { Address } from '../../address.ts';
import { type Clock, realClock, type Timer } from '../../clock.ts';
import { textForPeer } from '../../error-for-peer.ts';
import { YodelError } from '../../errors.ts';
import { asBuffer, decodeChunk, type Framing } from '../../framing/framing.ts';
import { ownCopy } from '../../framing/slices.ts';
import { type CloseReason, closePayload } from '../../framing/websocket/close.ts';
import type { ControlFrames, WebSocketDecoder } from '../../framing/websocket/decoder.ts';
import { controlBit, maxControlSize, opcodes } from '../../framing/websocket/header.ts';
import { controlFrame, websocket, websocketClient, websocketDecoder } from '../../framing/websocket.ts';
import type { Connection, Handshake, MemoryKeeper, Receiver, Security, WebSocketUpgrade } from '../transport.ts';
import { closeCodeFor, describeClose, isOrderly, normalCode } from './close-codes.ts';
import type { ReceivedRequest } from './received-request.ts';

/** What distinguishes one WebSocket connection from another. */
export interface WebSocketOptions {
  /** Whether this is the client's end. */
  readonly isClient: boolean;
  /** The other side's address. */
  readonly peer: Address;
  /** See `webSocketOptions.pingInterval` in options.ts. 0: never. */
  readonly pingInterval: number;
  /** Measures that. Default: real time. */
  readonly clock?: Clock | undefined;
  /** The server's answer, at the client's end. */
  readonly upgrade?: WebSocketUpgrade | undefined;
  /** The client's request, at the server's end. */
  readonly request?: ReceivedRequest | undefined;
}

/** One end of a WebSocket, after its handshake. It is the receiver of the connection below. */
export class WebSocketConnection implements Connection, Receiver, ControlFrames {
  readonly peer: Address;
  readonly framing: Framing;
  readonly #inner: Connection;
  readonly #isClient: boolean;
  readonly #pingInterval: number;
  readonly #clock: Clock;
  /** The server's answer, at the client's end. */
  readonly #answer: WebSocketUpgrade | undefined;
  /** The request, at the server's end. */
  readonly upgrade: ReceivedRequest | undefined;
  #decoder: WebSocketDecoder | undefined;
  #receiver: Receiver | undefined;
  /** Received before `start`. The connection below is paused until then. */
  #early: Buffer | undefined;
  #hasEndedEarly = false;
  #closedEarly: { readonly error: Error | undefined } | undefined;
  #isPaused = false;
  #hasSentClose = false;
  /** The peer's close frame. Nothing is received after it. */
  #peersClose: CloseReason | undefined;
  /** After `release` or `abort`: only `onClose` may still be called. */
  #isReleased = false;
  #isClosed = false;
  /** The beginning of a control frame whose rest has not arrived. */
  #begun: Buffer | undefined;
  /** The data of the newest ping that is not answered, in memory that is used for each. */
  #ping: Buffer | undefined;
  #pingMemory: Buffer | undefined;
  #pingTimer: Timer | undefined;
  /** Whether something arrived since the timer last fired. */
  #isHeard = true;
  #isPinged = false;

  /** @param early what arrived after the handshake */
  constructor(
    inner: Connection,
    early: Buffer,
    { isClient, peer, pingInterval, clock, upgrade, request }: WebSocketOptions,
  ) {
    this.#inner = inner;
    this.#early = early;
    this.#isClient = isClient;
    this.#pingInterval = pingInterval;
    this.#clock = clock ?? realClock;
    this.#answer = upgrade;
    this.upgrade = request;
    this.peer = peer;
    const framing = isClient ? websocketClient : websocket;
    // The first decoder is the one of this connection; others only read recorded bytes.
    this.framing = {
      ...framing,
      createDecoder: (options) => {
        if (this.#decoder) return framing.createDecoder(options);
        this.#decoder = websocketDecoder(isClient ? 'unmasked' : 'masked', options, this);
        return this.#decoder;
      },
    };
    inner.pause();
  }

  get local(): Address {
    return this.#inner.local;
  }

  get security(): Security | undefined {
    return this.#inner.security;
  }

  get handshake(): Handshake | undefined {
    const below = this.#inner.handshake;
    return below && { ...below, upgrade: this.#answer };
  }

  get chunksAreBorrowed(): boolean {
    return this.#inner.chunksAreBorrowed;
  }

  get awaitsTurn(): boolean | undefined {
    return this.#inner.awaitsTurn;
  }

  get descriptor(): number | undefined {
    return this.#inner.descriptor;
  }

  get unsent(): number {
    return this.#inner.unsent;
  }

  get unsentMemory(): number {
    return this.#inner.unsentMemory ?? this.unsent;
  }

  get keeper(): MemoryKeeper | undefined {
    return this.#receiver?.keeper;
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    this.#countRequest();
    queueMicrotask(this.#begin);
    this.#awaitPeer();
  }

  #countRequest(): void {
    const size = this.upgrade?.countedSize ?? 0;
    if (size > 0) this.keeper?.kept(this.upgrade as ReceivedRequest, size);
  }

  /** Delivers what arrived early, unless it is paused. */
  readonly #begin = (): void => {
    if (this.#isReleased && this.#closedEarly) return this.#closed(undefined);
    if (this.#isPaused || this.#early === undefined || this.#isReleased) return;
    const early = this.#early;
    this.#early = undefined;
    if (early.length > 0) this.onData(early);
    if (!this.#isPaused) this.#inner.resume();
    if (this.#hasEndedEarly) this.onEnd();
    if (this.#closedEarly) this.onClose(this.#closedEarly.error);
  };

  write(bytes: Uint8Array): void {
    if (!this.#hasSentClose) this.#inner.write(bytes);
  }

  pause(): void {
    this.#isPaused = true;
    this.#inner.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#early === undefined) this.#inner.resume();
    else if (this.#receiver) queueMicrotask(this.#begin);
  }

  end(why?: YodelError): void {
    if (this.#hasSentClose) return;
    this.#sendClose(why);
    // What follows an invalid frame cannot be read, not even a close frame.
    if (this.#peersClose || this.#decoder?.fault) this.#inner.end();
  }

  release(): void {
    this.#isReleased = true;
    this.#sendClose(undefined);
    this.#inner.release();
  }

  abort(why: YodelError | undefined = this.#decoder?.fault): void {
    this.#isReleased = true;
    // A reset could overtake the close frame.
    // A reset on purpose has no close code: it is what a broken network does.
    if (!why || why.code === 'YODEL_FAULT' || this.#inner.unsent > 0) return this.#inner.abort();
    this.#sendClose(why);
    this.#inner.release();
  }

  /** @internal */
  onData(chunk: Uint8Array): void {
    const receiver = this.#receiver;
    if (!receiver || this.#early) {
      this.#early = ownCopy(Buffer.concat([this.#early ?? none, chunk]));
      return;
    }
    if (this.#isReleased || this.#peersClose || this.#isClosed) return;
    this.#isHeard = true;
    this.#decoder ??= websocketDecoder(this.#isClient ? 'unmasked' : 'masked', discarded, this);
    const decoder = this.#decoder;
    const bytes = this.#withoutControlFrames(decoder, asBuffer(chunk));
    if (bytes.length > 0 && !this.#peersClose) {
      const { calls } = decoder;
      receiver.onData(bytes);
      // A receiver that discards its input, such as one that is ending, does not decode it.
      if (decoder.calls === calls) for (const batch of decodeChunk(decoder, bytes)) void batch;
    }
    if (this.#ping && this.#inner.unsent === 0) this.#answerPing();
    if (this.#peersClose) this.#peerClosed(this.#peersClose);
  }

  /** Takes the control frames at the beginning of a chunk. They are not passed on, because they must not count as activity. */
  #withoutControlFrames(decoder: WebSocketDecoder, chunk: Buffer): Buffer {
    const bytes = this.#begun ? Buffer.concat([this.#begun, chunk]) : chunk;
    this.#begun = undefined;
    if (((bytes[0] as number) & controlBit) === 0) return bytes;
    const end = decoder.takeControlFrames(bytes);
    if (!decoder.isControlFrameBegun(bytes, end)) return bytes.subarray(end);
    this.#begun = ownCopy(bytes.subarray(end));
    return none;
  }

  /** @internal */
  onEnd(): void {
    if (!this.#receiver || this.#early) {
      this.#hasEndedEarly = true;
      return;
    }
    if (this.#isReleased || this.#peersClose || this.#isClosed) return;
    if (this.#hasSentClose) {
      this.#receiver.onEnd();
      this.#inner.end();
      return;
    }
    // A close frame behind an invalid frame cannot be read, so the peer may have sent one.
    if (this.#decoder?.fault) return this.#receiver.onEnd();
    this.#fail(new Error('the peer ended the connection without a close frame'));
  }

  /** @internal */
  onDrain(): void {
    // Between two pongs the peer reads something, so that they cannot accumulate.
    if (this.#ping) this.#answerPing();
    if (!this.#isReleased && !this.#isClosed) this.#receiver?.onDrain();
  }

  /** @internal */
  onClose(error?: Error): void {
    if (!this.#receiver || (this.#early && !this.#isReleased)) this.#closedEarly = { error };
    else this.#closed(this.#isReleased ? undefined : error);
  }

  /** @internal */
  pinged(data: Buffer): void {
    this.#pingMemory ??= Buffer.allocUnsafeSlow(maxControlSize);
    this.#ping = this.#pingMemory.subarray(0, data.copy(this.#pingMemory));
  }

  /** @internal */
  closed(code: number, text: string): void {
    this.#peersClose = { code, text };
  }

  #peerClosed({ code, text }: CloseReason): void {
    if (this.#hasSentClose) {
      this.#inner.end();
      this.#receiver?.onEnd();
    } else if (isOrderly(code)) this.#receiver?.onEnd();
    else {
      const reason = `${this.peer} closed the WebSocket with ${describeClose(code, text)}`;
      this.#fail(new YodelError('YODEL_WEBSOCKET_CLOSED', reason));
    }
  }

  /** Closes the connection because of an error of the peer. */
  #fail(error: Error): void {
    this.#isReleased = true;
    this.#sendClose(undefined);
    this.#inner.release();
    this.#closed(error);
  }

  #closed(error: Error | undefined): void {
    this.#pingTimer?.cancel();
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#receiver?.onClose(error);
  }

  /** Sends a close frame: with the code of the error, the one that the peer sent, or none of a problem. */
  #sendClose(cause: YodelError | undefined): void {
    if (this.#hasSentClose) return;
    const why = cause ?? this.#decoder?.fault;
    const code = why ? closeCodeFor(why) : (this.#peersClose?.code ?? normalCode);
    this.#inner.write(controlFrame(opcodes.close, closePayload(code, why ? textForPeer(why) : ''), this.#isClient));
    this.#hasSentClose = true;
  }

  /** Answers the newest ping. RFC 6455 allows to leave out the others. */
  #answerPing(): void {
    const data = this.#ping as Buffer;
    this.#ping = undefined;
    this.write(controlFrame(opcodes.pong, data, this.#isClient));
  }

  #awaitPeer(): void {
    if (this.#pingInterval > 0) this.#pingTimer = this.#clock.deadline(this.#pingInterval, this.#checkPeer);
  }

  /** Sends a ping to a peer that sent nothing for an interval, and gives it up after another one. */
  readonly #checkPeer = (): void => {
    // A peer that is not read, or does not read, cannot answer.
    const isWaiting = this.#isPaused || this.#inner.unsent > 0 || this.#inner.awaitsTurn === true;
    if (this.#isHeard || isWaiting || this.#hasSentClose) {
      this.#isHeard = false;
      this.#isPinged = false;
    } else if (!this.#isPinged) {
      this.#isPinged = true;
      this.write(controlFrame(opcodes.ping, none, this.#isClient));
    } else {
      const text = `${this.peer} did not answer a ping within ${this.#pingInterval} ms (pingInterval)`;
      this.#inner.abort();
      this.#isReleased = true;
      this.#closed(new YodelError('YODEL_PING_TIMEOUT', text));
      return;
    }
    this.#awaitPeer();
  };
}

/** For a receiver that decodes nothing. */
const discarded = { maxMessageLength: 65_536, onTooLong: 'discard', encoding: 'binary' } as const;
const none = Buffer.alloc(0);
