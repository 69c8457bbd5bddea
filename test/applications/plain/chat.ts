/** The chat of examples/applications/chat.ts with nothing but node:net. */
import { type AddressInfo, createServer, type Socket } from 'node:net';

const maxLine = 1000;
/** Above this, a client that does not read is disconnected. */
const maxPending = 1024 * 1024;
const quietBeforeEnd = 100;
const shutdownTimeout = 15_000;
const idleTimeout = Number(process.env.IDLE_TIMEOUT ?? 5 * 60_000);

/** By the nickname in small letters. */
const members = new Map<string, Client>();
const clients = new Set<Client>();

class Client {
  readonly #socket: Socket;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  /** The beginning of a line whose end has not arrived. */
  #parts: Buffer[] = [];
  #length = 0;
  #name: string | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    clients.add(this);
    socket.setNoDelay(true);
    this.#onQuiet(idleTimeout, () => this.#end('error: nothing was received or sent for too long'));
    socket.on('data', (chunk) => this.#receive(chunk));
    // A client that resets is gone: 'close' follows.
    socket.on('error', () => undefined);
    socket.on('end', () => this.#leave());
    socket.on('close', () => this.#leave());
    this.send('What is your nickname?');
  }

  send(line: string): void {
    if (!this.#socket.writable) return;
    this.#socket.write(`${line}\n`);
    if (this.#socket.writableLength > maxPending) this.#socket.destroy();
  }

  /** Handles what still arrives, until nothing has for a moment. */
  stop(): void {
    this.send('* the server stops');
    this.#onQuiet(quietBeforeEnd, () => this.#end());
    setTimeout(() => this.#socket.destroy(), shutdownTimeout).unref();
  }

  /** In place of what was to be done before: a call of setTimeout() would add to it. */
  #onQuiet(milliseconds: number, react: () => void): void {
    this.#socket.removeAllListeners('timeout').setTimeout(milliseconds, react);
  }

  #end(lastLine?: string): void {
    if (lastLine !== undefined) this.send(lastLine);
    this.#leave();
    this.#socket.end();
    // The peer may never end its side.
    this.#onQuiet(1000, () => this.#socket.destroy());
  }

  #receive(chunk: Buffer): void {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(0x0a, start);
      const part = chunk.subarray(start, end === -1 ? chunk.length : end);
      this.#length += part.length;
      // One more for a CR, which is not part of the line. The rest of a line that is too long is dropped.
      if (this.#length <= maxLine + 1) this.#parts.push(part);
      else this.#parts = [];
      if (end === -1) return;
      this.#handleBytes(Buffer.concat(this.#parts), this.#length);
      this.#parts = [];
      this.#length = 0;
      start = end + 1;
    }
  }

  #handleBytes(bytes: Buffer, length: number): void {
    if (!this.#socket.writable) return;
    const line = bytes.at(-1) === 0x0d ? bytes.subarray(0, -1) : bytes;
    if (length > maxLine + 1 || line.length > maxLine) {
      this.send(`error: a line is longer than the limit of ${maxLine} bytes`);
      return;
    }
    let text: string;
    try {
      text = this.#decoder.decode(line);
    } catch {
      this.#end('error: a line is not valid UTF-8');
      return;
    }
    this.#handle(text);
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
    else if (command === 'quit') this.#end('* bye');
    else this.send(`error: there is no /${command}`);
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

const server = createServer({ allowHalfOpen: false }, (socket) => new Client(socket));
server.maxConnections = 10_000;
server.listen(Number(process.env.PORT ?? 7878), '127.0.0.1', () => {
  console.log(`listening on tcp://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

process.once('SIGTERM', () => {
  server.close();
  for (const client of clients) client.stop();
});
