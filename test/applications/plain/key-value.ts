/** The key-value store of examples/applications/key-value.ts with nothing but node:net. */
import { type AddressInfo, createServer, type Socket } from 'node:net';

const maxKeyLength = 250;
const maxValueLength = 64 * 1024;
const maxLine = 'SET '.length + maxKeyLength + 1 + maxValueLength;
const maxBytes = Number(process.env.MAX_BYTES ?? 256 * 1024 * 1024);
const idleTimeout = 5 * 60_000;
const quietBeforeEnd = 100;
const shutdownTimeout = 15_000;

const store = new Map<string, string>();
let bytes = 0;

function sizeOf(key: string, value: string | undefined): number {
  return value === undefined ? 0 : Buffer.byteLength(key) + Buffer.byteLength(value);
}

function execute(line: string): string {
  if (line === 'KEYS') return ['KEYS', ...store.keys()].join(' ');
  const [, name, key, value] = /^(GET|SET|DEL) (\S+)(?: (.*))?$/s.exec(line) ?? [];
  if (key === undefined) return 'ERR the commands are GET key, SET key value, DEL key and KEYS';
  if (Buffer.byteLength(key) > maxKeyLength) return `ERR a key has at most ${maxKeyLength} bytes`;
  if ((name === 'SET') !== (value !== undefined)) return `ERR ${name} has the wrong number of words`;
  if (value !== undefined && Buffer.byteLength(value) > maxValueLength) {
    return `ERR a value has at most ${maxValueLength} bytes`;
  }
  const stored = store.get(key);
  if (name === 'GET') return stored === undefined ? 'NONE' : `VALUE ${stored}`;
  const change = sizeOf(key, value) - sizeOf(key, stored);
  if (bytes + change > maxBytes) return 'ERR the store is full';
  bytes += change;
  if (value === undefined) return store.delete(key) ? 'OK' : 'NONE';
  store.set(key, value);
  return 'OK';
}

const connections = new Set<Connection>();

class Connection {
  readonly #socket: Socket;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  /** The beginning of a line whose end has not arrived. */
  #parts: Buffer[] = [];
  #length = 0;
  /** What has arrived and is not handled, because the client does not read its replies. */
  #waiting: Buffer | undefined;
  #hasEnded = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    connections.add(this);
    socket.setNoDelay(true);
    this.#onQuiet(idleTimeout, () => this.#end('ERR nothing was received or sent for too long'));
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('drain', () => this.#resume());
    socket.on('end', () => {
      this.#hasEnded = true;
      if (this.#waiting === undefined) this.#end();
    });
    // A client that resets is gone: 'close' follows.
    socket.on('error', () => undefined);
    socket.on('close', () => connections.delete(this));
  }

  /** Handles what still arrives, until nothing has for a moment. */
  stop(): void {
    this.#onQuiet(quietBeforeEnd, () => {
      if (this.#waiting === undefined) this.#end();
    });
    setTimeout(() => this.#socket.destroy(), shutdownTimeout).unref();
  }

  /** In place of what was to be done before: a call of setTimeout() would add to it. */
  #onQuiet(milliseconds: number, react: () => void): void {
    this.#socket.removeAllListeners('timeout').setTimeout(milliseconds, react);
  }

  #end(lastLine?: string): void {
    if (!this.#socket.writable) return;
    this.#socket.end(lastLine === undefined ? '' : `${lastLine}\n`);
    // The peer may never end its side, or read.
    this.#onQuiet(10_000, () => this.#socket.destroy());
  }

  #resume(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    this.#receive(waiting);
    if (this.#waiting !== undefined) return;
    if (this.#hasEnded) this.#end();
    else this.#socket.resume();
  }

  #receive(chunk: Buffer): void {
    let start = 0;
    this.#socket.cork();
    while (this.#socket.writable) {
      if (this.#socket.writableNeedDrain) {
        this.#waiting = chunk.subarray(start);
        this.#socket.pause();
        break;
      }
      const end = chunk.indexOf(0x0a, start);
      const part = chunk.subarray(start, end === -1 ? chunk.length : end);
      this.#length += part.length;
      // One more for a CR, which is not part of the line. The rest of a line that is too long is dropped.
      if (this.#length <= maxLine + 1) this.#parts.push(part);
      else this.#parts = [];
      if (end === -1) break;
      this.#handle(Buffer.concat(this.#parts), this.#length);
      this.#parts = [];
      this.#length = 0;
      start = end + 1;
    }
    this.#socket.uncork();
  }

  #handle(bytesOfLine: Buffer, length: number): void {
    const line = bytesOfLine.at(-1) === 0x0d ? bytesOfLine.subarray(0, -1) : bytesOfLine;
    if (length > maxLine + 1 || line.length > maxLine) {
      this.#socket.write(`ERR a line is longer than the limit of ${maxLine} bytes\n`);
      return;
    }
    let text: string;
    try {
      text = this.#decoder.decode(line);
    } catch {
      this.#end('ERR a line is not valid UTF-8');
      return;
    }
    this.#socket.write(`${execute(text)}\n`);
  }
}

const server = createServer({ allowHalfOpen: true }, (socket) => new Connection(socket));
server.maxConnections = 10_000;
server.listen(Number(process.env.PORT ?? 7878), '127.0.0.1', () => {
  console.log(`listening on tcp://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

process.once('SIGTERM', () => {
  server.close();
  for (const connection of connections) connection.stop();
});
