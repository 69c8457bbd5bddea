/** A client and a server that the generated steps of a property drive: every message, time-out and loss happens when a step says so. */
import { UnixAddress } from '../../src/address.ts';
import type { Client } from '../../src/client/client.ts';
import { connect } from '../../src/client/connect.ts';
import type { ConnectOptions } from '../../src/client/options.ts';
import type { Clock, Timer } from '../../src/clock.ts';
import { YodelError } from '../../src/errors.ts';
import { memoryTransport } from '../../src/transport/memory.ts';
import type { Connection } from '../../src/transport/transport.ts';

/** A clock that advances without giving anyone else a turn. */
class StepClock implements Clock {
  #now = 1_000;
  #timers: { at: number; run: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  ran(): number {
    return this.#now;
  }

  stalled(): number {
    return 0;
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { at: this.#now + delayMs, run };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((one) => one !== timer);
      },
    };
  }

  deadline(delayMs: number, run: () => void): Timer {
    return this.after(delayMs, run);
  }

  soon(run: () => void): void {
    queueMicrotask(run);
  }

  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#now = Math.max(this.#now, next.at);
      this.#timers = this.#timers.filter((timer) => timer !== next);
      next.run();
    }
    this.#now = end;
  }
}

/** The server's end of one connection. It speaks in lines. */
export class ServerEnd {
  readonly #connection: Connection;
  /** What it has received. */
  readonly received: string[] = [];
  /** How many of those it has answered, where it answers in order. */
  answered = 0;
  /** What it has sent that is no reply to a request. */
  readonly unasked: string[] = [];
  isOver = false;
  /** Whether it was closed so that what was on its way is lost. */
  wasReset = false;

  constructor(connection: Connection) {
    this.#connection = connection;
    let rest = '';
    connection.start({
      onData: (chunk) => {
        const lines = (rest + Buffer.from(chunk).toString()).split('\n');
        rest = lines.pop() as string;
        this.received.push(...lines);
      },
      onEnd: () => {
        this.isOver = true;
        connection.end();
      },
      onDrain: () => {},
      onClose: () => {
        this.isOver = true;
      },
    });
  }

  says(text: string): void {
    if (!this.isOver) this.#connection.write(Buffer.from(`${text}\n`));
  }

  /** Sends what answers nothing. */
  pushes(text: string): void {
    if (this.isOver) return;
    this.unasked.push(text);
    this.says(text);
  }

  loses(isAborted: boolean): void {
    if (this.isOver) return;
    this.isOver = true;
    this.wasReset = isAborted;
    if (isAborted) this.#connection.abort();
    else this.#connection.end();
  }
}

/** A request, and what became of it. */
export interface Tried {
  readonly text: string;
  readonly canceller: AbortController;
  /** How often it has settled. */
  settled: number;
  reply?: string;
  error?: YodelError;
}

/** See the top of the file. */
export class World {
  readonly clock = new StepClock();
  readonly servers: ServerEnd[] = [];
  readonly requests: Tried[] = [];
  /** What the iteration over the client has yielded. */
  readonly seen: string[] = [];
  client!: Client;
  /** For names that occur once. */
  serial = 0;

  static async open(options: ConnectOptions): Promise<World> {
    const world = new World();
    const transport = memoryTransport();
    const address = new UnixAddress('/interleavings');
    await transport.listen(address, {
      backlog: 1,
      accept: (connection) => void world.servers.push(new ServerEnd(connection)),
      failed: () => {},
    });
    const reconnect = { minDelay: 5, maxDelay: 5, maxAttempts: 0 };
    const { clock } = world;
    world.client = await connect(address, { transport, clock, reconnect, connectTimeout: 0, ...options });
    void world.#read();
    return world;
  }

  /** The server's end of the newest connection. */
  get server(): ServerEnd {
    return this.servers.at(-1) as ServerEnd;
  }

  request(text: string, timeoutMs: number): void {
    const canceller = new AbortController();
    const tried: Tried = { text, canceller, settled: 0 };
    this.requests.push(tried);
    this.client.request(text, { timeoutMs, signal: canceller.signal }).then(
      (reply) => {
        tried.settled++;
        tried.reply = reply.text;
      },
      (error: YodelError) => {
        tried.settled++;
        tried.error = error;
      },
    );
  }

  send(text: string): void {
    if (this.client.state === 'open') this.client.send(text);
  }

  /** Gives everyone a few turns. */
  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) await null;
  }

  /** Everything that is on its way arrives. */
  async calm(): Promise<void> {
    await this.turns(60);
  }

  /** Ends it. Every request has settled then. */
  async close(): Promise<void> {
    this.client.abort();
    await this.calm();
  }

  async #read(): Promise<void> {
    for (;;) {
      try {
        for await (const { text } of this.client) this.seen.push(text);
        return;
      } catch (error) {
        if (!(error instanceof YodelError)) throw error;
      }
    }
  }
}
