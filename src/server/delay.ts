/** A pause before a server drains. */
import type { Clock } from '../clock.ts';

/** A wait that can be cut short. */
export interface Delay {
  readonly over: Promise<void>;
  skip(): void;
}

/** Starts one. */
export function startDelay(clock: Clock, ms: number): Delay {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(ms, resolve);
  return {
    over: promise,
    skip() {
      timer.cancel();
      resolve();
    },
  };
}
