/** Flags and environment variables, generated from the option tables. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { formatQuantity, parseQuantity, unitForms } from '../format/units.ts';
import type { OptionSpec } from '../option-values.ts';
import { clientOptions, longestDuration } from '../options.ts';

/** The name of an option's flag: `max-connections` for `maxConnections`, unless the table has another. */
export function flagName(name: string, spec: OptionSpec): string {
  return spec.flag ?? name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The name of an option's value in commander: `maxMessage` for `--max-message`. */
export function flagKey(name: string, spec: OptionSpec): string {
  return flagName(name, spec).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The environment variable of a flag: `YODEL_MAX_CONNECTIONS` for `max-connections`. */
export function envName(flag: string): string {
  return `YODEL_${flag.replaceAll('-', '_').toUpperCase()}`;
}

/** Adds a flag for each option of a table, under a heading of the help. */
export function addTable(command: Command, heading: string, table: Readonly<Record<string, OptionSpec>>): void {
  command.optionsGroup(heading);
  for (const [name, spec] of Object.entries(table)) {
    const flag = flagName(name, spec);
    command.addOption(
      new Option(`--${flag} <${placeholder(spec)}>`, describe(spec))
        .argParser((text) => readValue(spec, text))
        .env(envName(flag)),
    );
  }
}

/** The given values of a table's options, by their names in the library. */
export function tableValues(
  table: Readonly<Record<string, OptionSpec>>,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(table)) {
    const key = flagKey(name, spec);
    if (given[key] !== undefined) values[name] = given[key];
  }
  return values;
}

/** The default in the form in which it is given: `64KiB`, `off`. */
export function shownDefault(spec: OptionSpec): string {
  if (spec.kind === 'choice') return String(spec.default);
  return spec.default === 0 ? 'off' : formatQuantity(spec.kind, spec.default as number);
}

function placeholder(spec: OptionSpec): string {
  if (spec.kind === 'choice') return (spec.choices ?? []).join('|');
  return { count: 'number', size: 'size', duration: 'time', rate: 'n/s' }[spec.kind];
}

function readValue(spec: OptionSpec, text: string): number | string {
  if (spec.kind === 'choice') {
    if (spec.choices?.includes(text)) return text;
    throw new InvalidArgumentError(`It takes ${spec.choices?.join(' or ')}.`);
  }
  const form = unitForms[spec.kind];
  const value = parseQuantity(spec.kind, text);
  if (value === undefined) throw new InvalidArgumentError(`It takes ${form}.`);
  if (value === 0 && spec.off === undefined) throw new InvalidArgumentError(`It cannot be 0; it takes ${form}.`);
  if (value > (spec.max ?? Number.MAX_SAFE_INTEGER)) {
    throw new InvalidArgumentError(`The maximum is ${formatQuantity(spec.kind, spec.max ?? Number.MAX_SAFE_INTEGER)}.`);
  }
  return value;
}

/** The summary with the default, which commander does not know because the library fills it in. */
function describe(spec: OptionSpec): string {
  const { summary } = spec;
  return `${summary.charAt(0).toLowerCase()}${summary.slice(1, -1)} (default: ${shownDefault(spec)})`;
}

/** The parser of a flag that can be repeated: collects the values in order. */
export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

/** A flag that takes a time, 0 included. */
export function durationOption(flags: string, description: string, defaultMs: number): Option {
  return new Option(flags, description)
    .argParser(readDuration)
    .default(defaultMs, formatQuantity('duration', defaultMs));
}

function readDuration(text: string): number | string {
  return readValue({ kind: 'duration', default: 0, off: '', summary: '', reason: '' }, text);
}

/** `--connect-timeout`, which all commands share that connect to a server. */
export function connectTimeoutOption(): Option {
  const flags = '-w, --connect-timeout <time>';
  const { default: defaultMs } = clientOptions.connectTimeout;
  // As in netcat, a number alone is seconds.
  return durationOption(flags, 'time limit for connecting', defaultMs)
    .argParser((text) => readDuration(/^\d+$/.test(text) ? `${text}s` : text))
    .env(envName('connect-timeout'));
}

/** `--verbose`, for commands that are about one connection. */
export function verboseOption(): Option {
  const text = 'show how the connection came about: addresses, TLS, certificate, times (on stderr)';
  return new Option('-v, --verbose', text).env(envName('verbose'));
}

/** A flag that takes a count of at least 1. */
export function positiveCount(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text) =>
    readValue({ kind: 'count', default: 0, summary: '', reason: '' }, text),
  );
}

/** A flag that takes a quantity above 0, with or without a default. */
export function quantityOption(
  flags: string,
  description: string,
  kind: Exclude<OptionSpec['kind'], 'choice'>,
  defaultValue?: number,
): Option {
  const option = new Option(flags, description).argParser((text) =>
    readValue({ kind, default: 0, max: maxOf[kind], summary: '', reason: '' }, text),
  );
  return defaultValue === undefined ? option : option.default(defaultValue, formatQuantity(kind, defaultValue));
}

/** A flag that takes a rate, 0 included. */
export function rateOption(flags: string, description: string, defaultRate: number): Option {
  return new Option(flags, description)
    .argParser((text) => readValue({ kind: 'rate', default: 0, off: '', summary: '', reason: '' }, text))
    .default(defaultRate, formatQuantity('rate', defaultRate));
}

/** A flag that takes a size, 0 included. */
export function sizeOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text) => {
    // 0 is a size here, and "off" would be read as 0.
    if (/^off$/i.test(text)) throw new InvalidArgumentError(`It takes ${unitForms.size}.`);
    return readValue({ kind: 'size', default: 0, off: '', max: maxOf.size, summary: '', reason: '' }, text);
  });
}

const maxOf = { count: 1_000_000_000_000, size: 1_073_741_824, duration: longestDuration, rate: 1_000_000_000 };
