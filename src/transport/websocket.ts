/** WebSocket, only to connect: by `ws` on both runtimes, Bun brings its own under that name. */
import { isUtf8 } from 'node:buffer';
import { WebSocket } from 'ws';
import type { WebSocketAddress } from '../address.ts';
import { systemError, YodelError } from '../errors.ts';
import { oldestTls, trustFor, whyNotTrusted } from './tls.ts';
import type { Connection, DialOptions, Receiver } from './transport.ts';

/** The longest message that is taken, in bytes: what a server may cost in memory. As `longestCounted` of a load test. */
const longestMessage = 16_777_216;
/** Close codes of an orderly end (RFC 6455, section 7.4.1): normal, going away, and no code at all. */
const orderly: ReadonlySet<number> = new Set([1000, 1001, 1005]);

class WebSocketConnection implements Connection {
  readonly local: WebSocketAddress;
  readonly peer: WebSocketAddress;
  readonly lendsChunks = false;
  readonly carriesMessages = true;
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

  /** WebSocket tells nothing of the socket below it: both ends have the server's address. */
  constructor(socket: WebSocket, address: WebSocketAddress) {
    this.#socket = socket;
    this.local = address;
    this.peer = address;
    socket.on('message', (data: Buffer) => this.#received(data));
    socket.on('error', (error: Error) => {
      this.#error ??= error;
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
      if (this.#closed) this.#tellClosed();
    });
  }

  write(bytes: Uint8Array): void {
    if (this.#ending || this.#closed) return;
    this.#socket.send(bytes, { binary: !isUtf8(bytes) }, () => this.#sent());
    this.#waiting = this.unsent;
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
    this.end();
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
  const connection = new WebSocketConnection(socket, address);
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
