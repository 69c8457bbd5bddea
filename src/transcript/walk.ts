/**
 * The order in which the steps of a transcript are played. `@repeat` is played here and nowhere else: the same block means the
 * same in check, mock, replay and bench.
 *
 *     const walk = new Walk(transcript.steps);
 *     for (let step = walk.step; step; step = walk.next())
 *       if (!changeValues(step, values)) await play(step);
 */
import { allNamesIn, bytesOf, hasRandom } from './content.ts';
import type { Place, Step, StepOf, Transcript } from './transcript.ts';
import type { Values } from './values.ts';

/** A round of a loop begins. Names that got their first value in an earlier round are forgotten. */
export interface RoundStep {
  readonly kind: 'round';
  readonly line: number;
  readonly file?: string | undefined;
  readonly loop: StepOf<'repeat'>;
  /** From 1. */
  readonly round: number;
}

/** What a walk comes to. A `repeat` only if it has no count and the player decides: see {@link WalkOptions}. */
export type WalkedStep = Step | RoundStep;

/** Options of a {@link Walk}. */
export interface WalkOptions {
  /**
   * Whether the walk stops before each round of a `@repeat` without a count, also the first, so that the player decides:
   * {@link Walk.enter} or {@link Walk.leave}. Default: no; such a block is played once.
   */
  readonly asks?: boolean | undefined;
}

/** Steps in a block, or in the whole transcript. */
interface Level {
  readonly steps: readonly Step[];
  readonly loop: StepOf<'repeat'> | undefined;
  at: number;
  /** Of a loop: the number of the current round, 0 before the first. */
  round: number;
}

/** A place in the steps of a transcript. */
export class Walk {
  readonly #levels: Level[];
  readonly #asks: boolean;
  #step: WalkedStep | undefined;

  constructor(steps: readonly Step[], { asks = false }: WalkOptions = {}) {
    this.#levels = [{ steps, loop: undefined, at: -1, round: 0 }];
    this.#asks = asks;
    this.next();
  }

  /** The current step; undefined at the end. */
  get step(): WalkedStep | undefined {
    return this.#step;
  }

  /** Goes to the next step, and returns it. Past a `repeat` it means {@link leave}. */
  next(): WalkedStep | undefined {
    if (this.#step?.kind === 'repeat') return this.leave();
    const level = this.#levels.at(-1) as Level;
    level.at++;
    return this.#settle();
  }

  /** Enters the block before which the walk has stopped, and returns its `round`. */
  enter(): WalkedStep | undefined {
    return this.#step?.kind === 'repeat' ? this.#beginRound() : this.#step;
  }

  /** Leaves the block before which the walk has stopped, and returns the step after it. */
  leave(): WalkedStep | undefined {
    if (this.#step?.kind !== 'repeat') return this.#step;
    return this.#pop();
  }

  /** Finds the step at the current place, which may be at the end of a block or on a block. */
  #settle(): WalkedStep | undefined {
    const level = this.#levels.at(-1) as Level;
    const step = level.steps[level.at];
    if (step?.kind === 'repeat') {
      this.#levels.push({ steps: step.steps, loop: step, at: -1, round: 0 });
      return this.#atRound(step);
    }
    if (step || !level.loop) {
      this.#step = step;
      return step;
    }
    return this.#atRound(level.loop);
  }

  /** Between two rounds of a loop, before the first, or after the last. */
  #atRound(loop: StepOf<'repeat'>): WalkedStep | undefined {
    const { round } = this.#levels.at(-1) as Level;
    if (loop.count === undefined && this.#asks) {
      this.#step = loop;
      return loop;
    }
    return round < (loop.count ?? 1) ? this.#beginRound() : this.#pop();
  }

  #beginRound(): WalkedStep {
    const level = this.#levels.at(-1) as Level;
    const loop = level.loop as StepOf<'repeat'>;
    level.round++;
    level.at = -1;
    this.#step = { kind: 'round', line: loop.line, file: loop.file, loop, round: level.round };
    return this.#step;
  }

  #pop(): WalkedStep | undefined {
    this.#levels.pop();
    this.#step = undefined;
    return this.next();
  }
}

/** All steps in the order in which they are played; a block without a count once. */
export function* walked(steps: readonly Step[]): Generator<WalkedStep> {
  const walk = new Walk(steps);
  for (let step = walk.step; step; step = walk.next()) yield step;
}

/**
 * Performs a step that changes values and nothing else: `set`, `ignore` and `round`. Returns whether it was one. Steps before
 * it must have been played.
 *
 * @throws YodelError `YODEL_INVALID_TRANSCRIPT` if a value of `@set` cannot be computed
 */
export function changeValues(step: WalkedStep, values: Values): boolean {
  switch (step.kind) {
    case 'set':
      if (!values.isGiven(step.name)) setValue(step, values);
      return true;
    case 'ignore':
      values.ignore(step.paths);
      return true;
    case 'round':
      values.beginRound(step.loop, step.round);
      if (step.loop.name !== undefined) values.set(step.loop.name, Buffer.from(String(step.round)));
      return true;
    default:
      return false;
  }
}

function setValue({ name, value: content }: StepOf<'set'>, values: Values): void {
  const from = allNamesIn(content).filter((one) => values.hasOffer(one));
  const isRandom = from.length > 0 || hasRandom(content, values);
  // A copy keeps the offers that the value is made from.
  const value = bytesOf(content, isRandom ? values.fork() : values);
  // Then a message that uses the name says what is missing.
  if (!value) values.delete(name);
  else if (isRandom) values.offer(name, value, from);
  else values.set(name, value);
}

/** The line of a step, or of another place. */
export function lineOf({ file: own, lines, included }: Transcript, { file, line }: Place): string {
  return (file === undefined || file === own ? lines : included.get(file))?.[line - 1] ?? '';
}

/** All steps as written: blocks, and the steps in them. */
export function* stepsIn({ steps }: Pick<Transcript, 'steps'>): Generator<Step> {
  for (const step of steps) {
    yield step;
    if (step.kind === 'repeat' || step.kind === 'unordered') yield* stepsIn(step);
  }
}
