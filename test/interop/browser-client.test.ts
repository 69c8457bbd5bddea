/** `yodel/browser` in Chromium: a page that talks to TCP clients through a server. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import type { Client } from '../../src/client/client.ts';
import { connect } from '../../src/client/connect.ts';
import type { MaybeCodec } from '../../src/codec/codec.ts';
import { json } from '../../src/codec/json.ts';
import type { ServeOptions } from '../../src/server/options.ts';
import { type Server, serve } from '../../src/server/server.ts';
import type { HandlerObject } from '../../src/session/handler.ts';
import { type Browser, type Page, startChromium } from '../support/chromium.ts';
import { freePort } from '../support/ports.ts';
import { testWith } from '../support/tools.ts';

/** The globals of the page. The functions that run there use them. */
interface PageGlobals {
  readonly yodel: typeof import('../../src/browser/library.ts');
  client: Client;
  readonly received: (string | number[])[];
  /** Reads all messages into `received`. */
  receive(client: Client): void;
  /** Resolves when this many have been received. */
  got(count: number): Promise<(string | number[])[]>;
  readonly states: string[];
}

const html = `<!doctype html><title>page</title><script type="module">
import * as yodel from '/yodel.js';
Object.assign(globalThis, { yodel, received: [], states: [] });
globalThis.receive = async (client) => {
  for await (const message of client) received.push(message.kind === 'text' ? message.text : [...message.bytes]);
};
globalThis.got = async (count) => {
  while (received.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  return received.splice(0, count);
};
</script>`;

const inChromium = testWith('chromium', 'apt-get install chromium');
let browser: Browser | undefined;
let http: HttpServer;
let origin: string;

beforeAll(async () => {
  const library = new URL('../../dist/browser/library.js', import.meta.url);
  http = createServer(({ url }, response) => {
    response.setHeader('Content-Type', url === '/yodel.js' ? 'text/javascript' : 'text/html; charset=utf-8');
    response.end(url === '/yodel.js' ? readFileSync(library) : html);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});

afterAll(async () => {
  await browser?.close();
  http.closeAllConnections();
  http.close();
});

async function openPage(): Promise<Page> {
  browser ??= await startChromium();
  return await browser.open(origin);
}

/** A server for TCP and for WebSockets of the page. */
async function serveBoth<C extends MaybeCodec = undefined>(
  options: ServeOptions<Record<string, unknown>, C>,
): Promise<{ server: Server<Record<string, unknown>, C>; tcp: string; web: string }> {
  const server = await serve<Record<string, unknown>, C>({
    listen: ['127.0.0.1:0', 'ws://127.0.0.1:0'],
    origins: [origin],
    ...options,
  });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const [tcp, web] = server.addresses.map(String);
  return { server, tcp: tcp as string, web: web as string };
}

/** Everyone is in one room, and hears what the others say. Requests of the form `id:text` are answered, out of order. */
const talk: HandlerObject = {
  open: (session) => void session.join('everyone'),
  async message(message, session) {
    if (!message.text.startsWith('?')) return void session.server.room('everyone').send(message);
    session.server.room('everyone').send(`someone asks ${message.text}`);
    return `yes, ${message.text}`;
  },
};

inChromium('a page and a TCP client talk to each other', async () => {
  const { tcp, web } = await serveBoth({ framing: 'length:4', handler: talk });
  const other = await connect(tcp, { framing: 'length:4' });
  const page = await openPage();
  await page.run(async (address) => {
    const { yodel, receive } = globalThis as unknown as PageGlobals;
    const client = await yodel.connect(address);
    Object.assign(globalThis, { client });
    receive(client);
    client.send('from the page ✓\nin two lines');
    client.send(Uint8Array.of(0, 255, 10));
    client.send(yodel.Message.of(new TextEncoder().encode('bytes of a text'), { kind: 'text' }));
  }, web);
  const heard = other[Symbol.asyncIterator]();
  expect((await heard.next()).value?.text).toBe('from the page ✓\nin two lines');
  expect([...((await heard.next()).value?.bytes ?? [])]).toEqual([0, 255, 10]);
  expect((await heard.next()).value?.text).toBe('bytes of a text');
  const echoes = await page.run(() => (globalThis as unknown as PageGlobals).got(3));
  expect(echoes).toEqual(['from the page ✓\nin two lines', [0, 255, 10], 'bytes of a text']);
  other.send('from TCP ✓');
  other.send(Uint8Array.of(1, 254));
  expect(await page.run(() => (globalThis as unknown as PageGlobals).got(2))).toEqual(['from TCP ✓', [1, 254]]);
  expect(await page.run(closeAndTell)).toEqual({ state: 'closed', error: null, sent: 3, received: 5 });
  await other.close();
});

async function closeAndTell() {
  const { client } = globalThis as unknown as PageGlobals;
  await client.close();
  const { messagesSent, messagesReceived } = client.counters;
  return {
    state: client.state,
    error: (await client.closed)?.code ?? null,
    sent: messagesSent,
    received: messagesReceived,
  };
}

inChromium('a message of many megabytes arrives, and one above maxMessageLength ends the connection', async () => {
  const { web } = await serveBoth({ maxMessageLength: 20_000_000, handler: (message) => message });
  const page = await openPage();
  const lengths = await page.run(async (address) => {
    const { yodel } = globalThis as unknown as PageGlobals;
    const client = await yodel.connect(address);
    const text = await client.request('é'.repeat(5_000_000));
    const bytes = await client.request(new Uint8Array(15_000_000).fill(255));
    await client.close();
    return [text.size, text.text.length, bytes.size, bytes.bytes.at(-1)];
  }, web);
  expect(lengths).toEqual([10_000_000, 5_000_000, 15_000_000, 255]);
  const codes = await page.run(async (address) => {
    const { yodel } = globalThis as unknown as PageGlobals;
    const client = await yodel.connect(address, { maxMessageLength: 1000 });
    const request = client.request('x'.repeat(1001)).catch((error) => error.code);
    return [await request, (await client.closed)?.code];
  }, web);
  expect(codes).toEqual(['YODEL_MESSAGE_TOO_LONG', 'YODEL_MESSAGE_TOO_LONG']);
});

inChromium('requests with ids find their replies among other messages, as values of a codec', async () => {
  const { web } = await serveBoth({
    codec: json(),
    async handler(message, session) {
      const { id, n } = message as { id: number; n: number };
      session.send({ news: n });
      // The last one is answered first.
      await new Promise((resolve) => setTimeout(resolve, (20 - n) * 2));
      return { id, square: n * n };
    },
    concurrency: 20,
  });
  const page = await openPage();
  const results = await page.run(async (address) => {
    const { yodel } = globalThis as unknown as PageGlobals;
    const client = await yodel.connect(address, {
      codec: yodel.json(),
      correlate: {
        requestId: (value) => (value as { id: number }).id,
        replyId: (value) => (value as { id?: number }).id,
      },
    });
    const numbers = Array.from({ length: 20 }, (_, n) => n);
    const replies = await Promise.all(numbers.map((n) => client.request({ id: n, n })));
    const news: unknown[] = [];
    for await (const value of client) if (news.push(value) === 20) break;
    await client.close();
    return { replies, news };
  }, web);
  const numbers = Array.from({ length: 20 }, (_, n) => n);
  expect(results.replies).toEqual(numbers.map((n) => ({ id: n, square: n * n })));
  expect(results.news).toEqual(numbers.map((n) => ({ news: n })));
});

inChromium('a page reconnects after a restart of the server, subscribes again, and mispairs nothing', async () => {
  const handler: HandlerObject = {
    message(message, session) {
      if (message.text.startsWith('join ')) {
        session.join(message.text.slice(5));
        return 'joined';
      }
      // It is never answered, so that it is in flight when the server ends.
      return message.text === 'wait' ? undefined : `re: ${message.text}`;
    },
  };
  const first = await serveBoth({ listen: ['127.0.0.1:0', `ws://127.0.0.1:${await freePort()}`], handler });
  const page = await openPage();
  await page.run(async (address) => {
    const globals = globalThis as unknown as PageGlobals;
    const client = await globals.yodel.connect(address, {
      reconnect: { minDelay: 10, maxDelay: 50, maxAttempts: 0 },
      correlate: 'order',
      async onConnect(connection) {
        globals.states.push((await connection.request('join news')).text);
      },
      onStateChange: (state) => void globals.states.push(state),
    });
    globals.client = client;
    globals.receive(client);
  }, first.web);
  first.server.room('news').send('before');
  expect(await page.run(() => (globalThis as unknown as PageGlobals).got(1))).toEqual(['before']);
  const lost = page.run(() =>
    (globalThis as unknown as PageGlobals).client.request('wait').then(
      (reply) => reply.text,
      (error) => error.code,
    ),
  );
  await expect.poll(() => first.server.counters.messagesReceived).toBe(2);
  await first.server.close({ timeoutMs: 0 });
  expect(await lost).toMatch(/^YODEL_(CONNECTION_CLOSED|CONNECTION_RESET|WEBSOCKET_CLOSED)$/);
  const second = await serve({ listen: first.web, origins: [origin], handler });
  onTestFinished(() => second.close({ timeoutMs: 0 }));
  const replies = await page.run(async () => {
    const { client } = globalThis as unknown as PageGlobals;
    await client.ready();
    return (await Promise.all(['a', 'b', 'c'].map((text) => client.request(text)))).map(String);
  });
  expect(replies).toEqual(['re: a', 're: b', 're: c']);
  second.room('news').send('after');
  expect(await page.run(() => (globalThis as unknown as PageGlobals).got(1))).toEqual(['after']);
  expect(await page.run(() => (globalThis as unknown as PageGlobals).states)).toEqual([
    'joined',
    'reconnecting',
    'joined',
    'open',
  ]);
  expect(await page.run(closeAndTell)).toMatchObject({ state: 'closed', error: null });
});

inChromium('a page of another origin is refused, and learns as much as browsers tell', async () => {
  const listen = ['127.0.0.1:0', `ws://127.0.0.1:${await freePort()}`];
  const { server, web } = await serveBoth({ listen, origins: ['https://app.example.org'] });
  const page = await openPage();
  const refusal = await page.run(refusalOf, web);
  expect(refusal).toMatchObject({ code: 'YODEL_WEBSOCKET_REFUSED', isYodelError: true });
  expect(refusal.message).toContain(`does not accept pages of ${origin}`);
  expect(server.sessions.size).toBe(0);
  await server.close();
  const nobody = await page.run(refusalOf, web);
  expect(nobody).toMatchObject({
    code: 'YODEL_CONNECTION_REFUSED',
    message: expect.stringContaining('nothing answers there'),
  });
});

async function refusalOf(address: string) {
  const { yodel } = globalThis as unknown as PageGlobals;
  try {
    await yodel.connect(address);
    return { code: 'none', message: '', isYodelError: false };
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return { code, message, isYodelError: error instanceof yodel.YodelError };
  }
}

inChromium('the module runs in a worker', async () => {
  const { web } = await serveBoth({ handler: ({ text }) => text.toUpperCase() });
  const page = await openPage();
  const reply = await page.run(
    async (address, library) => {
      const source = `import { connect } from '${library}';
        const client = await connect('${address}');
        postMessage((await client.request('hello')).text);
        await client.close();`;
      // biome-ignore lint/suspicious/noExplicitAny: the types of the DOM are not those of the tests
      const { Blob, Worker, URL } = globalThis as any;
      const worker = new Worker(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })), {
        type: 'module',
      });
      return await new Promise((resolve, reject) => {
        worker.onmessage = ({ data }: { data: string }) => resolve(data);
        worker.onerror = ({ message }: { message: string }) => reject(new Error(message));
      });
    },
    web,
    `${origin}/yodel.js`,
  );
  expect(reply).toBe('HELLO');
});
