/** JSON-RPC in both directions is the same in both versions, which also understand each other. */
import { expect, onTestFinished, test, vi } from 'vitest';
import * as yodel from '../../examples/applications/json-rpc.ts';
import { eventually } from '../support/eventually.ts';
import { dial } from '../support/peer.ts';
import { startApplication } from './application.ts';
import * as plain from './plain/json-rpc.ts';

interface Peer {
  call(
    method: string,
    params?: unknown[] | Record<string, unknown>,
    options?: { timeoutMs?: number },
  ): Promise<unknown>;
  notify(method: string, params?: unknown[] | Record<string, unknown>): void;
}
type Methods = Readonly<
  Record<string, (params: unknown[] | Record<string, unknown> | undefined, peer: Peer) => unknown>
>;

interface Version {
  startServer(port: number, methods: Methods): Promise<{ addresses: readonly unknown[]; close(): Promise<void> }>;
  connectTo(address: string, methods: Methods): Promise<Peer & { close(): Promise<void> }>;
  readonly RpcError: new (code: number, message: string) => Error & { readonly code: number };
}

const versions = { yodel, 'node:net': plain } as unknown as Readonly<Record<'yodel' | 'node:net', Version>>;

async function start({ startServer }: Version, methods: Methods) {
  const server = await startServer(0, methods);
  onTestFinished(() => server.close());
  const address = String(server.addresses[0]);
  return { server, address, port: Number(new URL(address).port) };
}

async function join({ connectTo }: Version, address: string, methods: Methods = {}) {
  const peer = await connectTo(address, methods);
  onTestFinished(() => peer.close());
  return peer;
}

/** The warnings of the process, which are not printed until the test ends. */
function warnings() {
  const warned = vi.spyOn(process, 'emitWarning').mockReturnValue();
  onTestFinished(() => warned.mockRestore());
  return warned;
}

const greet = async (_: unknown, peer: Peer) => `hello ${await peer.call('name')}`;

const pairs = [
  ['yodel', 'yodel'],
  ['node:net', 'node:net'],
  ['yodel', 'node:net'],
  ['node:net', 'yodel'],
] as const;

test.each(pairs)('a server with %s and a client with %s call each other', async (one, other) => {
  const told: unknown[] = [];
  const { address } = await start(versions[one], {
    greet,
    sum: (numbers) => (numbers as number[])[0],
    tell: (what) => void told.push(what),
  });
  const ada = await join(versions[other], address, { name: () => 'Ada' });
  const bob = await join(versions[other], address, { name: async () => 'Bob' });
  ada.notify('tell', { it: 'rains' });
  ada.notify('nothing');
  expect(await Promise.all([ada.call('greet'), bob.call('greet'), ada.call('sum', [7]), ada.call('tell')])).toEqual([
    'hello Ada',
    'hello Bob',
    7,
    null,
  ]);
  expect(told).toEqual([{ it: 'rains' }, undefined]);
  await expect(ada.call('shout')).rejects.toMatchObject({ code: -32601 });
});

test.each(Object.entries(versions))(
  'an end that does not know the method of a call says so, with %s',
  async (_, version) => {
    const { address } = await start(version, { greet });
    const nameless = await join(version, address);
    warnings();
    await expect(nameless.call('greet')).rejects.toMatchObject({ code: -32601, message: 'there is no method name' });
  },
);

test.each(Object.entries(versions))(
  'errors of a method stay on the server unless they are for others, with %s',
  async (_, version) => {
    const warned = warnings();
    const { address } = await start(version, {
      secret: () => {
        throw new Error('the password is 1234');
      },
      busy: async () => {
        throw new version.RpcError(7, 'come back later');
      },
    });
    const client = await join(version, address);
    await expect(client.call('secret')).rejects.toMatchObject({ code: -32603, message: 'the method failed' });
    expect(warned).toHaveBeenCalledWith(expect.objectContaining({ message: 'the password is 1234' }));
    await expect(client.call('busy')).rejects.toMatchObject({ code: 7, message: 'come back later' });
  },
);

test.each(Object.entries(versions))(
  "a slow call delays no other, and a late answer is nobody else's, with %s",
  async (_, version) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const { address } = await start(version, { slow: () => promise, fast: () => 'fast' });
    const client = await join(version, address);
    const slow = client.call('slow');
    const given = expect(client.call('slow', [], { timeoutMs: 20 })).rejects.toThrow();
    expect(await client.call('fast')).toBe('fast');
    await given;
    resolve('slow');
    expect(await Promise.all([slow, client.call('fast')])).toEqual(['slow', 'fast']);
  },
);

test.each(Object.entries(versions))(
  'messages that are no calls get the errors of the specification, with %s',
  async (_, version) => {
    const { port } = await start(version, { echo: (params) => params });
    const peer = await dial(port);
    const ask = async (line: string) => JSON.parse(await peer.ask(line));
    expect(await ask('{"jsonrpc":"2.0","id":1')).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32700 } });
    for (const wrong of [
      '7',
      '[]',
      '{"jsonrpc":"2.0","id":1}',
      '{"jsonrpc":"1.0","id":1,"method":"echo"}',
      '{"jsonrpc":"2.0","id":1,"method":"echo","params":"x"}',
      '{"jsonrpc":"2.0","id":{},"method":"echo"}',
    ]) {
      expect(await ask(wrong)).toMatchObject({ id: null, error: { code: -32600 } });
    }
    for (const method of ['constructor', 'toString', '__proto__']) {
      expect(await ask(JSON.stringify({ jsonrpc: '2.0', id: 'a', method }))).toMatchObject({
        id: 'a',
        error: { code: -32601 },
      });
    }
    await peer.send('{"jsonrpc":"2.0","id":99,"result":"of no call"}\n{"jsonrpc":"2.0","method":"none"}\n');
    expect(await ask('{"jsonrpc":"2.0","id":"b","method":"echo","params":{"a":[1]}}')).toEqual({
      jsonrpc: '2.0',
      id: 'b',
      result: { a: [1] },
    });
    await peer.send('x'.repeat(70_000));
    expect(JSON.parse((await peer.ended).toString().trim().split('\n').at(-1) ?? '')).toMatchObject({
      id: null,
      error: { code: -32603 },
    });
  },
);

test.each(Object.entries(versions))('a client survives a server that talks nonsense, with %s', async (_, version) => {
  const { createServer } = await import('node:net');
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('nonsense\n{"jsonrpc":"2.0","id":5,"method":"name"}\n');
    socket.on(
      'data',
      (chunk) =>
        received.push(...chunk.toString().trim().split('\n')) >= 3 &&
        socket.write('{"jsonrpc":"2.0","id":1,"result":true}\n'),
    );
  });
  const received: string[] = [];
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const client = await join(version, `tcp://127.0.0.1:${port}`, { name: () => 'Ada' });
  expect(await client.call('any')).toBe(true);
  const messages = received.map((line) => JSON.parse(line));
  expect(messages).toContainEqual({ jsonrpc: '2.0', id: 5, result: 'Ada' });
  expect(messages).toContainEqual(
    expect.objectContaining({ id: null, error: expect.objectContaining({ code: -32700 }) }),
  );
});

test.each(Object.entries(versions))('calls are told that the connection is lost, with %s', async (_, version) => {
  const { port } = await start(version, {
    never: (_params, peer) => peer.call('gone').catch((error) => lost.push(error)),
  });
  const lost: unknown[] = [];
  const peer = await dial(port);
  await peer.send('{"jsonrpc":"2.0","id":1,"method":"never"}\n');
  await peer.saw(/"method":"gone"/);
  peer.reset();
  await eventually(() => expect(lost).toHaveLength(1));
});

test.each(Object.entries(versions))(
  'a server that closes answers all calls that have arrived, with %s',
  async (_, version) => {
    const { server, address } = await start(version, { double: async (params) => Number((params as number[])[0]) * 2 });
    const client = await join(version, address);
    const calls = Array.from({ length: 50 }, (_, number) => client.call('double', [number]));
    await calls[0];
    await server.close();
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 50 }, (_, number) => 2 * number));
    await expect(client.call('double', [1])).rejects.toThrow();
  },
);

test.each(Object.entries(versions))(
  'a client survives that the connection is lost while it answers, with %s',
  async (_, version) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const refused = new version.RpcError(7, 'no answer');
    const { server, address } = await start(version, {
      greet: async (_params, peer) =>
        await peer.call('name', [], { timeoutMs: 500 }).catch(() => {
          throw refused;
        }),
    });
    const name = () => {
      ask();
      return promise;
    };
    const client = await join(version, address, { name });
    const greeting = client.call('greet').catch((error: Error) => error);
    await asked;
    await Promise.all([server.close(), greeting]);
    resolve('Ada');
    await expect(client.call('greet')).rejects.toThrow();
  },
);

test('the example is a program, which stops at SIGTERM', async () => {
  const server = await startApplication('examples/applications/json-rpc.ts');
  const peer = await dial(server.port);
  const ask = async (method: string, params: unknown[]) =>
    JSON.parse(await peer.ask(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })));
  expect(await ask('add', [1, 2])).toEqual({ jsonrpc: '2.0', id: 1, result: 3 });
  expect(await ask('add', ['one'])).toMatchObject({ error: { code: -32602 } });
  peer.end();
  expect((await server.stop()).status).toBe(0);
});
