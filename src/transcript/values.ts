/** The values of names in a play of a transcript, and where generated values come from. */
import { randomBytes } from 'node:crypto';
import type { JsonPath } from './transcript.ts';

/** Where values come from that are not in the messages. */
export interface ValueSources {
  /** Values of names that are given from outside, such as by `--var`. They win over `@set` and defaults. */
  readonly given?: Readonly<Record<string, string | Uint8Array>> | undefined;
  /** For `{now}`. Default: the clock. */
  readonly now?: (() => Date) | undefined;
  /** For `{uuid}` and `{random:8}`: this number of random bytes. Default: those of the operating system. */
  readonly random?: ((size: number) => Uint8Array) | undefined;
  /** For `{env:NAME}`. Default: that of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
}

/** The values of names, and the state of comparisons, in one play. */
export class Values {
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
  readonly environment: Readonly<Record<string, string | undefined>>;
  #given: ReadonlyMap<string, Uint8Array>;
  readonly #captured: Map<string, Uint8Array>;
  #ignored: readonly JsonPath[] = [];
  /** For each loop that has begun: the names that had values before its first round. */
  #before = new Map<object, ReadonlySet<string>>();

  constructor(sources: ValueSources = {}, captured: Iterable<readonly [string, Uint8Array]> = []) {
    const { given = {}, now = () => new Date(), random = randomBytes, environment = process.env } = sources;
    this.now = now;
    this.random = random;
    this.environment = environment;
    this.#given = new Map(Object.entries(given).map(([name, value]) => [name, Buffer.from(value)]));
    this.#captured = new Map(captured);
  }

  get(name: string): Uint8Array | undefined {
    return this.#captured.get(name) ?? this.#given.get(name);
  }

  has(name: string): boolean {
    return this.#captured.has(name) || this.#given.has(name);
  }

  /** Whether the value comes from outside. */
  isGiven(name: string): boolean {
    return this.#given.has(name);
  }

  set(name: string, value: Uint8Array): void {
    this.#captured.set(name, value);
  }

  delete(name: string): void {
    this.#captured.delete(name);
  }

  /** The values that were not given from outside. */
  get captured(): ReadonlyMap<string, Uint8Array> {
    return this.#captured;
  }

  /** The parts of JSON that are not compared. */
  get ignored(): readonly JsonPath[] {
    return this.#ignored;
  }

  ignore(paths: readonly JsonPath[]): void {
    // In a loop the same line comes again.
    this.#ignored = [...new Set([...this.#ignored, ...paths])];
  }

  /** A copy, to try a comparison that may fail. */
  fork(): Values {
    const copy = new Values(this.#sources, this.#captured);
    copy.#given = this.#given;
    copy.#ignored = this.#ignored;
    copy.#before = new Map(this.#before);
    return copy;
  }

  get #sources(): ValueSources {
    return { now: this.now, random: this.random, environment: this.environment };
  }

  /** Takes over the values of a copy. */
  adopt(copy: Values): void {
    this.#captured.clear();
    for (const [name, value] of copy.#captured) this.#captured.set(name, value);
    this.#ignored = copy.#ignored;
  }

  /** Begins a round of a loop: forgets the names that got their first value in an earlier round. @param round from 1 */
  beginRound(loop: object, round: number): void {
    const before = this.#before.get(loop);
    if (round === 1 || !before) this.#before.set(loop, new Set(this.#captured.keys()));
    else for (const name of [...this.#captured.keys()]) if (!before.has(name)) this.#captured.delete(name);
  }
}
