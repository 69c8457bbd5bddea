/** Prints replies on stdout: everything, however slow the reader is. On a terminal they are escaped. */
import { EscapingStream } from '../../terminal/escape.ts';
import type { Writer } from '../../terminal/writer.ts';
import { openStdout, type StdoutOptions } from '../output.ts';

/** While more bytes than this are pending in one direction, the other end is not read. */
export const highWaterMark = 262_144;

/** Stdout for replies. */
export class ReplyOutput {
  readonly #writer: Writer;
  readonly #escaping = process.stdout.isTTY ? new EscapingStream() : undefined;

  constructor(options: StdoutOptions) {
    this.#writer = openStdout(options);
  }

  /** Whether the server should not be read for now. */
  get isFull(): boolean {
    return this.#writer.pending > highWaterMark;
  }

  /** Whether the server may be read again. */
  get isLow(): boolean {
    return this.#writer.pending <= highWaterMark / 2;
  }

  get isEmpty(): boolean {
    return this.#writer.pending === 0;
  }

  /** Writes bytes that must not change until they are written. */
  write(bytes: Uint8Array): void {
    this.#writer.write(this.#escaping ? this.#escaping.add(bytes) : bytes);
  }

  /** Writes what is left of a character that was cut in two. */
  end(): void {
    if (this.#escaping) this.#writer.write(this.#escaping.end());
  }
}
