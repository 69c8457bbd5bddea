/** A connection as a stream, for `node:tls`, which encrypts over any stream on both runtimes. */
import { Duplex } from 'node:stream';
import type { Connection, Receiver } from './transport.ts';

/** Passes what is read to `push`, and what is written to the connection, with back-pressure in both directions. */
export class ConnectionStream extends Duplex implements Receiver {
  readonly #connection: Connection;
  /** Called when everything that was written has been sent. */
  #written: ((error?: Error | null) => void) | undefined;
  #isClosed = false;

  /** @param connection its receiver passes its events on to this stream */
  constructor(connection: Connection) {
    super({ allowHalfOpen: true });
    this.#connection = connection;
    this.on('error', () => undefined);
  }

  override _read(): void {
    this.#connection.resume();
  }

  override _write(chunk: Buffer, _encoding: string, written: (error?: Error | null) => void): void {
    this.#connection.write(chunk);
    if (this.#connection.unsent === 0) written();
    else this.#written = written;
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
    const written = this.#written;
    this.#written = undefined;
    written?.();
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
