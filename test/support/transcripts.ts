/** Recorded transcripts. */
import { readFileSync } from 'node:fs';

/** The text of a recorded transcript, without its times. */
export function recordedText(file: string): string {
  return readFileSync(file, 'utf8').replace(/^#\+ .*\n/gm, '');
}
