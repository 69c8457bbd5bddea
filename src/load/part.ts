/** What a run of several processes is made of. */
import type { YodelError } from '../errors.ts';
import type { GeneratorEnd } from './generator.ts';

/** One process's part of a run: this process's own, or another one that is told by messages. */
export interface Part {
  /** Makes the connections. Resolves with the first failure when there is not a single one. */
  open(): Promise<YodelError | undefined>;
  /** Sends from then on, in milliseconds since 1970. */
  run(startAt: number): void;
  /** Resolves when all is over. */
  readonly ended: Promise<GeneratorEnd>;
  /** Ends at once. */
  stop(): void;
}
