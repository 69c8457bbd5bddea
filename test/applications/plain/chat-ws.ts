/**
 * The chat of examples/applications/chat.ts with ws: each message of a WebSocket is a line, so there is nothing to frame. Clients that
 * send lines over TCP, such as nc, are left out, and so is waiting for what is still on its way when the server stops.
 */
import type { AddressInfo } from 'node:net';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';

const maxLine = 1000;
/** Above this, a client that does not read is disconnected. */
const maxPending = 1024 * 1024;
const shutdownTimeout = 15_000;
const idleTimeout = Number(process.env.IDLE_TIMEOUT ?? 5 * 60_000);

/** By the nickname in small letters. */
const members = new Map<string, Client>();
const clients = new Set<Client>();

class Client {
  readonly #socket: WebSocket;
  readonly #idle: NodeJS.Timeout;
  #name: string | undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    clients.add(this);
    this.#idle = setTimeout(() => {
      this.send('error: nothing was received or sent for too long');
      this.#socket.close();
    }, idleTimeout);
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    // A client that resets, or breaks the protocol, is gone: 'close' follows.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#leave());
    this.send('What is your nickname?');
  }

  send(line: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#idle.refresh();
    this.#socket.send(line);
    if (this.#socket.bufferedAmount > maxPending) this.#socket.terminate();
  }

  stop(): void {
    this.send('* the server stops');
    this.#socket.close(1001);
    setTimeout(() => this.#socket.terminate(), shutdownTimeout).unref();
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.#idle.refresh();
    if (isBinary) this.send('error: a line is text');
    else if ((data as Buffer).length > maxLine) this.send(`error: a line is longer than the limit of ${maxLine} bytes`);
    else this.#handle(data.toString());
  }

  #handle(text: string): void {
    if (this.#name === undefined) {
      this.#enter(text);
      return;
    }
    const [, command, rest = ''] = /^\/(\w*) ?(.*)$/s.exec(text) ?? [];
    if (command === undefined) this.#tell(`${this.#name}: ${escaped(text)}`);
    else if (command === 'me') this.#tell(`* ${this.#name} ${escaped(rest)}`);
    else if (command === 'who') this.send(`* here: ${[...members.values()].map((one) => one.#name).join(', ')}`);
    else if (command === 'quit') {
      this.send('* bye');
      this.#socket.close();
    } else this.send(`error: there is no /${command}`);
  }

  #enter(name: string): void {
    if (!/^[\w-]{1,20}$/.test(name)) {
      this.send('error: a nickname has 1 to 20 letters, digits, - and _');
    } else if (members.has(name.toLowerCase())) {
      this.send(`error: ${name} is taken`);
    } else {
      members.set(name.toLowerCase(), this);
      this.#name = name;
      this.#tell(`* ${name} has joined`);
      this.send(`* welcome, ${name}`);
    }
  }

  #leave(): void {
    clearTimeout(this.#idle);
    if (!clients.delete(this) || this.#name === undefined) return;
    members.delete(this.#name.toLowerCase());
    this.#tell(`* ${this.#name} has left`);
  }

  #tell(line: string): void {
    for (const member of members.values()) if (member !== this) member.send(line);
  }
}

/** Makes characters visible that control a terminal, reorder text or hide. Emoji and some scripts need the joiners. */
function escaped(text: string): string {
  return text.replaceAll(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: Number(process.env.PORT ?? 7878),
  maxPayload: 64 * 1024,
});
server.on('connection', (socket) => {
  if (clients.size < 10_000) new Client(socket);
  else socket.close(1013);
});
server.on('listening', () => console.log(`listening on ws://127.0.0.1:${(server.address() as AddressInfo).port}`));

process.once('SIGTERM', () => {
  server.close();
  for (const client of clients) client.stop();
});
