/** Rewrites a transcript with what was received: `yodel check --update`. */
import { writeFileSync } from 'node:fs';
import { escapeText } from '../../terminal/escape.ts';
import type { CheckResult } from '../../transcript/check.ts';
import { refuseWithoutExpectations } from '../../transcript/expectations.ts';
import { parseTranscript } from '../../transcript/parse.ts';
import { refuseUnplayable } from '../../transcript/playable.ts';
import { type Transcript, TranscriptError } from '../../transcript/transcript.ts';
import { type UpdateOptions, updateOf } from '../../transcript/update.ts';
import { readText } from '../files.ts';
import { type GivenToTranscript, parseOptions } from '../transcript-file.ts';

/** What came of an update. */
export interface FileUpdate {
  readonly isRewritten: boolean;
  /** Whether the file is now as the server, so that a check of it would find no difference. */
  readonly isSettled: boolean;
}

/**
 * Replaces the expected replies in the file with the received ones, and says which differences it cannot express. The file is
 * left alone if the new text could not be played.
 *
 * @throws YodelError `YODEL_INVALID_TRANSCRIPT` if no server could fail the file afterwards
 */
export function updateFile(result: CheckResult, given: GivenToTranscript, options: UpdateOptions): FileUpdate {
  const { text, left, isChanged } = updateOf(result, options);
  const { file } = result.transcript;
  const say = (problem: string) => process.stderr.write(`yodel: ${escapeText(file)} ${escapeText(problem)}\n`);
  for (const { line, file: included, why, skipped } of left)
    if (!skipped) say(`was not updated for line ${line}${included === undefined ? '' : ` of ${included}`}: ${why}`);
  const hint = options.mask ? undefined : 'the server sent nothing that could be written';
  if (!isChanged) {
    refuseWithoutExpectations(result.transcript, hint);
    return { isRewritten: false, isSettled: left.length === 0 };
  }
  let rewritten: Transcript;
  try {
    rewritten = parseTranscript(text, file, parseOptions(given));
    refuseUnplayable(rewritten, '>');
  } catch (error) {
    if (!(error instanceof TranscriptError)) throw error;
    say(`was not updated, because it could not be played afterwards: ${error.message}`);
    return { isRewritten: false, isSettled: false };
  }
  refuseWithoutExpectations(rewritten, hint);
  const old = readText(file);
  const mark = old.startsWith('\ufeff') ? '\ufeff' : '';
  writeFileSync(file, mark + (/^[^\n]*\r\n/.test(old) ? text.replaceAll('\n', '\r\n') : text));
  return { isRewritten: true, isSettled: left.length === 0 };
}
