// JSON-RPC 2.0 in both directions: client and server call each other's methods over one connection.
import { connect, json, serve } from 'yodel';
import * as z from 'zod';

const call = z.object({ jsonrpc: z.literal('2.0'), id: z.int(), method: z.string(), params: z.unknown().optional() });
const result = z.object({
  jsonrpc: z.literal('2.0'),
  id: z.int().nullable(),
  result: z.unknown().optional(),
  error: z.object({ code: z.int(), message: z.string() }).optional(),
});
const rpc = z.union([call, result]);
type Call = z.infer<typeof call>;
type Rpc = z.infer<typeof rpc>;

const failure = (id: Rpc['id'], code: number, message: string): Rpc => ({
  jsonrpc: '2.0',
  id,
  error: { code, message },
});
const both = {
  codec: json(rpc, {
    sent: rpc,
    invalid: ({ cause, message }) => failure(null, cause instanceof SyntaxError ? -32700 : -32600, message),
    errorReply: (text) => failure(null, -32603, text),
  }),
  correlate: {
    requestId: ({ id }: Rpc) => id ?? undefined,
    replyId: (received: Rpc) => ('method' in received ? undefined : (received.id ?? undefined)),
  },
};

let last = 0;
const calling = (method: string): Call => ({ jsonrpc: '2.0', id: ++last, method });
const resultOf = (reply: Rpc) => ('result' in reply ? reply.result : undefined);
async function answer({ id, method }: Call, methods: Record<string, () => unknown>): Promise<Rpc> {
  const run = Object.hasOwn(methods, method) ? methods[method] : undefined;
  return run ? { jsonrpc: '2.0', id, result: await run() } : failure(id, -32601, `there is no method ${method}`);
}

const server = await serve({
  ...both,
  listen: 'tcp://127.0.0.1:0',
  handler: (received, session) => {
    const greet = async () => `hello ${resultOf(await session.request(calling('name')))}`;
    return 'method' in received ? answer(received, { greet }) : undefined;
  },
});

const client = await connect(server.addresses[0], both);
void (async () => {
  for await (const received of client)
    if ('method' in received) client.send(await answer(received, { name: () => 'Ada' }));
})().catch(() => undefined); // The connection is lost: the requests say so, too.
for (const method of ['greet', 'shout']) console.log(JSON.stringify(await client.request(calling(method))));

await client.close();
await server.close();
