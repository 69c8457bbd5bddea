/** Rewrites a transcript with what was received: `yodel check --update`. */
import { writeFileSync } from 'node:fs';
import { escapeText } from '../../terminal/escape.ts';
import type { CheckResult } from '../../transcript/check.ts';
import { parseTranscript } from '../../transcript/parse.ts';
import { refuseUnplayable } from '../../transcript/playable.ts';
import { TranscriptError } from '../../transcript/transcript.ts';
import { isRewritable, updatedText } from '../../transcript/update.ts';
import { readText } from '../files.ts';
import { type GivenToTranscript, parseOptions } from '../transcript-file.ts';

/**
 * Replaces the expected replies in the file with the received ones. Returns false if there is nothing to replace, or the
 * result would not parse.
 */
export function updateFile(result: CheckResult, given: GivenToTranscript): boolean {
  if (!result.differences.some(isRewritable)) return false;
  const { file } = result.transcript;
  const old = readText(file);
  const text = updatedText(result);
  try {
    refuseUnplayable(parseTranscript(text, file, parseOptions(given)), '>');
  } catch (error) {
    if (!(error instanceof TranscriptError)) throw error;
    process.stderr.write(
      `yodel: ${escapeText(file)} was not updated, because it could not be played afterwards: ${escapeText(error.message)}\n`,
    );
    return false;
  }
  const mark = old.startsWith('\ufeff') ? '\ufeff' : '';
  writeFileSync(file, mark + (/^[^\n]*\r\n/.test(old) ? text.replaceAll('\n', '\r\n') : text));
  return true;
}
