/** The clients of `yodel` and of `yodel/browser`, on the WebSocket of this runtime, with a real server: they behave in the same way. */
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connect as connectInBrowser } from '../../src/browser/connect.ts';
import type { BrowserConnectOptions } from '../../src/browser/options.ts';
import type { Client } from '../../src/client/client.ts';
import { connect as connectInLibrary } from '../../src/client/connect.ts';
import { json } from '../../src/codec/json.ts';
import { serve } from '../../src/server/server.ts';
import { readAll } from '../client/host.ts';
import { serveOnSockets } from '../server/sockets.ts';
import { freePort } from '../support/ports.ts';

const numbers = Array.from({ length: 1000 }, (_, number) => String(number));
const listen = 'ws://127.0.0.1:0/path';
/** An address that no one else takes when its server has gone. */
const fixed = async () => `ws://127.0.0.1:${await freePort()}/path`;

describe.each([
  ['yodel', connectInLibrary as typeof connectInBrowser],
  ['yodel/browser', connectInBrowser],
] as const)('a client of %s', (name, connect) => {
  async function clientOf(address: unknown, options: BrowserConnectOptions = {}): Promise<Client> {
    const client = await connect(String(address), options);
    onTestFinished(() => client.abort());
    return client;
  }

  it('has a thousand requests in flight', async () => {
    const server = await serveOnSockets({ listen, handler: async ({ text }) => `re: ${text}` });
    const client = await clientOf(server.addresses[0]);
    const replies = await Promise.all(numbers.map((number) => client.request(number)));
    expect(replies.map(String)).toEqual(numbers.map((number) => `re: ${number}`));
    await client.close();
    expect(await client.closed).toBeUndefined();
    const { messagesSent, messagesReceived, requests, replies: replied } = client.counters;
    expect({ messagesSent, messagesReceived, requests, replied }).toEqual({
      messagesSent: 1000,
      messagesReceived: 1000,
      requests: 1000,
      replied: 1000,
    });
  });

  it('sends and receives text and bytes', async () => {
    const server = await serveOnSockets({ listen, handler: (message) => message });
    const client = await clientOf(server.addresses[0]);
    const text = await client.request('grüße\nin two lines\u0000');
    expect([text.kind, text.text, text.size]).toEqual(['text', 'grüße\nin two lines\u0000', 21]);
    const binary = await client.request(Uint8Array.of(0, 255, 10));
    expect(binary.kind).toBe('binary');
    expect([...binary.bytes]).toEqual([0, 255, 10]);
    expect((await client.request('')).size).toBe(0);
  });

  it('sends a message of many megabytes, and gets it back', async () => {
    const server = await serveOnSockets({ listen, maxMessageLength: 50_000_000, handler: (message) => message });
    const client = await clientOf(server.addresses[0]);
    const long = 'x'.repeat(5_000_000);
    expect((await client.request(long)).text === long).toBe(true);
  });

  it('waits for the replies that are due when it is closed', async () => {
    const server = await serveOnSockets({
      listen,
      async handler({ text }) {
        await new Promise((resolve) => setImmediate(resolve));
        return text;
      },
    });
    const client = await clientOf(server.addresses[0]);
    const replies = numbers.slice(0, 50).map((number) => client.request(number));
    await client.close();
    expect((await Promise.all(replies)).map(String)).toEqual(numbers.slice(0, 50));
  });

  it('reads until the server ends the connection', async () => {
    const server = await serveOnSockets({ listen, handler: { open: () => ['one', 'two'] } });
    const client = await clientOf(server.addresses[0]);
    const all = readAll(client);
    await expect.poll(() => client.counters.messagesReceived).toBe(2);
    await server.close();
    expect(await all).toEqual(['one', 'two']);
    expect(await client.closed).toBeUndefined();
  });

  it('learns why the server closes the connection', async () => {
    const server = await serveOnSockets({ listen, maxMessageLength: 10, handler: (message) => message });
    const client = await clientOf(server.addresses[0], { correlate: 'order' });
    client.send('longer than allowed');
    expect(await client.closed).toMatchObject({
      code: 'YODEL_WEBSOCKET_CLOSED',
      message: expect.stringContaining('code 1009 (message too big)'),
    });
  });

  it('closes the connection to a server that sends a message longer than maxMessageLength', async () => {
    const server = await serveOnSockets({ listen, handler: (message) => message });
    const client = await clientOf(server.addresses[0], { maxMessageLength: 10 });
    await expect(client.request('longer than allowed')).rejects.toMatchObject({ code: 'YODEL_MESSAGE_TOO_LONG' });
    expect(await client.closed).toMatchObject({ code: 'YODEL_MESSAGE_TOO_LONG' });
    await expect.poll(() => server.sessions.size).toBe(0);
  });

  it('sends and receives values of a codec, and finds replies by their ids', async () => {
    const server = await serve({
      listen,
      codec: json<{ id: number }>(),
      handler: ({ id }, session) => {
        session.send({ pushed: id });
        return { id, square: id * id };
      },
    });
    onTestFinished(() => server.close({ timeoutMs: 0 }));
    type Reply = { id?: number; square?: number; pushed?: number };
    const client = await connect(String(server.addresses[0]), {
      codec: json<Reply>(),
      correlate: { requestId: (value) => (value as Reply).id, replyId: (value) => value.id },
    });
    onTestFinished(() => client.abort());
    const replies = await Promise.all([3, 1, 2].map((id) => client.request({ id })));
    expect(replies.map(({ square }) => square)).toEqual([9, 1, 4]);
    const pushed: unknown[] = [];
    for await (const value of client) if (pushed.push(value.pushed) === 3) break;
    expect(pushed).toEqual([3, 1, 2]);
  });

  it('reconnects to a server that was restarted, and prepares the connection first', async () => {
    const seen: string[] = [];
    const handler = ({ text }: { readonly text: string }) => {
      seen.push(text);
      return text;
    };
    const first = await serveOnSockets({ listen: await fixed(), handler });
    const client = await clientOf(first.addresses[0], {
      reconnect: { minDelay: 5, maxDelay: 20, maxAttempts: 0 },
      onConnect: async (connection) => void (await connection.request('login')),
    });
    expect(String(await client.request('a'))).toBe('a');
    await first.close();
    await expect.poll(() => client.state).toBe('reconnecting');
    await serveOnSockets({ listen: first.addresses[0], handler });
    await client.ready();
    expect(String(await client.request('b'))).toBe('b');
    expect(seen).toEqual(['login', 'a', 'login', 'b']);
    expect(client.counters.reconnects).toBe(1);
  });

  it('is refused where nothing listens, and where no WebSocket is served', async () => {
    const server = await serveOnSockets({ listen: await fixed(), handler: (message) => message });
    const other = String(server.addresses[0]).replace('/path', '/other');
    await expect(connect(other)).rejects.toMatchObject({ code: 'YODEL_WEBSOCKET_REFUSED' });
    await server.close();
    await expect(connect(String(server.addresses[0]))).rejects.toMatchObject({ code: 'YODEL_CONNECTION_REFUSED' });
  });

  it('gives up a server that does not answer after connectTimeout', async () => {
    // Aborting the attempt may reset the connection.
    const silent = createServer((socket) => void socket.on('error', () => socket.destroy()));
    onTestFinished(() => void silent.close());
    const port = await new Promise<number>((resolve) => {
      silent.listen(0, '127.0.0.1', () => resolve((silent.address() as { port: number }).port));
    });
    const connecting = connect(`ws://127.0.0.1:${port}/`, { connectTimeout: 50 });
    await expect(connecting).rejects.toMatchObject({ code: 'YODEL_CONNECT_TIMEOUT' });
  });

  it('refuses options that it does not have', async () => {
    const unknown = connect('ws://127.0.0.1:1/', { reconect: true } as never);
    await expect(unknown).rejects.toMatchObject({
      code: 'YODEL_INVALID_OPTION',
      message: expect.stringContaining('reconnect'),
    });
    if (name === 'yodel/browser') {
      const ping = connect('ws://127.0.0.1:1/', { pingInterval: 5 } as never);
      await expect(ping).rejects.toMatchObject({ code: 'YODEL_INVALID_OPTION' });
    }
    for (const options of [null, 'reconnect', { signal: {} }, { onConnect: true }, { reconnect: 1 }]) {
      const refused = connect('ws://127.0.0.1:1/', options as never);
      await expect(refused).rejects.toMatchObject({ code: 'YODEL_INVALID_OPTION' });
    }
  });

  it.each([undefined, null, '', 7878.5, {}])(
    'refuses %j instead of an address, as a setting that is missing',
    async (address) => {
      await expect(connect(address as never)).rejects.toMatchObject({ code: 'YODEL_INVALID_ADDRESS' });
    },
  );
});

describe('an address', () => {
  it.each(['/chat', '', 'chat', 'http://', '127.0.0.1:7878', 'tcp://127.0.0.1:7878'])(
    '%j is refused where there is no page',
    async (address) => {
      await expect(connectInBrowser(address)).rejects.toMatchObject({ code: 'YODEL_INVALID_ADDRESS' });
    },
  );
});
