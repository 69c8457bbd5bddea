/** One end of a connection, in the hands of a test. */
import type { Connection } from '../transport/transport.ts';
import { settled } from './turns.ts';

/** @internal Is told what arrives. */
export interface PeerListener {
  /** The chunk is valid during the call. */
  received(chunk: Uint8Array): void;
  ended(): void;
}

/**
 * One end of a connection in bytes, in the hands of a test: `server.dial()` of a {@link TestServer}. It knows no framing, so that it can
 * send half a message, or an invalid one.
 */
export class Peer {
  /** @internal */
  readonly connection: Connection;
  /** The other end has sent its FIN. */
  ended = false;
  /** The connection is gone. */
  closed = false;
  /** Why it broke; undefined if it did not: its `code` is `ECONNRESET` after a reset. */
  error: Error | undefined;
  /** The number of bytes received. */
  size = 0;
  #chunks: Buffer[] = [];
  #watchers: (() => void)[] = [];
  readonly #listener: PeerListener | undefined;

  /** @internal */
  constructor(connection: Connection, listener?: PeerListener) {
    this.connection = connection;
    this.#listener = listener;
    connection.start(this);
  }

  /** Everything received. */
  get received(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] as Buffer;
  }

  /** Everything received, as text. */
  get text(): string {
    return this.received.toString();
  }

  /** The complete lines of everything received. */
  get lines(): string[] {
    return this.text.split('\n').slice(0, -1);
  }

  /** Bytes written that the other end's buffer has no room for. */
  get unsent(): number {
    return this.connection.unsent;
  }

  /** Sends bytes. Text is sent as UTF-8. */
  write(bytes: string | Uint8Array): void {
    this.connection.write(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
  }

  /** Sends bytes, lets everything run that is ready, and resolves with what arrived, as text. Does not wait for promises of handlers. */
  async says(bytes: string | Uint8Array): Promise<string> {
    const before = this.size;
    this.write(bytes);
    await settled();
    return this.received.subarray(before).toString();
  }

  /** Ends this side (FIN), and goes on as {@link says}. */
  async ends(): Promise<string> {
    const before = this.size;
    this.connection.end();
    await settled();
    return this.received.subarray(before).toString();
  }

  /** Resets the connection, and lets everything run that is ready. */
  async aborts(): Promise<void> {
    this.connection.abort();
    await settled();
  }

  /** Reads no more, until {@link resume}: the other end has to wait once the buffers of the connection are full. */
  pause(): void {
    this.connection.pause();
  }

  /** Reads again. */
  resume(): void {
    this.connection.resume();
  }

  /** Resolves once `isTrue()`, which is asked after each event. Rejects if the connection closes first. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      if (this.closed) throw new Error(`closed (${this.error?.message ?? 'no error'}) after receiving: ${this.text}`);
      await this.changed();
    }
  }

  /** @internal Resolves at the next event. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#watchers.push(resolve));
  }

  /** Resolves when the connection is gone. */
  async gone(): Promise<void> {
    await this.until(() => this.closed);
  }

  /** Called by the connection. */
  onData(chunk: Uint8Array): void {
    this.#chunks.push(Buffer.from(chunk));
    this.size += chunk.length;
    this.#listener?.received(chunk);
    this.#changed();
  }

  /** Called by the connection. */
  onEnd(): void {
    this.ended = true;
    this.#listener?.ended();
    this.#changed();
  }

  /** Called by the connection. */
  onDrain(): void {
    this.#changed();
  }

  /** Called by the connection. */
  onClose(error?: Error): void {
    this.closed = true;
    this.error = error;
    this.#changed();
  }

  #changed(): void {
    for (const look of this.#watchers.splice(0)) look();
  }
}
