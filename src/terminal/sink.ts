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
  /** Nothing more can be written. With the code EPIPE, the reader is gone. May be called more than once. */
  readonly failed: (error: NodeJS.ErrnoException) => void;
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

/**
 * Writes without ever blocking, so that a reader that stops reading (a full pipe, a terminal stopped with Ctrl-S) stops
 * nothing else. Bytes that do not fit are queued in the sink and retried.
 *
 * A write in the thread pool would block only its thread, but Node waits for that thread when it exits.
 *
 * @param fd 1 for stdout, 2 for stderr
 */
export function nonBlockingSink(fd: 1 | 2): OpenSink {
  const own = openNonBlocking(fd);
  return own === undefined ? streamSink(fd === 2 ? process.stderr : process.stdout) : descriptorSink(own);
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
    const writeQueue = (): void => {
      isBusy = true;
      try {
        for (let next = queue[0]; next; next = queue[0]) {
          const count = fs.writeSync(fd, next);
          if (count === next.length) queue.shift();
          else queue[0] = next.subarray(count);
          written(count);
        }
        isBusy = false;
      } catch (error) {
        const failure = error as NodeJS.ErrnoException;
        if (failure.code === 'EAGAIN') return void setTimeout(writeQueue, retryAfterMs);
        queue = [];
        failed(failure);
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
