/** Connecting over WebSocket, to real servers. */
import { createServer } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseAddress } from '../../src/address.ts';
import { type Decoder, decodeChunk, encode } from '../../src/framing/framing.ts';
import { runtimeTransport } from '../../src/transport/runtime.ts';
import type { Connection, Receiver } from '../../src/transport/transport.ts';
import { waitUntil } from '../support/process/process.ts';
import { listen, listenWebSocket } from '../support/servers.ts';

/** The events of a connection, in order. */
class Told implements Receiver {
  readonly messages: string[] = [];
  readonly events: string[] = [];
  readonly closed = Promise.withResolvers<Error | undefined>();
  #waiting: [count: number, resolve: () => void][] = [];
  readonly #decoder: Decoder;

  readonly #connection: Connection;

  constructor(connection: Connection) {
    const { framing } = connection;
    this.#connection = connection;
    if (!framing) throw new Error('a WebSocket connection has a framing');
    this.#decoder = framing.createDecoder({ maxMessageLength: 1_000_000, onTooLong: 'close', encoding: 'binary' });
  }

  onData(chunk: Uint8Array): void {
    for (const batch of decodeChunk(this.#decoder, chunk))
      for (const message of batch) this.messages.push(Buffer.from(message.bytes).toString('latin1'));
    for (const [count, resolve] of this.#waiting) if (this.messages.length >= count) resolve();
  }

  onEnd(): void {
    this.events.push('end');
    this.#connection.end();
  }

  onDrain(): void {
    this.events.push('drain');
  }

  onClose(error?: Error): void {
    this.events.push('close');
    this.closed.resolve(error);
  }

  async heard(count: number): Promise<string[]> {
    if (this.messages.length < count) await new Promise<void>((resolve) => this.#waiting.push([count, resolve]));
    return this.messages;
  }
}

async function open(address: string, options = {}): Promise<[Connection, Told]> {
  const connection = await runtimeTransport.connect(parseAddress(address), options);
  onTestFinished(() => connection.abort());
  return [connection, new Told(connection)];
}

/** Sends a message in the connection's framing. */
function send(connection: Connection, message: string): void {
  if (connection.framing) connection.write(encode(connection.framing, Buffer.from(message, 'latin1')));
}

test('messages of any kind and length are sent and received', async () => {
  const kinds: boolean[] = [];
  const { address } = await listenWebSocket((socket) => {
    socket.on('message', (data, isBinary) => {
      kinds.push(isBinary);
      socket.send(data, { binary: isBinary });
    });
  });
  const [connection, told] = await open(address);
  connection.start(told);
  const messages = ['a', '', 'two\nlines', '\xff\xfe', 'x'.repeat(100_000)];
  for (const message of messages) send(connection, message);
  expect(await told.heard(messages.length)).toEqual(messages);
  expect(kinds).toEqual([false, false, false, true, false]);
  expect(connection.framing?.name).toBe('websocket');
  expect(connection.unsent).toBe(0);
});

test('what the server sends before start is not lost', async () => {
  const { address } = await listenWebSocket((socket) => {
    socket.send('welcome');
    socket.send('to you');
  });
  const [connection, told] = await open(address);
  await new Promise((resolve) => setImmediate(resolve));
  connection.start(told);
  expect(await told.heard(2)).toEqual(['welcome', 'to you']);
});

test('nothing is delivered while a connection is paused, even before its start, and everything afterwards', async () => {
  const count = 300;
  const { address } = await listenWebSocket((socket) => {
    for (let index = 0; index < count; index++) socket.send(`${index} ${'x'.repeat(50_000)}`);
  });
  const [connection, told] = await open(address);
  connection.pause();
  connection.start(told);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(told.messages).toEqual([]);
  connection.resume();
  await told.heard(1);
  connection.pause();
  const before = told.messages.length;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(told.messages.length).toBe(before);
  connection.resume();
  const messages = await told.heard(count);
  expect(messages.map((message) => Number.parseInt(message, 10))).toEqual(Array.from({ length: count }, (_, at) => at));
});

test('what the server does not read stays unsent, and a pong waits behind it', async () => {
  const server = Promise.withResolvers<{ resume(): void; pongs: string[] }>();
  const { address } = await listenWebSocket((socket) => {
    const pongs: string[] = [];
    socket.on('pong', (data) => void pongs.push(String(data)));
    socket.pause();
    for (let index = 0; index < 100; index++) socket.ping(`${index}`);
    server.resolve({ resume: () => socket.resume(), pongs });
  });
  const [connection, told] = await open(address);
  connection.start(told);
  const message = 'x'.repeat(900_000);
  for (let index = 0; index < 30; index++) send(connection, message);
  expect(connection.unsent).toBeGreaterThan(1_000_000);
  const { resume, pongs } = await server.promise;
  resume();
  await waitUntil('everything is sent and a ping is answered', () => connection.unsent === 0 && pongs.length > 0);
  expect(pongs.at(-1)).toBe('99');
  expect(pongs.length).toBeLessThan(100);
});

describe('the end', () => {
  test('of a server that closes normally is an end, then a close without an error', async () => {
    const { address } = await listenWebSocket((socket) => socket.on('message', () => socket.close(1000)));
    const [connection, told] = await open(address);
    connection.start(told);
    send(connection, 'bye');
    expect(await told.closed.promise).toBeUndefined();
    expect(told.events.filter((event) => event !== 'drain')).toEqual(['end', 'close']);
  });

  test('of a server that disconnects is an error', async () => {
    const { address } = await listenWebSocket((socket) => socket.on('message', () => socket.terminate()));
    const [connection, told] = await open(address);
    connection.start(told);
    send(connection, 'bye');
    expect(await told.closed.promise).toBeInstanceOf(Error);
  });

  test('of this side is seen by the server', async () => {
    const code = Promise.withResolvers<number>();
    const { address } = await listenWebSocket((socket) => socket.on('close', code.resolve));
    const [connection, told] = await open(address);
    connection.start(told);
    connection.end();
    expect(await code.promise).toBe(1000);
    expect(await told.closed.promise).toBeUndefined();
  });

  test('after abort only onClose is called', async () => {
    const { address } = await listenWebSocket((socket) => socket.send('hello'));
    const [connection, told] = await open(address);
    connection.start(told);
    connection.abort();
    expect(await told.closed.promise).toBeUndefined();
    expect(told.events).toEqual(['close']);
  });
});

test.each([
  ['end', [0xc1, 1, 0x78], 1002],
  ['release', [0x81, 1, 0xff], 1007],
  ['abort', [0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0], 1009],
] as const)('%s after a frame that is invalid tells the server what is wrong with it', async (way, frame, expected) => {
  const code = Promise.withResolvers<number>();
  const { address } = await listenWebSocket((socket) => {
    socket.on('close', (received) => code.resolve(received));
    // A byte sequence that the library itself would not send.
    (socket as unknown as { _socket: { write(bytes: Uint8Array): void } })._socket.write(Buffer.from(frame));
  });
  const connection = await runtimeTransport.connect(parseAddress(address), {});
  onTestFinished(() => connection.abort());
  const decoder = connection.framing?.createDecoder({ maxMessageLength: 100, onTooLong: 'close', encoding: 'binary' });
  connection.start({
    onData(chunk) {
      for (const { fault } of decodeChunk(decoder as Decoder, chunk)) if (fault) connection[way]();
    },
    onEnd() {},
    onDrain() {},
    onClose() {},
  });
  expect(await code.promise).toBe(expected);
});

test('a status of 1xx before the answer is skipped', async () => {
  const early = 'HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n';
  const { port } = await listen((socket) => {
    socket.write(early);
    socket.once('data', () => socket.end('HTTP/1.1 404 Not Found\r\n\r\n'));
  });
  await expect(open(`ws://127.0.0.1:${port}/`)).rejects.toThrow('it answered with HTTP status 404');
  const endless = await listen((socket) => void socket.write(early.repeat(1000)));
  await expect(open(`ws://${endless.address}/`)).rejects.toThrow('it answered with HTTP status 103');
});

test('a server that answers with HTTP is recognised, with its status', async () => {
  const http = createServer((_request, response) => response.writeHead(404).end());
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void http.close());
  const { port } = http.address() as { port: number };
  await expect(open(`ws://127.0.0.1:${port}/chat`)).rejects.toMatchObject({
    code: 'YODEL_WEBSOCKET_REFUSED',
    message: expect.stringContaining(
      `cannot connect to ws://127.0.0.1:${port}/chat: the server does not speak WebSocket`,
    ),
  });
});

test('a port without a listener refuses the connection', async () => {
  await expect(open('ws://127.0.0.1:1/')).rejects.toMatchObject({ code: 'YODEL_CONNECTION_REFUSED' });
});

test('the signal ends an attempt that the server never answers', async () => {
  const { port } = await listen((socket) => void socket.resume());
  const signal = AbortSignal.timeout(100);
  await expect(open(`ws://127.0.0.1:${port}/`, { signal })).rejects.toMatchObject({ name: 'TimeoutError' });
});

test('the handshake tells how the upgrade was answered', async () => {
  const { address } = await listenWebSocket((socket) => socket.on('message', () => undefined));
  const connection = await runtimeTransport.connect(parseAddress(address));
  const { upgrade, remote } = connection.handshake ?? {};
  expect(upgrade).toMatchObject({ status: 'HTTP/1.1 101 Switching Protocols' });
  expect(upgrade?.headers.get('upgrade')).toBe('websocket');
  expect(upgrade?.tookMs).toBeGreaterThanOrEqual(0);
  expect(remote).toMatchObject({ host: '127.0.0.1' });
  connection.start({ onData() {}, onEnd() {}, onDrain() {}, onClose() {} });
  connection.abort();
});
