/** `--var NAME=VALUE`, which gives the names of transcripts values. */
import { InvalidArgumentError, Option } from 'commander';
import { hintFor } from '../suggestion.ts';
import { namesOfTranscript } from '../transcript/names.ts';
import type { Transcript } from '../transcript/transcript.ts';
import { UsageError } from './fail.ts';

/** The flag. Its value is a list of texts, which {@link readVariables} reads. @param what what takes it: `transcript` */
export function variableOption(what?: string): Option {
  const about = 'value of a name in the transcript; can be repeated';
  return new Option('--var <name=value>', what === undefined ? about : `${what}: ${about}`).argParser(
    (text, previous: readonly string[] = []) => {
      if (!form.test(text)) throw new InvalidArgumentError('It takes a name and a value, such as user=Ada.');
      return [...previous, text];
    },
  );
}

const form = /^([A-Za-z_]\w*)=(.*)$/s;

/** The values by name. The last one of a name counts. */
export function readVariables(texts: unknown): Readonly<Record<string, string>> {
  const list = texts === undefined ? [] : [texts].flat();
  return Object.fromEntries(
    list.map((text) => {
      const [, name, value] = form.exec(String(text)) ?? [];
      if (name === undefined || value === undefined)
        throw new UsageError(`--var takes a name and a value, such as user=Ada, and not "${text}"`);
      return [name, value];
    }),
  );
}

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
