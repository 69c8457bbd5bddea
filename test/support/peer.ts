/** A plain TCP client in the process of the test, without any code of yodel. */
import { once } from 'node:events';
import * as net from 'node:net';
import { onTestFinished } from 'vitest';

/** One end of a connection to a server. It is destroyed when the test ends. */
export class Peer {
  readonly socket: net.Socket;
  /** Its local port, which is the port of the peer for the server. */
  readonly port: number;
  /** Resolves with everything received when the server ends its side. Rejects when the connection breaks before. */
  readonly ended: Promise<Buffer>;
  /** Resolves when the connection is closed, with the error, if any. */
  readonly closed: Promise<NodeJS.ErrnoException | undefined>;
  #bytes = Buffer.alloc(65_536);
  #watchers: (() => void)[] = [];
  /** What each pending call waits for. */
  readonly #missing = new Set<() => string>();
  #size = 0;
  #failure: Error | undefined;

  /** @param socket a connected socket */
  constructor(socket: net.Socket) {
    this.socket = socket;
    this.port = socket.localPort ?? 0;
    let broken: NodeJS.ErrnoException | undefined;
    socket.on('error', (error) => {
      broken = error;
    });
    socket.on('data', (chunk: Buffer) => {
      this.#keep(chunk);
      this.#look();
    });
    this.closed = new Promise((resolve) => socket.on('close', () => resolve(broken)));
    this.ended = new Promise((resolve, reject) => {
      socket.on('end', () => resolve(this.received));
      socket.on('close', () => reject(broken ?? new Error('the connection was closed without an end')));
    });
    this.ended.then(
      () => this.#over('ended'),
      (error: Error) => this.#over(error.message),
    );
  }

  /** Everything received so far. */
  get received(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  get text(): string {
    return this.received.toString();
  }

  /** The number of bytes received so far. */
  get size(): number {
    return this.#size;
  }

  /** Sends. Resolves when the kernel has taken it. */
  send(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => this.socket.write(data, (error) => (error ? reject(error) : resolve())));
  }

  /** Resolves with the match when the pattern is in the received text. */
  async saw(pattern: RegExp): Promise<RegExpExecArray> {
    return await this.#until(
      () => pattern.exec(this.text) ?? undefined,
      () => `${pattern}; received: ${JSON.stringify(this.text.slice(-2000))}`,
    );
  }

  /** Resolves with everything received when it is at least `count` bytes. */
  async sawBytes(count: number): Promise<Buffer> {
    return await this.#until(
      () => (this.#size >= count ? this.received : undefined),
      () => `${count} bytes; received: ${this.#size}`,
    );
  }

  /** Sends one line and resolves with the next line received. */
  async ask(line: string): Promise<string> {
    const from = this.#size;
    await this.send(`${line}\n`);
    return await this.#until(
      () => {
        const answer = this.received.subarray(from);
        const end = answer.indexOf('\n');
        return end === -1 ? undefined : answer.subarray(0, end).toString();
      },
      () => `a reply to ${line}`,
    );
  }

  /** Ends this side: FIN. */
  end(): void {
    this.socket.end();
  }

  /** Resets the connection: RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Prints what pending calls wait for, after a failed test. */
  report(): void {
    for (const what of this.#missing) process.stderr.write(`the peer at port ${this.port} still waits for ${what()}\n`);
  }

  #until<Found>(find: () => Found | undefined, what: () => string): Promise<Found> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = find();
        if (found === undefined && !this.#failure) return;
        this.#watchers = this.#watchers.filter((one) => one !== look);
        this.#missing.delete(what);
        if (found !== undefined) resolve(found);
        else reject(new Error(`the connection is closed without ${what()}`, { cause: this.#failure }));
      };
      this.#watchers.push(look);
      this.#missing.add(what);
      look();
    });
  }

  #keep(chunk: Buffer): void {
    const size = this.#size + chunk.length;
    if (size > this.#bytes.length) {
      const larger = Buffer.alloc(size * 2);
      this.received.copy(larger);
      this.#bytes = larger;
    }
    chunk.copy(this.#bytes, this.#size);
    this.#size = size;
  }

  #look(): void {
    for (const look of this.#watchers) look();
  }

  #over(how: string): void {
    this.#failure = new Error(how);
    this.#look();
  }
}

/** Connects to a port of 127.0.0.1, or to a Unix socket. */
export async function dial(to: number | string, host = '127.0.0.1'): Promise<Peer> {
  const where = typeof to === 'number' ? { host, port: to } : { path: to };
  const socket = net.connect({ ...where, allowHalfOpen: true, noDelay: true });
  await once(socket, 'connect');
  const peer = new Peer(socket);
  onTestFinished(({ task }) => {
    if (task.result?.state === 'fail') peer.report();
    socket.destroy();
  });
  return peer;
}
