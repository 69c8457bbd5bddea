/**
 * The expected messages of one client between two things that it does: they are received together, then aligned. So a message
 * more or less is one difference, and does not shift what follows.
 */
import { type Aligned, align, costOf, type Expected } from '../align.ts';
import type { Absent, Arrival, Player } from '../player.ts';
import { Progress } from '../progress.ts';
import type { UnorderedItem } from '../unordered.ts';
import { type ExpectedLine, likeness, mayMatch, mayReplace } from './expected-line.ts';
import type { Pace } from './pace.ts';

/** How long to wait. In milliseconds. */
export interface Patience {
  /** For each expected message. */
  readonly timeoutMs: number;
  /** After the last expected message, for others that are not expected. */
  readonly settleMs: number;
  readonly pace: Pace;
}

/** What became of the lines of a group. */
export interface Settled {
  readonly steps: readonly Aligned<ExpectedLine, Arrival>[];
  /** Why the wait ended before every line had its message. */
  readonly absent: Absent | undefined;
  /** Lines at the end that stay open for later messages: wildcards, and optional lines that had none. */
  readonly open: readonly Expected<ExpectedLine>[];
  /** The messages from the first one on that a line after the group expects. */
  readonly early: readonly Arrival[];
}

/** The lines after a group that the client receives before it does anything else. */
export type Following = () => readonly UnorderedItem<ExpectedLine>[];

const comparison = { matches: mayMatch, mayReplace, similarity: likeness };

/** More messages than this that are not as expected end a group: the server may never be quiet. */
const maxAstray = 10_000;

/** More messages than this where the server is expected to end are not waited for. */
export const maxBeforeEnd = 100;

/** Optional messages are waited for this long if they are the last ones, in milliseconds. Later ones are found later. */
const optionalMs = 100;

/** Receives the messages of a group and aligns them. */
export async function settleGroup(
  expected: readonly Expected<ExpectedLine>[],
  player: Player,
  patience: Patience,
  following: Following = () => [],
): Promise<Settled> {
  const group = new Group(expected, player, patience);
  const absent = await group.receive();
  const found = settled(expected, group.received, absent);
  return costOf(found.steps) === 0 ? found : withoutEarly(found, expected, group.received, following());
}

/**
 * Leaves the messages of the lines that follow: one that came with those of the group is neither instead of one of its lines
 * nor unexpected. As long as all messages are as expected, none is received too early.
 */
function withoutEarly(
  found: Settled,
  expected: readonly Expected<ExpectedLine>[],
  received: readonly Arrival[],
  following: readonly UnorderedItem<ExpectedLine>[],
): Settled {
  const later = new Set(following.map(({ item }) => item));
  const steps = align(
    [...expected, ...following.map((line) => ({ kind: 'message', ...line }) as const)],
    received,
    comparison,
  );
  const first = steps.find((step) => step.kind === 'matched' && later.has(step.item));
  if (!first || !('message' in first)) return found;
  const at = received.indexOf(first.message);
  return { ...settled(expected, received.slice(0, at), found.absent), early: received.slice(at) };
}

/** Aligns messages without waiting for more. */
export function settled(
  expected: readonly Expected<ExpectedLine>[],
  received: readonly Arrival[],
  absent?: Absent,
): Settled {
  const steps = align(expected, received, comparison);
  return { steps, absent, open: openOf(expected, steps), early: [] };
}

function openOf(
  expected: readonly Expected<ExpectedLine>[],
  steps: readonly Aligned<ExpectedLine, Arrival>[],
): Expected<ExpectedLine>[] {
  const absent = new Set(steps.flatMap((step) => (step.kind === 'absent' ? [step.item] : [])));
  const staysOpen = (one: Expected<ExpectedLine>) =>
    one.kind === 'any' ||
    (one.kind === 'message' ? absent.has(one.item) : one.items.every(({ item }) => absent.has(item)));
  const last = expected.findLastIndex((one) => !staysOpen(one));
  return expected.slice(last + 1);
}

class Group {
  readonly received: Arrival[] = [];
  readonly #expected: readonly Expected<ExpectedLine>[];
  readonly #player: Player;
  readonly #patience: Patience;
  readonly #progress: Progress<ExpectedLine, Arrival>;
  readonly #required: number;
  #deadline: number;
  /** The lowest number of differences so far, once messages were not as expected. */
  #fewest = Number.POSITIVE_INFINITY;

  constructor(expected: readonly Expected<ExpectedLine>[], player: Player, patience: Patience) {
    this.#expected = expected;
    this.#player = player;
    this.#patience = patience;
    this.#progress = new Progress(expected, mayMatch);
    this.#required = expected.reduce((sum, one) => sum + requiredIn(one), 0);
    this.#deadline = performance.now() + patience.timeoutMs;
  }

  /** Receives until the group is complete, as far as can be known. Returns why there is not more. */
  async receive(): Promise<Absent | undefined> {
    const absent = await this.#receiveExpected();
    if (absent || this.#patience.settleMs === 0) return absent;
    while (this.received.length < maxAstray) {
      const arrived = await this.#player.next(this.#patience.settleMs);
      if (!('message' in arrived)) break;
      this.received.push(arrived);
    }
    return undefined;
  }

  async #receiveExpected(): Promise<Absent | undefined> {
    const { pace } = this.#patience;
    let wasQuiet = false;
    for (;;) {
      const { state, position } = this.#progress;
      const left = this.#deadline - performance.now();
      if (state === 'complete') return undefined;
      if (state === 'astray' && this.received.length > this.#required + maxAstray) return undefined;
      const began = performance.now();
      const arrived = await this.#player.next(this.#waitFor(state, left, wasQuiet));
      if ('message' in arrived) {
        this.received.push(arrived);
        this.#progress.accept(arrived);
        wasQuiet = false;
        if (this.#progress.position > position) {
          pace.waited(performance.now() - began);
          this.#deadline = performance.now() + this.#patience.timeoutMs;
        }
        continue;
      }
      if (state === 'sufficient') return undefined;
      if (arrived.absent !== 'timeout') return arrived;
      if (state === 'astray' && !wasQuiet && this.#isWhole()) return undefined;
      wasQuiet = true;
      if (this.#deadline <= performance.now()) return arrived;
    }
  }

  #waitFor(state: string, left: number, wasQuiet: boolean): number {
    if (state === 'sufficient') return Math.min(left, optionalMs);
    return state === 'astray' && !wasQuiet ? Math.min(left, this.#patience.pace.quietMs) : left;
  }

  /**
   * Whether, after a quiet time, nothing more is likely to come: the last line has its message, or there are as many messages
   * as lines since the last request.
   */
  #isWhole(): boolean {
    const last = this.#expected.flatMap(linesOf).at(-1);
    if (last && this.received.filter((arrival) => mayReplace(last, arrival)).length >= this.#required) return true;
    const steps = align(this.#expected, this.received, comparison);
    const cost = costOf(steps);
    if (cost < this.#fewest) this.#deadline = performance.now() + this.#patience.timeoutMs;
    this.#fewest = Math.min(this.#fewest, cost);
    return steps.findLast(({ kind }) => kind === 'matched' || kind === 'missing')?.kind === 'matched';
  }
}

/** The lines of an expected item. */
export function linesOf(one: Expected<ExpectedLine>): ExpectedLine[] {
  return one.kind === 'unordered' ? one.items.map(({ item }) => item) : [one.item];
}

function requiredIn(one: Expected<ExpectedLine>): number {
  if (one.kind === 'any') return 0;
  if (one.kind === 'message') return one.isOptional ? 0 : 1;
  return one.items.filter(({ isOptional }) => !isOptional).length;
}
