/** A web page and TCP clients in one room, as in examples/page.ts, with node:http, node:net and ws. */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { Connection, lines, listen } from './connection.ts';

const maxLength = 65_536;
const maxConnections = 10_000;
/** Above this, a client that does not read is disconnected. */
const maxPending = 1024 * 1024;
const idleTimeoutMs = 300_000;
const pingIntervalMs = 30_000;
const shutdownTimeoutMs = 15_000;

const [tcpPort = '7878', webPort = '8080'] = process.argv.slice(2);

const people = new Set<Connection>();
const pages = new Set<Page>();

function sendToAll(text: string): void {
  for (const page of pages) page.send(text);
  // A line contains no line end.
  if (text.includes('\n')) return;
  for (const person of people) {
    person.send(text);
    if (person.socket.writableLength > maxPending) person.socket.destroy();
  }
}

class Page {
  readonly #socket: WebSocket;
  readonly #idle: NodeJS.Timeout;
  readonly #pings: NodeJS.Timeout;
  #isAlive = true;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    pages.add(this);
    this.#idle = setTimeout(() => socket.close(1008, 'nothing was received or sent for too long'), idleTimeoutMs);
    this.#pings = setInterval(() => this.#ping(), pingIntervalMs);
    socket.on('pong', () => {
      this.#isAlive = true;
    });
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    // A page that resets, or breaks the protocol, is gone: 'close' follows.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      pages.delete(this);
      clearTimeout(this.#idle);
      clearInterval(this.#pings);
    });
  }

  send(text: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#idle.refresh();
    this.#socket.send(text);
    if (this.#socket.bufferedAmount > maxPending) this.#socket.terminate();
  }

  stop(): void {
    this.#socket.close(1001);
    setTimeout(() => this.#socket.terminate(), shutdownTimeoutMs).unref();
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.#idle.refresh();
    if (isBinary) this.#socket.close(1003, 'a message is text');
    else sendToAll(data.toString());
  }

  #ping(): void {
    if (!this.#isAlive) this.#socket.terminate();
    this.#isAlive = false;
    this.#socket.ping();
  }
}

/** Pages of this server only. A host name could be that of any site, so it is one of this machine. */
function isOwnPage({ headers: { origin, host } }: IncomingMessage): boolean {
  if (origin === undefined) return true;
  if (!URL.canParse(origin) || !URL.canParse(`http://${host}`)) return false;
  const { hostname } = new URL(origin);
  return new URL(origin).host === new URL(`http://${host}`).host && ['127.0.0.1', 'localhost'].includes(hostname);
}

const sockets = new WebSocketServer({ noServer: true, maxPayload: maxLength });
const web = createServer((request, response) => {
  if (request.url !== '/') return void response.writeHead(404).end();
  readFile(new URL('page.html', import.meta.url)).then(
    (content) => response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(content),
    () => response.writeHead(500).end(),
  );
});
web.on('upgrade', (request, socket, head) => {
  // The browser may break off.
  socket.on('error', () => socket.destroy());
  const refuse = (status: string) => socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
  if (new URL(request.url ?? '', 'http://host').pathname !== '/room') refuse('404 Not Found');
  else if (!isOwnPage(request)) refuse('403 Forbidden');
  else if (pages.size >= maxConnections) refuse('503 Service Unavailable');
  else sockets.handleUpgrade(request, socket, head, (accepted) => new Page(accepted));
});

const tcp = await listen(createTcpServer({ allowHalfOpen: true }), { port: Number(tcpPort) }, (socket) => {
  const person: Connection = new Connection(socket, {
    framing: lines(maxLength),
    formatError: (text) => `error: ${text}`,
    handle: (text) => void sendToAll(text),
    closed: () => people.delete(person),
  });
  people.add(person);
  return person;
});
web.listen(Number(webPort), '127.0.0.1', () => {
  const { port } = web.address() as AddressInfo;
  console.log(`tcp: tcp://127.0.0.1:${tcp.port}, page: http://127.0.0.1:${port}/`);
});

process.once('SIGTERM', () => {
  web.close();
  void tcp.close();
  for (const page of pages) page.stop();
});
