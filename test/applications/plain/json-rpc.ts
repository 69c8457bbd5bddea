/** JSON-RPC as in examples/applications/json-rpc.ts, with node:net. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import * as z from 'zod';
import { Connection, lines, listen } from './connection.ts';

const jsonrpc = z.literal('2.0');
const id = z.union([z.string(), z.number()]);
const params = z.union([z.array(z.unknown()), z.record(z.string(), z.unknown())]);
const call = z.object({ jsonrpc, id: id.optional(), method: z.string(), params: params.optional() });
const success = z.object({ jsonrpc, id, result: z.json() });
const failure = z.object({ jsonrpc, id: id.nullable(), error: z.object({ code: z.int(), message: z.string() }) });
const rpc = z.union([call, success, failure]);
type Rpc = z.infer<typeof rpc>;
type Call = z.infer<typeof call>;
type Params = z.infer<typeof params>;

const maxRequestsInFlight = 1000;

export class RpcError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export type Methods = Readonly<Record<string, (params: Params | undefined, peer: Peer) => unknown>>;

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

function failed(to: string | number | null, code: number, message: string): Rpc {
  return { jsonrpc: '2.0', id: to, error: { code, message } };
}

/** One end of a connection. */
export class Peer {
  readonly connection: Connection;
  readonly #methods: Methods;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  constructor(socket: Socket, methods: Methods) {
    this.#methods = methods;
    this.connection = new Connection(socket, {
      framing: lines(),
      concurrency: 100,
      handle: (text) => this.#handle(text),
      formatError: (text) => JSON.stringify(failed(null, -32603, text)),
      closed: (error) => {
        for (const { reject } of this.#waiting.values()) reject(error ?? new Error('the connection is closed'));
      },
    });
  }

  async call(method: string, params?: Params, { timeoutMs = 10_000 } = {}): Promise<unknown> {
    if (!this.connection.socket.writable) throw new Error('the connection is closed');
    if (this.#waiting.size >= maxRequestsInFlight) throw new Error('too many calls have no answer');
    const id = ++this.#last;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        timer = setTimeout(() => reject(new Error(`no answer to ${method} in ${timeoutMs} ms`)), timeoutMs);
        this.connection.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  notify(method: string, params?: Params): void {
    this.connection.send(JSON.stringify({ jsonrpc: '2.0', method, params }));
  }

  async close(): Promise<void> {
    const { socket } = this.connection;
    const limit = setTimeout(() => socket.destroy(), 5000);
    while (this.#waiting.size > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    this.connection.end();
    if (!socket.closed) await once(socket, 'close');
    clearTimeout(limit);
  }

  #handle(text: string): string | undefined | Promise<undefined> {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return JSON.stringify(failed(null, -32700, 'invalid message: not JSON'));
    }
    const { success, data, error } = rpc.safeParse(value);
    if (!success) return JSON.stringify(failed(null, -32600, `invalid message: ${error.issues[0]?.message}`));
    if ('method' in data) return this.#answer(data);
    this.#settle(data);
    return undefined;
  }

  /** Sends the answer when it is ready, also before the answers to earlier calls. */
  async #answer({ id, method, params }: Call): Promise<undefined> {
    let reply: object;
    try {
      const run = Object.hasOwn(this.#methods, method) ? this.#methods[method] : undefined;
      if (!run) throw new RpcError(-32601, `there is no method ${method}`);
      reply = { jsonrpc: '2.0', id, result: (await run(params, this)) ?? null };
    } catch (error) {
      if (!(error instanceof RpcError)) process.emitWarning(error as Error);
      const { code, message } = error instanceof RpcError ? error : new RpcError(-32603, 'the method failed');
      reply = failed(id ?? null, code, message);
    }
    if (id !== undefined) this.connection.send(JSON.stringify(reply));
  }

  #settle(reply: Exclude<Rpc, Call>): void {
    const waiting = this.#waiting.get(reply.id as number);
    if ('error' in reply) waiting?.reject(new RpcError(reply.error.code, reply.error.message));
    else waiting?.resolve(reply.result);
  }
}

export async function startServer(port: number, methods: Methods) {
  const server = createServer({ allowHalfOpen: true });
  const { port: actual, close } = await listen(server, { port }, (socket) => new Peer(socket, methods).connection);
  return { addresses: [`tcp://127.0.0.1:${actual}`] as const, close };
}

export async function connectTo(address: string, methods: Methods): Promise<Peer> {
  const { hostname: host, port } = new URL(address);
  const socket = connect({ host, port: Number(port), allowHalfOpen: true });
  await once(socket, 'connect', { signal: AbortSignal.timeout(10_000) });
  return new Peer(socket, methods);
}
