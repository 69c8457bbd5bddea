/**
 * Writes lines on stdout or stderr without ever delaying the server: while the reader is too slow, lines are dropped, and one
 * line reports how many.
 */
import { nonBlockingSink } from '../terminal/sink.ts';
import { Writer } from '../terminal/writer.ts';

/** How long lines are gathered into one write, in milliseconds. */
const gatherMs = 5;
/** While more bytes than this are pending, lines are dropped. */
const maxPending = 8_388_608;

/** Writes lines, and drops those that a slow reader does not accept in time. */
export class LineWriter {
  readonly #writer: Writer;
  readonly #droppedLine: (count: number) => string;
  #dropped = 0;

  /**
   * @param fd 1 for stdout, 2 for stderr
   * @param droppedLine returns the line that reports how many lines were dropped, in the format of the others
   * @param failed called once when the reader is gone (EPIPE) or writing fails; further lines are discarded
   */
  constructor(fd: 1 | 2, droppedLine: (count: number) => string, failed: (error: Error) => void) {
    this.#writer = new Writer(nonBlockingSink(fd), { gatherMs, failed });
    this.#droppedLine = droppedLine;
  }

  /** Adds one line; `line` has no newline. */
  write(line: string): void {
    if (this.#writer.pending > maxPending) {
      this.#dropped++;
      return;
    }
    this.#reportLeftOut();
    this.#writer.write(`${line}\n`);
  }

  /** Writes the gathered lines now. */
  flush(): void {
    this.#writer.flush();
  }

  /** Writes the rest. Resolves after at most `timeoutMs`, because a stopped terminal may never accept it. */
  async close(timeoutMs: number): Promise<void> {
    this.#reportLeftOut();
    await this.#writer.end(timeoutMs);
  }

  #reportLeftOut(): void {
    if (this.#dropped === 0) return;
    this.#writer.write(`${this.#droppedLine(this.#dropped)}\n`);
    this.#dropped = 0;
  }
}
