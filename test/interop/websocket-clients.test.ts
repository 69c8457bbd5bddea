/** Browsers and other WebSocket clients. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { makeCertificate } from '../support/certificate.ts';
import { temporaryFolder } from '../support/files.ts';
import { closedLine } from '../support/log.ts';
import { type RunningServer, serve, start } from '../support/process/command.ts';
import { residentBytes } from '../support/process/process.ts';
import { testWith } from '../support/tools.ts';

const browser = testWith('chromium', 'apt-get install chromium');
const openssl = testWith('openssl', 'apt-get install openssl');

/** Listens on a WebSocket address, and on the given others. */
async function serveWeb(...args: string[]): Promise<RunningServer> {
  return await serve([...args, '--listen', 'ws://127.0.0.1:0']);
}

function portOf(server: RunningServer): number {
  return Number(/listening on wss?:\/\/[^:]+:(\d+)/.exec(server.stderr())?.[1]);
}

/** An open WebSocket, and the messages received. */
class Client {
  readonly socket: WebSocket;
  readonly messages: { data: string; isBinary: boolean }[] = [];
  readonly closed: Promise<number>;
  #look: () => void = () => undefined;

  constructor(url: string, options: object = {}) {
    this.socket = new WebSocket(url, { perMessageDeflate: false, ...options });
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => this.socket.on('close', (code: number) => resolve(code)));
    this.socket.on('message', (data: Buffer, isBinary: boolean) => {
      this.messages.push({ data: data.toString('latin1'), isBinary });
      this.#look();
    });
    onTestFinished(() => this.socket.terminate());
  }

  static async open(url: string, options?: object): Promise<Client> {
    const client = new Client(url, options);
    await once(client.socket, 'open');
    return client;
  }

  async got(count: number): Promise<typeof this.messages> {
    await new Promise<void>((resolve) => {
      this.#look = () => this.messages.length >= count && resolve();
      this.#look();
    });
    return this.messages;
  }
}

test('one WebSocket message is one message, and its reply has the same type, text or binary', async () => {
  const server = await serveWeb();
  const client = await Client.open(`ws://127.0.0.1:${portOf(server)}/any/path`);
  const sent = ['a', '', 'two\nlines', 'x'.repeat(60_000)];
  for (const text of sent) client.socket.send(text);
  client.socket.send(Buffer.from([0, 255, 10]), { binary: true });
  const expected = [...sent.map((data) => ({ data, isBinary: false })), { data: '\0\xff\n', isBinary: true }];
  expect(await client.got(5)).toEqual(expected);
  client.socket.close();
  await server.saw(closedLine(5, 5));
});

test('handlers answer a WebSocket client like any other', async () => {
  const handler = join(temporaryFolder(), 'shout.mjs');
  writeFileSync(handler, 'export default (message) => [message.text.toUpperCase(), `${message.size}`];\n');
  const server = await serveWeb(handler);
  const client = await Client.open(`ws://127.0.0.1:${portOf(server)}`);
  client.socket.send('grüezi');
  expect((await client.got(2)).map(({ data }) => Buffer.from(data, 'latin1').toString())).toEqual(['GRÜEZI', '7']);
});

test('a message above the limit closes the connection with code 1009', async () => {
  const server = await serveWeb('--max-message', '1000');
  const client = await Client.open(`ws://127.0.0.1:${portOf(server)}`);
  client.socket.send('x'.repeat(1000));
  await client.got(1);
  client.socket.send('x'.repeat(1001));
  expect(await client.closed).toBe(1009);
  await server.saw(closedLine(1, 2, '.*longer than the limit of 1000 bytes'));
});

test('text that is not UTF-8 gets an error reply and code 1007, binary messages may contain any bytes', async () => {
  const server = await serveWeb();
  const client = await Client.open(`ws://127.0.0.1:${portOf(server)}`);
  client.socket.send(Buffer.from([0x61, 0xff]), { binary: true });
  client.socket.send(Buffer.from([0x61, 0xff]), { binary: false });
  const [echo, reply] = await client.got(2);
  expect(echo).toEqual({ data: 'a\xff', isBinary: true });
  expect(reply?.data).toBe('error: message 2 is not valid UTF-8: byte 0xff at offset 1');
  expect(await client.closed).toBe(1007);
});

test('SIGTERM closes the WebSocket after the replies', async () => {
  const server = await serveWeb();
  const client = await Client.open(`ws://127.0.0.1:${portOf(server)}`);
  for (let each = 0; each < 100; each++) client.socket.send(`message ${each}`);
  await client.got(100);
  server.process.kill('SIGTERM');
  expect(await client.closed).toBe(1001);
  expect((await server.ended).status).toBe(0);
});

test('a client that never reads is disconnected, and others continue', async () => {
  const server = await serveWeb('--drain-timeout', '1s', '--no-messages');
  const nonReader = await Client.open(`ws://127.0.0.1:${portOf(server)}`);
  nonReader.socket.pause();
  for (let each = 0; each < 2000; each++) nonReader.socket.send('x'.repeat(60_000));
  const other = await Client.open(`ws://127.0.0.1:${portOf(server)}`);
  other.socket.send('hello');
  await other.got(1);
  await server.saw(closedLine(String.raw`\d+`, String.raw`\d+`, 'the peer read nothing for 1 s'));
  expect(residentBytes(server.pid)).toBeLessThan(250_000_000);
  nonReader.socket.resume();
  expect(await nonReader.closed).toBe(1006);
  other.socket.send('again');
  await other.got(2);
});

test.each([
  ['a client without an origin', {}, 101],
  ['its own page, by address', { host: '127.0.0.1:PORT', origin: 'http://127.0.0.1:PORT' }, 101],
  ['its own page, by localhost', { host: 'localhost:PORT', origin: 'http://localhost:PORT' }, 101],
  ['an allowed page', { origin: 'https://app.example.org' }, 101],
  ['another page', { origin: 'https://evil.example.net' }, 403],
  ['a page from another port', { host: '127.0.0.1:PORT', origin: 'http://127.0.0.1:1' }, 403],
  [
    'a name that resolves to this server (DNS rebinding)',
    { host: 'evil.example.net:PORT', origin: 'http://evil.example.net:PORT' },
    403,
  ],
  ['a page with a null origin (a file, a sandbox)', { origin: 'null' }, 403],
] as const)('%s', async (_, headers, expected) => {
  const server = await serve(['--origin', 'https://app.example.org', '--listen', 'ws://127.0.0.1:0/chat']);
  const port = portOf(server);
  const filled = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value.replace('PORT', `${port}`)]),
  );
  const client = new Client(`ws://127.0.0.1:${port}/chat`, { headers: filled });
  const outcome = await once(client.socket, 'open').then(
    () => 101,
    (error: Error) => Number(/\d{3}/.exec(error.message)?.[0]),
  );
  expect(outcome).toBe(expected);
  if (expected === 403)
    await server.saw(/refused: the WebSocket handshake with the client failed: web pages of .* may not connect/);
});

test('other HTTP requests get an explanation', async () => {
  const server = await serve(['--listen', 'ws://127.0.0.1:0/chat']);
  const port = portOf(server);
  const said = async (request: string) => {
    const socket = connect(port, '127.0.0.1');
    socket.write(request);
    let reply = '';
    for await (const chunk of socket) reply += String(chunk);
    return reply;
  };
  expect(await said('GET / HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1\.1 426 [\s\S]*accepts only WebSocket\n$/);
  expect(await said('hello\n\n')).toMatch(/^HTTP\/1\.1 400 /);
  await expect(Client.open(`ws://127.0.0.1:${port}/other`)).rejects.toThrow('404');
});

/** Sends a WebSocket handshake with these HTTP headers, and nothing else. */
async function askRaw(port: number, ...lines: string[]): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  const fixed = [
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${btoa('x'.repeat(16))}`,
  ];
  socket.write(Buffer.from(`GET / HTTP/1.1\r\n${[...fixed, ...lines].join('\r\n')}\r\n\r\n`, 'latin1'));
  await once(socket, 'data');
  return socket;
}

test('a client that does not answer the close frame does not delay the shutdown', async () => {
  const server = await serveWeb();
  await askRaw(portOf(server), 'Host: x');
  await server.saw(/connected/);
  expect((await server.stop()).status).toBe(0);
});

test('nothing of a request reaches the log unescaped', async () => {
  const server = await serveWeb();
  await askRaw(portOf(server), 'Host: x', 'Origin: http://\x9b31m\x85evil');
  await server.saw(/refused: the WebSocket handshake/);
  expect(server.stdout()).not.toMatch(/[\u0080-\u009f]/);
});

openssl('wss:// works the same over TLS', async () => {
  const { certificate, key } = makeCertificate();
  const server = await serve(['--cert', certificate, '--key', key, '--listen', 'wss://127.0.0.1:0']);
  const client = await Client.open(`wss://127.0.0.1:${portOf(server)}`, {
    ca: readFileSync(certificate, 'utf8'),
    servername: 'localhost',
  });
  client.socket.send('hello');
  expect(await client.got(1)).toEqual([{ data: 'hello', isBinary: false }]);
});

browser('a browser page, a ws client and a TCP client talk to each other through one server', async () => {
  const handler = join(temporaryFolder(), 'broadcast.mjs');
  writeFileSync(
    handler,
    `const all = new Set();
export default {
  open: (session) => void all.add(session),
  message(message) { for (const session of all) session.send(message.text); },
  close: (session) => void all.delete(session),
};\n`,
  );
  const reported = Promise.withResolvers<string>();
  const page = createServer((request, response) => {
    if (request.url === '/done') {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk))).on('end', () => reported.resolve(body));
      return void response.end();
    }
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(`<!doctype html><title>page</title><pre id=log></pre><script>
const log = document.querySelector('#log');
const socket = new WebSocket('ws://127.0.0.1:${portOf(server)}/');
socket.onopen = () => socket.send('from the page ✓');
socket.onmessage = ({ data }) => {
  log.textContent += data + '\\n';
  if (data === 'bye') fetch('/done', { method: 'POST', body: log.textContent });
};
</script>`);
  });
  page.listen(0, '127.0.0.1');
  await once(page, 'listening');
  onTestFinished(() => void page.close());
  const origin = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;
  const server = await serve([handler, '--origin', origin, '--listen', '127.0.0.1:0', '--listen', 'ws://127.0.0.1:0']);
  const plain = start([
    'nc.openbsd',
    '127.0.0.1',
    String(/listening on tcp:\/\/127\.0\.0\.1:(\d+)/.exec(server.stderr())?.[1]),
  ]);
  const client = await Client.open(`ws://127.0.0.1:${portOf(server)}`);
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', `--user-data-dir=${temporaryFolder()}`];
  start(['chromium', ...flags, origin], { hasChildren: true });
  await plain.saw(/^from the page ✓$/m);
  plain.process.stdin?.write('from plain TCP\n');
  await client.got(2);
  client.socket.send('from ws');
  await plain.saw(/^from ws$/m);
  client.socket.send('bye');
  expect(await reported.promise).toBe('from the page ✓\nfrom plain TCP\nfrom ws\nbye\n');
});
