import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Client } from '../../src/client/client.ts';
import { connect } from '../../src/client/connect.ts';
import type { ConnectOptions } from '../../src/client/options.ts';
import type { Server } from '../../src/server/server.ts';
import { freshSocketPath, serveOnSockets } from '../server/sockets.ts';
import { freePort } from '../support/ports.ts';
import { readAll } from './host.ts';

async function clientOf(server: Server, options: ConnectOptions = {}): Promise<Client> {
  const client = await connect(server.addresses[0], options);
  onTestFinished(() => client.abort());
  return client;
}

const numbers = Array.from({ length: 1000 }, (_, number) => String(number));

describe('on real sockets, a client', () => {
  it.each(['tcp', 'unix'])('has a thousand requests in flight, over %s', async (scheme) => {
    const listen = scheme === 'tcp' ? '127.0.0.1:0' : `unix://${freshSocketPath()}`;
    const server = await serveOnSockets({ listen, handler: async ({ text }) => `re: ${text}` });
    const client = await clientOf(server);
    const replies = await Promise.all(numbers.map((number) => client.request(number)));
    expect(replies.map(String)).toEqual(numbers.map((number) => `re: ${number}`));
    await client.close();
    await server.close();
  });

  it('may be many clients at once', async () => {
    const server = await serveOnSockets();
    const clients = await Promise.all(Array.from({ length: 50 }, () => clientOf(server)));
    const replies = await Promise.all(
      clients.map(async (client, index) => {
        const all = await Promise.all(numbers.slice(0, 20).map((number) => client.request(`${index}/${number}`)));
        await client.close();
        return all.map(String);
      }),
    );
    expect(replies).toEqual(clients.map((_, index) => numbers.slice(0, 20).map((number) => `${index}/${number}`)));
  });

  it('sends a message of many megabytes, and gets it back', async () => {
    const server = await serveOnSockets({ maxMessageLength: 50_000_000 });
    const client = await clientOf(server);
    const long = 'x'.repeat(15_000_000);
    const reply = await client.request(long);
    expect(reply.text === long).toBe(true);
  });

  it('resumes a server that it had paused', async () => {
    const line = 'x'.repeat(999);
    const server = await serveOnSockets({
      handler: {
        async open(session) {
          for (let each = 0; each < 20_000; each++) if (!session.send(line)) await session.drained();
          session.close();
        },
      },
    });
    const client = await clientOf(server, { highWaterMark: 100_000 });
    // Enough time for much more than the mark to arrive, if reading were not paused.
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect((await readAll(client)).length).toBe(20_000);
  });

  it('fails where no server listens', async () => {
    const server = await serveOnSockets({ listen: await freePort() });
    const [address] = server.addresses;
    await server.close();
    await expect(connect(address)).rejects.toMatchObject({
      code: 'YODEL_CONNECTION_REFUSED',
      message: `cannot connect to ${address}: connection refused: nothing listens there`,
    });
  });

  it('reports a reset by the server', async () => {
    const server = await serveOnSockets({ handler: (_message, session) => session.abort() });
    const client = await clientOf(server);
    await expect(client.request('a')).rejects.toMatchObject({ code: 'YODEL_CONNECTION_RESET' });
    await client.closed;
  });

  it('reconnects when the server is back', async () => {
    const first = await serveOnSockets();
    const states: string[] = [];
    let isOpen = () => {};
    const client = await clientOf(first, {
      reconnect: { minDelay: 1, maxDelay: 10, maxAttempts: 0 },
      onStateChange(state) {
        states.push(state);
        if (state === 'open') isOpen();
      },
    });
    const again = new Promise<void>((resolve) => (isOpen = resolve));
    await first.close({ timeoutMs: 0 });
    const second = await serveOnSockets({ listen: first.addresses, handler: () => 'the second' });
    await again;
    expect(String(await client.request('who is there?'))).toBe('the second');
    expect(states).toEqual(['reconnecting', 'open']);
    await client.close();
    await second.close();
  });

  it('receives the error of a server that refuses it', async () => {
    const server = await serveOnSockets({ maxMessageLength: 10 });
    const client = await clientOf(server);
    const reply = await client.request('much too long a message');
    expect(reply.text).toBe('error: message 1 is longer than the limit of 10 bytes');
    await expect(client.request('again')).rejects.toMatchObject({ code: 'YODEL_CONNECTION_CLOSED' });
  });

  it('closes only after everything was delivered in both directions', async () => {
    const ended = Promise.withResolvers<string>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      let text = '';
      socket.on('data', (chunk) => (text += chunk));
      socket.on('end', () => socket.end('bye\n', () => ended.resolve(text)));
      socket.on('error', ended.reject);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const client = await connect((server.address() as { port: number }).port);
    client.send('one');
    const last = client.request('two');
    await client.close();
    expect(await ended.promise).toBe('one\ntwo\n');
    expect(String(await last)).toBe('bye');
  });
});
