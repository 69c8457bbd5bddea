/** The flags of `yodel serve` about its handler: of `exec:` and `proxy:`, and faults on purpose. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseQuantity, unitForms } from '../../format/units.ts';
import type { Faults } from '../../handlers/faults/options.ts';
import { randomSeed } from '../../handlers/faults.ts';
import { envName } from '../flags.ts';

/** Where no seed is given, all sessions of this run, and all its workers, have this one. */
const seedOfThisRun = randomSeed();

/** Those that the handler is made with, and is made with anew by a reload. */
export const handlerFlags: readonly string[] = [
  ...['execPerMessage', 'shell', 'execTimeout', 'execMaxOutput', 'execEnv'],
  ...['proxyCacert', 'proxyServername', 'proxyInsecure'],
  ...['delay', 'drop', 'corrupt', 'reset', 'closeAfter', 'chunk', 'seed'],
];

/** Adds them to a command. */
export function addHandlerFlags(command: Command): void {
  const withEnv = (name: string, option: Option) => option.env(envName(name));
  command
    .optionsGroup('The handler:')
    .addOption(withEnv('watch', new Option('--watch', 'load a handler file again when it changes')))
    .addOption(
      withEnv(
        'exec-per-message',
        new Option('--exec-per-message', 'exec: a child for each message, not each connection'),
      ),
    )
    .addOption(withEnv('shell', new Option('--shell', 'exec: let /bin/sh read the command, with pipes and variables')))
    .addOption(
      withEnv(
        'exec-timeout',
        quantityOption(
          'duration',
          '--exec-timeout <time>',
          'exec: how long a child may take, or do nothing when it has to',
        ).default('30s'),
      ),
    )
    .addOption(
      withEnv(
        'exec-max-output',
        quantityOption('size', '--exec-max-output <size>', 'exec: the most that is printed for one message').default(
          '1MiB',
        ),
      ),
    )
    .addOption(
      withEnv(
        'exec-env',
        new Option(
          '--exec-env <names>',
          'exec: variables of the environment that children get too: DB_URL,API_KEY',
        ).argParser((text: string, previous: string[] | undefined) => [...(previous ?? []), ...text.split(/[\s,]+/)]),
      ),
    )
    .addOption(
      withEnv('proxy-cacert', new Option('--proxy-cacert <file>', 'proxy: whom to trust at a tls:// server, PEM')),
    )
    .addOption(
      withEnv(
        'proxy-servername',
        new Option('--proxy-servername <name>', "proxy: the name in that server's certificate"),
      ),
    )
    .addOption(withEnv('proxy-insecure', new Option('--proxy-insecure', 'proxy: take any certificate')))
    .optionsGroup('Faults on purpose, to test clients:')
    .addOption(
      withEnv(
        'delay',
        new Option('--delay <time>', 'each reply waits: 50ms, or 50ms±20ms (also 50ms+-20ms)').argParser(
          checked(parseDelay),
        ),
      ),
    )
    .addOption(withEnv('drop', shareOption('--drop <share>', 'so many replies are not sent: 1%')))
    .addOption(withEnv('corrupt', shareOption('--corrupt <share>', 'in so many replies one bit is flipped: 0.1%')))
    .addOption(
      withEnv('reset', shareOption('--reset <share>', 'in place of so many replies the connection is reset: 1%')),
    )
    .addOption(
      withEnv(
        'close-after',
        quantityOption('count', '--close-after <number>', 'the connection is closed after so many replies'),
      ),
    )
    .addOption(
      withEnv('chunk', quantityOption('size', '--chunk <size>', 'replies are cut into writes of so many bytes')),
    )
    .addOption(
      withEnv(
        'seed',
        new Option('--seed <number>', 'the same number makes the same faults again').argParser(checked(parseSeed)),
      ),
    );
}

const chanceFlags = ['drop', 'corrupt', 'reset'] as const;

/** The faults that the flags ask for; undefined for none. */
export function faultsOf(flags: Readonly<Record<string, unknown>>): Faults | undefined {
  const text = (name: string) => flags[name] as string | undefined;
  const { delay, jitter } = text('delay') === undefined ? {} : parseDelay(text('delay') as string);
  const shares = Object.fromEntries(
    chanceFlags.flatMap((name) => (text(name) === undefined ? [] : [[name, parseShare(text(name) as string)]])),
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

/** The flags with a seed, if they need one: so that all processes have the same. */
export function withSeed(flags: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return makesChance(flags) ? { ...flags, seed: String(seedOf(flags)) } : flags;
}

/** The seed that was chosen here, to be told to whoever wants the same faults again. */
export function chosenSeed(flags: Readonly<Record<string, unknown>>): number | undefined {
  return makesChance(flags) && flags.seed === String(seedOfThisRun) ? seedOfThisRun : undefined;
}

function seedOf(flags: Readonly<Record<string, unknown>>): number {
  return flags.seed === undefined ? seedOfThisRun : parseSeed(String(flags.seed));
}

function makesChance(flags: Readonly<Record<string, unknown>>): boolean {
  const { jitter = 0 } = flags.delay === undefined ? {} : parseDelay(String(flags.delay));
  return jitter > 0 || chanceFlags.some((name) => flags[name] !== undefined);
}

/** `50ms±20ms`. @throws InvalidArgumentError */
export function parseDelay(text: string): { readonly delay: number; readonly jitter: number } {
  const [first = '', second = '0', ...more] = text.split(/\s*(?:±|\+-|\+\/-)\s*/);
  const delay = parseQuantity('duration', first);
  const jitter = parseQuantity('duration', second);
  if (delay === undefined || jitter === undefined || more.length > 0) {
    throw new InvalidArgumentError('It takes a time such as 50ms or 50ms±20ms (50ms+-20ms).');
  }
  return { delay, jitter };
}

/** `0.1%` as 0.001. @throws InvalidArgumentError */
export function parseShare(text: string): number {
  const percent = Number(/^(\d+(?:\.\d+)?) ?%$/.exec(text)?.[1] ?? Number.NaN);
  if (percent >= 0 && percent <= 100) return percent / 100;
  throw new InvalidArgumentError('It takes a share from 0% to 100%, such as 1% or 0.1%.');
}

/** A quantity that was given, in the library's unit. */
export function quantityOf(
  flags: Readonly<Record<string, unknown>>,
  kind: 'count' | 'size' | 'duration',
  name: string,
): number | undefined {
  return flags[name] === undefined ? undefined : parseQuantity(kind, String(flags[name]));
}

function quantityOption(kind: 'count' | 'size' | 'duration', flags: string, description: string): Option {
  const parse = (text: string) => {
    if (parseQuantity(kind, text) === undefined) throw new InvalidArgumentError(`It takes ${unitForms[kind]}.`);
  };
  return new Option(flags, description).argParser(checked(parse));
}

function shareOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(checked(parseShare));
}

/** Settings stay as they were written: that is how they are printed. */
function checked(parse: (text: string) => unknown): (text: string) => string {
  return (text) => {
    parse(text);
    return text;
  };
}

function parseSeed(text: string): number {
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (seed < 2 ** 32) return seed;
  throw new InvalidArgumentError('It takes a whole number from 0 to 4294967295.');
}
