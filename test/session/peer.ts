import type { Connection, Receiver } from '../../src/transport/transport.ts';
import { settled } from '../support/fake-clock.ts';

/** The other end of a connection, controlled by a test, which records what it receives. */
export class Peer implements Receiver {
  readonly connection: Connection;
  /** The other side has sent its FIN. */
  ended = false;
  closed = false;
  /** Why the connection broke. */
  error: Error | undefined;
  /** The number of bytes received. */
  size = 0;
  #chunks: Buffer[] = [];
  #watchers: (() => void)[] = [];

  constructor(connection: Connection) {
    this.connection = connection;
    connection.start(this);
  }

  get received(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] as Buffer;
  }

  /** Everything received, as text. */
  get text(): string {
    return this.received.toString();
  }

  /** Everything received, as lines. */
  get lines(): string[] {
    return this.text.split('\n').slice(0, -1);
  }

  /** Sends, waits until all events have settled, and returns what arrived. */
  async says(message: string | Uint8Array): Promise<string> {
    const before = this.size;
    this.connection.write(typeof message === 'string' ? Buffer.from(message) : message);
    await settled();
    return this.received.subarray(before).toString();
  }

  /** Ends its side, waits until all events have settled, and returns what arrived. */
  async ends(): Promise<string> {
    const before = this.size;
    this.connection.end();
    await settled();
    return this.received.subarray(before).toString();
  }

  async aborts(): Promise<void> {
    this.connection.abort();
    await settled();
  }

  /** Resolves once `isTrue()`. Rejects if the connection closes first. For connections with real delays. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      if (this.closed) throw new Error(`closed (${this.error?.message ?? 'no error'}) after receiving: ${this.text}`);
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** Resolves when the connection is gone. */
  async gone(): Promise<void> {
    await this.until(() => this.closed);
  }

  onData(chunk: Uint8Array): void {
    this.#chunks.push(Buffer.from(chunk));
    this.size += chunk.length;
    this.#changed();
  }

  onEnd(): void {
    this.ended = true;
    this.#changed();
  }

  onDrain(): void {
    this.#changed();
  }

  onClose(error?: Error): void {
    this.closed = true;
    this.error = error;
    this.#changed();
  }

  #changed(): void {
    for (const look of this.#watchers.splice(0)) look();
  }
}
