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

/** A value that a name gets when it is sent. */
interface Offer {
  readonly value: Uint8Array;
  /** The names with an offer that it was made from. */
  readonly from: readonly string[];
}

/** The values of names, and the state of comparisons, in one play. */
export class Values {
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
  readonly environment: Readonly<Record<string, string | undefined>>;
  #given: ReadonlyMap<string, Uint8Array>;
  readonly #captured: Map<string, Uint8Array>;
  readonly #offers = new Map<string, Offer>();
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

  /** Whether the name has a value when it is sent. */
  isSendable(name: string): boolean {
    return this.has(name) || this.#offers.has(name);
  }

  /** Whether the value comes from outside. */
  isGiven(name: string): boolean {
    return this.#given.has(name);
  }

  set(name: string, value: Uint8Array): void {
    this.#captured.set(name, value);
    this.#offers.delete(name);
  }

  delete(name: string): void {
    this.#captured.delete(name);
    this.#offers.delete(name);
  }

  /**
   * Gives a name a value that only one side can choose, because it is random: the side that sends the name first uses its
   * own, and the other side, which receives it, takes that one over.
   *
   * @param from the names with an offer that the value was made from, which get their values together with it
   */
  offer(name: string, value: Uint8Array, from: readonly string[]): void {
    this.#captured.delete(name);
    this.#offers.set(name, { value, from });
  }

  hasOffer(name: string): boolean {
    return this.#offers.has(name);
  }

  /** The value of a name that is sent. */
  valueToSend(name: string): Uint8Array | undefined {
    const offer = this.has(name) ? undefined : this.#offers.get(name);
    if (!offer) return this.get(name);
    this.set(name, offer.value);
    for (const other of offer.from) this.valueToSend(other);
    return offer.value;
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
    for (const [name, offer] of this.#offers) copy.#offers.set(name, offer);
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
    this.#offers.clear();
    for (const [name, offer] of copy.#offers) this.#offers.set(name, offer);
    this.#ignored = copy.#ignored;
  }

  /** Begins a round of a loop: forgets the names that got their first value in an earlier round. @param round from 1 */
  beginRound(loop: object, round: number): void {
    const before = this.#before.get(loop);
    if (round === 1 || !before) this.#before.set(loop, new Set([...this.#captured.keys(), ...this.#offers.keys()]));
    else for (const name of [...this.#captured.keys()]) if (!before.has(name)) this.#captured.delete(name);
  }
}
