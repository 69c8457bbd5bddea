/** One connection of an echo server, and whether each message comes back once and in order. */
import { once } from 'node:events';
import * as net from 'node:net';
import { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import * as tls from 'node:tls';
import type { Random } from './random.ts';
import { LineWire, type Wire } from './wires.ts';

/** How a connection ended, as seen by the client. */
export type Ending = 'end' | 'broken';

/** Compares replies with what was sent. */
export class Replies {
  /** What is wrong, as text. */
  readonly problems: string[] = [];
  /** The error reply, which must be the last one. */
  error: string | undefined;
  answered = 0;
  readonly #sent: string[] = [];

  /** The number of messages sent. */
  get sent(): number {
    return this.#sent.length;
  }

  expect(text: string): void {
    this.#sent.push(text);
  }

  check(reply: string): void {
    const expected = this.#sent[this.answered];
    if (this.error !== undefined) this.problems.push(`${brief(reply)} after the error ${this.error}`);
    else if (reply.startsWith('error: ')) this.error = reply;
    else if (reply === expected) this.answered++;
    else this.problems.push(`reply ${this.answered} is ${brief(reply)}, not ${brief(expected ?? 'nothing')}`);
  }
}

function brief(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}… (${text.length})` : text;
}

/** A connection that is open. */
export interface Opened {
  readonly socket: net.Socket;
  readonly wire: Wire;
  /** Resets the connection, below TLS. */
  reset(): void;
}

/** Connects to a port of the host, or to a Unix socket. */
export async function dial(
  to: number | string,
  wire: Wire = new LineWire(),
  host = '127.0.0.1',
): Promise<Opened & { readonly socket: net.Socket }> {
  const where = typeof to === 'number' ? { host, port: to } : { path: to };
  const socket = net.connect({ ...where, allowHalfOpen: true });
  await once(socket, 'connect');
  const reset = () => void (typeof to === 'number' ? socket.resetAndDestroy() : socket.destroy());
  return { socket, wire, reset };
}

/** The same with TLS. Whatever the certificate, it is accepted. Only one that `canReset` can send RST; it cannot be read slowly. */
export async function dialTls(port: number, canReset: boolean, host?: string): Promise<Opened> {
  const { socket: below, wire, reset } = await dial(port, undefined, host);
  const accepted = { rejectUnauthorized: false, allowHalfOpen: true };
  const socket = tls.connect({ socket: canReset ? streamOver(below) : below, ...accepted });
  await once(socket, 'secureConnect');
  return { socket, wire, reset };
}

/** A stream of the same bytes: Node.js can crash when a socket is reset that is itself below TLS. */
function streamOver(below: net.Socket): Duplex {
  const stream = new Duplex({
    read: () => void below.resume(),
    write: (bytes, _, done) => void below.write(bytes, done),
    final: (done) => void below.end(done),
    destroy: (error, done) => {
      below.destroy();
      done(error);
    },
  });
  below.on('data', (chunk) => stream.push(chunk) || below.pause());
  below.on('end', () => stream.push(null)).on('error', (error) => stream.destroy(error));
  return stream;
}

/** A client of an echo server. */
export class Conversation {
  readonly name: string;
  readonly socket: net.Socket;
  readonly replies: Replies;
  /** Resolves when the server has ended the connection, or it broke. */
  readonly ended: Promise<Ending>;
  readonly #wire: Wire;
  readonly #random: Random;
  readonly #reset: () => void;

  /** The replies of the connection are read at once. */
  constructor(name: string, { socket, wire, reset }: Opened, random: Random, replies = new Replies()) {
    this.name = name;
    this.socket = socket;
    this.#reset = reset;
    this.replies = replies;
    this.#wire = wire;
    this.#random = random;
    this.ended = new Promise((resolve) => {
      socket.on('error', () => undefined).on('end', () => resolve('end'));
      socket.on('close', () => resolve('broken'));
    });
    socket.on('data', (chunk) => this.#read(chunk));
    if (wire.greeting.length > 0) socket.write(wire.greeting);
  }

  /** Sends a message in pieces, with short pauses between them. Resolves when the kernel has taken it. */
  async say(text: string): Promise<void> {
    this.replies.expect(text);
    const bytes = this.#wire.encode(text, this.#random);
    const pieces = this.#random.chance(0.8) ? 1 : this.#random.between(2, 5);
    const size = Math.ceil(bytes.length / pieces);
    for (let at = 0; at < bytes.length; at += size) {
      await this.write(bytes.subarray(at, at + size));
      if (pieces > 1) await delay(this.#random.between(0, 20));
    }
  }

  /** Sends many messages in one write. */
  async sayAll(texts: readonly string[]): Promise<void> {
    for (const text of texts) this.replies.expect(text);
    await this.write(Buffer.concat(texts.map((text) => this.#wire.encode(text, this.#random))));
  }

  /** Begins a message. If the client then ends, what it has begun is a message of its own. */
  async begin(text: string): Promise<void> {
    await this.write(this.#wire.begin(text));
  }

  /** A message that is not expected back. */
  encode(text: string): Buffer {
    return this.#wire.encode(text, this.#random);
  }

  /** Resolves when the kernel has taken it, or the connection is closed. */
  async write(bytes: Buffer): Promise<void> {
    if (this.socket.destroyed || !this.socket.writable || this.socket.write(bytes)) return;
    const stop = new AbortController();
    await Promise.race([once(this.socket, 'drain', { signal: stop.signal }), this.ended]).catch(() => undefined);
    stop.abort();
  }

  /** Ends orderly. Resolves when the server has ended, too. */
  async end(): Promise<Ending> {
    this.socket.end(this.#wire.farewell);
    return await this.ended;
  }

  /** RST, where there is one: a Unix socket just closes. */
  reset(): void {
    this.#reset();
  }

  /** An unfinished reply at the end. */
  rest(): string {
    return this.#wire.rest();
  }

  #read(chunk: Buffer): void {
    try {
      for (const reply of this.#wire.read(chunk, (bytes) => void this.socket.write(bytes))) this.replies.check(reply);
    } catch (error) {
      this.replies.problems.push((error as Error).message);
      this.socket.destroy();
    }
  }
}
