/** Prints what a command was asked for on stdout. */
import { systemError } from '../errors.ts';
import { exitStatus, report } from './fail.ts';

/**
 * Resolves when the text is out. That nobody reads any more (`| head -1`) is no failure.
 *
 * @param text with its newline at the end
 * @throws YodelError when it cannot be written, as on a full disk
 */
export async function print(text: string): Promise<void> {
  const error = await new Promise<NodeJS.ErrnoException | null | undefined>((resolve) => {
    // The stream also emits what the callback is given, and ends the process when nobody listens.
    process.stdout.once('error', resolve).write(text, resolve);
  });
  if (error && error.code !== 'EPIPE') throw systemError('cannot write the output', error);
}

let helpToPrint = '';

/** The same for the help, which commander writes in parts and without waiting for them: they are printed as one. */
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
