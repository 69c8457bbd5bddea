// JSON-RPC 2.0, one message per line: server and clients call each other's methods. Run it with `node json-rpc.ts`, and talk to it:
// {"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}
import { type Address, connect, DecodeError, json, type RequestOptions, serve } from 'yodel';
import * as z from 'zod';

const jsonrpc = z.literal('2.0');
const id = z.union([z.string(), z.number()]);
const params = z.union([z.array(z.unknown()), z.record(z.string(), z.unknown())]);
const call = z.object({ jsonrpc, id: id.optional(), method: z.string(), params: params.optional() });
const success = z.object({ jsonrpc, id, result: z.json() });
const failure = z.object({ jsonrpc, id: id.nullable(), error: z.object({ code: z.int(), message: z.string() }) });
const rpc = z.union([call, success, failure]);
type Rpc = z.infer<typeof rpc>;
type Params = z.infer<typeof params>;

/** An error that the other end learns. Of others it learns only that there was one. */
export class RpcError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** The other end of a connection. */
export interface Peer {
  /** Resolves with the result. Rejects with an RpcError, or with why there is no answer. */
  call(method: string, params?: Params, options?: RequestOptions): Promise<unknown>;
  /** A call without an answer. */
  notify(method: string, params?: Params): void;
}
export type Methods = Readonly<Record<string, (params: Params | undefined, peer: Peer) => unknown>>;

/** How many calls of a connection are answered at a time. */
const maxConcurrency = 100;

const failed = (to: string | number | null, code: number, message: string): Rpc => ({
  jsonrpc: '2.0',
  id: to,
  error: { code, message },
});
const refused = ({ cause, message }: DecodeError) =>
  failed(null, cause instanceof SyntaxError ? -32700 : -32600, message);
const both = {
  codec: json(rpc, { sent: rpc, invalid: refused, errorReply: (text) => failed(null, -32603, text) }),
  correlate: {
    requestId: (sent: Rpc) => sent.id ?? undefined,
    replyId: (received: Rpc) => ('method' in received ? undefined : (received.id ?? undefined)),
  },
  requestTimeout: 10_000,
};

function peerOf(end: {
  request(message: Rpc, options?: RequestOptions): Promise<Rpc>;
  send(message: Rpc): unknown;
}): Peer {
  let last = 0;
  return {
    async call(method, params, options) {
      const reply = await end.request({ jsonrpc: '2.0', id: ++last, method, params }, options);
      if ('error' in reply) throw new RpcError(reply.error.code, reply.error.message);
      return 'result' in reply ? reply.result : undefined;
    },
    notify: (method, params) => void end.send({ jsonrpc: '2.0', method, params }),
  };
}

/** The answer to a call, or undefined to a notification and to an answer that nobody waits for. */
async function answer(received: Rpc, methods: Methods, peer: Peer): Promise<Rpc | undefined> {
  if (!('method' in received)) return undefined;
  const { id, method, params } = received;
  let reply: Rpc;
  try {
    const run = Object.hasOwn(methods, method) ? methods[method] : undefined;
    if (!run) throw new RpcError(-32601, `there is no method ${method}`);
    reply = {
      jsonrpc: '2.0',
      id: id ?? '',
      result: ((await run(params, peer)) ?? null) as z.infer<typeof success>['result'],
    };
  } catch (error) {
    if (!(error instanceof RpcError)) process.emitWarning(error as Error);
    const { code, message } = error instanceof RpcError ? error : new RpcError(-32603, 'the method failed');
    reply = failed(id ?? null, code, message);
  }
  return id === undefined ? undefined : reply;
}

/** Starts a server. `close()` answers all that has arrived. */
export async function startServer(listen: Address | number, methods: Methods) {
  return await serve({
    ...both,
    listen,
    concurrency: maxConcurrency,
    replyOrder: 'finished',
    data: (session) => ({ peer: peerOf(session) }),
    handler: (received, { data }) => answer(received, methods, data.peer),
  });
}

/** Connects to a server, which may call these methods. */
export async function connectTo(address: Address, methods: Methods): Promise<Peer & { close(): Promise<void> }> {
  const client = await connect(address, both);
  const peer = peerOf(client);
  const send = (reply: Rpc | undefined) => reply && client.state === 'open' && client.send(reply);
  const running = new Set<Promise<unknown>>();
  async function answerCalls(): Promise<void> {
    try {
      for await (const received of client) {
        const answering: Promise<unknown> = answer(received, methods, peer).then(send);
        running.add(answering);
        void answering.finally(() => running.delete(answering));
        if (running.size >= maxConcurrency) await Promise.race(running);
      }
    } catch (error) {
      // The connection is lost: calls have been told.
      if (!(error instanceof DecodeError)) return;
      send(refused(error));
      await answerCalls();
    }
  }
  void answerCalls();
  return { ...peer, close: () => client.close() };
}

if (process.argv[1] === import.meta.filename) {
  const server = await startServer(Number(process.env.PORT ?? 7878), {
    add(numbers) {
      const { success, data } = z.array(z.number()).safeParse(numbers);
      if (!success) throw new RpcError(-32602, 'add takes numbers');
      return data.reduce((sum, number) => sum + number, 0);
    },
    greet: async (_, peer) => `hello ${await peer.call('name')}`,
  });
  console.log(`listening on ${server.addresses[0]}`);
  process.once('SIGTERM', () => void server.close());
}
