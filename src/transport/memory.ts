/**
 * Connections inside one process, for tests: no sockets, no delays. To be as adverse as a network, they split bytes into
 * chunks of a chosen size, accept only what fits a small buffer, and overwrite each borrowed chunk after the call.
 */
import { type Address, TcpAddress } from '../address.ts';
import { YodelError } from '../errors.ts';
import type { Connection, Handshake, Listener, ListenOptions, Receiver, Transport } from './transport.ts';

/** How adverse the connections are. */
export interface MemoryOptions {
  /** The largest chunk to deliver, in bytes. Default: everything that has arrived. */
  readonly chunkSize?: number;
  /** Bytes that one direction buffers before the writer has to wait. Default 64 KiB. */
  readonly capacity?: number;
}

/** A transport whose addresses exist only in this object. */
export function memoryTransport(options: MemoryOptions = {}): Transport {
  const listeners = new Map<string, ListenOptions>();
  let lastPort = 49_151;
  return {
    async connect(address, { signal } = {}) {
      signal?.throwIfAborted();
      // As on a network, the caller may abort in the meantime.
      await null;
      signal?.throwIfAborted();
      const listener = listeners.get(String(address));
      if (!listener) {
        throw new YodelError('YODEL_CONNECTION_REFUSED', `cannot connect to ${address}: nothing listens there`);
      }
      const [client, server] = memoryPair(options, address, new TcpAddress('127.0.0.1', ++lastPort));
      const { local, peer: remote } = client;
      client.handshake = { local, remote, resolved: undefined, lookupMs: undefined, connectMs: 0 };
      listener.accept(server);
      return client;
    },
    async listen(requested, listenOptions): Promise<Listener> {
      const picksPort = requested.scheme === 'tcp' && requested.port === 0;
      const address = picksPort ? new TcpAddress(requested.host, ++lastPort) : requested;
      const name = String(address);
      if (listeners.has(name)) {
        throw new YodelError('YODEL_ADDRESS_IN_USE', `cannot listen on ${name}: the address is in use`);
      }
      listeners.set(name, listenOptions);
      return { address, close: async () => void listeners.delete(name) };
    },
  };
}

/** Two connected ends: the client's and the server's. */
export function memoryPair(
  options: MemoryOptions = {},
  server: Address = new TcpAddress('127.0.0.1', 7878),
  client: Address = new TcpAddress('127.0.0.1', 50_000),
): [MemoryConnection, MemoryConnection] {
  const a = new MemoryConnection(client, server, options);
  const b = new MemoryConnection(server, client, options);
  a.other = b;
  b.other = a;
  return [a, b];
}

class MemoryConnection implements Connection {
  readonly chunksAreBorrowed = true;
  readonly local: Address;
  readonly peer: Address;
  handshake: Handshake | undefined;
  other!: MemoryConnection;
  readonly #chunkSize: number;
  readonly #capacity: number;
  /** Written here, but not accepted by the other end's buffer yet. */
  #outgoing = Buffer.alloc(0);
  /** Received but not delivered yet, as in a kernel's receive buffer. */
  #incoming = Buffer.alloc(0);
  #receiver: Receiver | undefined;
  #paused = false;
  #ending = false;
  #finSent = false;
  #finReceived = false;
  #endReported = false;
  #closed = false;
  #error: Error | undefined;
  #deliveryScheduled = false;
  #drainScheduled = false;

  constructor(
    local: Address,
    peer: Address,
    { chunkSize = Number.MAX_SAFE_INTEGER, capacity = 65_536 }: MemoryOptions,
  ) {
    this.local = local;
    this.peer = peer;
    this.#chunkSize = chunkSize;
    this.#capacity = capacity;
  }

  get unsent(): number {
    return this.#outgoing.length;
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    if (this.#closed) this.#reportClosedSoon();
    else this.#deliverSoon();
  }

  write(bytes: Uint8Array): void {
    if (this.#ending || this.#closed) return;
    this.#outgoing = Buffer.concat([this.#outgoing, bytes]);
    this.#send();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliverSoon();
  }

  end(): void {
    this.#ending = true;
    this.#send();
  }

  release(): void {
    if (this.#closed) return;
    this.#outgoing = Buffer.alloc(0);
    this.#close();
    if (!this.#finSent || this.#incoming.length > 0) this.#resetOther();
  }

  abort(): void {
    if (this.#closed) return;
    this.#outgoing = Buffer.alloc(0);
    this.#close();
    this.#resetOther();
  }

  #resetOther(): void {
    this.other.#close(resetError());
  }

  #send(): void {
    if (this.#closed) return;
    if (this.other.#closed && this.#outgoing.length > 0) {
      this.#close(resetError());
      return;
    }
    const space = this.#capacity - this.other.#incoming.length;
    const sent = this.#outgoing.subarray(0, Math.max(0, space));
    this.other.#incoming = Buffer.concat([this.other.#incoming, sent]);
    this.#outgoing = this.#outgoing.subarray(sent.length);
    if (this.#ending && this.#outgoing.length === 0) {
      this.#finSent = true;
      this.other.#finReceived = true;
      this.#closeWhenBothEnded();
    }
    this.other.#deliverSoon();
  }

  #deliverSoon(): void {
    if (this.#deliveryScheduled || !this.#receiver) return;
    this.#deliveryScheduled = true;
    queueMicrotask(() => {
      this.#deliveryScheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    if (this.#paused || this.#closed) return;
    if (this.#incoming.length > 0) {
      const chunk = Buffer.from(this.#incoming.subarray(0, this.#chunkSize));
      this.#incoming = this.#incoming.subarray(chunk.length);
      this.#receiver?.onData(chunk);
      chunk.fill('!');
      this.other.#sendMore();
      this.#deliverSoon();
    } else if (this.#finReceived && !this.#endReported) {
      this.#endReported = true;
      this.#receiver?.onEnd();
      this.#closeWhenBothEnded();
    }
  }

  #sendMore(): void {
    const before = this.#outgoing.length;
    this.#send();
    if (this.#outgoing.length === before || this.#drainScheduled) return;
    this.#drainScheduled = true;
    queueMicrotask(() => {
      this.#drainScheduled = false;
      if (!this.#closed) this.#receiver?.onDrain();
    });
  }

  #closeWhenBothEnded(): void {
    if (this.#finSent && this.#endReported) this.#close();
  }

  #close(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    if (this.#receiver) this.#reportClosedSoon();
  }

  #reportClosedSoon(): void {
    queueMicrotask(() => this.#receiver?.onClose(this.#error));
  }
}

function resetError(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
}
