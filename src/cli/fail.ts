/** How the command ends: one clear line on stderr and an exit status. */
import { YodelError } from '../errors.ts';
import { escapeStack, escapeText } from '../terminal/escape.ts';

/** Exit statuses of the command. A signal gives 128 plus its number. */
export const exitStatus = { good: 0, failure: 1, usage: 2, unmet: 3, timeout: 4 } as const;

/** The same for people, with what signals give. */
export const exitMeanings: readonly (readonly [status: number, meaning: string])[] = [
  [exitStatus.good, 'good'],
  [exitStatus.failure, 'a network or runtime failure'],
  [exitStatus.usage, 'wrong usage'],
  [exitStatus.unmet, 'an expectation that was not met'],
  [exitStatus.timeout, 'a time-out'],
  [130, 'ended by Ctrl-C (SIGINT)'],
  [143, 'ended by SIGTERM'],
];

/** An error of the command line: what was wrong and what is right. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What the user has got wrong, as opposed to what went wrong. */
const usageCodes: ReadonlySet<string> = new Set([
  'YODEL_INVALID_OPTION',
  'YODEL_INVALID_ADDRESS',
  'YODEL_INVALID_HANDLER',
  'YODEL_INVALID_TRANSCRIPT',
]);

/** Says on stderr what happened, in one line; a bug in yodel itself shows its stack. */
export function report(error: unknown): void {
  const expected = error instanceof YodelError || error instanceof UsageError;
  const text = expected ? escapeText(error.message) : `internal error, please report it: ${escapeStack(error)}`;
  process.stderr.write(`yodel: ${text}\n${excerptOf(error)}`);
}

/** Of a file that cannot be read: the line, and a mark at the place. */
function excerptOf(error: unknown): string {
  const { excerpt } = error as { excerpt?: unknown };
  if (!(error instanceof YodelError) || typeof excerpt !== 'string') return '';
  return excerpt
    .split('\n')
    .map((line) => `${escapeText(line)}\n`)
    .join('');
}

/** For `beforeExit`, until something has said that all went well: nothing is left to run, and it is not done. */
export function neverDone(): void {
  process.stderr.write('yodel: ended before it was done: what it waits for can never come\n');
  process.exitCode = exitStatus.failure;
}

/** The exit status that tells of `error`. */
export function statusOf(error: unknown): number {
  if (error instanceof UsageError) return exitStatus.usage;
  if (!(error instanceof YodelError)) return exitStatus.failure;
  if (usageCodes.has(error.code)) return exitStatus.usage;
  return error.code === 'YODEL_CONNECT_TIMEOUT' ? exitStatus.timeout : exitStatus.failure;
}
