/** What follows in a transcript, as far as a mock must know it before it is played. */
import type { MessageStep, Step, StepOf, Transcript } from '../transcript.ts';
import { stepsIn, type WalkedStep } from '../walk.ts';

/** The lines of clients with which steps may begin: optional ones, and the first required one. Lines of the server may precede them. */
export function firstLinesOf(steps: readonly Step[]): MessageStep[] {
  const found: MessageStep[] = [];
  for (const step of steps) {
    const lines = linesOf(step);
    found.push(...lines);
    const mayBeAbsent = step.kind === 'repeat' && step.count === undefined;
    if (!mayBeAbsent && lines.some(({ isOptional }) => !isOptional)) break;
  }
  return found;
}

function linesOf(step: Step): readonly MessageStep[] {
  if (step.kind === 'message') return step.side === '>' ? [step] : [];
  if (step.kind === 'unordered') return step.steps.filter(({ side }) => side === '>');
  return step.kind === 'repeat' ? firstLinesOf(step.steps) : [];
}

/** Looks ahead in a transcript. */
export class Lookahead {
  readonly #steps: readonly Step[];
  /** For each step, also in blocks: the index of the step of the transcript that it is, or is in. */
  readonly #indexes = new Map<Step, number>();
  /** For each client: the index of the last step in which the server sends to it or ends its connection. */
  readonly #lastServed = new Map<string, number>();
  /** Optional lines at which the mock waits until the client sends something. */
  readonly #awaited = new Set<Step>();

  constructor({ steps }: Transcript) {
    this.#steps = steps;
    for (const [index, step] of steps.entries()) {
      for (const inner of stepsIn({ steps: [step] })) {
        this.#indexes.set(inner, index);
        const served = inner.kind === 'closed' || (inner.kind === 'message' && inner.side === '<');
        if (served) this.#lastServed.set(inner.client, index);
      }
    }
    this.#findAwaited(steps);
  }

  /** Whether the server still has to do something for a client when it waits at a step. */
  hasMore(client: string, at: WalkedStep): boolean {
    return (this.#lastServed.get(client) ?? -1) >= this.#indexOf(at);
  }

  /**
   * Whether an optional line waits until the client sends something or ends. If the server's next line must be sent anyway, it does
   * not: the client may wait for that.
   */
  waitsAt(step: MessageStep): boolean {
    return this.#awaited.has(step);
  }

  /** The first thing that a client must do at a step or after it. */
  nextDue(at: WalkedStep): MessageStep | StepOf<'close'> | undefined {
    return firstDue(this.#steps.slice(this.#indexOf(at)));
  }

  /** Whether nothing has to happen at a step or after it. */
  isOptionalFrom(at: WalkedStep): boolean {
    const from = at.kind === 'round' ? -1 : this.#steps.indexOf(at);
    return from !== -1 && this.#steps.slice(from).every(isOptional);
  }

  #indexOf(step: WalkedStep): number {
    return this.#indexes.get(step.kind === 'round' ? step.loop : step) ?? 0;
  }

  #findAwaited(steps: readonly Step[]): void {
    for (const [index, step] of steps.entries()) {
      if (step.kind === 'repeat') this.#findAwaited(step.steps);
      if (step.kind !== 'message' || step.side !== '>' || !step.isOptional) continue;
      if (!isServedNext(steps.slice(index + 1), step.client)) this.#awaited.add(step);
    }
  }
}

/** Whether the server must send something to a client before that must send something. */
function isServedNext(steps: readonly Step[], client: string): boolean {
  for (const step of stepsIn({ steps })) {
    if (!('client' in step) || step.client !== client || step.kind === 'any') continue;
    if (step.kind !== 'message') return step.kind === 'closed';
    if (!step.isOptional) return step.side === '<';
  }
  return false;
}

/** Whether a step may be left out. */
function isOptional(step: Step): boolean {
  if (step.kind === 'message') return step.isOptional;
  if (step.kind === 'unordered') return step.steps.every(isOptional);
  if (step.kind === 'repeat') return step.count === undefined || step.steps.every(isOptional);
  return step.kind === 'any' || !('client' in step);
}

/** A loop without a count may have no round. */
function firstDue(steps: readonly Step[]): MessageStep | StepOf<'close'> | undefined {
  for (const step of steps) {
    if (step.kind === 'close') return step;
    const mayBeAbsent = step.kind === 'repeat' && step.count === undefined;
    const found = mayBeAbsent ? undefined : linesOf(step).find(({ isOptional }) => !isOptional);
    if (found) return found;
  }
  return undefined;
}
