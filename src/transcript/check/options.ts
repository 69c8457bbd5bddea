import { checkShapes, shapesOf } from '../../option-shapes.ts';
import type { ConnectionOptions } from '../connection-options.ts';
import { checkTranscript, refuseUnplayable } from '../playable.ts';
import type { Transcript } from '../transcript.ts';
import type { Difference } from './difference.ts';

/** Options of a check. Times are milliseconds. */
export interface CheckOptions extends ConnectionOptions {
  /** Time limit for each expected message, until a `@timeout` changes it. Default 5000. */
  readonly timeoutMs?: number | undefined;
  /**
   * After a message that is not as expected: how long the server must be quiet before the rest is taken as missing, if that can
   * be known earlier than by the time limit. Default: twice its longest answer so far, from 200 to 1000.
   */
  readonly quietMs?: number | undefined;
  /**
   * Before the client sends again: how long to wait for messages that no line expects. With it, such a message is found where
   * it came, and not after the next request. For an update. Default 0.
   */
  readonly settleMs?: number | undefined;
  /**
   * Whether `settleMs` is only for clients that expect something there, so that requests without replies between them are sent
   * one after the other, as in a check. For masks. Default false.
   */
  readonly settlesExpectedOnly?: boolean | undefined;
}

/** The result of a check. */
export interface CheckResult {
  readonly transcript: Transcript;
  readonly differences: readonly Difference[];
  /** The number of expected messages that were played; of optional ones, those that came are not counted either. */
  readonly expected: number;
  readonly elapsedMs: number;
}

/** @throws YodelError `YODEL_INVALID_OPTION` for what a check cannot be called with; TranscriptError when a line cannot be played */
export function checkCall(transcript: Transcript, options: CheckOptions): void {
  checkTranscript(transcript, 'check()');
  checkShapes(options, known, 'check()');
  refuseUnplayable(transcript, '>');
}

const known = {
  ...shapesOf(['timeoutMs', 'quietMs', 'settleMs', 'connectTimeoutMs'], 'number'),
  ...shapesOf(['address']),
  settlesExpectedOnly: 'boolean',
  tls: 'object',
  readFile: 'function',
} as const;
