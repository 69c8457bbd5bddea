/** Error messages and exit statuses of the command. */
import { YodelError } from '../errors.ts';
import { escapeStack, escapeText } from '../terminal/escape.ts';

/** The exit statuses of the command. For a signal it is 128 plus its number. */
export const exitStatus = { good: 0, failure: 1, usage: 2, unmet: 3, timeout: 4 } as const;

/** The meaning of each exit status, signals included, for the help. */
export const exitMeanings: readonly (readonly [status: number, meaning: string])[] = [
  [exitStatus.good, 'success'],
  [exitStatus.failure, 'network or runtime failure'],
  [exitStatus.usage, 'wrong usage'],
  [exitStatus.unmet, 'an expectation was not met'],
  [exitStatus.timeout, 'time-out'],
  [130, 'ended by Ctrl-C (SIGINT)'],
  [143, 'ended by SIGTERM'],
];

/** An error in how the command was used. Its message says what is wrong, and what is valid. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Errors in the user's input, as opposed to failures. */
const usageCodes: ReadonlySet<string> = new Set([
  'YODEL_INVALID_OPTION',
  'YODEL_INVALID_ADDRESS',
  'YODEL_INVALID_HANDLER',
  'YODEL_INVALID_TRANSCRIPT',
  'YODEL_INVALID_ROOM',
  'YODEL_INVALID_POSITION',
]);

/** Reports an error on stderr in one line. A bug in yodel is reported with its stack. */
export function report(error: unknown): void {
  const expected = error instanceof YodelError || error instanceof UsageError;
  const text = expected ? escapedText(error) : `internal error, please report it: ${escapeStack(error)}`;
  process.stderr.write(`yodel: ${text}\n${excerptOf(error)}`);
}

/** The message of an error, escaped, and of a handler that failed also what it threw, with its stack. */
export function escapedText(error: Error): string {
  const isOfHandler = error instanceof YodelError && error.code === 'YODEL_HANDLER_FAILED';
  const cause = isOfHandler && error.cause !== undefined ? `: ${escapeStack(error.cause)}` : '';
  return `${escapeText(error.message)}${cause}`;
}

/** The invalid line of a file, with a caret below the error. */
function excerptOf(error: unknown): string {
  const { excerpt } = error as { excerpt?: unknown };
  if (!(error instanceof YodelError) || typeof excerpt !== 'string') return '';
  return excerpt
    .split('\n')
    .map((line) => `${escapeText(line)}\n`)
    .join('');
}

/** Listens to `beforeExit` until the command is done: the event loop is empty, so the command can never finish. */
export function reportUnfinished(): void {
  process.stderr.write('yodel: the command ended early: it awaits a promise that can no longer settle\n');
  process.exitCode = exitStatus.failure;
}

/** The exit status for an error. */
export function statusOf(error: unknown): number {
  if (error instanceof UsageError) return exitStatus.usage;
  if (!(error instanceof YodelError)) return exitStatus.failure;
  if (usageCodes.has(error.code)) return exitStatus.usage;
  const isTimeout = error.code === 'YODEL_CONNECT_TIMEOUT' || error.code === 'YODEL_REPLY_TIMEOUT';
  return isTimeout ? exitStatus.timeout : exitStatus.failure;
}
