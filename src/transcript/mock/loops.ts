/** Decides how often a `@repeat` without a count is played: as long as clients send what its first line expects. */
import type { MessageStep, StepOf } from '../transcript.ts';
import type { MockClient } from './client.ts';
import { type Comparison, type Fit, fitOf } from './fit.ts';
import { firstLinesOf } from './lookahead.ts';

/** Plays a round, goes on after the block, or waits for a client. */
export type LoopChoice = 'enter' | 'leave' | 'waits';

type Loop = StepOf<'repeat'>;

export class Loops {
  readonly #clientNamed: (name: string) => MockClient | undefined;
  readonly #firstLines = new Map<Loop, readonly MessageStep[]>();
  /** The rounds of each loop since it was last left. */
  readonly #rounds = new Map<Loop, number>();

  /** @param clientNamed the current connection of a client */
  constructor(clientNamed: (name: string) => MockClient | undefined) {
    this.#clientNamed = clientNamed;
  }

  /** The choice before a round of a loop. */
  choose(loop: Loop, comparison: Comparison): LoopChoice {
    const choice = this.#choice(loop, comparison);
    if (choice === 'enter') this.#rounds.set(loop, this.#roundsOf(loop) + 1);
    if (choice === 'leave') this.#rounds.delete(loop);
    return choice;
  }

  #choice(loop: Loop, comparison: Comparison): LoopChoice {
    const lines = this.#linesOf(loop);
    // Without a line of a client nothing ends the loop.
    if (lines.length === 0) return this.#roundsOf(loop) === 0 ? 'enter' : 'leave';
    const found = lines.map((line) => this.#fitOf(line, loop, comparison));
    if (found.includes('met')) return 'enter';
    return found.includes('more') || found.includes(undefined) ? 'waits' : 'leave';
  }

  /** Whether the next message of its client is this line. Undefined while that has sent nothing. */
  #fitOf(line: MessageStep, loop: Loop, comparison: Comparison): Fit | undefined {
    const client = this.#clientNamed(line.client);
    if (!client) return undefined;
    if (client.isLost || client.isDone) return 'different';
    // The round forgets the names of the one before.
    const values = comparison.values.fork();
    values.beginRound(loop, this.#roundsOf(loop) + 1);
    return fitOf(line, client, { ...comparison, values });
  }

  #roundsOf(loop: Loop): number {
    return this.#rounds.get(loop) ?? 0;
  }

  #linesOf(loop: Loop): readonly MessageStep[] {
    const known = this.#firstLines.get(loop);
    const lines = known ?? firstLinesOf(loop.steps);
    if (!known) this.#firstLines.set(loop, lines);
    return lines;
  }
}
