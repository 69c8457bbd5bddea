/**
 * Replies on stdout: nothing is lost, however slowly they are read, and it is known how much waits. A terminal is not given
 * what could steer it.
 */
import { systemError } from '../errors.ts';
import { EscapingStream } from '../terminal/escape.ts';
import { exitStatus, report } from './fail.ts';

/** Above this many bytes waiting on one side, the other side is not read. */
export const highWaterMark = 262_144;

/** What an output tells. */
export interface OutputEvents {
  /** Stdout has taken some of what waits. */
  readonly taken: () => void;
  /** Nothing can be written any more. It has been reported, if there is anything to report. */
  readonly failed: (status: number) => void;
}

export class Output {
  readonly #events: OutputEvents;
  /** None where replies go to a program or a file. */
  readonly #screen = process.stdout.isTTY ? new EscapingStream() : undefined;
  /** Bytes that stdout has not taken. process.stdout.writableLength is always 0 on Bun. */
  #waiting = 0;
  #hasFailed = false;

  constructor(events: OutputEvents) {
    this.#events = events;
    process.stdout.on('error', (error: NodeJS.ErrnoException) => this.#fail(error));
  }

  /** Whether no more should be read of what is written here. */
  get isFull(): boolean {
    return this.#waiting > highWaterMark;
  }

  /** Whether more may be read again. */
  get isLow(): boolean {
    return this.#waiting <= highWaterMark / 2;
  }

  get isEmpty(): boolean {
    return this.#waiting === 0;
  }

  /** The bytes are held until stdout has taken them. */
  write(bytes: Uint8Array): void {
    this.#write(this.#screen ? Buffer.from(this.#screen.add(bytes)) : bytes);
  }

  /** No more comes: what is left of a character that was cut in two is written. */
  end(): void {
    if (this.#screen) this.#write(Buffer.from(this.#screen.end()));
  }

  #write(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#hasFailed) return;
    this.#waiting += bytes.length;
    process.stdout.write(bytes, () => {
      // After a failed write nothing waits any more, and its callback may still come.
      this.#waiting = Math.max(0, this.#waiting - bytes.length);
      this.#events.taken();
    });
  }

  /** Nobody reads the replies any more (`| head`): there is nothing left to do, and nothing to complain about. */
  #fail(error: NodeJS.ErrnoException): void {
    this.#hasFailed = true;
    this.#waiting = 0;
    if (error.code !== 'EPIPE') report(systemError('cannot write the output', error));
    this.#events.failed(error.code === 'EPIPE' ? exitStatus.good : exitStatus.failure);
  }
}
