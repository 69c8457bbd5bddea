/** A pool of connections as that of examples/pool.ts, with node:net. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection, lines, listen } from './connection.ts';

export interface PoolOptions {
  /** The most connections. */
  readonly size?: number;
  /** Of each connection. */
  readonly maxRequestsInFlight?: number;
  readonly maxWaiting?: number;
}

const connectTimeoutMs = 10_000;
const closeTimeoutMs = 5000;
const maxAttempts = 20;

interface Request {
  readonly text: string;
  resolve(reply: string): void;
  reject(error: Error): void;
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(connectTimeoutMs) });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Several connections to one server that answers in order. */
export class Pool {
  readonly #port: number;
  readonly #options: Required<PoolOptions>;
  /** With the requests that are in flight on each. One that timed out keeps its place, for its reply may come. */
  readonly #links = new Map<Connection, Request[]>();
  readonly #waiting = new Set<Request>();
  readonly counters = { connections: 0, requests: 0 };
  #connecting = 0;
  /** Attempts since a reply was received. */
  #attempts = 0;
  #isClosed = false;

  private constructor(port: number, options: Required<PoolOptions>) {
    this.#port = port;
    this.#options = options;
  }

  /** Resolves when the first connection is open. */
  static async connect(port: number, options: PoolOptions = {}): Promise<Pool> {
    const pool = new Pool(port, { size: 4, maxRequestsInFlight: 1000, maxWaiting: 1000, ...options });
    pool.#add(await dial(port));
    return pool;
  }

  get health() {
    const inFlight = [...this.#links.values()].reduce((sum, requests) => sum + requests.length, 0);
    return { open: this.#links.size, connecting: this.#connecting, inFlight, waiting: this.#waiting.size };
  }

  /** Resolves with the reply. Rejects if there is none in time, or the connection is lost: then the server may have handled it. */
  async request(text: string, { timeoutMs = 30_000 } = {}): Promise<string> {
    if (this.#isClosed) throw new Error('the pool is closed');
    if (this.#waiting.size >= this.#options.maxWaiting) throw new Error('too many requests wait');
    this.counters.requests++;
    let timer: NodeJS.Timeout | undefined;
    let request: Request | undefined;
    try {
      return await new Promise((resolve, reject) => {
        request = { text, resolve, reject };
        timer = setTimeout(() => reject(new Error(`no reply in ${timeoutMs} ms`)), timeoutMs);
        this.#waiting.add(request);
        this.#assign();
      });
    } finally {
      clearTimeout(timer);
      if (request) this.#waiting.delete(request);
    }
  }

  /** Waits for the requests, then closes all connections. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const giveUp = performance.now() + closeTimeoutMs;
    const isBusy = () => this.health.inFlight + this.health.waiting > 0;
    while (isBusy() && performance.now() < giveUp) await delay(10);
    for (const { reject } of this.#waiting) reject(new Error('the pool is closed'));
    for (const link of this.#links.keys()) link.end();
    while (this.#links.size > 0 && performance.now() < giveUp) await delay(10);
    for (const { socket } of this.#links.keys()) socket.destroy();
  }

  #assign(): void {
    const { size, maxRequestsInFlight } = this.#options;
    for (const request of this.#waiting) {
      const links = [...this.#links].sort(([, a], [, b]) => a.length - b.length);
      const [least] = links;
      const isFull = least === undefined || least[1].length > 0;
      if (isFull && links.length + this.#connecting < Math.min(size, links.length + this.#waiting.size))
        void this.#open();
      if (least === undefined || least[1].length >= maxRequestsInFlight) return;
      this.#waiting.delete(request);
      least[1].push(request);
      least[0].send(request.text);
    }
  }

  async #open(): Promise<void> {
    this.#connecting++;
    try {
      const socket = await dial(this.#port);
      this.#connecting--;
      this.#add(socket);
    } catch (error) {
      this.#connecting--;
      this.#replace(error as Error);
    }
  }

  #add(socket: Socket): void {
    const requests: Request[] = [];
    const link = new Connection(socket, {
      framing: lines(),
      handle: (reply) => {
        this.#attempts = 0;
        // A message that is no reply is dropped.
        requests.shift()?.resolve(reply);
        this.#assign();
        return undefined;
      },
      closed: (error) => {
        this.#links.delete(link);
        for (const { reject } of requests) reject(error ?? new Error('the connection was closed'));
        this.#replace(error);
      },
    });
    this.counters.connections++;
    this.#links.set(link, requests);
    this.#assign();
  }

  /** Connects again, after a pause that grows and is half random. */
  #replace(error = new Error('the connection was closed')): void {
    if (this.#isClosed) return;
    this.#attempts++;
    if (this.#attempts > maxAttempts) {
      this.#attempts = 0;
      for (const { reject } of this.#waiting) reject(error);
      return;
    }
    this.#connecting++;
    const pause = Math.min(50 * 2 ** (this.#attempts - 1), 5000) * (0.5 + Math.random() / 2);
    setTimeout(() => {
      this.#connecting--;
      if (!this.#isClosed) void this.#open();
    }, pause).unref();
  }
}

if (process.argv[1] === import.meta.filename) {
  const accept = {
    framing: lines(),
    formatError: (text: string) => `error: ${text}`,
    async handle(text: string) {
      await delay(20);
      return text.toUpperCase();
    },
  };
  const server = createServer({ allowHalfOpen: true });
  const { port, close } = await listen(server, { port: 0 }, (socket) => new Connection(socket, accept));

  const pool = await Pool.connect(port, { size: 3, maxRequestsInFlight: 1, maxWaiting: 100 });
  const words = ['one', 'two', 'three', 'four', 'five', 'six'];
  const replies = await Promise.all(words.map((word) => pool.request(word)));
  console.log(replies.join(' '));

  const { connections, requests } = pool.counters;
  console.log(`${requests} requests on ${connections} connections, ${pool.health.open} of them open`);
  await pool.close();
  await close();
}
