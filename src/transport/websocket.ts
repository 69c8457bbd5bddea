/** Connections of WebSocket: by `ws` on both runtimes, Bun brings its own under that name. */
import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { Address, WebSocketAddress } from '../address.ts';
import { systemError, YodelError } from '../errors.ts';
import type { Framing } from '../framing/framing.ts';
import { length } from '../framing/length.ts';
import { FrameProgress } from './frame-progress.ts';
import { oldestTls, trustFor, whyNotTrusted } from './tls.ts';
import type { Connection, DialOptions, Receiver, Security } from './transport.ts';

/** The longest message that is taken, in bytes: what a server may cost in memory. As `longestCounted` of a load test. */
const longestMessage = 16_777_216;
/** Close codes of an orderly end (RFC 6455, section 7.4.1): normal, going away, and no code at all. */
const orderly: ReadonlySet<number> = new Set([1000, 1001, 1005]);

class WebSocketConnection implements Connection {
  readonly local: Address;
  readonly peer: Address;
  readonly chunksAreBorrowed = false;
  readonly carriesMessages: boolean = true;
  readonly #socket: WebSocket;
  #receiver: Receiver | undefined;
  /** Messages that came before `start`. */
  #early: Buffer[] = [];
  #letGo = false;
  #ending = false;
  #closed = false;
  #error: Error | undefined;
  /** `unsent` when it was last looked at. */
  #waiting = 0;

  constructor(socket: WebSocket, local: Address, peer: Address) {
    this.#socket = socket;
    this.local = local;
    this.peer = peer;
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#received(this.chunkOf(data, isBinary)));
    socket.on('error', (error: Error) => {
      this.#error ??= this.reasonOf(error);
    });
    socket.on('close', (code: number) => this.#ended(code));
  }

  get unsent(): number {
    return this.#letGo || this.#closed ? 0 : this.#socket.bufferedAmount;
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    const early = this.#early;
    this.#early = [];
    queueMicrotask(() => {
      for (const message of early) this.#received(message);
      this.tellUnfinished();
      if (this.#closed) this.#tellClosed();
    });
  }

  write(bytes: Uint8Array): void {
    this.send(bytes, !isUtf8(bytes));
  }

  /** Sends one message. */
  protected send(message: Uint8Array, isBinary: boolean): void {
    if (this.#ending || this.#closed) return;
    this.#socket.send(message, { binary: isBinary }, () => this.#sent());
    this.#waiting = this.unsent;
  }

  /** How a message is handed on. */
  protected chunkOf(message: Buffer, _isBinary: boolean): Buffer {
    return message;
  }

  /** How an error reads in yodel. */
  protected reasonOf(error: Error): Error {
    return error;
  }

  /** Bytes that have come of the message that is not finished, where that is known. */
  protected get unfinished(): number {
    return 0;
  }

  protected tellUnfinished(): void {
    if (this.unfinished > 0 && !this.#letGo && !this.#closed) this.#receiver?.onUnfinished?.(this.unfinished);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#socket.close(1000);
  }

  release(): void {
    this.#letGo = true;
    // A peer that does not answer the closing would be waited for.
    if (this.#ending) this.#socket.terminate();
    else this.end();
  }

  abort(): void {
    this.#letGo = true;
    this.#ending = true;
    this.#socket.terminate();
  }

  #received(message: Buffer): void {
    if (this.#letGo) return;
    if (this.#receiver) this.#receiver.onData(message);
    else this.#early.push(message);
  }

  #sent(): void {
    if (this.#letGo || this.#closed || this.unsent >= this.#waiting) return;
    this.#waiting = this.unsent;
    this.#receiver?.onDrain();
  }

  #ended(code: number): void {
    if (!orderly.has(code)) this.#error ??= new Error(`closed with code ${code}`);
    this.#closed = true;
    if (this.#receiver) this.#tellClosed();
  }

  #tellClosed(): void {
    if (!this.#error && !this.#letGo) this.#receiver?.onEnd();
    this.#receiver?.onClose(this.#letGo ? undefined : this.#error);
  }
}

/**
 * How a session sees messages of WebSocket: as frames of its own kind, so that its decoder, limits and output serve them too.
 * In front of each there is one byte that says what kind it was, and the reply's is taken over from the message.
 */
const served: Framing = { ...length({ bytes: 4, offset: 1 }), name: 'websocket' };
const headerSize = 5;
const kind = { byContent: 0, text: 1, binary: 2 };

class ServedWebSocket extends WebSocketConnection {
  override readonly carriesMessages = false;
  readonly framing = served;
  readonly security: Security | undefined;
  readonly #below: Socket;
  readonly #limit: number;
  readonly #progress = new FrameProgress();

  constructor(
    socket: WebSocket,
    below: Socket,
    ends: [Address, Address],
    security: Security | undefined,
    limit: number,
  ) {
    super(socket, ...ends);
    this.#below = below;
    this.security = security;
    this.#limit = limit;
    // Behind the listener of `ws`: messages that a chunk completes have been handed on by now.
    below.on('data', (chunk: Buffer) => {
      this.#progress.take(chunk);
      this.tellUnfinished();
    });
  }

  protected override get unfinished(): number {
    return this.#progress.unfinished;
  }

  /** All frames of it: an output gives them whole. */
  override write(bytes: Uint8Array): void {
    const frames = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    // Together they leave in one write to the socket.
    this.#below.cork();
    for (let at = 0; at < frames.length; ) {
      const end = at + headerSize + frames.readUInt32BE(at + 1);
      const message = frames.subarray(at + headerSize, end);
      const isBinary = frames[at] === kind.byContent ? !isUtf8(message) : frames[at] === kind.binary;
      this.send(message, isBinary);
      at = end;
    }
    this.#below.uncork();
  }

  protected override chunkOf(message: Buffer, isBinary: boolean): Buffer {
    const frame = Buffer.allocUnsafe(headerSize + message.length);
    frame[0] = isBinary ? kind.binary : kind.text;
    frame.writeUInt32BE(message.length, 1);
    frame.set(message, headerSize);
    return frame;
  }

  protected override reasonOf(error: Error): Error {
    if (!/max payload size/i.test(error.message)) return error;
    const text = `a message is longer than the limit of ${this.#limit} bytes`;
    return new YodelError('YODEL_MESSAGE_TOO_LONG', text, { cause: error });
  }
}

/** The server's side of an agreed WebSocket. `below` is the socket that it runs on. */
export function servedConnection(
  socket: WebSocket,
  below: Socket,
  ends: { readonly local: Address; readonly peer: Address },
  security: Security | undefined,
  maxMessageLength: number,
): Connection {
  socket.binaryType = 'nodebuffer';
  return new ServedWebSocket(socket, below, [ends.local, ends.peer], security, maxMessageLength);
}

/**
 * Resolves when the server has agreed to speak WebSocket.
 *
 * @throws YodelError as `Transport.connect`; `YODEL_WEBSOCKET_REFUSED` when the server answers, but not with WebSocket
 */
export async function connectWebSocket(
  address: WebSocketAddress,
  { signal, tls = {} }: DialOptions,
): Promise<Connection> {
  signal?.throwIfAborted();
  const socket = new WebSocket(String(address), {
    perMessageDeflate: false,
    maxPayload: longestMessage,
    ...(address.scheme === 'wss' ? { minVersion: oldestTls, ...trustFor(address.host, tls) } : {}),
  });
  socket.binaryType = 'nodebuffer';
  const opened = Promise.withResolvers<Connection>();
  const where = `cannot connect to ${address}`;
  const aborted = () => opened.reject(signal?.reason);
  const failed = (error: Error) => opened.reject(whyNotOpened(where, error));
  // Made at once: a first message may come together with the server's consent.
  // WebSocket tells nothing of the socket below it: both ends have the server's address.
  const connection = new WebSocketConnection(socket, address, address);
  socket.on('open', () => opened.resolve(connection)).on('error', failed);
  socket.on('close', () => failed(new Error('it ended the connection')));
  signal?.addEventListener('abort', aborted);
  try {
    return await opened.promise;
  } catch (error) {
    socket.terminate();
    throw error;
  } finally {
    signal?.removeEventListener('abort', aborted);
    socket.off('error', failed);
  }
}

function whyNotOpened(where: string, error: Error): unknown {
  const trusted = whyNotTrusted(where, error);
  if (trusted !== error) return trusted;
  const known = systemError(where, error);
  if (known.code !== 'YODEL_NETWORK') return known;
  const [, status] = /(?:response|status code):? (\d{3})/.exec(error.message) ?? [];
  const says = status === undefined ? error.message : `it answered with HTTP status ${status}`;
  return new YodelError('YODEL_WEBSOCKET_REFUSED', `${where}: the server does not speak WebSocket there: ${says}`, {
    cause: error,
  });
}
