/**
 * What a server over node:net or node:tls needs for each connection before it can be left alone: the applications without yodel share
 * it. A framing finds the messages; their handler is called for one after another, and its replies leave in order.
 */
import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const maxConnections = 10_000;
const highWaterMark = 65_536;
const idleTimeoutMs = 300_000;
const messageTimeoutMs = 10_000;
const drainTimeoutMs = 10_000;
const lingerTimeoutMs = 1000;
const shutdownTimeoutMs = 15_000;

/** Where messages begin and end. */
export interface Framing {
  /** The end of the frame at the beginning of these bytes, or -1 if more are needed. Throws if they are no frame. */
  findEnd(bytes: Buffer): number;
  /** Throws if the frame is wrong. */
  decode(frame: Buffer): string;
  encode(text: string): string | Uint8Array;
}

/** An error that the peer may know. */
export class PeerError extends Error {}

type Reply = string | undefined;

export interface ConnectionOptions {
  readonly framing: Framing;
  /** Called for each message. What it returns is sent. Throws or rejects with a PeerError to end the connection with its text. */
  handle(text: string): Reply | Promise<Reply>;
  /** How many messages may be handled at the same time. */
  readonly concurrency?: number;
  /** The last message to the peer, if there is an error. A client sends none. */
  formatError?(text: string): string;
  closed?(error: Error | undefined): void;
}

/** One connection. */
export class Connection {
  readonly socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #concurrency: number;
  #input: Buffer = Buffer.alloc(0);
  /** In the order of their messages. */
  readonly #replies: { isReady: boolean; text: Reply }[] = [];
  #error: Error | undefined;
  #isEnding = false;
  #isOver = false;
  #messageTimer: NodeJS.Timeout | undefined;
  #drainTimer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.socket = socket;
    this.#options = options;
    this.#concurrency = options.concurrency ?? 1;
    socket.setKeepAlive(true, 60_000);
    socket.setNoDelay(true);
    socket.setTimeout(idleTimeoutMs, () => this.fail(new PeerError('nothing was received or sent for too long')));
    socket.on('data', (chunk) => {
      if (this.#isOver) return;
      this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
      this.#read();
    });
    socket.on('end', () => this.end());
    socket.on('error', (error) => {
      this.#error ??= error;
      socket.destroy();
    });
    socket.on('drain', () => {
      clearTimeout(this.#drainTimer);
      this.#drainTimer = undefined;
      this.#read();
    });
    socket.on('close', () => {
      this.#isOver = true;
      clearTimeout(this.#messageTimer);
      clearTimeout(this.#drainTimer);
      options.closed?.(this.#error);
    });
  }

  /** Sends a message, besides the replies. Returns false if the peer is behind, or gone. */
  send(text: string): boolean {
    return !this.#isOver && this.#write(text);
  }

  /** Handles what has arrived, then ends this side. */
  end(): void {
    this.#isEnding = true;
    this.#read();
  }

  /** Ends the connection because of an error. */
  fail(error: Error): void {
    if (this.#isOver) return;
    this.#error = error;
    const { formatError } = this.#options;
    const text = error instanceof PeerError ? error.message : 'the handler failed on the server';
    if (!(error instanceof PeerError)) process.emitWarning(error);
    if (formatError) this.#write(formatError(text));
    this.#finish();
  }

  #read(): void {
    if (this.#isOver) return;
    let size = 0;
    let isWaiting = false;
    try {
      for (;;) {
        const rest = this.#input.subarray(size);
        const end = rest.length === 0 ? -1 : this.#options.framing.findEnd(rest);
        if (end === -1) break;
        isWaiting = this.#replies.length >= this.#concurrency || this.socket.writableLength > highWaterMark;
        if (isWaiting) break;
        const message = this.#options.framing.decode(rest.subarray(0, end));
        size += end;
        this.#handle(message);
        if (this.#isOver) return;
      }
    } catch (error) {
      // Messages before it are answered first.
      if (this.#replies.length === 0) return this.fail(error as Error);
      isWaiting = true;
    }
    this.#input = this.#input.subarray(size);
    if (isWaiting) this.socket.pause();
    else this.socket.resume();
    this.#limitTime(!isWaiting && this.#input.length > 0, size > 0);
    if (this.#isEnding && !isWaiting && this.#replies.length === 0) this.#finish();
  }

  #limitTime(isUnfinished: boolean, isAnother: boolean): void {
    if (!isUnfinished || isAnother) {
      clearTimeout(this.#messageTimer);
      this.#messageTimer = undefined;
    }
    if (isUnfinished) {
      const late = () => this.fail(new PeerError('a message was not finished in time'));
      this.#messageTimer ??= setTimeout(late, messageTimeoutMs);
    }
  }

  #handle(message: string): void {
    let reply: Reply | Promise<Reply>;
    try {
      reply = this.#options.handle(message);
    } catch (error) {
      return this.fail(error as Error);
    }
    if (!(reply instanceof Promise) && this.#replies.length === 0) {
      if (reply !== undefined) this.#write(reply);
      return;
    }
    const place: { isReady: boolean; text: Reply } = { isReady: false, text: undefined };
    this.#replies.push(place);
    Promise.resolve(reply).then(
      (text) => {
        Object.assign(place, { isReady: true, text });
        while (this.#replies[0]?.isReady) {
          const ready = this.#replies.shift()?.text;
          if (ready !== undefined && !this.#isOver) this.#write(ready);
        }
        this.#read();
      },
      (error) => this.fail(error),
    );
  }

  #write(text: string): boolean {
    if (this.socket.write(this.#options.framing.encode(text))) return true;
    this.#drainTimer ??= setTimeout(() => this.socket.destroy(), drainTimeoutMs);
    return false;
  }

  /** Reads on for a moment, so that a reset does not destroy the last message. */
  #finish(): void {
    this.#isOver = true;
    this.socket.end();
    this.socket.resume();
    const linger = setTimeout(() => this.socket.destroySoon(), lingerTimeoutMs);
    this.socket.once('close', () => clearTimeout(linger));
  }
}

/** Lines of text, which end with LF or CRLF. */
export function lines(maxLength = 65_536): Framing {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const tooLong = () => new PeerError(`a line is longer than the limit of ${maxLength} bytes`);
  return {
    findEnd(bytes) {
      const end = bytes.indexOf(0x0a);
      // Two more: the line end.
      if ((end === -1 ? bytes.length : end) > maxLength + 1) throw tooLong();
      return end + 1 || -1;
    },
    decode(frame) {
      const line = frame.subarray(0, frame.at(-2) === 0x0d ? -2 : -1);
      if (line.length > maxLength) throw tooLong();
      try {
        return decoder.decode(line);
      } catch {
        throw new PeerError('a line is not valid UTF-8');
      }
    },
    encode(text) {
      if (text.includes('\n')) throw new Error('a line contains no line end');
      return `${text}\n`;
    },
  };
}

/** Some turns of the event loop: after the time, which a busy process may have spent in one turn, two that read. */
async function turns(): Promise<void> {
  await delay(20);
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A running server. */
export interface Running {
  readonly port: number;
  /** Resolves when all that has arrived is answered, and all connections are closed. */
  close(): Promise<void>;
}

/** Listens, and creates a connection for each socket. The server must allow half-open connections. */
export async function listen(
  server: Server,
  where: { readonly port: number; readonly reusePort?: boolean },
  accept: (socket: Socket) => Connection,
  event = 'connection',
): Promise<Running> {
  const connections = new Set<Connection>();
  server.on(event, (socket: Socket) => {
    const connection = accept(socket);
    if (connections.size >= maxConnections)
      return connection.fail(new PeerError('too many connections; try again later'));
    connections.add(connection);
    socket.on('close', () => connections.delete(connection));
  });
  server.listen({ host: '127.0.0.1', ...where });
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      // What has arrived at the operating system is accepted, then read.
      await turns();
      const closed = once(server, 'close');
      server.close();
      await turns();
      for (const connection of connections) connection.end();
      const limit = setTimeout(() => {
        for (const { socket } of connections) socket.destroy();
      }, shutdownTimeoutMs);
      await closed;
      clearTimeout(limit);
    },
  };
}
