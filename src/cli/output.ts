/** Prints on stdout. Nothing is lost. A reader that stops early (`| head`) is not an error; a full disk is. */
import { systemError } from '../errors.ts';
import { streamSink } from '../terminal/sink.ts';
import { Writer } from '../terminal/writer.ts';
import { exitStatus, report } from './fail.ts';

/** How a command is notified about its output. */
export interface StdoutOptions {
  /** How long to gather text into one write, in milliseconds. Default: not at all. */
  readonly gatherMs?: number;
  /** Called whenever stdout took some of the pending bytes. */
  readonly written?: () => void;
  /** Called once when nothing more can be written, with the resulting exit status. The error has been reported. */
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
