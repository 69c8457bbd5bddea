/** Output with back-pressure, because it may be very long. */
import type { Writer } from '../../terminal/writer.ts';
import { openStdout } from '../output.ts';

/** Above this many pending bytes, writing waits for the reader. */
const highWaterMark = 131_072;
/** How long short lines are gathered into one write, in milliseconds. */
const gatherMs = 1;

/** Writes text to stdout and waits for a slow reader. */
export class StreamedOutput {
  /** The exit status after writing failed, `good` if only the reader is gone; undefined until then. */
  status: number | undefined;
  readonly #writer: Writer;
  readonly #stopped: AbortController;

  /** @param stopped ends the output; also aborted when the reader is gone or writing fails */
  constructor(stopped: AbortController) {
    this.#stopped = stopped;
    this.#writer = openStdout({
      gatherMs,
      failed: (status) => {
        this.status = status;
        stopped.abort();
      },
    });
  }

  /** Writes whole lines, or bytes that do not change until they are written. Resolves with false if no more are needed. */
  async write(text: string | Uint8Array): Promise<boolean> {
    const { signal } = this.#stopped;
    this.#writer.write(text);
    if (this.#writer.pending > highWaterMark && !signal.aborted) {
      const aborted = Promise.withResolvers<void>();
      const abort = () => aborted.resolve();
      signal.addEventListener('abort', abort);
      await Promise.race([this.#writer.below(highWaterMark / 2), aborted.promise]);
      signal.removeEventListener('abort', abort);
    }
    return !signal.aborted;
  }

  /** Resolves when everything is written, or writing failed. */
  async end(): Promise<void> {
    await this.#writer.end();
  }
}
