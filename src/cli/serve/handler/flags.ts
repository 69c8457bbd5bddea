/** The flags of `yodel serve` about its handler: those of `exec:` and `proxy:`, and faults to inject. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseQuantity, unitForms } from '../../../format/units.ts';
import type { Faults } from '../../../handlers/faults/options.ts';
import { randomSeed } from '../../../handlers/faults.ts';
import { envName } from '../../flags.ts';

/** A flag and its value. */
interface HandlerFlag {
  /** As in the help: `--delay <time>`. */
  readonly flags: string;
  readonly description: string;
  readonly default?: string;
  /** Throws for an invalid value; undefined for a flag without a value. */
  readonly check?: (text: string) => unknown;
  /** Whether the value is a list, and giving the flag again adds to it. */
  readonly isList?: boolean;
}

const watchFlag: HandlerFlag = { flags: '--watch', description: 'reload a handler file when it changes' };

/** The flags of `exec:` and `proxy:`. */
const programFlags: readonly HandlerFlag[] = [
  { flags: '--exec-per-message', description: 'exec: start a child per message instead of per connection' },
  { flags: '--shell', description: 'exec: run the command with /bin/sh, for pipes and variables' },
  {
    flags: '--exec-timeout <time>',
    description: 'exec: terminate a child that is stuck, or working on one message, for longer than this',
    default: '30s',
    check: quantityOfKind('duration'),
  },
  {
    flags: '--exec-max-output <size>',
    description: 'exec: maximum output for one message',
    default: '1MiB',
    check: quantityOfKind('size'),
  },
  {
    flags: '--exec-env <names>',
    description: 'exec: environment variables to pass to children: DB_URL,API_KEY',
    isList: true,
  },
  {
    flags: '--upstream-framing <framing>',
    description: 'exec, proxy: framing of the command or server behind, if it differs',
  },
  { flags: '--upstream-reply-framing <framing>', description: 'exec, proxy: framing of what it sends, if it differs' },
  { flags: '--upstream-protocol <protocol>', description: 'exec, proxy: its protocol, instead of framings' },
  { flags: '--proxy-cacert <file>', description: 'proxy: trust only these authorities at a tls:// server (PEM)' },
  {
    flags: '--proxy-servername <name>',
    description: "proxy: the name expected in that server's certificate (default: the host)",
  },
  { flags: '--proxy-insecure', description: "proxy: do not verify that server's certificate" },
];

/** Faults to inject. */
const faultFlags: readonly HandlerFlag[] = [
  {
    flags: '--delay <time>',
    description: 'delay each reply: 50ms, or 50ms±20ms (also 50ms+-20ms)',
    check: parseDelay,
  },
  { flags: '--drop <percentage>', description: 'drop this percentage of replies: 1%', check: parsePercentage },
  {
    flags: '--corrupt <percentage>',
    description: 'flip one bit in this percentage of replies: 0.1%',
    check: parsePercentage,
  },
  {
    flags: '--reset <percentage>',
    description: 'reset the connection instead of sending this percentage of replies: 1%',
    check: parsePercentage,
  },
  {
    flags: '--close-after <number>',
    description: 'close the connection after this number of replies',
    check: quantityOfKind('count'),
  },
  { flags: '--chunk <size>', description: 'split replies into writes of this size', check: quantityOfKind('size') },
  { flags: '--seed <number>', description: 'seed for random faults; the same seed repeats them', check: parseSeed },
];

/** The flags that the handler is created from, by the names of their values. A reload creates the handler again. */
export const handlerFlags: readonly string[] = [...programFlags, ...faultFlags].map((flag) =>
  optionOf(flag).attributeName(),
);

/** Adds the flags to a command. */
export function addHandlerFlags(command: Command): void {
  command.optionsGroup('Handler:');
  for (const flag of [watchFlag, ...programFlags]) command.addOption(optionOf(flag));
  command.optionsGroup('Fault injection, to test clients:');
  for (const flag of faultFlags) command.addOption(optionOf(flag));
}

function optionOf({ flags, description, default: value, check, isList }: HandlerFlag): Option {
  const option = new Option(flags, description);
  if (value !== undefined) option.default(value);
  if (check) option.argParser(checked(check));
  if (isList) {
    option.argParser((text, previous: string[] | undefined) => [...(previous ?? []), ...text.split(/[\s,]+/)]);
  }
  return option.env(envName(option.name()));
}

/** A parser that checks a value and keeps its text, which is how settings are printed. */
function checked(check: (text: string) => unknown): (text: string) => string {
  return (text) => {
    check(text);
    return text;
  };
}

/** Flags with random effects. */
const randomFlags = ['drop', 'corrupt', 'reset'] as const;

/** The seed of this run, for all of its sessions and workers. */
let seedOfThisRun: number | undefined;

/** The faults that the flags configure; undefined if none. */
export function faultsOf(flags: Readonly<Record<string, unknown>>): Faults | undefined {
  const text = (name: string) => flags[name] as string | undefined;
  const { delay, jitter } = text('delay') === undefined ? {} : parseDelay(text('delay') as string);
  const shares = Object.fromEntries(
    randomFlags.flatMap((name) => (text(name) === undefined ? [] : [[name, parsePercentage(text(name) as string)]])),
  );
  const faults: Faults = {
    delay,
    jitter,
    ...shares,
    closeAfter: quantityOf(flags, 'count', 'closeAfter'),
    chunk: quantityOf(flags, 'size', 'chunk'),
  };
  return Object.values(faults).every((value) => value === undefined) ? undefined : { ...faults, seed: seedOf(flags) };
}

/** The flags with a seed, if they need one, so that all processes have the same. */
export function withSeed(flags: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return isRandom(flags) ? { ...flags, seed: String(seedOf(flags)) } : flags;
}

/** The seed that this run has chosen, which is printed so that its faults can be repeated; undefined if it was given or none is needed. */
export function chosenSeed(flags: Readonly<Record<string, unknown>>): number | undefined {
  return isRandom(flags) && flags.seed === String(seedOfThisRun) ? seedOfThisRun : undefined;
}

function seedOf(flags: Readonly<Record<string, unknown>>): number {
  if (flags.seed !== undefined) return parseSeed(String(flags.seed));
  seedOfThisRun ??= randomSeed();
  return seedOfThisRun;
}

function isRandom(flags: Readonly<Record<string, unknown>>): boolean {
  const { jitter = 0 } = flags.delay === undefined ? {} : parseDelay(String(flags.delay));
  return jitter > 0 || randomFlags.some((name) => flags[name] !== undefined);
}

/** Parses `50ms±20ms`. @throws InvalidArgumentError */
function parseDelay(text: string): { readonly delay: number; readonly jitter: number } {
  const [first = '', second = '0', ...more] = text.split(/\s*(?:±|\+-|\+\/-)\s*/);
  const delay = parseQuantity('duration', first);
  const jitter = parseQuantity('duration', second);
  if (delay === undefined || jitter === undefined || more.length > 0) {
    throw new InvalidArgumentError('It takes a time such as 50ms or 50ms±20ms (50ms+-20ms).');
  }
  return { delay, jitter };
}

/** Parses `0.1%` to 0.001. @throws InvalidArgumentError */
function parsePercentage(text: string): number {
  const percent = Number(/^(\d+(?:\.\d+)?) ?%$/.exec(text)?.[1] ?? Number.NaN);
  if (percent >= 0 && percent <= 100) return percent / 100;
  throw new InvalidArgumentError('It takes a percentage from 0% to 100%, such as 1% or 0.1%.');
}

function parseSeed(text: string): number {
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (seed < 2 ** 32) return seed;
  throw new InvalidArgumentError('It takes a whole number from 0 to 4294967295.');
}

/** A check that a value is a quantity. */
function quantityOfKind(kind: 'count' | 'size' | 'duration'): (text: string) => void {
  return (text) => {
    if (parseQuantity(kind, text) === undefined) throw new InvalidArgumentError(`It takes ${unitForms[kind]}.`);
  };
}

/** A quantity among the flags, in the unit of the library; undefined if it is not set. */
export function quantityOf(
  flags: Readonly<Record<string, unknown>>,
  kind: 'count' | 'size' | 'duration',
  name: string,
): number | undefined {
  return flags[name] === undefined ? undefined : parseQuantity(kind, String(flags[name]));
}
