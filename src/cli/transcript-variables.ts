/** `--var NAME=VALUE`, which gives the names of transcripts values. */
import { InvalidArgumentError, Option } from 'commander';
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
