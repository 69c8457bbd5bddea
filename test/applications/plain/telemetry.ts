// The job of examples/applications/telemetry.ts with node:net alone, in the same way: what yodel does there is written out here.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import * as z from 'zod';

const received = z.discriminatedUnion('type', [
  z.object({ type: z.literal('hello'), device: z.string().regex(/^[\w-]{1,64}$/), token: z.string() }),
  z.object({ type: z.literal('watch'), token: z.string() }),
  z.object({ type: z.literal('reading'), number: z.int().nonnegative(), value: z.number() }),
]);
type Received = z.infer<typeof received>;
interface Reading {
  readonly device: string;
  readonly number: number;
  readonly value: number;
}
export interface Settings {
  readonly listen: number;
  readonly file: string;
  readonly tokens: ReadonlyMap<string, string>;
  readonly dashboardToken: string;
  readonly rate?: number;
}

const maxLineLength = 1024;
const maxConnections = 10_000;
const maxInFlight = 100;
const highWaterMark = 65_536;
const idleTimeoutMs = 300_000;
const lineTimeoutMs = 10_000;
const drainTimeoutMs = 10_000;
const lingerTimeoutMs = 1000;
const shutdownTimeoutMs = 15_000;

class Store {
  readonly latest = new Map<string, Reading>();
  readonly #database: DatabaseSync;
  #waiting: { reading: Reading; done: (error?: Error) => void }[] = [];

  constructor(file: string) {
    this.#database = new DatabaseSync(file);
    this.#database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      CREATE TABLE IF NOT EXISTS readings (device TEXT, number INTEGER, value REAL, PRIMARY KEY (device, number))`);
    const latest = this.#database.prepare('SELECT device, max(number) AS number, value FROM readings GROUP BY device');
    for (const reading of latest.all() as unknown as Reading[]) this.latest.set(reading.device, reading);
  }

  add(reading: Reading): Promise<void> {
    if (this.#waiting.length === 0) setImmediate(() => this.#flush());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ reading, done: (error) => (error ? reject(error) : resolve()) });
    });
  }

  close(): void {
    this.#database.close();
  }

  #flush(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    let failure: Error | undefined;
    try {
      this.#database.exec('BEGIN');
      const insert = this.#database.prepare('INSERT OR IGNORE INTO readings VALUES (?, ?, ?)');
      for (const { reading } of batch) insert.run(reading.device, reading.number, reading.value);
      this.#database.exec('COMMIT');
    } catch (error) {
      failure = error as Error;
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    }
    for (const { done } of batch) done(failure);
  }
}

type Handle = (message: Received, connection: Connection) => object | Promise<object>;

class Connection {
  device: string | undefined;
  readonly #socket: Socket;
  readonly #handle: Handle;
  readonly #rate: number;
  #input: Buffer = Buffer.alloc(0);
  /** How many messages the rate allows now. */
  #tokens = 1;
  #refilled = performance.now();
  /** Replies in the order of their messages; undefined while they are not ready. */
  readonly #replies: { line: string | undefined }[] = [];
  /** For dashboards: the last reading of each device that has not been sent. */
  readonly #behind = new Map<string, Reading>();
  #isEnding = false;
  #isOver = false;
  #resume: NodeJS.Timeout | undefined;
  #lineTimer: NodeJS.Timeout | undefined;
  #drainTimer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, rate: number, handle: Handle) {
    this.#socket = socket;
    this.#rate = rate;
    this.#handle = handle;
    socket.setKeepAlive(true, 60_000);
    socket.setNoDelay(true);
    socket.setTimeout(idleTimeoutMs, () => this.#fail(`nothing was received or sent for ${idleTimeoutMs / 1000} s`));
    socket.on('data', (chunk) => {
      if (this.#isOver) return;
      this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
      this.#read();
    });
    socket.on('end', () => this.end());
    socket.on('error', () => socket.destroy());
    socket.on('drain', () => {
      clearTimeout(this.#drainTimer);
      this.#drainTimer = undefined;
      this.#sendBehind();
      this.#read();
    });
    socket.on('close', () => {
      for (const timer of [this.#resume, this.#lineTimer, this.#drainTimer]) clearTimeout(timer);
    });
  }

  /** Answers what has arrived, then ends. */
  end(): void {
    this.#isEnding = true;
    this.#read();
  }

  push(reading: Reading): void {
    this.#behind.delete(reading.device);
    this.#behind.set(reading.device, reading);
    this.#sendBehind();
  }

  #sendBehind(): void {
    for (const [device, reading] of this.#behind) {
      if (this.#isOver || this.#socket.writableNeedDrain) return;
      this.#behind.delete(device);
      this.#write(JSON.stringify(reading));
    }
  }

  #read(): void {
    if (this.#isOver) return;
    clearTimeout(this.#resume);
    this.#resume = undefined;
    let start = 0;
    let isWaiting = false;
    for (;;) {
      const end = this.#input.indexOf(10, start);
      if ((end === -1 ? this.#input.length : end) - start > maxLineLength + 1) {
        return this.#fail(`a message is longer than the limit of ${maxLineLength} bytes`);
      }
      if (end === -1) break;
      if (this.#replies.length >= maxInFlight || this.#socket.writableLength > highWaterMark || !this.#mayTake()) {
        isWaiting = true;
        break;
      }
      const line = this.#input.subarray(start, end);
      start = end + 1;
      this.#answer(line.at(-1) === 13 ? line.subarray(0, -1) : line);
      if (this.#isOver) return;
    }
    this.#input = this.#input.subarray(start);
    if (isWaiting) this.#socket.pause();
    else this.#socket.resume();
    const isUnfinished = !isWaiting && this.#input.length > 0;
    if (!isUnfinished || start > 0) {
      clearTimeout(this.#lineTimer);
      this.#lineTimer = undefined;
    }
    if (isUnfinished) {
      this.#lineTimer ??= setTimeout(() => this.#fail('a message was not finished in time'), lineTimeoutMs);
    }
    if (this.#isEnding && !isWaiting && this.#replies.length === 0) this.#finish();
  }

  /** Whether the rate allows one more message. If not, reads again when it does. */
  #mayTake(): boolean {
    const now = performance.now();
    this.#tokens = Math.min(1, this.#tokens + ((now - this.#refilled) * this.#rate) / 1000);
    this.#refilled = now;
    if (this.#tokens >= 1) {
      this.#tokens--;
      return true;
    }
    this.#resume = setTimeout(() => this.#read(), ((1 - this.#tokens) * 1000) / this.#rate);
    return false;
  }

  #answer(line: Buffer): void {
    const reply: { line: string | undefined } = { line: undefined };
    this.#replies.push(reply);
    let answer: object | Promise<object>;
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(line);
      const message = received.safeParse(JSON.parse(text));
      if (message.success) answer = this.#handle(message.data, this);
      else answer = { error: `invalid message: ${message.error.issues[0]?.message}`.slice(0, 300) };
    } catch (error) {
      if (error instanceof Denied) return this.#fail(error.message);
      if (error instanceof TypeError) return this.#fail('a message is not valid UTF-8');
      answer = { error: 'invalid message: not JSON' };
    }
    if (!(answer instanceof Promise)) {
      reply.line = JSON.stringify(answer);
      return this.#flushReplies();
    }
    answer.then(
      (value) => {
        reply.line = JSON.stringify(value);
        this.#flushReplies();
        this.#read();
      },
      (error) => {
        process.emitWarning(error);
        this.#fail('the handler failed on the server');
      },
    );
  }

  #flushReplies(): void {
    while (this.#replies[0]?.line !== undefined && !this.#isOver) this.#write(this.#replies.shift()?.line ?? '');
  }

  #write(line: string): void {
    if (this.#socket.write(`${line}\n`)) return;
    this.#drainTimer ??= setTimeout(() => this.#socket.destroy(), drainTimeoutMs);
  }

  /** An error reply, after the replies that are ready. */
  #fail(error: string): void {
    if (this.#isOver) return;
    this.#flushReplies();
    this.#write(JSON.stringify({ error }));
    this.#finish();
  }

  /** Reads on for a moment, so that a reset does not destroy the last reply. */
  #finish(): void {
    if (this.#isOver) return;
    for (const reading of this.#behind.values()) this.#write(JSON.stringify(reading));
    this.#isOver = true;
    this.#socket.end();
    this.#socket.resume();
    const linger = setTimeout(() => this.#socket.destroySoon(), lingerTimeoutMs);
    this.#socket.once('close', () => clearTimeout(linger));
  }
}

class Denied extends Error {}

export async function startTelemetry(settings: Settings) {
  const { tokens, dashboardToken, rate = 100 } = settings;
  const store = new Store(settings.file);
  const connections = new Map<Connection, Socket>();
  const devices = new Map<string, Connection>();
  const dashboards = new Set<Connection>();
  let closing: Promise<void> | undefined;

  function login(message: Received, connection: Connection): object {
    if (message.type === 'watch' && message.token === dashboardToken) {
      dashboards.add(connection);
      return { latest: [...store.latest.values()] };
    }
    if (message.type !== 'hello' || tokens.get(message.device) !== message.token) throw new Denied('say who you are');
    if (devices.has(message.device)) return { error: 'connected already' };
    devices.set(message.device, connection);
    connection.device = message.device;
    return { welcome: message.device };
  }

  async function collect({ number, value }: Reading, device: string): Promise<object> {
    const reading = { device, number, value };
    try {
      await store.add(reading);
    } catch {
      return { error: 'not stored, send it again', number };
    }
    if (number > (store.latest.get(device)?.number ?? -1)) {
      store.latest.set(device, reading);
      for (const dashboard of dashboards) dashboard.push(reading);
    }
    return { stored: number };
  }

  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    if (connections.size >= maxConnections) {
      socket.on('error', () => socket.destroy());
      socket.end(`${JSON.stringify({ error: 'too many connections; try again later' })}\n`);
      return;
    }
    const connection = new Connection(socket, rate, (message, { device }) => {
      if (device === undefined) return login(message, connection);
      if (message.type !== 'reading') return { error: 'only readings, please' };
      return collect({ ...message, device }, device);
    });
    connections.set(connection, socket);
    socket.on('close', () => {
      connections.delete(connection);
      dashboards.delete(connection);
      if (connection.device !== undefined) devices.delete(connection.device);
    });
  });
  server.listen(settings.listen, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;

  return {
    addresses: [`tcp://127.0.0.1:${port}`] as const,
    /** Answers all that has arrived, then closes the database. */
    close(): Promise<void> {
      closing ??= close();
      return closing;
    },
  };

  async function close(): Promise<void> {
    const closed = once(server, 'close');
    server.close();
    // What has arrived at the operating system is read in the next turns of the event loop. A busy process has none in the 20 ms.
    await new Promise<void>((resolve) => setTimeout(() => setImmediate(() => setImmediate(resolve)), 20));
    for (const connection of connections.keys()) connection.end();
    const limit = setTimeout(() => {
      for (const socket of connections.values()) socket.destroy();
    }, shutdownTimeoutMs);
    await closed;
    clearTimeout(limit);
    store.close();
  }
}
