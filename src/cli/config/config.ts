/** Settings from a file, which override the defaults, and the source of each setting. */
import { type Command, InvalidArgumentError, type Option } from 'commander';
import { formatQuantity } from '../../format/units.ts';
import { checkOption, type OptionSpec } from '../../option-values.ts';
import { serveLimits } from '../../options.ts';
import { hintFor } from '../../suggestion.ts';
import { UsageError } from '../fail.ts';
import { readFile } from '../files.ts';
import { flagName } from '../flags.ts';
import { journalSettings } from '../serve/journal-flags.ts';

/** A setting. Its source is the name of its flag or variable, the file, or `default`. */
export interface Setting {
  readonly name: string;
  readonly value: unknown;
  readonly source: string;
}

/** Options that are not settings: they name the file or the context, or are aliases. */
const noSettings: ReadonlySet<string> = new Set([
  'config',
  'context',
  'help',
  'sslCert',
  'sslKey',
  'sslTrustfile',
  'sslAlpn',
]);
const tables: Readonly<Record<string, OptionSpec>> = { ...serveLimits, ...journalSettings };

/** A setting of a file, and the option that it sets. */
export interface Entry {
  /** The name in the file, which is that of the library: `maxMessageLength`. */
  readonly name: string;
  readonly option: Option;
  /** For limits only. */
  readonly spec: OptionSpec | undefined;
}

/**
 * Applies the settings of a file that neither flags nor the environment set.
 *
 * @throws UsageError that names the file, and the invalid line or setting
 */
export async function applyConfig(command: Command, path: string): Promise<void> {
  applySettings(command, path, await readConfig(path));
}

/**
 * Applies these settings of a file, except those that flags or the environment set.
 *
 * @throws UsageError that names the file and the invalid setting
 */
export function applySettings(command: Command, path: string, settings: object): void {
  const known = new Map(settingOptions(command).map((entry) => [entry.name, entry]));
  for (const [name, value] of Object.entries(settings)) {
    const entry = known.get(name);
    if (!entry) throw new UsageError(`${path} has no setting "${name}". ${hintFor(name, [...known.keys()])}`);
    const parsed = parseSetting(path, entry, value);
    const source = command.getOptionValueSource(entry.option.attributeName());
    if (source === undefined || source === 'default') {
      command.setOptionValueWithSource(entry.option.attributeName(), parsed, 'config');
    }
  }
}

/** All settings of a parsed command, in the order of its help. */
export function settingsOf(command: Command, path: string | undefined): Setting[] {
  return settingOptions(command).map(({ name, option, spec }) => {
    const key = option.attributeName();
    const source = command.getOptionValueSource(key);
    const value = command.getOptionValue(key) ?? spec?.default;
    const origins: Record<string, string | undefined> = { cli: option.long, env: option.envVar, config: path };
    const from = origins[source ?? ''] ?? 'default';
    return { name, value: spec ? formatSetting(spec, value) : value, source: from };
  });
}

/** The names of a command's settings in a file, each with its flag and meaning, for the help. */
export function settingNames(command: Command): (readonly [name: string, meaning: string])[] {
  const visible = settingOptions(command).filter(({ option }) => option.description !== '');
  return visible.map(({ name, option }) => [name, `${option.long}: ${option.description}`] as const);
}

/** Whether a command has a setting with that name. */
export function hasSetting(command: Command, name: string): boolean {
  return settingOptions(command).some((entry) => entry.name === name);
}

function formatSetting(spec: OptionSpec, value: unknown): unknown {
  if (spec.kind === 'choice') return value;
  if (value === 0) return 'off';
  return spec.kind === 'count' ? value : formatQuantity(spec.kind, value as number);
}

/** The settings that a file can have, in the order of the help. */
export function settingOptions(command: Command): Entry[] {
  const names = new Map(Object.entries(tables).map(([name, spec]) => [`--${flagName(name, spec)}`, name]));
  return command.options
    .filter((option) => !noSettings.has(option.attributeName()))
    .map((option) => {
      const name = names.get(option.long ?? '') ?? option.attributeName();
      return { name, option, spec: tables[name] };
    });
}

/** The settings of a file, not yet checked. @throws UsageError if it cannot be read or parsed */
export async function readConfig(path: string): Promise<object> {
  const text = readFile(path);
  try {
    const parsed: unknown = path.endsWith('.json') ? JSON.parse(text) : (await import('smol-toml')).parse(text);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
      throw new Error('it must contain settings by name');
    return parsed;
  } catch (error) {
    const [reason = ''] = (error as Error).message.split('\n');
    const { line } = error as { line?: number };
    throw new UsageError(`cannot read ${path}${line === undefined ? '' : `, line ${line}`}: ${reason}`);
  }
}

function parseSetting(path: string, { name, option, spec }: Entry, value: unknown): unknown {
  const refuse = (right: string): never => {
    throw new UsageError(`the setting "${name}" in ${path} takes ${right}, not ${JSON.stringify(value)}`);
  };
  if (!option.required && !option.optional) return typeof value === 'boolean' ? value : refuse('true or false');
  if (spec && typeof value === 'number') {
    try {
      checkOption(name, spec, value);
    } catch (error) {
      throw new UsageError(`${path}: ${(error as Error).message}`);
    }
    return value;
  }
  const isCount = typeof option.defaultValue === 'number' && typeof value === 'number';
  const right = spec ? 'a number, or a string such as "10s"' : 'a string, or a list of strings';
  const strings = stringsOf(isCount ? String(value) : value) ?? refuse(right);
  try {
    let parsed: unknown;
    for (const text of name === 'alpn' ? [strings.join(',')] : strings) parsed = parseText(option, text, parsed);
    return parsed;
  } catch (error) {
    if (error instanceof InvalidArgumentError)
      throw new UsageError(`the setting "${name}" in ${path}: ${error.message}`);
    throw error;
  }
}

function parseText(option: Option, text: string, previous: unknown): unknown {
  if (option.argChoices && !option.argChoices.includes(text)) {
    throw new InvalidArgumentError(`It takes ${option.argChoices.join(' or ')}, not "${text}".`);
  }
  const parse = option.parseArg as ((text: string, previous: unknown) => unknown) | undefined;
  return parse ? parse(text, previous) : text;
}

/** A string, a list, or a table of names (`[sni]`) as the values of a flag; undefined for anything else. */
function stringsOf(value: unknown): string[] | undefined {
  if (typeof value === 'string') return [value];
  const list = Array.isArray(value)
    ? value
    : typeof value === 'object' && value !== null
      ? Object.entries(value).map(([key, text]) => `${key}=${text}`)
      : undefined;
  return list?.length && list.every((text) => typeof text === 'string') ? list : undefined;
}
