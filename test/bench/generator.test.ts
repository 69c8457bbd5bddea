/** What the load generator of `npm run bench` sends, and which replies it refuses. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import * as http from 'node:http';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { afterAll, test as anyTest, expect, onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { hasLibssl, testWithLibssl } from '../support/benchmark.ts';
import { makeCertificate } from '../support/certificate.ts';
import { run } from '../support/process/command.ts';
import { testWith } from '../support/tools.ts';

const test = process.versions.bun ? anyTest.skip : testWith('gcc', 'apt-get install gcc libc6-dev');
const testWithTls = process.versions.bun ? anyTest.skip : testWithLibssl();
const source = new URL('../../bench/load/load.c', import.meta.url).pathname;

const folder = mkdtempSync(join(tmpdir(), 'yodel-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Compiles the generator when it is first needed. Returns its path. */
function generator(hasTls = hasLibssl()): string {
  const program = join(folder, hasTls ? 'load' : 'load-without-tls');
  if (existsSync(program)) return program;
  const [flags, libraries] = hasTls ? [['-DWITH_TLS'], ['-lssl', '-lcrypto']] : [[], []];
  execFileSync('gcc', ['-O2', '-Wall', '-Wextra', '-Werror', ...flags, '-o', program, source, ...libraries]);
  return program;
}

/** Runs the generator for a moment. */
async function load(port: number, options: readonly string[], program = generator()) {
  return await run([program, '127.0.0.1', `${port}`, '-t', '0.05', '-w', '0.01', ...options]);
}

async function listening(server: net.Server | http.Server): Promise<number> {
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as net.AddressInfo).port;
}

/** An echo server in TCP that keeps the first bytes of each client. */
async function echo() {
  const received: Buffer[][] = [];
  const server = net.createServer((socket) => {
    const chunks: Buffer[] = [];
    received.push(chunks);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      socket.write(chunk);
    });
  });
  return {
    port: await listening(server),
    first: (count: number) => Buffer.concat(received[0] ?? []).toString('latin1', 0, count),
  };
}

test.each([
  ['lines', 64, 64, /^(0-[01]-[a-z]{59}\n){2}$/],
  ['length', 64, 64, /^(\0\0\0\x3c0-[01]-[a-z]{56}){2}$/],
  ['resp', 64, 64, /^(\*2\r\n\$4\r\nECHO\r\n\$43\r\n0-[01]-[a-z]{39}\r\n){2}$/],
  // One byte more of payload is two more of the message, because its length has another digit.
  ['resp', 121, 120, /^(\*2\r\n\$4\r\nECHO\r\n\$99\r\n0-[01]-[a-z]{95}\r\n){2}$/],
  ['until', 64, 64, /^(250-0-[01]-[a-z]{12}\n250-0-[01]-[a-z]{12}\n250 0-[01]-[a-z]{13}\n){2}$/],
] as const)('sends messages of the protocol %s for -s %i', async (protocol, size, bytes, messages) => {
  const { port, first } = await echo();
  const { status, stdout, stderr } = await load(port, ['-c', '3', '-p', '2', '-s', `${size}`, '-f', protocol]);
  expect(status, stderr).toBe(0);
  expect(first(2 * bytes)).toMatch(messages);
  expect(JSON.parse(`${stdout}`)).toMatchObject({ messages: expect.any(Number) });
});

/**
 * A room on two nodes, in this process. The load generator has four members and four publishers.
 *
 * @param change what the last member receives instead of these lines
 */
async function roomOnTwoNodes(change: (lines: readonly string[]) => readonly string[]) {
  const members: net.Socket[] = [];
  const clients = [0, 0];
  const ports = await Promise.all(
    [0, 1].map(async (node) => {
      const server = net.createServer((socket) => {
        clients[node] = (clients[node] ?? 0) + 1;
        socket.on('error', () => undefined);
        socket.on('data', (chunk) => {
          for (const line of String(chunk).trim().split('\n')) take(socket, line);
        });
      });
      return await listening(server);
    }),
  );
  let pending: string[] = [];
  const take = (socket: net.Socket, line: string) => {
    if (line === 'hello') return void socket.write('hello\n');
    if (line !== 'join') return void (pending.push(line) === 4 && deliver());
    members.push(socket);
    socket.write('joined\n');
  };
  // Each publisher has sent one message.
  const deliver = () => {
    const lines = pending.toSorted();
    pending = [];
    for (const member of members) {
      const own = member === members.at(-1) ? change(lines) : lines;
      member.write(own.map((line) => `${line}\n`).join(''));
    }
  };
  const [port = 0, other = 0] = ports;
  const outcome = await load(port, [
    '-m',
    'room',
    '-c',
    '4',
    '-b',
    '4',
    '-p',
    '1',
    '-o',
    `${other}`,
    '-P',
    `${process.pid}`,
  ]);
  return { ...outcome, clients };
}

test('of a room on two nodes, each serves half of the members and publishers', async () => {
  // The nodes' messages may be in another order: 0 and 2 are those of the first one.
  const { status, stdout, stderr, clients } = await roomOnTwoNodes(([a = '', b = '', c = '', d = '']) => [b, d, a, c]);
  expect(status, stderr).toBe(0);
  expect(clients).toEqual([4, 4]);
  const { messages, cpu } = JSON.parse(String(stdout));
  expect(messages).toBeGreaterThan(16);
  expect(cpu).toEqual([expect.any(Number)]);
});

test.each<[string, string, (lines: readonly string[]) => readonly string[]]>([
  [
    'another order of the messages of one node',
    'members received the messages of a node in different orders',
    ([a = '', b = '', c = '', d = '']) => [c, b, a, d],
  ],
  ['a message twice', 'a member received a message twice, or out of order', ([a = '', ...rest]) => [a, a, ...rest]],
  [
    'not all messages',
    'a member missed a message',
    (lines) => lines.map((line) => line.replace(/^(\d{4})(\d{11})0/, '$1$21')),
  ],
])('refuses %s in a room', async (_what, reason, change) => {
  expect(await roomOnTwoNodes(change)).toMatchObject({ status: 1, stderr: `load: ${reason}\n` });
});

test.each([2, 125, 126, 65_535, 65_536, 200_000])('sends WebSocket text messages of %i bytes', async (size) => {
  const { port, messages } = await webSockets((socket, message, isBinary) =>
    socket.send(message, { binary: isBinary }),
  );
  const { status, stderr } = await load(port, ['-c', '2', '-p', '3', '-s', `${size}`, '-f', 'websocket']);
  expect(status, stderr).toBe(0);
  expect(messages.length).toBeGreaterThanOrEqual(6);
  for (const { text, isBinary } of messages) {
    expect(isBinary).toBe(false);
    expect(text.length).toBe(size);
  }
  if (size > 10) expect(messages.map(({ text }) => text.slice(0, 4))).toContain('1-2-');
});

test.each<[string, (socket: WebSocket, message: Buffer) => void]>([
  ['binary messages', (socket, message) => socket.send(message, { binary: true })],
  ['other text', (socket, message) => socket.send(`${message}`.toUpperCase())],
  [
    'a message in two frames',
    (socket, message) => {
      socket.send(message.subarray(0, 8), { binary: false, fin: false });
      socket.send(message.subarray(8), { binary: false, fin: true });
    },
  ],
])('refuses %s in reply over WebSocket', async (_what, reply) => {
  const { port } = await webSockets(reply);
  const { status, stderr } = await load(port, ['-f', 'websocket']);
  expect(status).toBe(1);
  // A longer reply may arrive in one piece.
  expect(stderr).toMatch(/^load: (what came back is not what was sent|more came back than was sent)\n$/);
});

test('refuses a server that does not complete the WebSocket handshake', async () => {
  const plain = await listening(http.createServer((_request, response) => response.end('hello')));
  expect((await load(plain, ['-f', 'websocket'])).stderr).toBe('load: the server refused the WebSocket handshake\n');
  const switching = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';
  const wrong = net.createServer((socket) => {
    socket.on('error', () => undefined).on('data', () => socket.write(`${switching}Sec-WebSocket-Accept: x\r\n\r\n`));
  });
  expect((await load(await listening(wrong), ['-f', 'websocket'])).stderr).toBe(
    'load: the answer to the WebSocket handshake is wrong\n',
  );
});

async function webSockets(reply: (socket: WebSocket, message: Buffer, isBinary: boolean) => void) {
  const messages: { readonly text: string; readonly isBinary: boolean }[] = [];
  const server = http.createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('message', (message: Buffer, isBinary) => {
      messages.push({ text: `${message}`, isBinary });
      reply(socket, message, isBinary);
    });
  });
  return { port: await listening(server), messages };
}

testWithTls('speaks TLS 1.3 with one cipher, and compares every byte', async () => {
  const { certificate, key } = makeCertificate();
  const ciphers = new Set<string>();
  const serve = (reply: (chunk: Buffer) => Buffer) =>
    tls.createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (socket) => {
      ciphers.add(`${socket.getProtocol()} ${socket.getCipher().standardName}`);
      socket.on('error', () => undefined).on('data', (chunk) => socket.write(reply(chunk)));
    });
  const port = await listening(serve((chunk) => chunk));
  // The last one is many records and more than the generator reads at once.
  for (const options of [
    ['-c', '8'],
    ['-c', '4', '-p', '100'],
    ['-c', '2', '-s', '1048576'],
  ]) {
    const { status, stdout, stderr } = await load(port, ['-e', ...options]);
    expect(status, stderr).toBe(0);
    expect(JSON.parse(`${stdout}`).messages).toBeGreaterThan(0);
  }
  expect([...ciphers]).toEqual(['TLSv1.3 TLS_AES_256_GCM_SHA384']);
  const wrong = await listening(serve((chunk) => Buffer.from(`${chunk}`.toUpperCase())));
  expect((await load(wrong, ['-e'])).stderr).toBe('load: what came back is not what was sent\n');
  const { port: plain } = await echo();
  expect((await load(plain, ['-e'])).stderr).toMatch(/^load: the TLS handshake failed: /);
});

test('a generator that was built without TLS says so', async () => {
  const { port } = await echo();
  const { status, stderr } = await load(port, ['-e'], generator(false));
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: 'load: this generator was built without TLS: apt-get install libssl-dev\n',
  });
});

test('handshakes go only with the modes that complete them', async () => {
  for (const options of [
    ['-f', 'websocket', '-m', 'connect'],
    ['-e', '-m', 'fanout'],
    ['-e', '-m', 'room'],
  ]) {
    const { status, stderr } = await load(1, options);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: 'load: -e and -f websocket go with the modes echo and idle, and -f websocket with room\n',
    });
  }
});

test('in the mode pace messages do not wait for the replies to earlier ones, and all must be answered', async () => {
  // A server that answers only three messages at a time, and what is left after a pause.
  const inThrees = net.createServer((socket) => {
    let waiting = Buffer.alloc(0);
    let pause: NodeJS.Timeout | undefined;
    const answer = () => {
      socket.write(waiting);
      waiting = Buffer.alloc(0);
    };
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      waiting = Buffer.concat([waiting, chunk]);
      clearTimeout(pause);
      if (waiting.length >= 3 * 64) answer();
      else pause = setTimeout(answer, 1000);
    });
  });
  const port = await listening(inThrees);
  const { stdout } = await load(port, ['-m', 'pace', '-c', '1', '-i', '20', '-t', '0.24', '-w', '0']);
  const { messages, p50 = 0, max } = JSON.parse(String(stdout)) as Record<string, number>;
  // One that waited for a reply would send one a second.
  expect(messages).toBeGreaterThan(2);
  expect(max).toBeGreaterThanOrEqual(p50);
});

test('in the mode pace, wrong replies and closed connections are failures', async () => {
  const wrong = net.createServer((socket) => socket.on('data', (chunk) => socket.write(chunk.fill('x'))));
  const closing = net.createServer((socket) => socket.on('data', () => socket.end()));
  const outcome = async (server: net.Server) => await load(await listening(server), ['-m', 'pace', '-c', '1']);
  expect(await outcome(wrong)).toMatchObject({ status: 1, stderr: 'load: what came back is not what was sent\n' });
  expect(await outcome(closing)).toMatchObject({ status: 1, stderr: 'load: the server closed a connection\n' });
});
