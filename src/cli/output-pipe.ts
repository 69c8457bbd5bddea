/** stdout for what is long: written no faster than it is read. */
import { exitStatus } from './fail.ts';

/** Gathered text is written in pieces of this size. */
const pieceSize = 65_536;

/** Writes to stdout, and waits for its reader. */
export class OutputPipe {
  /** The exit status when the output has failed; undefined as long as it has not. Nobody reading any more is no failure. */
  status: number | undefined;
  readonly #ended: AbortController;
  #gathered = '';
  #flushDue = false;
  #isOver = false;

  /** @param ended is aborted when nobody reads any more, or writing fails */
  constructor(ended: AbortController) {
    this.#ended = ended;
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#isOver) return;
      this.#isOver = true;
      this.status = error.code === 'EPIPE' ? exitStatus.good : exitStatus.failure;
      if (error.code !== 'EPIPE') process.stderr.write(`yodel: cannot write the output: ${error.message}\n`);
      ended.abort();
    });
  }

  /** Writes text of whole lines. False when nobody takes more. */
  write(text: string): boolean | Promise<boolean> {
    this.#gathered += text;
    if (this.#gathered.length >= pieceSize) return this.#flush();
    if (!this.#flushDue) {
      this.#flushDue = true;
      // A line that nothing follows should be seen.
      setImmediate(() => {
        this.#flushDue = false;
        void this.#flush();
      });
    }
    return !this.#isOver && !this.#ended.signal.aborted;
  }

  /** Resolves when all is written, or cannot be. */
  async end(): Promise<void> {
    await this.#flush();
    if (!this.#isOver) await new Promise<void>((resolve) => void process.stdout.write('', () => resolve()));
    // An error is told a moment after the callback.
    await new Promise((resolve) => setImmediate(resolve));
  }

  async #flush(): Promise<boolean> {
    const text = this.#gathered;
    this.#gathered = '';
    if (text !== '' && !this.#isOver && !process.stdout.write(text)) {
      await new Promise<void>((resolve) => {
        const goOn = () => {
          process.stdout.off('drain', goOn);
          this.#ended.signal.removeEventListener('abort', goOn);
          resolve();
        };
        process.stdout.once('drain', goOn);
        this.#ended.signal.addEventListener('abort', goOn);
      });
    }
    return !this.#isOver && !this.#ended.signal.aborted;
  }
}
