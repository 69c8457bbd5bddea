/**
 * Lines on stdout that never hold up the server: they are gathered, written in large pieces, and left out, with a
 * count, when the reader is too slow.
 *
 * `process.stdout` cannot do this: on a terminal it writes synchronously, so a terminal that was stopped with Ctrl-S would
 * stop the server (on Node), and elsewhere it buffers without a limit or without telling how much (on Bun). A write in
 * the thread pool would block only its thread, but Node waits for that thread when it exits.
 */
import * as fs from 'node:fs';

/** Lines are gathered up to this size … */
const flushAt = 65_536;
/** … or for this long. */
const flushAfterMs = 5;
/** What may wait for a slow reader before lines are left out. */
const mostWaiting = 8_388_608;
/** How long to wait before a full pipe or terminal is tried again. */
const retryAfterMs = 4;

/**
 * Writes all of `bytes`. Returns true when that is done; else calls `done` when it is, or when it has failed for good.
 *
 * @throws what the operating system says, when it fails at once
 */
type Sink = (bytes: Buffer, done: (error?: Error) => void) => boolean;

/** Gathers lines and writes them to a file descriptor. */
export class LineWriter {
  readonly #sink: Sink;
  /** Says how many lines are missing, in the form of the lines around it. */
  readonly #leftOutLine: (count: number) => string;
  /** Told once when nobody reads any more (EPIPE) or writing fails. */
  readonly #broken: (error: Error) => void;
  #gathered = '';
  #writing = false;
  #leftOut = 0;
  #timer: NodeJS.Timeout | undefined;
  #isBroken = false;
  #whenIdle: (() => void) | undefined;

  constructor(fd: number, leftOutLine: (count: number) => string, broken: (error: Error) => void) {
    this.#sink = openSink(fd);
    this.#leftOutLine = leftOutLine;
    this.#broken = broken;
  }

  /** Adds one line; `line` has no newline. */
  write(line: string): void {
    if (this.#isBroken) return;
    if (this.#gathered.length > mostWaiting) {
      this.#leftOut++;
      return;
    }
    if (this.#leftOut > 0) {
      this.#gathered += `${this.#leftOutLine(this.#leftOut)}\n`;
      this.#leftOut = 0;
    }
    this.#gathered += `${line}\n`;
    if (this.#gathered.length >= flushAt) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), flushAfterMs);
  }

  /** Writes what is left and resolves; after `withinMs` at the latest, for a stopped terminal may never take it. */
  async close(withinMs: number): Promise<void> {
    if (this.#leftOut > 0) this.#gathered += `${this.#leftOutLine(this.#leftOut)}\n`;
    this.#leftOut = 0;
    this.#flush();
    if (!this.#writing) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#whenIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#writing || this.#gathered === '') return;
    const bytes = Buffer.from(this.#gathered);
    this.#gathered = '';
    try {
      this.#writing = !this.#sink(bytes, (error) => this.#written(error));
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #written(error: Error | undefined): void {
    this.#writing = false;
    if (error) this.#fail(error);
    this.#flush();
    if (!this.#writing) this.#whenIdle?.();
  }

  #fail(error: Error): void {
    this.#gathered = '';
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#broken(error);
  }
}

function openSink(fd: number): Sink {
  const stat = fs.fstatSync(fd);
  // A regular file never makes anybody wait for long.
  if (stat.isFile()) return nonBlockingSink(fd);
  if (stat.isFIFO() || stat.isCharacterDevice()) {
    try {
      // Opened anew, so that the non-blocking mode is this process's own and not that of everybody who shares the terminal.
      return nonBlockingSink(fs.openSync(`/proc/self/fd/${fd}`, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK));
    } catch {
      // No /proc, or not permitted: then the ordinary stream has to do.
    }
  }
  return streamSink(fd === 2 ? process.stderr : process.stdout);
}

function nonBlockingSink(fd: number): Sink {
  const goOn = (bytes: Buffer, from: number, done: (error?: Error) => void): boolean => {
    const written = writeWhatFits(fd, bytes, from);
    if (written === bytes.length) return true;
    setTimeout(() => {
      try {
        if (goOn(bytes, written, done)) done();
      } catch (error) {
        done(error as Error);
      }
    }, retryAfterMs);
    return false;
  };
  return (bytes, done) => goOn(bytes, 0, done);
}

/** Writes from `from` on and says how far it came before the reader was full. */
function writeWhatFits(fd: number, bytes: Buffer, from: number): number {
  let written = from;
  try {
    while (written < bytes.length) written += fs.writeSync(fd, bytes, written);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
  return written;
}

function streamSink(stream: NodeJS.WriteStream): Sink {
  let failed: Error | undefined;
  stream.on('error', (error) => {
    failed = error;
  });
  return (bytes, done) => {
    if (failed) throw failed;
    // Bun calls back within write() when the operating system takes all at once.
    let isWritten = false;
    let isLater = false;
    stream.write(bytes, (error) => {
      isWritten = true;
      failed ??= error ?? undefined;
      if (isLater) done(failed);
    });
    isLater = true;
    if (failed) throw failed;
    return isWritten;
  };
}
