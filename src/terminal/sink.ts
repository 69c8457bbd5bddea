/** The two ways to write to stdout and stderr: through the runtime's stream, or without ever blocking the process. */
import * as fs from 'node:fs';

/** Takes bytes for a file descriptor, in order. */
export interface Sink {
  /** Takes over `bytes`, which must not change until they are written. */
  write(bytes: Uint8Array): void;
}

/** What a sink reports. Both may be called from inside {@link Sink.write}. */
export interface SinkEvents {
  /** The operating system accepted this number of bytes. */
  readonly written: (bytes: number) => void;
  /**
   * Nothing more can be written. With the code EPIPE, the reader is gone. May be called more than once.
   *
   * @param unwritten what it had not written yet, if it knows
   */
  readonly failed: (error: NodeJS.ErrnoException, unwritten?: Unwritten) => void;
}

/** What could not be written. */
export interface Unwritten {
  readonly bytes: readonly Uint8Array[];
  /** The last byte that was written; undefined if none was. */
  readonly lastWritten: number | undefined;
}

/** Opens a sink that reports to `events`. */
export type OpenSink = (events: SinkEvents) => Sink;

/** The delay before writing to a full pipe or terminal is retried, in milliseconds. */
const retryAfterMs = 4;

/**
 * Writes through `process.stdout` or `process.stderr`. On a terminal such a stream blocks the process until the terminal
 * accepts the bytes; elsewhere it buffers without a limit.
 */
export function streamSink(stream: NodeJS.WriteStream): OpenSink {
  return ({ written, failed }) => {
    // A stream reports a failure to the callback, to this listener, or to both, and in any order. Without a listener it would
    // end the process.
    stream.on('error', failed);
    return {
      write(bytes) {
        stream.write(bytes, (error) => (error ? failed(error) : written(bytes.length)));
      },
    };
  };
}

/** A way to open a sink, any number of times. */
export interface ReopenableSink {
  readonly open: OpenSink;
  /** Whether a sink that is opened after a failure can write again: a file on a full disk, a FIFO without a reader. */
  readonly isReopenable: boolean;
}

/**
 * Writes without ever blocking, so that a reader that stops reading (a full pipe, a terminal stopped with Ctrl-S) stops
 * nothing else. Bytes that do not fit are queued in the sink and retried.
 *
 * A write in the thread pool would block only its thread, but Node waits for that thread when it exits.
 *
 * @param fd 1 for stdout, 2 for stderr
 */
export function nonBlockingSink(fd: 1 | 2): ReopenableSink {
  const own = openNonBlocking(fd);
  if (own !== undefined) return { open: descriptorSink(own), isReopenable: true };
  return { open: streamSink(fd === 2 ? process.stderr : process.stdout), isReopenable: false };
}

/** A descriptor for the same file whose writes never block; undefined where there is none. */
function openNonBlocking(fd: number): number | undefined {
  const stat = fs.fstatSync(fd);
  // A write to a regular file does not wait for a reader.
  if (stat.isFile()) return fd;
  if (!stat.isFIFO() && !stat.isCharacterDevice()) return undefined;
  try {
    // Opened again, because O_NONBLOCK on the inherited descriptor would apply to every process that shares the terminal.
    return fs.openSync(`/proc/self/fd/${fd}`, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK);
  } catch {
    // No /proc, or no permission.
    return undefined;
  }
}

function descriptorSink(fd: number): OpenSink {
  return ({ written, failed }) => {
    let queue: Uint8Array[] = [];
    let isBusy = false;
    let lastWritten: number | undefined;
    const writeQueue = (): void => {
      isBusy = true;
      try {
        for (let next = queue[0]; next; next = queue[0]) {
          const count = fs.writeSync(fd, next);
          if (count > 0) lastWritten = next[count - 1];
          if (count === next.length) queue.shift();
          else queue[0] = next.subarray(count);
          written(count);
        }
        isBusy = false;
      } catch (error) {
        const failure = error as NodeJS.ErrnoException;
        if (failure.code === 'EAGAIN') return void setTimeout(writeQueue, retryAfterMs);
        const unwritten = { bytes: queue, lastWritten };
        queue = [];
        failed(failure, unwritten);
      }
    };
    return {
      write(bytes) {
        queue.push(bytes);
        if (!isBusy) writeQueue();
      },
    };
  };
}
