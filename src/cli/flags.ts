/** Flags and environment variables made from the option tables. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { formatQuantity, parseQuantity, unitForms } from '../format/units.ts';
import { longestDuration, type OptionSpec } from '../options.ts';

/** `maxConnections` -> `max-connections`; some options have a shorter name of their own. */
export function flagName(name: string, spec: OptionSpec): string {
  return spec.flag ?? name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The name under which commander has the value of an option: `maxMessage` for `--max-message`. */
export function flagKey(name: string, spec: OptionSpec): string {
  return flagName(name, spec).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** `max-connections` -> `YODEL_MAX_CONNECTIONS`. */
export function envName(flag: string): string {
  return `YODEL_${flag.replaceAll('-', '_').toUpperCase()}`;
}

/** Adds one flag for each option of a table, under a heading of the help. */
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

/** The values that were given for a table's options, by their names in the library. */
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

/** The default as people write it. */
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
    throw new InvalidArgumentError(`The most is ${formatQuantity(spec.kind, spec.max ?? Number.MAX_SAFE_INTEGER)}.`);
  }
  return value;
}

/** The summary as a part of a sentence, with the default: the library fills that in, so commander does not know it. */
function describe(spec: OptionSpec): string {
  const { summary } = spec;
  return `${summary.charAt(0).toLowerCase()}${summary.slice(1, -1)} (default: ${shownDefault(spec)})`;
}

/** For a flag that may be given several times: all that was given, in order. */
export function oneMore(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

/** A flag that takes a time. */
export function durationOption(flags: string, description: string, defaultMs: number): Option {
  return new Option(flags, description)
    .argParser((text) => readValue({ kind: 'duration', default: 0, off: '', summary: '', reason: '' }, text))
    .default(defaultMs, formatQuantity('duration', defaultMs));
}

/** A flag that takes a count from 1. */
export function positiveCount(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text) =>
    readValue({ kind: 'count', default: 0, summary: '', reason: '' }, text),
  );
}

/** A flag that takes a quantity above 0; with a default of its own, or without one. */
export function quantityOption(
  flags: string,
  description: string,
  kind: Exclude<OptionSpec['kind'], 'choice'>,
  defaultValue?: number,
): Option {
  const option = new Option(flags, description).argParser((text) =>
    readValue({ kind, default: 0, max: mostOf[kind], summary: '', reason: '' }, text),
  );
  return defaultValue === undefined ? option : option.default(defaultValue, formatQuantity(kind, defaultValue));
}

/** A flag that takes a size, 0 included. */
export function sizeOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text) => {
    // Where 0 is a size like any other, "off" is none.
    if (/^off$/i.test(text)) throw new InvalidArgumentError(`It takes ${unitForms.size}.`);
    return readValue({ kind: 'size', default: 0, off: '', max: mostOf.size, summary: '', reason: '' }, text);
  });
}

const mostOf = { count: 1_000_000_000_000, size: 1_073_741_824, duration: longestDuration, rate: 1_000_000_000 };
