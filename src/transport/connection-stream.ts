/** A connection as a stream, for `node:tls`, which encrypts over any stream on both runtimes. */
import { Duplex } from 'node:stream';
import type { Connection, Receiver } from './transport.ts';

/** Passes what is read to `push`, and what is written to the connection, with back-pressure in both directions. */
export class ConnectionStream extends Duplex implements Receiver {
  readonly #connection: Connection;
  /** Called when everything that was written has been sent. */
  #written: ((error?: Error | null) => void) | undefined;
  /** The bytes of the write in progress, which are in the connection, too. */
  #passed = 0;
  #isClosed = false;
  /** Called when {@link unsent} is 0 again, also from inside a write. */
  whenSent: () => void = () => undefined;

  /** @param connection its receiver passes its events on to this stream */
  constructor(connection: Connection) {
    super({ allowHalfOpen: true });
    this.#connection = connection;
    this.on('error', () => undefined);
  }

  /** Bytes that were written to the stream, and that the connection has not sent yet. */
  get unsent(): number {
    return this.writableLength - this.#passed + this.#connection.unsent;
  }

  /** Bytes of memory that they keep, without what the connection reports to its keeper. */
  get unsentMemory(): number {
    const { unsent, unsentMemory = unsent } = this.#connection;
    return this.writableLength - this.#passed + unsentMemory;
  }

  override _read(): void {
    this.#connection.resume();
  }

  override _write(chunk: Buffer, _encoding: string, written: (error?: Error | null) => void): void {
    this.#connection.write(chunk);
    this.#passed = chunk.length;
    if (this.#connection.unsent > 0) this.#written = written;
    else this.#endWrite(written);
  }

  #endWrite(written: ((error?: Error | null) => void) | undefined): void {
    this.#written = undefined;
    this.#passed = 0;
    written?.();
    if (this.unsent === 0) this.whenSent();
  }

  override _final(done: () => void): void {
    this.#connection.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#isClosed) this.#connection.release();
    done(error);
  }

  onData(chunk: Uint8Array): void {
    if (this.readableEnded || this.destroyed) return;
    if (!this.push(Buffer.from(chunk))) this.#connection.pause();
  }

  onEnd(): void {
    if (!this.destroyed) this.push(null);
  }

  onDrain(): void {
    if (this.#connection.unsent > 0) return;
    this.#endWrite(this.#written);
  }

  onClose(error?: Error): void {
    this.#isClosed = true;
    if (error) this.destroy(error);
    else if (!this.destroyed) {
      this.push(null);
      this.#written?.(new Error('the connection is closed'));
    }
  }
}
