/** TCP and Unix sockets over `Bun.listen` and `Bun.connect`, which are faster than Bun's `node:net`. */
import { type Address, addressAt, type SocketAddress } from '../address.ts';
import { systemError } from '../errors.ts';
import { abandon } from './abandoned.ts';
import { AcceptQueue, closingBy } from './accept-queue.ts';
import { AcceptTurns } from './accept-turns.ts';
import { setBacklogOnBun } from './backlog.ts';
import type { BunHandlers, BunSocket, SocketEvents } from './bun-socket.ts';
import { keepAliveDelay } from './keep-alive.ts';
import { listenError, resetBeforeAccept } from './listen-errors.ts';
import { endOf } from './node/connection.ts';
import { ReadsInTurns } from './reads-in-turns.ts';
import type {
  Connection,
  DialOptions,
  Handshake,
  Listener,
  ListenOptions,
  Receiver,
  Security,
  Transport,
} from './transport.ts';
import { removeStaleSocket } from './unix-socket.ts';
import { WriteQueue } from './write-queue.ts';

/** `Bun.listen` and `Bun.connect`, with half-open connections allowed. Bun turns Nagle's algorithm off itself. */
export const bunTransport: Transport = { connect, listen };

type BunAddress = { readonly unix: string } | { readonly hostname: string; readonly port: number };

declare const Bun: {
  listen(options: BunAddress & { reusePort: boolean; allowHalfOpen: true; socket: Partial<BunHandlers> }): {
    readonly port: number;
    readonly fd: number;
    stop(): void;
  };
  connect(options: BunAddress & { allowHalfOpen: true; socket: BunHandlers }): Promise<BunSocket>;
};

/** A connection over a socket of Bun, which may be an encrypted one. */
export class BunConnection extends ReadsInTurns implements Connection, SocketEvents {
  readonly peer: Address;
  readonly chunksAreBorrowed = false;
  readonly security: Security | undefined = undefined;
  /** Of a connection to a server: how long connecting took, in milliseconds. */
  connectMs: number | undefined;
  readonly #socket: BunSocket;
  readonly #address: SocketAddress;
  /** Paused until `start`. */
  #awaitsStart = false;
  /** Writes that the operating system has not accepted, which Bun does not buffer. Created for the first such write. */
  #queue: WriteQueue | undefined;
  /** Bytes written after the connection broke. */
  #lost = 0;
  #paused = false;
  #ending = false;
  #endReported = false;
  #closed = false;
  #peerHasEnded = false;
  /**
   * The peer has closed its Unix socket, and so Bun has closed this one. Nothing can be sent, but that shows only when something is
   * written; until then this is a connection whose peer has ended.
   */
  #isAlone = false;
  /** A write has failed. */
  #isBroken = false;
  #error: Error | undefined;

  /** @param address the address connected to, or listened on */
  constructor(socket: BunSocket, address: SocketAddress, peer: Address) {
    super();
    this.#socket = socket;
    this.#address = address;
    this.peer = peer;
    socket.data = this;
  }

  /** Looked up on demand: it costs a system call, and few callers need it. */
  get local(): Address {
    const address = this.#address;
    if (address.scheme === 'unix') return address;
    const { localAddress, localPort } = this.#socket;
    return endOf(address, localAddress ?? address.host, localPort ?? address.port);
  }

  get descriptor(): number {
    return this.#socket.fd;
  }

  /** Bun does not tell what a name stands for, nor when it knew. */
  get handshake(): Handshake | undefined {
    const { connectMs, local, peer } = this;
    return connectMs === undefined
      ? undefined
      : { local, remote: peer, resolved: undefined, lookupMs: undefined, connectMs };
  }

  /** Reads nothing before `start`. Usually `start` was called already, and there is nothing to do. */
  awaitStart(): void {
    if (this.receiver || this.#closed || this.isReleased) return;
    this.#awaitsStart = true;
    this.#socket.pause();
  }

  /**
   * The connection has waited with many others, and its socket is paused. It reads in its turn: what all of them have sent would
   * otherwise be read at once.
   */
  startInTurn(): void {
    if (this.receiver && !this.#closed && !this.isReleased) this.readInTurn();
  }

  get unsent(): number {
    return (this.#queue?.length ?? 0) + this.#lost;
  }

  get unsentMemory(): number {
    return this.#queue?.memory ?? 0;
  }

  start(receiver: Receiver): void {
    this.receiver = receiver;
    if (this.#closed && !this.#isAlone) this.#reportClosedSoon();
    else if (this.#awaitsStart && !this.#paused) this.#socket.resume();
  }

  write(bytes: Uint8Array): void {
    if (this.#ending || bytes.length === 0) return;
    if (this.#closed) {
      this.#lost += bytes.length;
      return this.#endAlone(brokenConnection());
    }
    const accepted = this.unsent === 0 ? this.#send(bytes) : 0;
    if (accepted === bytes.length) return;
    this.#queue ??= new WriteQueue(this);
    this.#queue.push(bytes.subarray(accepted), false);
  }

  pause(): void {
    this.#paused = true;
    if (!this.receiver) this.#awaitsStart = true;
    if (!this.#closed) this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.receiver || (this.#closed && !this.#isAlone)) return;
    this.readOn();
  }

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#endWhenSent();
  }

  release(): void {
    this.#dropOutput();
    this.#endAlone();
    if (!this.#closed) this.#socket.end();
  }

  abort(): void {
    this.#dropOutput();
    this.#endAlone();
    if (!this.#closed) this.#socket.terminate();
  }

  /** @internal */
  get isReading(): boolean {
    return !this.#paused && (!this.#closed || this.#isAlone) && !this.isReleased;
  }

  /** @internal */
  stopSocket(): void {
    if (!this.#closed) this.#socket.pause();
  }

  /** @internal */
  resumeSocket(): void {
    if (this.#closed) return;
    this.#socket.resume();
    if (this.#isBroken) this.#breakSoon();
  }

  ended(): void {
    this.#peerHasEnded = true;
    if (this.#endReported || this.ignoresEnd) return;
    this.#endReported = true;
    this.receiver?.onEnd();
  }

  writable(): void {
    const before = this.unsent;
    this.#queue?.writeTo((bytes) => this.#send(bytes));
    this.#endWhenSent();
    if (this.unsent < before) this.receiver?.onDrain();
  }

  /** Bun may call this from inside a call to the socket. */
  closed(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#isAlone = !error && this.#peerHasEnded && !this.#ending && !this.#isBroken && this.unsent === 0;
    if (this.#isAlone) return;
    // Bun reports no error when a write fails on a reset. But it never closes by itself a connection that has more to send.
    const isBroken = !this.#ending || this.unsent > 0;
    this.#error ??= error ?? (isBroken ? brokenConnection() : undefined);
    if (this.receiver) this.#reportClosedSoon();
  }

  #send(bytes: Uint8Array): number {
    const accepted = this.#socket.write(bytes);
    if (accepted < 0) this.#broken();
    return Math.max(0, accepted);
  }

  /**
   * A write failed on a reset. Bun would report it only when the socket is read, and it may be paused. If it is not, what was
   * received before the reset is delivered first.
   */
  #broken(): void {
    if (this.#closed || this.#isBroken) return;
    this.#isBroken = true;
    if (this.#paused || !this.receiver) this.#breakNow();
    else this.#breakSoon();
  }

  /** Breaks once everything was read. If others are read first, that is after the next turn of this connection. */
  #breakSoon(): void {
    const breakNow = () => {
      if (this.#paused || !this.awaitsTurn) this.#breakNow();
    };
    setImmediate(() => setImmediate(breakNow));
  }

  #breakNow(): void {
    if (this.#closed || this.isReleased) return;
    this.closed(brokenConnection());
    this.#socket.terminate();
  }

  #endWhenSent(): void {
    if (!this.#ending || this.unsent > 0 || this.isReleased) return;
    if (this.#closed) this.#endAlone();
    else this.#socket.shutdown();
  }

  /** This side, too, is over. */
  #endAlone(error?: Error): void {
    if (!this.#isAlone) return;
    this.#isAlone = false;
    this.#error ??= error;
    this.#reportClosedSoon();
  }

  #dropOutput(): void {
    this.dropUnread();
    this.#ending = true;
    this.#queue?.clear();
    this.#lost = 0;
  }

  #reportClosedSoon(): void {
    queueMicrotask(() => {
      this.deliverLast();
      // When this side ended first, Bun reports the peer's end only by closing.
      if (!this.#error) this.ended();
      this.receiver?.onClose(this.isReleased ? undefined : this.#error);
    });
  }
}

function brokenConnection(): Error {
  return Object.assign(new Error('the peer reset the connection'), { code: 'ECONNRESET' });
}

/** Shared by all sockets. */
export const events: Omit<BunHandlers, 'open'> = {
  data: (socket, chunk) => socket.data.received(chunk),
  drain: (socket) => socket.data.writable(),
  end: (socket) => socket.data.ended(),
  close: (socket, error) => socket.data.closed(error),
  // Bun reports exceptions of the callbacks here. They are bugs and must not be swallowed.
  error: (_socket, error) => {
    queueMicrotask(() => {
      throw error;
    });
  },
};

async function connect(address: SocketAddress, { signal, keepAlive }: DialOptions = {}): Promise<Connection> {
  signal?.throwIfAborted();
  const delay = keepAliveDelay(address, keepAlive);
  const startedAt = performance.now();
  const opened = Promise.withResolvers<Connection>();
  const open = (socket: BunSocket) => {
    const connection = new BunConnection(socket, address, peerOf(socket, address));
    connection.connectMs = performance.now() - startedAt;
    connection.awaitStart();
    if (delay > 0) socket.setKeepAlive(true, delay);
    if (signal?.aborted) connection.abort();
    opened.resolve(connection);
  };
  const attempt = Bun.connect({ ...endpointOf(address), allowHalfOpen: true, socket: { ...events, open } });
  attempt.catch((error: unknown) => opened.reject(systemError(`cannot connect to ${address}`, error)));
  const aborted = () => {
    abandon(attempt);
    opened.reject(signal?.reason);
  };
  signal?.addEventListener('abort', aborted);
  return await opened.promise.finally(() => signal?.removeEventListener('abort', aborted));
}

async function listen(address: SocketAddress, options: ListenOptions): Promise<Listener> {
  await removeStaleSocket(address, connect);
  return listenBy(address, options, events, (socket, peer, waited) => {
    const connection = new BunConnection(socket, address, peer);
    options.accept(connection);
    connection.awaitStart();
    if (waited) connection.startInTurn();
  });
}

/**
 * Listens with `Bun.listen`.
 *
 * @param handlers for all accepted sockets
 * @param opened called with each socket whose peer is still connected; one that has waited for its turn is paused
 * @throws YodelError as `Transport.listen`
 */
export function listenBy(
  address: SocketAddress,
  {
    backlog,
    failed,
    keepAlive,
    reusePort = false,
  }: Pick<ListenOptions, 'backlog' | 'failed' | 'keepAlive' | 'reusePort'>,
  handlers: Partial<BunHandlers>,
  opened: (socket: BunSocket, peer: Address, waited: boolean) => void,
): Listener {
  const delay = keepAliveDelay(address, keepAlive);
  // One error for all: its stack would cost more than such a socket does otherwise.
  const reset = resetBeforeAccept(address);
  const left = () => failed(reset);
  const serve = (socket: BunSocket, waited: boolean) => {
    queue.add();
    if (delay > 0) socket.setKeepAlive(true, delay);
    if (address.scheme === 'unix' || socket.remoteAddress !== undefined) {
      opened(socket, peerOf(socket, address), waited);
      return true;
    }
    // The connection takes the events of a socket that is already gone.
    new BunConnection(socket, address, peerOf(socket, address)).abort();
    left();
    return false;
  };
  const turns = new AcceptTurns({ most: backlog, serve, left, refuse: (socket) => socket.terminate() });
  const queue = new AcceptQueue(backlog, turns);
  const open = (socket: BunSocket) => {
    const waiting = turns.accept(socket);
    if (!waiting) return;
    socket.data = waiting;
    socket.pause();
  };
  try {
    const listener = Bun.listen({
      ...endpointOf(address),
      reusePort,
      allowHalfOpen: true,
      socket: { ...handlers, open },
    });
    setBacklogOnBun(listener.fd, backlog);
    return {
      address: address.scheme === 'unix' ? address : addressAt(address, address.host, listener.port),
      close: closingBy(queue, async () => {
        listener.stop();
        turns.close();
      }),
    };
  } catch (error) {
    throw listenError(address, error);
  }
}

function endpointOf(address: SocketAddress): BunAddress {
  return address.scheme === 'unix' ? { unix: address.path } : { hostname: address.host, port: address.port };
}

function peerOf({ remoteAddress, remotePort }: BunSocket, address: SocketAddress): Address {
  return address.scheme === 'unix' ? address : endOf(address, remoteAddress ?? 'unknown', remotePort ?? 0);
}
