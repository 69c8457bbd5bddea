/** What a command prints on stdout. Nothing is lost, a reader that has seen enough (`| head`) is no error, a full disk is one. */
import { systemError } from '../errors.ts';
import { EscapingStream } from '../terminal/escape.ts';
import { streamSink } from '../terminal/sink.ts';
import { Writer } from '../terminal/writer.ts';
import { exitStatus, report } from './fail.ts';

/** How a command learns what becomes of its output. */
export interface StdoutOptions {
  /** For how many milliseconds text is gathered into one write. Default: not at all. */
  readonly gatherMs?: number;
  /** Called whenever stdout took some of the pending bytes. */
  readonly written?: () => void;
  /** Called once when nothing more can be written, with the exit status that follows. The error is reported already. */
  readonly failed: (status: number) => void;
}

/** Opens stdout for a command that prints as it runs. */
export function openStdout({ failed, ...options }: StdoutOptions): Writer {
  return new Writer(streamSink(process.stdout), {
    ...options,
    failed(error) {
      const isReaderGone = error.code === 'EPIPE';
      if (!isReaderGone) report(writeError(error));
      failed(isReaderGone ? exitStatus.good : exitStatus.failure);
    },
  });
}

/**
 * Prints text and resolves when it is written, or when the reader is gone.
 *
 * @param text with its newline at the end
 * @throws YodelError when it cannot be written, as on a full disk
 */
export async function print(text: string, stream: NodeJS.WriteStream = process.stdout): Promise<void> {
  const writer = new Writer(streamSink(stream));
  writer.write(text);
  await writer.end();
  if (writer.error && writer.error.code !== 'EPIPE') throw writeError(writer.error);
}

function writeError(error: Error): Error {
  return systemError('cannot write the output', error);
}

let helpToPrint = '';

/** Prints a part of the help. commander writes it in several parts and does not wait for them: they are printed as one. */
export function writeHelp(part: string): void {
  if (helpToPrint === '') queueMicrotask(printHelp);
  helpToPrint += part;
}

function printHelp(): void {
  const text = helpToPrint;
  helpToPrint = '';
  print(text).catch((error: unknown) => {
    report(error);
    process.exitCode = exitStatus.failure;
  });
}

/** Above this many bytes waiting on one side, the other side is not read. */
export const highWaterMark = 262_144;

/** What an output tells. */
export interface OutputEvents {
  /** Stdout has taken some of what waits. */
  readonly taken: () => void;
  /** Nothing can be written any more. It has been reported, if there is anything to report. */
  readonly failed: (status: number) => void;
}

/** Replies on stdout. A terminal is not given what could steer it. */
export class Output {
  readonly #writer: Writer;
  /** None where replies go to a program or a file. */
  readonly #screen = process.stdout.isTTY ? new EscapingStream() : undefined;

  constructor({ taken, failed }: OutputEvents) {
    this.#writer = openStdout({ written: taken, failed });
  }

  /** Whether no more should be read of what is written here. */
  get isFull(): boolean {
    return this.#writer.pending > highWaterMark;
  }

  /** Whether more may be read again. */
  get isLow(): boolean {
    return this.#writer.pending <= highWaterMark / 2;
  }

  get isEmpty(): boolean {
    return this.#writer.pending === 0;
  }

  /** The bytes are held until stdout has taken them. */
  write(bytes: Uint8Array): void {
    this.#writer.write(this.#screen ? this.#screen.add(bytes) : bytes);
  }

  /** No more comes: what is left of a character that was cut in two is written. */
  end(): void {
    if (this.#screen) this.#writer.write(this.#screen.end());
  }
}
