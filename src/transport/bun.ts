/** TCP and Unix sockets by `Bun.listen` and `Bun.connect`: there are fewer steps between them and a session than by `node:net`. */
import { type Address, TcpAddress } from '../address.ts';
import { systemError } from '../errors.ts';
import { Queue } from '../queue.ts';
import { goneBefore } from './gone.ts';
import type { Connection, Listener, ListenOptions, Receiver, Transport } from './transport.ts';
import { removeStaleSocket, whyNotListening } from './unix-socket.ts';

/** `Bun.listen` and `Bun.connect`, with half-open connections allowed. Bun turns Nagle's algorithm off by itself. */
export const bunTransport: Transport = { connect, listen };

/** As much of Bun's sockets as is used here. */
interface BunSocket {
  data: BunConnection;
  /** The addresses are undefined when the peer is gone already. */
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  /** Says how many bytes were taken, and forgets the others; -1 when the socket is closed. */
  write(bytes: Uint8Array): number;
  /** Sends FIN. */
  shutdown(): void;
  end(): void;
  terminate(): void;
  pause(): void;
  resume(): void;
}

interface BunHandlers {
  open(socket: BunSocket): void;
  data(socket: BunSocket, chunk: Uint8Array): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket, error?: Error): void;
  error(socket: BunSocket, error: Error): void;
}

type BunAddress = { readonly unix: string } | { readonly hostname: string; readonly port: number };

declare const Bun: {
  listen(options: BunAddress & { reusePort: boolean; allowHalfOpen: true; socket: BunHandlers }): {
    port: number;
    stop(): void;
  };
  connect(options: BunAddress & { allowHalfOpen: true; socket: BunHandlers }): Promise<BunSocket>;
};

class BunConnection implements Connection {
  readonly peer: Address;
  readonly chunksAreBorrowed = false;
  readonly carriesMessages = false;
  readonly #socket: BunSocket;
  readonly #at: Address;
  #isHeldBack = false;
  /** What the operating system has not taken; made when something first has to wait. Bun itself keeps nothing of it. */
  #queue: Queue<Uint8Array> | undefined;
  /** What is left of the write at the front of the queue. */
  #rest: Uint8Array | undefined;
  #queued = 0;
  #receiver: Receiver | undefined;
  #paused = false;
  #ending = false;
  #letGo = false;
  #endTold = false;
  #closed = false;
  #error: Error | undefined;

  /** @param at the address that was connected to or listened at */
  constructor(socket: BunSocket, at: Address, peer: Address) {
    this.#socket = socket;
    this.#at = at;
    this.peer = peer;
    socket.data = this;
  }

  /** Asked for when somebody wants it: it is a system call, and hardly anybody does. */
  get local(): Address {
    const at = this.#at;
    if (at.scheme === 'unix') return at;
    const { localAddress, localPort } = this.#socket;
    return TcpAddress.of(localAddress ?? at.host, localPort ?? at.port);
  }

  /** Reads nothing before `start`, which has not been called so far. Most often it has, and nothing need be done. */
  awaitStart(): void {
    if (this.#receiver || this.#closed || this.#letGo) return;
    this.#isHeldBack = true;
    this.#socket.pause();
  }

  get unsent(): number {
    return this.#queued;
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    if (this.#closed) this.#tellClosedSoon();
    else if (this.#isHeldBack && !this.#paused) this.#socket.resume();
  }

  write(bytes: Uint8Array): void {
    if (this.#ending || this.#closed || bytes.length === 0) return;
    const taken = this.#queued === 0 ? this.#hand(bytes) : 0;
    if (taken === bytes.length) return;
    this.#queue ??= new Queue();
    this.#queue.push(bytes.subarray(taken));
    this.#queued += bytes.length - taken;
  }

  pause(): void {
    this.#paused = true;
    if (!this.#receiver) this.#isHeldBack = true;
    if (!this.#closed) this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#receiver && !this.#closed) this.#socket.resume();
  }

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#endWhenSent();
  }

  release(): void {
    this.#letGoOfAll();
    if (!this.#closed) this.#socket.end();
  }

  abort(): void {
    this.#letGoOfAll();
    if (!this.#closed) this.#socket.terminate();
  }

  received(chunk: Uint8Array): void {
    if (!this.#letGo) this.#receiver?.onData(chunk);
  }

  ended(): void {
    if (this.#endTold || this.#letGo) return;
    this.#endTold = true;
    this.#receiver?.onEnd();
  }

  /** There is room again; Bun also says so when nothing was waiting for it. */
  writable(): void {
    const before = this.#queued;
    while (this.#queued > 0) {
      const first = (this.#rest ?? this.#queue?.shift()) as Uint8Array;
      const taken = this.#hand(first);
      this.#queued -= taken;
      this.#rest = taken < first.length ? first.subarray(taken) : undefined;
      if (this.#rest) break;
    }
    this.#endWhenSent();
    if (this.#queued < before) this.#receiver?.onDrain();
  }

  /** Bun may say so from inside a call to the socket. */
  closed(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    // Of a reset that a write has met Bun tells nothing; but it closes no connection by itself that has more to send.
    const isBroken = !this.#ending || this.#queued > 0;
    this.#error ??= error ?? (isBroken ? brokenConnection() : undefined);
    if (this.#receiver) this.#tellClosedSoon();
  }

  #hand(bytes: Uint8Array): number {
    const taken = this.#socket.write(bytes);
    if (taken < 0) this.#broken();
    return Math.max(0, taken);
  }

  /** A write has met a reset. Bun would tell of it only when the socket is read, and it may be paused. */
  #broken(): void {
    if (this.#closed) return;
    this.closed(brokenConnection());
    this.#socket.terminate();
  }

  #endWhenSent(): void {
    if (this.#ending && this.#queued === 0 && !this.#closed && !this.#letGo) this.#socket.shutdown();
  }

  #letGoOfAll(): void {
    this.#letGo = true;
    this.#ending = true;
    this.#queue = undefined;
    this.#rest = undefined;
    this.#queued = 0;
  }

  #tellClosedSoon(): void {
    queueMicrotask(() => {
      // When this side has ended before, Bun tells of the peer's end only by closing.
      if (!this.#error) this.ended();
      this.#receiver?.onClose(this.#letGo ? undefined : this.#error);
    });
  }
}

function brokenConnection(): Error {
  return Object.assign(new Error('the peer reset the connection'), { code: 'ECONNRESET' });
}

/** One object for all sockets. */
const events: Omit<BunHandlers, 'open'> = {
  data: (socket, chunk) => socket.data.received(chunk),
  drain: (socket) => socket.data.writable(),
  end: (socket) => socket.data.ended(),
  close: (socket, error) => socket.data.closed(error),
  // Bun brings here what a callback has thrown. It is nobody's fault but the program's, and must not vanish.
  error: (_socket, error) => {
    queueMicrotask(() => {
      throw error;
    });
  },
};

async function connect(address: Address, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<Connection> {
  signal?.throwIfAborted();
  const opened = Promise.withResolvers<Connection>();
  const aborted = () => opened.reject(signal?.reason);
  signal?.addEventListener('abort', aborted);
  const open = (socket: BunSocket) => {
    const connection = connectionOf(socket, address);
    connection.awaitStart();
    if (signal?.aborted) connection.abort();
    opened.resolve(connection);
  };
  Bun.connect({ ...placeOf(address), allowHalfOpen: true, socket: { ...events, open } }).catch((error: unknown) => {
    opened.reject(systemError(`cannot connect to ${address}`, error));
  });
  return await opened.promise.finally(() => signal?.removeEventListener('abort', aborted));
}

async function listen(address: Address, { accept, failed, reusePort = false }: ListenOptions): Promise<Listener> {
  await removeStaleSocket(address, connect);
  const open = (socket: BunSocket) => {
    const connection = connectionOf(socket, address);
    if (address.scheme !== 'unix' && socket.remoteAddress === undefined) {
      connection.abort();
      return failed(goneBefore(address));
    }
    accept(connection);
    connection.awaitStart();
  };
  try {
    const listener = Bun.listen({ ...placeOf(address), reusePort, allowHalfOpen: true, socket: { ...events, open } });
    return {
      address: address.scheme === 'unix' ? address : new TcpAddress(address.host, listener.port),
      close: async () => listener.stop(),
    };
  } catch (error) {
    throw whyNotListening(address, error);
  }
}

function placeOf(address: Address): BunAddress {
  return address.scheme === 'unix' ? { unix: address.path } : { hostname: address.host, port: address.port };
}

function connectionOf(socket: BunSocket, address: Address): BunConnection {
  if (address.scheme === 'unix') return new BunConnection(socket, address, address);
  const { remoteAddress, remotePort } = socket;
  return new BunConnection(socket, address, TcpAddress.of(remoteAddress ?? 'unknown', remotePort ?? 0));
}
