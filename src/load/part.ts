import type { YodelError } from '../errors.ts';
import type { GeneratorEnd } from './generator.ts';

/** One process's part of a run: in this process, or in another one controlled by messages. */
export interface Part {
  /** Opens the connections. Resolves with the first error when every attempt failed. */
  open(): Promise<YodelError | undefined>;
  /** Starts sending at `startAt`, in milliseconds since 1970. */
  run(startAt: number): void;
  /** Resolves at the end of the run. */
  readonly ended: Promise<GeneratorEnd>;
  /** Ends at once. */
  stop(): void;
}
