/** Rewrites a transcript with what was received: `yodel check --update`. */
import { writeFileSync } from 'node:fs';
import { escapeText } from '../../terminal/escape.ts';
import type { CheckResult } from '../../transcript/check.ts';
import { parseTranscript } from '../../transcript/parse.ts';
import { refuseUnplayable } from '../../transcript/playable.ts';
import { TranscriptError } from '../../transcript/transcript.ts';
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
 */
export function updateFile(result: CheckResult, given: GivenToTranscript, options: UpdateOptions): FileUpdate {
  const { text, left, isChanged } = updateOf(result, options);
  const { file } = result.transcript;
  const say = (problem: string) => process.stderr.write(`yodel: ${escapeText(file)} ${escapeText(problem)}\n`);
  for (const { line, file: included, why, skipped } of left)
    if (!skipped) say(`was not updated for line ${line}${included === undefined ? '' : ` of ${included}`}: ${why}`);
  if (!isChanged) return { isRewritten: false, isSettled: left.length === 0 };
  try {
    refuseUnplayable(parseTranscript(text, file, parseOptions(given)), '>');
  } catch (error) {
    if (!(error instanceof TranscriptError)) throw error;
    say(`was not updated, because it could not be played afterwards: ${error.message}`);
    return { isRewritten: false, isSettled: false };
  }
  const old = readText(file);
  const mark = old.startsWith('\ufeff') ? '\ufeff' : '';
  writeFileSync(file, mark + (/^[^\n]*\r\n/.test(old) ? text.replaceAll('\n', '\r\n') : text));
  return { isRewritten: true, isSettled: left.length === 0 };
}
