/**
 * Writes to stdout or stderr, counts pending bytes, and reports a failure once. All output uses it. When the reader is slow,
 * the caller either waits ({@link Writer.below}), or drops output while {@link Writer.pending} is high.
 */
import type { OpenSink, Sink, Unwritten } from './sink.ts';

/** Text is gathered up to this size before it is written. */
const gatherBytes = 65_536;

/** How a {@link Writer} behaves. */
export interface WriterOptions {
  /** How long to gather short pieces of text into one write, in milliseconds. Default: each is written at once. */
  readonly gatherMs?: number;
  /** Called whenever the operating system has accepted some of the pending bytes. */
  readonly written?: () => void;
  /**
   * Called once, when nothing more can be written; pending output is discarded. The code EPIPE means that the reader is gone.
   *
   * @param unwritten what is discarded, if the sink knows
   */
  readonly failed?: (error: NodeJS.ErrnoException, unwritten: Unwritten | undefined) => void;
}

interface Waiter {
  readonly limit: number;
  readonly resolve: () => void;
}

/** One stream of output. */
export class Writer {
  readonly #options: WriterOptions;
  readonly #sink: Sink;
  #gathered = '';
  #timer: NodeJS.Timeout | undefined;
  // Counted here: writableLength of process.stdout is always 0 on Bun.
  #unwritten = 0;
  #waiters: Waiter[] = [];
  #error: NodeJS.ErrnoException | undefined;

  constructor(openSink: OpenSink, options: WriterOptions = {}) {
    this.#options = options;
    this.#sink = openSink({ written: (bytes) => this.#written(bytes), failed: (...failure) => this.#fail(...failure) });
  }

  /** Bytes that the operating system has not accepted; gathered text counts by its length in UTF-16 units. */
  get pending(): number {
    return this.#gathered.length + this.#unwritten;
  }

  /** Why nothing more can be written; undefined while it can. */
  get error(): NodeJS.ErrnoException | undefined {
    return this.#error;
  }

  /** Writes text, or bytes that must not change until they are written. After a failure it does nothing. */
  write(data: string | Uint8Array): void {
    if (this.#error) return;
    if (typeof data !== 'string') {
      this.flush();
      this.#pass(data);
      return;
    }
    this.#gathered += data;
    const { gatherMs } = this.#options;
    if (gatherMs === undefined || this.#gathered.length >= gatherBytes) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), gatherMs);
  }

  /** Writes the gathered text now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#gathered;
    this.#gathered = '';
    if (text !== '') this.#pass(Buffer.from(text));
  }

  /** Resolves when at most `limit` bytes are pending, or writing failed. */
  async below(limit: number): Promise<void> {
    if (this.pending > limit) this.flush();
    if (this.pending > limit) await new Promise<void>((resolve) => this.#waiters.push({ limit, resolve }));
  }

  /** Resolves when everything is written or writing failed, or after at most `timeoutMs`. */
  async end(timeoutMs?: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      if (timeoutMs !== undefined) timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([this.below(0), late]);
    clearTimeout(timer);
    // A stream may report an error right after it has called back without one.
    await new Promise((resolve) => setImmediate(resolve));
  }

  #pass(bytes: Uint8Array): void {
    if (this.#error || bytes.length === 0) return;
    this.#unwritten += bytes.length;
    this.#sink.write(bytes);
  }

  #written(bytes: number): void {
    // After a failure nothing is pending, and callbacks of earlier writes may still come.
    if (this.#error) return;
    this.#unwritten -= bytes;
    this.#wake();
    this.#options.written?.();
  }

  #fail(error: NodeJS.ErrnoException, unwritten?: Unwritten): void {
    if (this.#error) return;
    this.#error = error;
    const all = unwritten && { ...unwritten, bytes: [...unwritten.bytes, Buffer.from(this.#gathered)] };
    this.#gathered = '';
    this.#unwritten = 0;
    this.#wake();
    this.#options.failed?.(error, all);
  }

  #wake(): void {
    const ready = this.#waiters.filter(({ limit }) => this.pending <= limit);
    if (ready.length === 0) return;
    this.#waiters = this.#waiters.filter(({ limit }) => this.pending > limit);
    for (const { resolve } of ready) resolve();
  }
}
