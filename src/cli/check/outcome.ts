/** What came of a transcript: as expected, different, or not checked. */
import type { CheckResult } from '../../transcript/check.ts';
import { exitStatus, statusOf } from '../fail.ts';

/** The result of one file, which may have been played several times. */
export interface Outcome {
  /** As it was given. */
  readonly file: string;
  readonly verdict: 'ok' | 'differs' | 'error';
  /** How often it was played, and how often it differed. */
  readonly runs: number;
  readonly differing: number;
  /** Of the first run that differed, else of the last one. Undefined when it was not played to its end. */
  readonly result: CheckResult | undefined;
  /** Why it could not be checked. */
  readonly error: Error | undefined;
  /** The time of all runs together. */
  readonly elapsedMs: number;
  /** Whether the file was rewritten with what differed, and how. */
  readonly rewritten: 'updated' | 'masked' | undefined;
}

/** The outcome of a file that could not be checked. */
export function failed(file: string, error: Error): Outcome {
  const none = { runs: 0, differing: 0, result: undefined, elapsedMs: 0, rewritten: undefined };
  return { ...none, file, verdict: 'error', error };
}

/** The same outcome, with an error that was found afterwards. */
export function withError(outcome: Outcome, error: Error): Outcome {
  return { ...outcome, verdict: 'error', error: outcome.error ?? error };
}

/** Whether a file differed in some runs only. */
export function isFlaky({ runs, differing }: Outcome): boolean {
  return differing > 0 && differing < runs;
}

/** The exit status: of the first error; else whether something differed. */
export function statusFor(outcomes: readonly Outcome[]): number {
  const broken = outcomes.find(({ error }) => error);
  if (broken) return statusOf(broken.error);
  return outcomes.some(({ verdict }) => verdict === 'differs') ? exitStatus.unmet : exitStatus.good;
}
