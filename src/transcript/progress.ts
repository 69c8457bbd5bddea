import { type Expected, itemsAfter } from './align.ts';
import { UnorderedMatching } from './unordered.ts';

/**
 * How far expected messages have come:
 * - `incomplete`: a required one is still to come
 * - `sufficient`: every required one came, and optional ones may follow
 * - `complete`: nothing more is expected
 * - `astray`: a message came that is not as expected; {@link align} finds what it means
 */
export type ProgressState = 'incomplete' | 'sufficient' | 'complete' | 'astray';

/** A place in `expected` that the messages so far may have reached. A set also has those it took. */
interface Place<Item, Received> {
  readonly at: number;
  readonly set?: UnorderedMatching<Item, Received> | undefined;
}

/** More places than this are only possible with hundreds of optional lines in a row; without them, {@link align} decides. */
const maxPlaces = 1000;

/**
 * Follows messages while they arrive, as long as all of them are as expected: whether to wait for more is known at once,
 * without comparing everything again.
 */
export class Progress<Item, Received> {
  readonly #expected: readonly Expected<Item>[];
  readonly #matches: (item: Item, message: Received) => boolean;
  /** All places that the messages so far may have reached: several only where lines are optional or in any order. */
  #places: readonly Place<Item, Received>[];

  /** @param matches must not depend on what was compared before */
  constructor(expected: readonly Expected<Item>[], matches: (item: Item, message: Received) => boolean) {
    this.#expected = expected;
    this.#matches = matches;
    this.#places = this.#withSkipped([{ at: 0 }]);
  }

  get state(): ProgressState {
    if (this.#places.length === 0) return 'astray';
    const end = this.#expected.length;
    if (!this.#places.some(({ at }) => at === end)) return 'incomplete';
    return this.#places.every((place) => this.#expectsNothing(place)) ? 'complete' : 'sufficient';
  }

  /** How many of the expected lines are behind, also within a set. It grows with every message that a line expects. */
  get position(): number {
    return Math.max(-1, ...this.#places.map(({ at, set }) => at + (set ? set.length / (set.length + 1) : 0)));
  }

  /** The next message. */
  accept(message: Received): void {
    this.#places = this.#withSkipped(this.#places.flatMap((place) => this.#after(place, message)));
  }

  #after({ at, set }: Place<Item, Received>, message: Received): Place<Item, Received>[] {
    const one = this.#expected[at];
    if (!one) return [];
    if (one.kind === 'message') return this.#matches(one.item, message) ? [{ at: at + 1 }] : [];
    if (one.kind === 'any') {
      const leaves = itemsAfter(this.#expected, at).some((item) => this.#matches(item, message));
      return leaves ? [] : [{ at }];
    }
    const taken = set ?? new UnorderedMatching<Item, Received>(one.items, this.#matches);
    return taken.add(message) ? [{ at, set: taken }] : [];
  }

  /** The places, and those after lines that need no message. */
  #withSkipped(places: readonly Place<Item, Received>[]): Place<Item, Received>[] {
    const found: Place<Item, Received>[] = [];
    const seen = new Set<number>();
    const open = [...places];
    for (let place = open.shift(); place && found.length < maxPlaces; place = open.shift()) {
      if (!place.set && seen.has(place.at)) continue;
      if (!place.set) seen.add(place.at);
      found.push(place);
      if (this.#mayEnd(place)) open.push({ at: place.at + 1 });
    }
    return found;
  }

  #mayEnd({ at, set }: Place<Item, Received>): boolean {
    const one = this.#expected[at];
    if (!one) return false;
    if (one.kind === 'message') return one.isOptional;
    if (one.kind === 'any') return true;
    return set ? set.missing === 0 : one.items.every(({ isOptional }) => isOptional);
  }

  /** Whether no particular message may follow. */
  #expectsNothing({ at, set }: Place<Item, Received>): boolean {
    const one = this.#expected[at];
    if (!one) return true;
    // What follows has a place of its own.
    if (one.kind === 'any') return true;
    return one.kind === 'unordered' && set !== undefined && set.length === one.items.length;
  }
}
