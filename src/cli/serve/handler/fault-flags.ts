/** The flags of `yodel serve` for faults. All but `--fault` itself are short for one. */
import { InvalidArgumentError } from 'commander';
import { parseQuantity } from '../../../format/units.ts';
import type { Fault } from '../../../handlers/faults/fault.ts';
import { Faults, type FaultsOptions } from '../../../handlers/faults/fault-set.ts';
import { parseNamedFault } from '../../../handlers/faults/parse.ts';
import { randomSeed } from '../../../handlers/faults/random.ts';
import { type HandlerFlag, quantityOfKind } from './handler-flag.ts';

/** The flags. */
export const faultFlags: readonly HandlerFlag[] = [
  {
    flags: '--fault <fault>',
    description:
      "a fault: '[request|reply|both] [WHEN] ACTION': 'request /QUIT/ reset', 'both latency 50ms±20ms'; can be repeated",
    check: readFault,
    canRepeat: true,
  },
  {
    flags: '--delay <time>',
    description: 'delay each reply: 50ms, or 50ms±20ms (also 50ms+-20ms)',
    check: checkDelay,
  },
  { flags: '--drop <percentage>', description: 'drop this percentage of replies: 1%', check: checkPercentage },
  {
    flags: '--corrupt <percentage>',
    description: 'flip one bit in this percentage of replies: 0.1%',
    check: checkPercentage,
  },
  {
    flags: '--reset <percentage>',
    description: 'reset the connection instead of sending this percentage of replies: 1%',
    check: checkPercentage,
  },
  {
    flags: '--close-after <number>',
    description: 'close the connection after this number of replies',
    check: quantityOfKind('count'),
  },
  { flags: '--chunk <size>', description: 'split replies into writes of this size', check: quantityOfKind('size') },
  {
    flags: '--fault-seed <number>',
    description: 'seed for random faults; the same seed repeats them',
    check: parseSeed,
  },
  {
    flags: '--control <address>',
    description:
      'change faults and end sessions over HTTP at this address of loopback: 127.0.0.1:8474; the token is printed, or that of YODEL_CONTROL_TOKEN',
  },
];

type Flags = Readonly<Record<string, unknown>>;

/** The seed of this run, for all of its sessions and workers. */
let seedOfThisRun: number | undefined;

/** The faults that the flags configure, in the order in which they apply. */
export function faultsIn(flags: Flags): Fault[] {
  const short = Object.entries(shortForms).flatMap(([name, text]) =>
    flags[name] === undefined ? [] : (text(String(flags[name])) ?? []),
  );
  const long = (flags.fault as readonly string[] | undefined) ?? [];
  return [...short, ...long].map(readFault);
}

/** What the other flags are short for. */
const shortForms: Readonly<Record<string, (value: string) => string | undefined>> = {
  reset: (percentage) => `reply ${compact(percentage)} reset`,
  drop: (percentage) => `reply ${compact(percentage)} drop`,
  corrupt: (percentage) => `reply ${compact(percentage)} corrupt`,
  delay: (time) => `reply latency ${compact(time).replaceAll(/off/gi, '0')}`,
  closeAfter: (count) => unlessOff(parseQuantity('count', count), (number) => `reply limit ${number} messages`),
  chunk: (size) => unlessOff(parseQuantity('size', size), (bytes) => `reply chunk ${bytes}`),
};

function compact(text: string): string {
  return text.replaceAll(/\s+/g, '');
}

function unlessOff(value: number | undefined, text: (value: number) => string): string | undefined {
  return value ? text(value) : undefined;
}

/** The faults of a server, which survive a reload that does not change them. */
export class ServedFaults {
  readonly #isControlled: boolean;
  readonly #observe: FaultsOptions['observe'];
  #faults: Faults | undefined;
  /** The flags that they were made of. */
  #madeOf = '';

  /** @param isControlled whether faults can be added later */
  constructor(isControlled: boolean, observe: FaultsOptions['observe']) {
    this.#isControlled = isControlled;
    this.#observe = observe;
  }

  /** The newest faults. */
  get current(): Faults | undefined {
    return this.#faults;
  }

  /** The faults for these flags; undefined: none. @throws YodelError, InvalidArgumentError */
  for(flags: Flags): Faults | undefined {
    const madeOf = JSON.stringify(faultFlagNames.map((name) => flags[name]));
    if (madeOf === this.#madeOf) return this.#faults;
    const list = faultsIn(flags);
    const isNeeded = list.length > 0 || this.#isControlled;
    this.#faults = isNeeded ? new Faults(list, { seed: seedOf(flags), observe: this.#observe }) : undefined;
    this.#madeOf = madeOf;
    return this.#faults;
  }
}

const faultFlagNames = [...Object.keys(shortForms), 'fault', 'faultSeed'];

/** The flags with a seed, if they need one, so that all processes have the same. */
export function withSeed(flags: Flags): Flags {
  return isRandom(flags) ? { ...flags, faultSeed: String(seedOf(flags)) } : flags;
}

/** The seed that this run has chosen, which is printed so that its faults can be repeated; undefined if it was given or none is needed. */
export function chosenSeed(flags: Flags): number | undefined {
  return isRandom(flags) && flags.faultSeed === String(seedOfThisRun) ? seedOfThisRun : undefined;
}

function seedOf(flags: Flags): number {
  if (flags.faultSeed !== undefined) return parseSeed(String(flags.faultSeed));
  seedOfThisRun ??= randomSeed();
  return seedOfThisRun;
}

function isRandom(flags: Flags): boolean {
  return faultsIn(flags).some(({ when, action }) => {
    const hasChance = [when?.probability, when?.sessions].some((share) => share !== undefined && share < 1);
    const varies = (action.kind === 'latency' && action.jitter) || (action.kind === 'chunk' && action.variation);
    return hasChance || Boolean(varies) || action.kind === 'corrupt';
  });
}

/** Parses a fault. @throws InvalidArgumentError */
function readFault(text: string): Fault {
  try {
    return parseNamedFault(text);
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message.replace(/^t/, 'T')}`);
  }
}

/** @throws InvalidArgumentError unless it is like `50ms±20ms` */
function checkDelay(text: string): void {
  const [first = '', second = '0', ...more] = text.split(/\s*(?:±|\+-|\+\/-)\s*/);
  const areTimes = [first, second].every((time) => parseQuantity('duration', time) !== undefined);
  if (areTimes && more.length === 0) return;
  throw new InvalidArgumentError('It takes a time such as 50ms or 50ms±20ms (50ms+-20ms).');
}

/** @throws InvalidArgumentError unless it is like `0.1%` */
function checkPercentage(text: string): void {
  const percent = Number(/^(\d+(?:\.\d+)?) ?%$/.exec(text)?.[1] ?? Number.NaN);
  if (percent >= 0 && percent <= 100) return;
  throw new InvalidArgumentError('It takes a percentage from 0% to 100%, such as 1% or 0.1%.');
}

function parseSeed(text: string): number {
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (seed < 2 ** 32) return seed;
  throw new InvalidArgumentError('It takes a whole number from 0 to 4294967295.');
}
