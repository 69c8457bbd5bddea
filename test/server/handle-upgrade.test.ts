/** server.handleUpgrade: servers that live beside an HTTP server. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import type { YodelError } from '../../src/errors.ts';
import type { AnyServeOptions } from '../../src/server/options.ts';
import { type Server, serve } from '../../src/server/server.ts';
import type { Session } from '../../src/session/public-session.ts';
import { makeCertificate } from '../support/certificate.ts';
import { type Requested, requestUpgrade, upgradeRequest } from '../support/upgrade-request.ts';
import { frameBytes } from '../support/websocket-frames.ts';
import { freshSocketPath } from './sockets.ts';

interface Beside {
  readonly server: Server;
  readonly web: http.Server;
  readonly port: number;
  readonly refused: YodelError[];
}

/** A server beside an HTTP server that answers `page` to all other requests. */
async function beside(options: AnyServeOptions = {}, handleOptions = {}): Promise<Beside> {
  const refused: YodelError[] = [];
  const telemetry = { refused: (_: unknown, error: YodelError) => void refused.push(error) };
  const server = await serve({ listen: false, telemetry, ...options });
  const web = http.createServer((_, response) => void response.end('page'));
  web.on('upgrade', (request, socket, head) => {
    if (!server.handleUpgrade(request, socket, head, handleOptions)) socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  onTestFinished(async () => {
    await server.close({ timeoutMs: 0 });
    web.close();
  });
  return { server, web, port: (web.address() as AddressInfo).port, refused };
}

async function open(address: string, options: object = {}): Promise<WebSocket> {
  const socket = new WebSocket(address, options);
  socket.on('error', () => undefined);
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

async function ask(socket: WebSocket, text: string): Promise<string> {
  socket.send(text);
  return String((await once(socket, 'message'))[0]);
}

/** The text of a message that arrives on a raw connection. */
async function nextFrame({ socket, rest }: Requested): Promise<string> {
  let bytes = Buffer.from(rest, 'latin1');
  while (bytes.length < 2 || bytes.length < 2 + (bytes[1] as number))
    bytes = Buffer.concat([bytes, (await once(socket, 'data'))[0]]);
  return bytes.toString('utf8', 2, 2 + (bytes[1] as number));
}

/** A masked text message. */
function frame(text: string): Buffer {
  return Buffer.concat([frameBytes({ opcode: 1, isFinal: true, length: text.length }).subarray(0, 6), masked(text)]);
}

function masked(text: string): Buffer {
  const mask = frameBytes({ opcode: 1, isFinal: true, length: text.length }).subarray(2, 6);
  return Buffer.from([...Buffer.from(text)].map((byte, at) => byte ^ (mask[at % 4] as number)));
}

test('the HTTP server and the message server share a port', async () => {
  const { server, port } = await beside();
  expect(server.addresses).toEqual([]);
  const socket = await open(`ws://127.0.0.1:${port}/any?a=b`);
  expect(await ask(socket, 'hello')).toBe('hello');
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('page');
  const [session] = server.sessions;
  expect(String(session?.peer)).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+$/);
  expect(String(session?.local)).toBe(`tcp://127.0.0.1:${port}`);
  expect(session?.upgrade?.url.href).toBe(`ws://127.0.0.1:${port}/any?a=b`);
  expect(server.counters.connectionsAccepted).toBe(1);
});

test('a long message and many short ones arrive whole, in both directions', async () => {
  const { port } = await beside({ maxMessageLength: 4_000_000 });
  const socket = await open(`ws://127.0.0.1:${port}/`);
  const long = 'x'.repeat(3_000_000);
  expect(await ask(socket, long)).toBe(long);
  const received: string[] = [];
  socket.on('message', (message) => received.push(String(message)));
  const sent = Array.from({ length: 2000 }, (_, at) => `${at}`);
  for (const text of sent) socket.send(text);
  await expect.poll(() => received.length).toBe(sent.length);
  expect(received).toEqual(sent);
});

test('bytes that arrived with the request belong to the WebSocket', async () => {
  const { port } = await beside();
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  socket.write(Buffer.concat([Buffer.from(upgradeRequest(port)), frame('early'), frame('later').subarray(0, 3)]));
  let text = '';
  while (!text.includes('early')) text += String((await once(socket, 'data'))[0]);
  socket.write(frame('later').subarray(3));
  while (!text.includes('later')) text += String((await once(socket, 'data'))[0]);
  expect(text.startsWith('HTTP/1.1 101 ')).toBe(true);
});

test('the path decides which of several servers gets a request', async () => {
  const names = ['/chat', '/news'];
  const servers = await Promise.all(
    names.map((name) => serve({ listen: false, upgradePath: name, handler: () => name })),
  );
  onTestFinished(async () => void (await Promise.all(servers.map((server) => server.close({ timeoutMs: 0 })))));
  const web = http.createServer().on('upgrade', (request, socket, head) => {
    if (!servers.some((server) => server.handleUpgrade(request, socket, head)))
      socket.end('HTTP/1.1 404 Not Found\r\nX-By: application\r\n\r\n');
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  onTestFinished(() => void web.close());
  const { port } = web.address() as AddressInfo;
  for (const name of names) expect(await ask(await open(`ws://127.0.0.1:${port}${name}?a=1`), '?')).toBe(name);
  for (const path of ['/', '/chats', '/chat/more', '/CHAT'])
    expect((await requestUpgrade(port, path)).head).toContain('x-by: application');
});

test('two servers without paths: the first one gets the request, and the other one reports it', async () => {
  const first = await beside();
  const refused: YodelError[] = [];
  const second = await serve({ listen: false, telemetry: { refused: (_, error) => void refused.push(error) } });
  first.web.on('upgrade', (...request) => second.handleUpgrade(...request));
  const socket = await open(`ws://127.0.0.1:${first.port}/`);
  expect(await ask(socket, 'hello')).toBe('hello');
  expect(refused).toMatchObject([{ code: 'YODEL_INVALID_OPTION', message: /give each its own "upgradePath"/ }]);
  expect(second.sessions.size).toBe(0);
  await second.close();
});

test('a client that leaves before its request is passed on has no session', async () => {
  const opened: (string | undefined)[] = [];
  const handler = { open: ({ upgrade }: Session) => void opened.push(upgrade?.url.pathname) };
  const server = await serve({ listen: false, handler });
  const web = http.createServer();
  onTestFinished(async () => {
    await server.close({ timeoutMs: 0 });
    web.close();
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  const { port } = web.address() as AddressInfo;
  const client = connect(port, '127.0.0.1').on('error', () => undefined);
  client.write(upgradeRequest(port, '/left'));
  const [request, socket, head] = await once(web, 'upgrade');
  const left = new Promise((resolve) => socket.on('error', () => undefined).on('close', resolve));
  socket.resume();
  client.resetAndDestroy();
  await left;
  expect(server.handleUpgrade(request, socket, head)).toBe(true);
  web.on('upgrade', (...another) => server.handleUpgrade(...another));
  await open(`ws://127.0.0.1:${port}/came`);
  expect(opened).toEqual(['/came']);
});

test.each<[what: string, given: unknown[], message: string]>([
  ['a misspelt option', [{}, {}, {}, { cleint: '192.0.2.7' }], 'has no option "cleint". Did you mean "client"?'],
  ['nothing', [], 'takes the request, the socket and the head'],
  [
    'a request of the Fetch API',
    [new Request('http://localhost/'), new PassThrough(), Buffer.alloc(0)],
    'takes the request',
  ],
  ['no head', [{ headers: {}, rawHeaders: [], url: '/' }, new PassThrough()], 'takes the request'],
])('%s is an error', async (_, given, message) => {
  const { server } = await beside();
  const call = server.handleUpgrade.bind(server) as (...all: unknown[]) => boolean;
  expect(() => call(...given)).toThrow(`handleUpgrade() ${message}`);
});

test('a request for another protocol is not for the server, nor answered', async () => {
  const { server } = await beside();
  const socket = new PassThrough();
  const request = { method: 'GET', url: '/', headers: { upgrade: 'h2c' }, rawHeaders: ['Upgrade', 'h2c'] };
  expect(server.handleUpgrade(request as never, socket, Buffer.alloc(0))).toBe(false);
  expect(socket.listenerCount('error')).toBe(0);
  expect(socket.readableLength).toBe(0);
});

const refusals: readonly [what: string, options: AnyServeOptions, headers: string[], status: number, code: string][] = [
  ['the origin', {}, ['Origin: https://other.example'], 403, 'YODEL_WEBSOCKET_REFUSED'],
  ['authorizeUpgrade', { authorizeUpgrade: () => ({ status: 401 }) }, [], 401, 'YODEL_WEBSOCKET_REFUSED'],
  ['deny', { deny: ['127.0.0.0/8'] }, [], 403, 'YODEL_ADDRESS_DENIED'],
  ['a second header host', {}, ['Host: other'], 400, 'YODEL_WEBSOCKET_REFUSED'],
];

test.each(refusals)(
  'a client that %s excludes gets a response that says so',
  async (_, options, headers, status, code) => {
    const { server, port, refused } = await beside(options);
    const { head, socket } = await requestUpgrade(port, '/', headers);
    expect(head).toMatch(new RegExp(`^http/1.1 ${status} `));
    socket.resume();
    await once(socket, 'close');
    // Node and Bun refuse some requests themselves.
    if (status !== 400) await expect.poll(() => refused.map((error) => error.code)).toEqual([code]);
    expect(server.sessions.size).toBe(0);
  },
);

test('connections count against the limits of the server, and are free again', async () => {
  const { server, port, refused } = await beside({ maxConnectionsPerAddress: 1 });
  const first = await open(`ws://127.0.0.1:${port}/`);
  const { head, rest } = await requestUpgrade(port);
  expect(head).toMatch(/^http\/1.1 503 /);
  expect(rest).toContain('limit of 1 connections');
  expect(refused.map(({ code }) => code)).toEqual(['YODEL_TOO_MANY_CONNECTIONS']);
  first.close();
  await expect.poll(() => server.sessions.size).toBe(0);
  expect(await ask(await open(`ws://127.0.0.1:${port}/`), 'again')).toBe('again');
});

test('above maxConnections a client is closed with the code 1013', async () => {
  const { port } = await beside({ maxConnections: 1 });
  await open(`ws://127.0.0.1:${port}/`);
  const second = await open(`ws://127.0.0.1:${port}/`);
  const [code] = await once(second, 'close');
  expect(code).toBe(1013);
});

test('the program may say who the client of a proxy is', async () => {
  const { server, port } = await beside({ deny: ['203.0.113.7'] }, { client: '203.0.113.8' });
  await open(`ws://127.0.0.1:${port}/`);
  expect([...server.sessions].map(({ peer }) => (peer as { host: string }).host)).toEqual(['203.0.113.8']);
  const denied = await beside({ deny: ['203.0.113.7'] }, { client: '203.0.113.7' });
  expect((await requestUpgrade(denied.port)).head).toMatch(/^http\/1.1 403 /);
});

test('a header that names no client refuses the request', async () => {
  const { port, refused } = await beside({}, { client: 'unknown' });
  expect((await requestUpgrade(port)).head).toMatch(/^http\/1.1 400 /);
  expect(refused[0]).toMatchObject({ code: 'YODEL_INVALID_OPTION', message: expect.stringContaining('unknown') });
});

test('headers of proxies are not trusted by themselves', async () => {
  const { server, port } = await beside();
  await open(`ws://127.0.0.1:${port}/`, {
    headers: { 'X-Forwarded-For': '203.0.113.8', Forwarded: 'for=203.0.113.8' },
  });
  expect([...server.sessions].map(({ peer }) => (peer as { host: string }).host)).toEqual(['127.0.0.1']);
});

test('a client that reads nothing is not read either, and the server keeps little for it', async () => {
  const { server, port } = await beside({ highWaterMark: 65_536, drainTimeout: 0, handler: () => 'x'.repeat(60_000) });
  const socket = await open(`ws://127.0.0.1:${port}/`);
  socket.pause();
  for (let count = 0; count < 500; count++) socket.send('more');
  let before = -1;
  await expect
    .poll(
      () => {
        const [session] = server.sessions as ReadonlySet<Session>;
        const sent = session?.messagesSent ?? 0;
        const isQuiet = sent === before && sent > 0;
        before = sent;
        return isQuiet;
      },
      { interval: 200 },
    )
    .toBe(true);
  expect(before).toBeLessThan(400);
  expect(server.pendingBytes).toBeLessThan(1_000_000);
  let received = 0;
  socket.on('message', () => received++);
  socket.resume();
  await expect.poll(() => received).toBe(500);
});

test('a shutdown answers what has arrived and closes with the code 1001', async () => {
  const { server, web, port } = await beside({ shutdownTimeout: 3000 });
  const socket = await open(`ws://127.0.0.1:${port}/`);
  await ask(socket, 'hello');
  const closed = once(socket, 'close');
  await server.close();
  expect((await closed)[0]).toBe(1001);
  const late = await requestUpgrade(port);
  expect(late.head).toMatch(/^http\/1.1 503 /);
  expect(late.rest).toContain('shutting down');
  late.socket.destroy();
  expect(await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text()).toBe('page');
  web.close();
  await once(web, 'close');
});

test('a handshake that is not decided does not delay a shutdown, and is ended by handshakeTimeout', async () => {
  const asked = Promise.withResolvers<void>();
  const authorizeUpgrade = () => {
    asked.resolve();
    return new Promise<boolean>(() => undefined);
  };
  const { server, port, refused } = await beside({ authorizeUpgrade, handshakeTimeout: 0, shutdownTimeout: 400 });
  void requestUpgrade(port);
  await asked.promise;
  await server.close();
  expect(refused.map(({ code }) => code)).toEqual(['YODEL_SHUTTING_DOWN']);
  const other = await beside({ authorizeUpgrade, handshakeTimeout: 50 });
  expect((await requestUpgrade(other.port)).head).toBe('');
  expect(other.refused.map(({ code }) => code)).toEqual(['YODEL_HANDSHAKE_TIMEOUT']);
});

test('a client that vanishes without a close frame ends its session', async () => {
  const { server, port } = await beside();
  const { socket } = await requestUpgrade(port);
  await expect.poll(() => server.sessions.size).toBe(1);
  socket.resetAndDestroy();
  await expect.poll(() => server.sessions.size).toBe(0);
});

test('works over a Unix socket', async () => {
  const path = freshSocketPath();
  const { server, web } = await beside();
  const other = http.createServer().on('upgrade', (...request) => void server.handleUpgrade(...request));
  other.listen(path);
  await once(other, 'listening');
  onTestFinished(() => void other.close());
  expect(await ask(await open(`ws+unix://${path}:/`), 'hello')).toBe('hello');
  const [session] = server.sessions;
  expect(String(session?.peer)).toBe(`unix://${path}`);
  web.close();
});

test('works over node:https, with the URL of a secure WebSocket', async () => {
  const { certificate, key } = makeCertificate();
  const server = await serve({ listen: false });
  const web = https.createServer({ cert: readFileSync(certificate), key: readFileSync(key) });
  web.on('upgrade', (request, socket, head) => void server.handleUpgrade(request, socket, head));
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  onTestFinished(async () => {
    await server.close({ timeoutMs: 0 });
    web.close();
  });
  const { port } = web.address() as AddressInfo;
  const socket = await open(`wss://localhost:${port}/`, { rejectUnauthorized: false });
  const long = 'x'.repeat(60_000);
  for (let count = 0; count < 20; count++) expect(await ask(socket, long)).toBe(long);
  const [session] = server.sessions;
  expect(session?.upgrade?.url.protocol).toBe('wss:');
  // Bun tells nothing of the handshakes of its node:https.
  expect(session?.security?.protocol).toBe(process.versions.bun ? 'unknown' : 'TLSv1.3');
  const closed = once(socket, 'close');
  await server.close({ timeoutMs: 3000 });
  expect((await closed)[0]).toBe(1001);
});

test('the socket of a message server is not taken for one of HTTP, and both kinds may be served together', async () => {
  const server = await serve({ listen: 'ws://127.0.0.1:0/own', upgradePath: '/beside', handler: (message) => message });
  const web = http.createServer().on('upgrade', (...request) => void server.handleUpgrade(...request));
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  onTestFinished(async () => {
    await server.close({ timeoutMs: 0 });
    web.close();
  });
  const own = await open(String(server.addresses[0]));
  const other = await open(`ws://127.0.0.1:${(web.address() as AddressInfo).port}/beside`);
  expect(await Promise.all([ask(own, 'a'), ask(other, 'b')])).toEqual(['a', 'b']);
});

test.each([
  ['an empty list of addresses', { listen: [] }, /or set it to false to listen nowhere/],
  ['a path without a slash', { listen: false, upgradePath: 'chat' }, /a path such as \/chat, not chat/],
  ['descriptors without addresses', { listen: false, descriptors: [3] }, /number of passed sockets/],
  [
    'an authorization that is no function',
    { listen: false, authorizeUpgrade: true },
    /"authorizeUpgrade" takes a function/,
  ],
])('%s is an error at the start', async (_, options, message) => {
  await expect(serve(options as never)).rejects.toThrow(message);
});

test('raw clients get frames as they are', async () => {
  const { port } = await beside({ handler: { open: () => 'welcome' } });
  expect(await nextFrame(await requestUpgrade(port))).toBe('welcome');
});
