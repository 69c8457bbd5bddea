/** `yodel check FILE --against OTHER`: proposes masks for what differs between two recordings, or writes them. */
import { escapeText } from '../../terminal/escape.ts';
import { align } from '../../transcript/align.ts';
import { compareRecordings } from '../../transcript/check/recordings.ts';
import { updateOf } from '../../transcript/update.ts';
import { exitStatus, UsageError } from '../fail.ts';
import { checkWritable } from '../files.ts';
import { type GivenToTranscript, readTranscript } from '../transcript-file.ts';
import { updateFile } from './update-file.ts';

/**
 * Resolves with the exit status: 0 if the files are the same, or their differences have masks now; 3 for differences without.
 *
 * @throws UsageError, TranscriptError
 */
export async function compareFiles(
  files: readonly string[],
  other: string,
  given: GivenToTranscript,
  { isWritten }: { readonly isWritten: boolean },
): Promise<number> {
  const [file = '', ...others] = files;
  if (others.length > 0)
    throw new UsageError('--against compares one file with another one: check FILE --against OTHER');
  const transcript = await readTranscript(file, given);
  if (isWritten) checkWritable(file);
  const result = compareRecordings(transcript, await readTranscript(other, given));
  const { text, left, isChanged } = updateOf(result, { mask: true });
  const say = (line: string) => process.stdout.write(`${escapeText(line)}\n`);
  if (result.differences.length === 0) {
    say(`${file} and ${other} have the same messages`);
    return exitStatus.good;
  }
  if (!isWritten) {
    if (isChanged) for (const line of proposal(transcript.lines, text.split('\n').slice(0, -1))) say(line);
    for (const { line, reason } of left) say(`${file}:${line}: ${reason}`);
    if (isChanged) say(`--mask writes this to ${file}`);
    return exitStatus.unmet;
  }
  const { isRewritten, isSettled } = updateFile(result, given, { mask: true });
  if (isRewritten) say(`rewritten: ${file}`);
  return isSettled ? exitStatus.good : exitStatus.unmet;
}

/** The lines that differ, as `diff` shows them. */
function proposal(before: readonly string[], after: readonly string[]): string[] {
  const expected = before.map((item) => ({ kind: 'message', item, isOptional: false }) as const);
  return align(expected, after, { matches: (line, other) => line === other }).flatMap((step) => {
    if (step.kind === 'matched') return [];
    return [...('item' in step ? [`- ${step.item}`] : []), ...('message' in step ? [`+ ${step.message}`] : [])];
  });
}
