/**
 * Connections inside one process, for tests: no sockets, no delays. To be as adverse as a network, they split bytes into
 * chunks of a chosen size, accept only what fits a small buffer, and overwrite each borrowed chunk after the call.
 */
import { type Address, type SocketAddress, TcpAddress } from '../address.ts';
import { type Clock, realClock } from '../clock.ts';
import { YodelError } from '../errors.ts';
import { checkShapes, kindOf } from '../option-shapes.ts';
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

/** As it is now: the fake timers of a test framework may replace the global one later. */
const microtask = globalThis.queueMicrotask;

/** How adverse the connections are. */
export interface MemoryOptions {
  /** The largest chunk to deliver, in bytes, or a function that says it for each chunk. Default: everything that has arrived. */
  readonly chunkSize?: number | (() => number) | undefined;
  /** Bytes that one direction buffers before the writer has to wait. Default 64 KiB. */
  readonly capacity?: number | undefined;
  /** How long bytes are on their way in one direction, in milliseconds. Connecting takes two ways. Default 0. */
  readonly latencyMs?: number | undefined;
  /** Measures the latency. Default: real time. */
  readonly clock?: Clock | undefined;
}

/** What the server sees of a client's connection. */
export interface MemoryDialOptions extends DialOptions {
  /** The client's address. Default: 127.0.0.1 and a port of its own. */
  readonly from?: SocketAddress | undefined;
  /** What the server reads as `session.security`, as if the connection were encrypted. Default: undefined. */
  readonly security?: Security | undefined;
  /** Of the request for a WebSocket: further headers, such as `origin` and `cookie`. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Connections inside one process. The addresses exist only here, so that any of them is free. */
export interface MemoryTransport extends Transport {
  /**
   * What becomes of new connections: `accept`; `refuse`, as if no server ran there; `hang`, as if packets were lost, until the client
   * gives up. Default `accept`.
   */
  connecting: 'accept' | 'refuse' | 'hang';
  /** How often a client has tried to connect. */
  readonly attempts: number;
  /** The number of open connections. */
  readonly connections: number;
  /** @internal Whether nothing is on its way. */
  readonly isQuiet: boolean;
  /** Breaks all connections: both ends see a reset. */
  reset(): void;
  connect(address: Address, options?: MemoryDialOptions): Promise<Connection>;
}

/**
 * A transport for tests: connections inside one process, for `serve({ transport })` and `connect(address, { transport })`. It carries
 * bytes as TCP does: in order, in any chunks, with back-pressure, half-close and resets. Host names are not looked up, and nothing is
 * encrypted, whatever the address says. Over `ws://` and `wss://` there are real upgrades.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function memoryTransport(options: MemoryOptions = {}): MemoryTransport {
  return new Memory(options);
}

function checkMemoryOptions(options: MemoryOptions): void {
  const shapes = { chunkSize: 'other', capacity: 'other', latencyMs: 'number', clock: 'object' } as const;
  checkShapes(options, shapes, 'memoryTransport()');
  for (const name of ['chunkSize', 'capacity'] as const) {
    const size = options[name];
    if (size === undefined || typeof size === 'function' || size >= 1) continue;
    throw new YodelError('YODEL_INVALID_OPTION', `the option "${name}" takes a number from 1, not ${kindOf(size)}`);
  }
}

/** Loads what connections over WebSocket need. */
export async function loadWebSocket(): Promise<
  typeof import('./websocket.ts') & typeof import('./websocket/listener.ts')
> {
  const [client, server] = await Promise.all([import('./websocket.ts'), import('./websocket/listener.ts')]);
  return { ...client, ...server };
}

class Memory implements MemoryTransport {
  connecting: 'accept' | 'refuse' | 'hang' = 'accept';
  attempts = 0;
  readonly #options: MemoryOptions;
  readonly #traffic: Traffic = { onTheWay: 0 };
  readonly #listeners = new Map<string, ListenOptions>();
  /** The clients' ends. */
  readonly #open = new Set<MemoryConnection>();
  #lastPort = 49_151;

  constructor(options: MemoryOptions) {
    checkMemoryOptions(options);
    this.#options = options;
  }

  get connections(): number {
    return this.#open.size;
  }

  get isQuiet(): boolean {
    return this.#traffic.onTheWay === 0;
  }

  reset(): void {
    for (const connection of [...this.#open]) connection.break();
  }

  // Bound, as `listen`: a test may put either of them into a transport of its own.
  readonly connect = async (address: Address, options: MemoryDialOptions = {}): Promise<Connection> => {
    if (address.scheme !== 'ws' && address.scheme !== 'wss') return await this.#connect(address, options);
    const { connectWebSocket } = await loadWebSocket();
    const { from, security } = options;
    return await connectWebSocket(address, options, (below, dial) => this.#connect(below, { ...dial, from, security }));
  };

  readonly listen = async (requested: SocketAddress, options: ListenOptions): Promise<Listener> => {
    const { webSocket } = options;
    if ((requested.scheme !== 'ws' && requested.scheme !== 'wss') || !webSocket)
      return this.#listen(requested, options);
    const { listenWebSocket } = await loadWebSocket();
    return await listenWebSocket(requested, { ...options, webSocket }, async (...below) => this.#listen(...below));
  };

  async #connect(address: Address, { signal, from, security }: MemoryDialOptions): Promise<Connection> {
    signal?.throwIfAborted();
    this.attempts++;
    const { latencyMs = 0, clock = realClock } = this.#options;
    // As on a network, the caller may abort in the meantime.
    if (this.connecting === 'hang') await pause(undefined, clock, signal);
    else if (latencyMs > 0) await pause(2 * latencyMs, clock, signal);
    else await null;
    signal?.throwIfAborted();
    const listener = this.#listeners.get(String(address));
    if (!listener || this.connecting === 'refuse') {
      const text = `cannot connect to ${address}: connection refused: nothing listens there`;
      throw new YodelError('YODEL_CONNECTION_REFUSED', text);
    }
    const clientAddress = from ?? new TcpAddress('127.0.0.1', ++this.#lastPort);
    const [client, server] = memoryPair(this.#options, address, clientAddress, this.#traffic);
    const { local, peer: remote } = client;
    client.handshake = { local, remote, resolved: undefined, lookupMs: undefined, connectMs: 2 * latencyMs };
    server.security = security;
    this.#open.add(client);
    client.closed = () => void this.#open.delete(client);
    listener.accept(server);
    return client;
  }

  #listen(requested: SocketAddress, options: ListenOptions): Listener {
    const picksPort = requested.scheme === 'tcp' && requested.port === 0;
    const address = picksPort ? new TcpAddress(requested.host, ++this.#lastPort) : requested;
    const name = String(address);
    if (this.#listeners.has(name)) {
      throw new YodelError('YODEL_ADDRESS_IN_USE', `cannot listen on ${name}: the address is in use`);
    }
    this.#listeners.set(name, options);
    return { address, close: async () => void this.#listeners.delete(name) };
  }
}

/** Resolves after the time, if one is given, or when the signal is aborted. */
async function pause(delayMs: number | undefined, clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const over = () => resolve();
  const timer = delayMs === undefined ? undefined : clock.after(delayMs, over);
  signal?.addEventListener('abort', over, { once: true });
  await promise;
  timer?.cancel();
  signal?.removeEventListener('abort', over);
}

/** Counts what is on its way: bytes, FINs and resets, during the latency. */
interface Traffic {
  onTheWay: number;
}

/** Two connected ends: the client's and the server's. */
export function memoryPair(
  options: MemoryOptions = {},
  server: Address = new TcpAddress('127.0.0.1', 7878),
  client: Address = new TcpAddress('127.0.0.1', 50_000),
  traffic: Traffic = { onTheWay: 0 },
): [MemoryConnection, MemoryConnection] {
  const a = new MemoryConnection(client, server, options, traffic);
  const b = new MemoryConnection(server, client, options, traffic);
  a.other = b;
  b.other = a;
  return [a, b];
}

class MemoryConnection implements Connection {
  readonly chunksAreBorrowed = true;
  readonly local: Address;
  readonly peer: Address;
  handshake: Handshake | undefined;
  security: Security | undefined;
  other!: MemoryConnection;
  /** Called once when it is closed. */
  closed: (() => void) | undefined;
  readonly #chunkSize: () => number;
  readonly #capacity: number;
  readonly #latencyMs: number;
  readonly #clock: Clock;
  /** Written here, but not accepted by the other end's buffer yet. */
  #outgoing = Buffer.alloc(0);
  /** Bytes on their way to this end. */
  #inFlight = 0;
  readonly #traffic: Traffic;
  /** Received but not delivered yet, as in a kernel's receive buffer. */
  #incoming: Buffer = Buffer.alloc(0);
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
    { chunkSize = Number.MAX_SAFE_INTEGER, capacity = 65_536, latencyMs = 0, clock = realClock }: MemoryOptions,
    traffic: Traffic,
  ) {
    this.#traffic = traffic;
    this.local = local;
    this.peer = peer;
    this.#chunkSize = typeof chunkSize === 'number' ? () => chunkSize : chunkSize;
    this.#capacity = capacity;
    this.#latencyMs = latencyMs;
    this.#clock = clock;
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
    if (this.#ending) return;
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

  /** Breaks the connection: both ends see a reset. */
  break(): void {
    this.#close(resetError());
    this.other.#close(resetError());
  }

  #resetOther(): void {
    this.#later(() => this.other.#close(resetError()));
  }

  /** What the other end notices only after the latency. */
  #later(arrive: () => void): void {
    if (this.#latencyMs === 0) return arrive();
    this.#traffic.onTheWay++;
    this.#clock.after(this.#latencyMs, () => {
      this.#traffic.onTheWay--;
      arrive();
    });
  }

  #send(): void {
    if (this.#closed) return;
    if (this.other.#closed && this.#outgoing.length > 0) {
      this.#close(resetError());
      return;
    }
    const { other } = this;
    const space = this.#capacity - other.#incoming.length - other.#inFlight;
    const sent = this.#outgoing.subarray(0, Math.max(0, space));
    this.#outgoing = this.#outgoing.subarray(sent.length);
    if (sent.length > 0) {
      other.#inFlight += sent.length;
      this.#later(() => other.#arrived(sent));
    }
    if (!this.#ending || this.#finSent || this.#outgoing.length > 0) return;
    this.#finSent = true;
    this.#later(() => other.#finArrived());
    this.#closeWhenBothEnded();
  }

  #arrived(bytes: Buffer): void {
    this.#inFlight -= bytes.length;
    this.#incoming = this.#incoming.length === 0 ? bytes : Buffer.concat([this.#incoming, bytes]);
    this.#deliverSoon();
  }

  #finArrived(): void {
    this.#finReceived = true;
    this.#deliverSoon();
  }

  #deliverSoon(): void {
    if (this.#deliveryScheduled || !this.#receiver) return;
    this.#deliveryScheduled = true;
    microtask(() => {
      this.#deliveryScheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    if (this.#paused || this.#closed) return;
    if (this.#incoming.length > 0) {
      const chunk = Buffer.from(this.#incoming.subarray(0, Math.max(1, this.#chunkSize())));
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
    microtask(() => {
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
    this.closed?.();
    this.other.closed?.();
    if (this.#receiver) this.#reportClosedSoon();
  }

  #reportClosedSoon(): void {
    microtask(() => this.#receiver?.onClose(this.#error));
  }
}

function resetError(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
}
