/**
 * Which expected lines and received messages belong together, at the lowest number of differences.
 *
 *     expected   a   b   c       d
 *     received   a   x   c   y   d      two differences: x instead of b, y is unexpected
 *
 * A missing line, an unexpected message, and a message instead of another are one difference each. It is the edit distance of
 * Levenshtein, with optional lines, wildcards and unordered sets; the search is Dijkstra's over pairs of positions, which
 * takes time in proportion to the messages and the number of differences.
 */
import { type UnorderedItem, UnorderedMatching } from './unordered.ts';

/** What is expected at one place. `item` is whatever the caller knows it by. */
export type Expected<Item> =
  | { readonly kind: 'message'; readonly item: Item; readonly isOptional: boolean }
  /** Any messages, also none, up to the first that matches the next expected one. */
  | { readonly kind: 'any'; readonly item: Item }
  /** Messages in any order. */
  | { readonly kind: 'unordered'; readonly items: readonly UnorderedItem<Item>[] };

/** One step of an alignment. Steps are in the order of both sides. */
export type Aligned<Item, Received> =
  /** A message as expected. */
  | { readonly kind: 'matched'; readonly item: Item; readonly message: Received }
  /** A message that a wildcard took. */
  | { readonly kind: 'absorbed'; readonly item: Item; readonly message: Received }
  /** A message instead of the expected one. */
  | { readonly kind: 'replaced'; readonly item: Item; readonly message: Received }
  | { readonly kind: 'missing'; readonly item: Item }
  | { readonly kind: 'unexpected'; readonly message: Received }
  /** An optional message that did not come. */
  | { readonly kind: 'absent'; readonly item: Item };

/** How {@link align} compares. */
export interface Comparison<Item, Received> {
  /** Whether a message is as expected. It must not depend on what was compared before. */
  readonly matches: (item: Item, message: Received) => boolean;
  /** Whether a message may be instead of the expected one. Default: always. */
  readonly mayReplace?: ((item: Item, message: Received) => boolean) | undefined;
  /**
   * How alike a message and the expected one are, from 0 to 1. Where a line more or less leaves it open which messages came
   * instead of which lines, those that are most alike are paired. Default: in order.
   */
  readonly similarity?: ((item: Item, message: Received) => number) | undefined;
  /** Whether a wildcard ends at the first message that matches what follows, also where that costs more. Default false. */
  readonly endsWildcards?: boolean | undefined;
}

/**
 * Aligns messages with what was expected. The result has the lowest number of differences unless there are very many: then
 * parts of it are aligned one after the other, so that neither time nor memory grows with the square of the messages.
 */
export function align<Item, Received>(
  expected: readonly Expected<Item>[],
  received: readonly Received[],
  comparison: Comparison<Item, Received>,
): Aligned<Item, Received>[] {
  const { matches } = comparison;
  const kept = tailLength(expected, received, matches);
  const search = new Search(expected, expected.length - kept, received, received.length - kept, comparison);
  const steps = search.run();
  for (let rest = kept; rest > 0; rest--) {
    const last = expected[expected.length - rest] as Expected<Item> & { readonly kind: 'message' };
    steps.push({ kind: 'matched', item: last.item, message: received[received.length - rest] as Received });
  }
  return pairedByLikeness(steps, comparison);
}

/** The number of differences in an alignment. */
export function costOf(steps: readonly Aligned<unknown, unknown>[]): number {
  return steps.filter(({ kind }) => isDifference(kind)).length;
}

function isDifference(kind: Aligned<unknown, unknown>['kind']): boolean {
  return kind === 'replaced' || kind === 'missing' || kind === 'unexpected';
}

/**
 * What a wildcard must leave: whatever matches an item up to the next required one.
 *
 * @param index of the wildcard
 */
export function itemsAfter<Item>(expected: readonly Expected<Item>[], index: number): Item[] {
  const found: Item[] = [];
  for (const one of expected.slice(index + 1)) {
    if (one.kind === 'any') continue;
    const items: readonly UnorderedItem<Item>[] = one.kind === 'unordered' ? one.items : [one];
    found.push(...items.map(({ item }) => item));
    if (items.some(({ isOptional }) => !isOptional)) break;
  }
  return found;
}

/**
 * How many required lines at the end certainly belong to the last messages, one by one. The first matches of the beginning
 * have precedence: of two equal messages instead of one, the second is the unexpected one.
 */
function tailLength<Item, Received>(
  expected: readonly Expected<Item>[],
  received: readonly Received[],
  matches: (item: Item, message: Received) => boolean,
): number {
  const isRequired = (index: number) => {
    const one = expected[index];
    return one?.kind === 'message' && !one.isOptional ? one : undefined;
  };
  const fits = (index: number, message: number) => {
    const one = isRequired(index);
    return one !== undefined && matches(one.item, received[message] as Received);
  };
  const limit = Math.min(expected.length, received.length);
  let head = 0;
  while (head < limit && fits(head, head)) head++;
  let tail = 0;
  while (tail < limit - head && fits(expected.length - 1 - tail, received.length - 1 - tail)) tail++;
  // After a wildcard or an optional line, the first match counts, not the last one.
  const first = expected.length - tail;
  return tail > 0 && first > head && !isRequired(first - 1) ? tail - 1 : tail;
}

/** The most states of all searches together, and the fewest of one. A state takes about a hundred bytes. */
const maxStates = 300_000;
const minStates = 10_000;

/** How a state was reached: from which one, and for a set the number of its messages. */
interface Move {
  readonly from: number;
  readonly to: number;
}

/** A search over states: the position in `expected`, and that in `received`, as one number. */
class Search<Item, Received> {
  readonly #expected: readonly Expected<Item>[];
  readonly #ends: number;
  readonly #received: readonly Received[];
  readonly #width: number;
  readonly #matches: (item: Item, message: Received) => boolean;
  readonly #mayReplace: (item: Item, message: Received) => boolean;
  readonly #endsWildcards: boolean;
  readonly #next = new Map<number, readonly Item[]>();
  /** Moves that are not made yet: by their differences so far, and among those by how many lines have another message. */
  #levels: (Move[] | undefined)[][] = [];
  /** For each state that was reached, the one before it. */
  #reached = new Map<number, number>();
  #left = maxStates;

  constructor(
    expected: readonly Expected<Item>[],
    ends: number,
    received: readonly Received[],
    length: number,
    { matches, mayReplace = () => true, endsWildcards = false }: Comparison<Item, Received>,
  ) {
    this.#expected = expected;
    this.#ends = ends;
    this.#received = received;
    this.#width = length + 1;
    this.#matches = matches;
    this.#mayReplace = mayReplace;
    this.#endsWildcards = endsWildcards;
  }

  run(): Aligned<Item, Received>[] {
    const goal = this.#ends * this.#width + this.#width - 1;
    const steps: Aligned<Item, Received>[] = [];
    let state = 0;
    do {
      const end = this.#searchFrom(state, goal);
      for (const step of this.#stepsTo(state, end)) steps.push(step);
      state = end;
    } while (state !== goal);
    return steps;
  }

  /** Resolves with the goal, or with the state that got furthest when the search becomes too expensive. */
  #searchFrom(start: number, goal: number): number {
    const limit = Math.max(minStates, Math.floor(this.#left / 2));
    this.#levels = [[[{ from: start, to: start }]]];
    this.#reached = new Map();
    let furthest = start;
    for (let cost = 0; cost < this.#levels.length; cost++) {
      const level = this.#levels[cost] ?? [];
      for (let pairs = 0; pairs < level.length; pairs++) {
        // It grows while it is read: some moves cost nothing.
        for (const { from, to } of level[pairs] ?? []) {
          if (this.#reached.has(to)) continue;
          this.#reached.set(to, from);
          if (to === goal || (this.#reached.size > limit && furthest !== start)) {
            this.#left -= this.#reached.size;
            return to === goal ? goal : furthest;
          }
          if (this.#progress(to) > this.#progress(furthest)) furthest = to;
          this.#expand(to, cost, pairs);
        }
        // Its memory is no longer needed.
        level[pairs] = undefined;
      }
    }
    return goal;
  }

  #progress(state: number): number {
    return Math.floor(state / this.#width) + (state % this.#width);
  }

  /**
   * Adds the moves from a state. Among alignments with as many differences, those with the most matches are best, then those
   * whose pairs come first.
   */
  #expand(state: number, cost: number, pairs: number): void {
    const at = Math.floor(state / this.#width);
    const next = state % this.#width;
    const hasMessage = next < this.#width - 1;
    const move = (skipped: number, taken: number, more = 0, morePairs = 0) => {
      this.#levels[cost + more] ??= [];
      const level = this.#levels[cost + more] as Move[][];
      level[pairs + morePairs] ??= [];
      level[pairs + morePairs]?.push({ from: state, to: (at + skipped) * this.#width + next + taken });
    };
    const one = at < this.#ends ? this.#expected[at] : undefined;
    if (one?.kind === 'unordered') this.#expandSet(one.items, next, move);
    else if (one?.kind === 'any') {
      const leaves = hasMessage && this.#itemsAfter(at).some((item) => this.#matchesAt(item, next));
      if (hasMessage && !leaves) move(0, 1);
      move(1, 0);
      if (leaves && this.#endsWildcards) return;
    } else if (one) {
      const isMatch = hasMessage && this.#matchesAt(one.item, next);
      if (isMatch) move(1, 1);
      // No alignment without this match is better: whatever else has one of the two could be exchanged for it.
      if (isMatch && !one.isOptional) return;
      // After a wildcard a message is not instead of the line: the wildcard takes it, and the line is missing.
      if (hasMessage && !one.isOptional && this.#expected[at - 1]?.kind !== 'any' && this.#mayReplaceAt(one.item, next))
        move(1, 1, 1, 1);
      if (one.isOptional) move(1, 0);
    }
    if (hasMessage) move(0, 1, 1);
    if (one?.kind === 'message' && !one.isOptional) move(1, 0, 1);
  }

  #expandSet(
    items: readonly UnorderedItem<Item>[],
    next: number,
    move: (skipped: number, taken: number, more: number, morePairs: number) => void,
  ): void {
    const matching = new UnorderedMatching<Item, Received>(items, this.#matches);
    const room = items.length + Math.min(items.length + 8, Math.ceil(50_000 / items.length));
    const most = Math.min(room, this.#width - 1 - next);
    for (let taken = 0; ; taken++) {
      const { missing, unexpected } = matching;
      move(1, taken, Math.max(missing, unexpected), Math.min(missing, unexpected));
      if (taken === most) return;
      matching.add(this.#received[next + taken] as Received);
    }
  }

  #matchesAt(item: Item, index: number): boolean {
    return this.#matches(item, this.#received[index] as Received);
  }

  #mayReplaceAt(item: Item, index: number): boolean {
    return this.#mayReplace(item, this.#received[index] as Received);
  }

  #itemsAfter(at: number): readonly Item[] {
    const known = this.#next.get(at);
    if (known) return known;
    const found = itemsAfter(this.#expected, at);
    this.#next.set(at, found);
    return found;
  }

  #stepsTo(start: number, end: number): Aligned<Item, Received>[] {
    const path = [end];
    for (let state = end; state !== start; ) {
      state = this.#reached.get(state) as number;
      path.push(state);
    }
    path.reverse();
    return path.slice(1).flatMap((to, index) => this.#stepsOf(path[index] as number, to));
  }

  /** The steps of one move. */
  #stepsOf(from: number, to: number): Aligned<Item, Received>[] {
    const at = Math.floor(from / this.#width);
    const next = from % this.#width;
    const isSkipped = Math.floor(to / this.#width) > at;
    const taken = (to % this.#width) - next;
    const one = this.#expected[at];
    const message = this.#received[next] as Received;
    if (!one || (!isSkipped && one.kind !== 'any')) return [{ kind: 'unexpected', message }];
    if (one.kind === 'unordered')
      return isSkipped ? this.#stepsOfSet(one.items, next, taken) : [{ kind: 'unexpected', message }];
    if (one.kind === 'any') {
      if (isSkipped) return [];
      const leaves = this.#itemsAfter(at).some((item) => this.#matchesAt(item, next));
      return [leaves ? { kind: 'unexpected', message } : { kind: 'absorbed', item: one.item, message }];
    }
    const { item, isOptional } = one;
    if (taken === 0) return [{ kind: isOptional ? 'absent' : 'missing', item }];
    return [{ kind: this.#matchesAt(item, next) ? 'matched' : 'replaced', item, message }];
  }

  /** A set: its messages in the order in which they came, then the items without one. */
  #stepsOfSet(items: readonly UnorderedItem<Item>[], next: number, length: number): Aligned<Item, Received>[] {
    const messages = this.#received.slice(next, next + length);
    const matching = new UnorderedMatching<Item, Received>(items, this.#matches);
    for (const message of messages) matching.add(message);
    const itemOf = new Map(items.map(({ item }, index) => [matching.messageOf(index), item]));
    const without = items.filter((_, index) => matching.messageOf(index) === undefined);
    const missing = without.filter(({ isOptional }) => !isOptional);
    const steps: Aligned<Item, Received>[] = [];
    for (const [index, message] of messages.entries()) {
      const item = itemOf.get(index);
      const replaced = item === undefined ? missing.shift() : undefined;
      if (itemOf.has(index)) steps.push({ kind: 'matched', item: item as Item, message });
      else if (replaced) steps.push({ kind: 'replaced', item: replaced.item, message });
      else steps.push({ kind: 'unexpected', message });
    }
    for (const { item } of missing) steps.push({ kind: 'missing', item });
    for (const { item, isOptional } of without) if (isOptional) steps.push({ kind: 'absent', item });
    return steps;
  }
}

/** The most comparisons to find the pairs that are most alike between two matches. */
const maxLikeness = 10_000;

/** Pairs anew where, between two matches, there are not as many messages as lines. */
function pairedByLikeness<Item, Received>(
  steps: readonly Aligned<Item, Received>[],
  comparison: Comparison<Item, Received>,
): Aligned<Item, Received>[] {
  const result: Aligned<Item, Received>[] = [];
  for (let at = 0; at < steps.length; ) {
    let end = at;
    while (end < steps.length && isDifference((steps[end] as Aligned<Item, Received>).kind)) end++;
    const run = steps.slice(at, end);
    const items = run.flatMap((step) => ('item' in step ? [step.item] : []));
    const messages = run.flatMap((step) => ('message' in step ? [step.message] : []));
    const isOpen = items.length !== messages.length && items.length > 0 && messages.length > 0;
    if (isOpen && items.length * messages.length <= maxLikeness) result.push(...mostAlike(items, messages, comparison));
    else result.push(...run);
    const following = steps[end];
    if (following) result.push(following);
    at = end + 1;
  }
  return result;
}

/** As many pairs as possible, in order, with the highest sum of similarities. */
function mostAlike<Item, Received>(
  items: readonly Item[],
  messages: readonly Received[],
  { similarity = () => 0, mayReplace = () => true }: Comparison<Item, Received>,
): Aligned<Item, Received>[] {
  // best[i][j]: of the items from i and the messages from j. A pair counts more than any likeness.
  const best = Array.from({ length: items.length + 1 }, () => new Float64Array(messages.length + 1));
  const at = (i: number, j: number) => best[i]?.[j] ?? 0;
  const worth = items.map((item) =>
    messages.map((message) =>
      mayReplace(item, message) ? items.length + messages.length + similarity(item, message) : -1,
    ),
  );
  const pair = (i: number, j: number) => (worth[i]?.[j] ?? 0) + at(i + 1, j + 1);
  for (let i = items.length - 1; i >= 0; i--)
    for (let j = messages.length - 1; j >= 0; j--)
      (best[i] as Float64Array)[j] = Math.max(pair(i, j), at(i + 1, j), at(i, j + 1));
  const steps: Aligned<Item, Received>[] = [];
  let [i, j] = [0, 0];
  while (i < items.length || j < messages.length) {
    const item = items[i] as Item;
    const message = messages[j] as Received;
    if (i < items.length && j < messages.length && at(i, j) === pair(i, j) && mayReplace(item, message)) {
      steps.push({ kind: 'replaced', item, message });
      i++;
      j++;
    } else if (j < messages.length && (i === items.length || at(i, j) === at(i, j + 1))) {
      steps.push({ kind: 'unexpected', message });
      j++;
    } else {
      steps.push({ kind: 'missing', item });
      i++;
    }
  }
  return steps;
}
