/**
 * Lines on stdout or stderr that never delay the server: while the reader is too slow, lines are left out, and a line says
 * how many.
 */
import { nonBlockingSink } from '../terminal/sink.ts';
import { Writer } from '../terminal/writer.ts';

/** How long lines are gathered into one write, in milliseconds. */
const gatherMs = 5;
/** While more bytes than this are pending, lines are left out. */
const maxPending = 8_388_608;

/** Writes lines and leaves out what a slow reader cannot take. */
export class LineWriter {
  readonly #writer: Writer;
  readonly #leftOutLine: (count: number) => string;
  #leftOut = 0;

  /**
   * @param fd 1 for stdout, 2 for stderr
   * @param leftOutLine the line that says how many lines are missing, in the format of the others
   * @param failed called once when the reader is gone (EPIPE) or writing fails; further lines are discarded
   */
  constructor(fd: 1 | 2, leftOutLine: (count: number) => string, failed: (error: Error) => void) {
    this.#writer = new Writer(nonBlockingSink(fd), { gatherMs, failed });
    this.#leftOutLine = leftOutLine;
  }

  /** Adds one line; `line` has no newline. */
  write(line: string): void {
    if (this.#writer.pending > maxPending) {
      this.#leftOut++;
      return;
    }
    this.#reportLeftOut();
    this.#writer.write(`${line}\n`);
  }

  /** Writes the rest. Resolves after `withinMs` at the latest, for a stopped terminal may never take it. */
  async close(withinMs: number): Promise<void> {
    this.#reportLeftOut();
    await this.#writer.end(withinMs);
  }

  #reportLeftOut(): void {
    if (this.#leftOut === 0) return;
    this.#writer.write(`${this.#leftOutLine(this.#leftOut)}\n`);
    this.#leftOut = 0;
  }
}
