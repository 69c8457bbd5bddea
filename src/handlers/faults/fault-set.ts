/** The faults of a handler, which can change while it runs. */

import type { Clock } from '../../clock.ts';
import { YodelError } from '../../errors.ts';
import { checkShapes, kindOf } from '../../option-shapes.ts';
import { checkOption } from '../../option-values.ts';
import type { Session } from '../../session/public-session.ts';
import { nearestWord } from '../../suggestion.ts';
import { checkFault } from './check.ts';
import type { Fault, FaultKind } from './fault.ts';
import { formatFault } from './format.ts';
import { parseNamedFault } from './parse.ts';
import { keyOf, randomSeed } from './random.ts';

/** Options of {@link Faults}. */
export interface FaultsOptions {
  /** From 0 to 4294967295: the same seed repeats the same faults. Default: one by chance. */
  readonly seed?: number | undefined;
  /** Called whenever a fault is applied, except `latency`, `bandwidth` and `chunk`, which change no message. Must not throw. */
  readonly observe?: ((session: Session, applied: AppliedFault) => void) | undefined;
  /**
   * For tests, not of a {@link Faults} but of what applies it: the time of delays, such as `fakeClock()` of `yodel/testing`. Default: real
   * time.
   */
  readonly clock?: Clock | undefined;
}

/** A fault that was applied. */
export interface AppliedFault {
  /** The name of the fault. */
  readonly name: string;
  readonly kind: FaultKind;
  readonly direction: 'request' | 'reply';
  /** The number of the message, counted from 1; undefined if it was no message that caused it, but time. */
  readonly message: number | undefined;
}

/** A fault of a set. */
export interface ActiveFault {
  readonly name: string;
  readonly fault: Fault;
  /** The fault in the notation: `reply 10% drop`. */
  readonly text: string;
  /** How often it was applied, to messages of all sessions. */
  readonly applied: number;
}

/** The same, as its links see it. */
export interface CountedFault extends ActiveFault {
  applied: number;
  /** For its random numbers. */
  readonly key: number;
}

/** More than anyone can follow. It bounds what a client of a control API can add. */
const maxFaults = 1000;

/**
 * Faults, by name, in the order in which they apply. They may change at any time: what is not passed on yet keeps the faults
 * that it had when it arrived, what arrives later has the new ones.
 */
export class Faults {
  /** The seed of all random numbers. */
  readonly seed: number;
  /** @internal */
  readonly observe: FaultsOptions['observe'];
  #faults: readonly CountedFault[] = [];
  readonly #listeners = new Set<() => void>();

  /**
   * @param faults in the notation, such as `reply 10% drop`, or as objects
   * @throws YodelError `YODEL_INVALID_OPTION`
   */
  constructor(faults: readonly (Fault | string)[] = [], options: FaultsOptions = {}) {
    checkShapes(options, { seed: 'other', observe: 'function' }, 'Faults');
    if (!Array.isArray(faults))
      throw new YodelError('YODEL_INVALID_OPTION', `faults are a list, not ${kindOf(faults)}`);
    const { seed } = options;
    if (seed !== undefined) checkOption('seed', { kind: 'count', off: '0', max: 2 ** 32 - 1 }, seed);
    this.seed = seed ?? randomSeed();
    this.observe = options.observe;
    for (const fault of faults) this.add(fault);
  }

  /** All faults, in order. */
  get all(): readonly ActiveFault[] {
    return this.#faults;
  }

  /** @internal */
  get counted(): readonly CountedFault[] {
    return this.#faults;
  }

  get(name: string): ActiveFault | undefined {
    return this.#faults.find((one) => one.name === name);
  }

  /**
   * Adds a fault, after the others.
   *
   * @returns the fault, with its name
   * @throws YodelError `YODEL_INVALID_OPTION`, also if the name is taken
   */
  add(fault: Fault | string): ActiveFault {
    const parsed = typeof fault === 'string' ? parseNamedFault(fault) : fault;
    checkFault(parsed);
    if (this.#faults.length >= maxFaults) refuse(`there are ${maxFaults} faults, and more are not allowed`);
    const name = parsed.name ?? this.#freeName(parsed);
    if (this.get(name)) refuse(`there is a fault "${name}" already; change it, or choose another name`);
    const added = counted(name, parsed);
    this.#set([...this.#faults, added]);
    return added;
  }

  /** Replaces a fault, in its place. @throws YodelError `YODEL_INVALID_OPTION`, also if there is none of this name */
  change(name: string, fault: Fault | string): ActiveFault {
    const parsed = typeof fault === 'string' ? parseNamedFault(fault) : fault;
    checkFault(parsed);
    if (parsed.name !== undefined && parsed.name !== name) refuse(`the fault "${name}" cannot become "${parsed.name}"`);
    if (!this.get(name)) refuse(this.noFault(name));
    const changed = counted(name, parsed);
    this.#set(this.#faults.map((one) => (one.name === name ? changed : one)));
    return changed;
  }

  /** Removes a fault. Returns whether there was one of this name. */
  remove(name: string): boolean {
    if (!this.get(name)) return false;
    this.#set(this.#faults.filter((one) => one.name !== name));
    return true;
  }

  /** Removes all faults. */
  clear(): void {
    this.#set([]);
  }

  /** @internal Calls `listener` after each change, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @internal What to say about a name that no fault has. */
  noFault(name: string): string {
    const names = this.#faults.map((one) => one.name);
    const nearest = nearestWord(name, names);
    const hint = nearest ? `Did you mean "${nearest}"?` : `Known: ${names.join(', ') || 'none'}`;
    return `there is no fault "${name}". ${hint}`;
  }

  #set(faults: readonly CountedFault[]): void {
    this.#faults = faults;
    for (const listener of [...this.#listeners]) listener();
  }

  #freeName({ direction = 'reply', action }: Fault): string {
    const plain = `${action.kind}_${direction}`;
    let name = plain;
    for (let number = 2; this.get(name); number++) name = `${plain}_${number}`;
    return name;
  }
}

function counted(name: string, fault: Fault): CountedFault {
  return { name, fault, text: formatFault(fault), applied: 0, key: keyOf(name) };
}

function refuse(problem: string): never {
  throw new YodelError('YODEL_INVALID_OPTION', problem);
}
