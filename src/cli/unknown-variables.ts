/** Names of `--var` that no transcript has. Apart from the option, which `serve` reads without any code for transcripts. */
import { hintFor } from '../suggestion.ts';
import { namesOfTranscript } from '../transcript/names.ts';
import type { Transcript } from '../transcript/transcript.ts';
import { UsageError } from './fail.ts';

/** Refuses values that no transcript has a name for. @throws UsageError */
export function checkVariables(
  variables: Readonly<Record<string, unknown>>,
  transcripts: readonly Pick<Transcript, 'file' | 'steps'>[],
): void {
  const names = [...new Set(transcripts.flatMap(namesOfTranscript))];
  const unknown = Object.keys(variables).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  const [first] = transcripts;
  const where = transcripts.length === 1 ? first?.file : 'no transcript';
  const what = transcripts.length === 1 ? `${where} has no name {${unknown}}` : `${where} has a name {${unknown}}`;
  const hint = names.length === 0 ? 'It has no names at all' : hintFor(unknown, names);
  throw new UsageError(`--var ${unknown}: ${what}. ${hint}`);
}
