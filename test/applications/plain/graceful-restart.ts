/** A restart that no request is lost in, as in examples/graceful-restart.ts, with node:net. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection, lines, listen } from './connection.ts';

const maxAttempts = 20;

async function start(version: string, port: number) {
  const accept = {
    framing: lines(),
    formatError: (text: string) => `error: ${text}`,
    async handle(text: string) {
      await delay(2);
      return `${text}, says the ${version} server`;
    },
  };
  const server = createServer({ allowHalfOpen: true });
  return await listen(server, { port, reusePort: true }, (socket) => new Connection(socket, accept));
}

/** Was not answered, because the connection was lost: the server may have handled it. */
class Lost extends Error {}

interface Request {
  resolve(reply: string): void;
  reject(error: Error): void;
}

/** A client that connects again when its connection is lost. */
class Client {
  readonly #port: number;
  #link: Connection | undefined;
  #requests: Request[] = [];
  /** Resolves when it is connected. Rejects when no attempt is left. */
  ready: Promise<void>;
  #isClosed = false;

  constructor(port: number) {
    this.#port = port;
    this.ready = this.#connect();
  }

  /** Never sends a request twice. */
  async request(text: string): Promise<string> {
    await this.ready;
    if (!this.#link) throw new Lost('not connected');
    const link = this.#link;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(() => reject(new Error('no reply in 30 s')), 30_000);
    this.#requests.push({ resolve, reject });
    link.send(text);
    return await promise.finally(() => clearTimeout(timer));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const link = this.#link;
    link?.end();
    if (link && !link.socket.closed) await once(link.socket, 'close');
  }

  async #connect(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const socket = connect({ port: this.#port, host: '127.0.0.1', allowHalfOpen: true });
      try {
        await once(socket, 'connect', { signal: AbortSignal.timeout(10_000) });
        return this.#use(socket);
      } catch (error) {
        socket.destroy();
        if (attempt === maxAttempts) throw error;
        await delay(Math.min(10 * 2 ** attempt, 5000) * (0.5 + Math.random() / 2));
      }
    }
  }

  #use(socket: Socket): void {
    const requests: Request[] = [];
    this.#requests = requests;
    this.#link = new Connection(socket, {
      framing: lines(),
      handle: (reply) => void requests.shift()?.resolve(reply),
      closed: () => {
        this.#link = undefined;
        for (const { reject } of requests) reject(new Lost('the connection is lost'));
        if (this.#isClosed) return;
        this.ready = delay(10).then(() => this.#connect());
        // Whoever asks next learns it.
        this.ready.catch(() => undefined);
      },
    });
  }
}

const old = await start('old', 0);
const client = new Client(old.port);
await client.ready;

/** The client never sends a request twice. This program may: the requests change nothing. */
async function ask(text: string): Promise<string> {
  for (;;) {
    try {
      return await client.request(text);
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
    }
  }
}

const answers: Promise<string>[] = [];
const ask20 = () => {
  for (let number = 0; number < 20; number++) answers.push(ask(`answer ${answers.length + 1}`));
};

ask20();
const next = await start('new', old.port);
const drained = old.close();
ask20();
await drained;
ask20();
const all = await Promise.all(answers);
console.log(`${all.length} answers, from ${all[0]} to ${all.at(-1)}`);

await client.close();
await next.close();
