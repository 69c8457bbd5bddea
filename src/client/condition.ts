import { type Clock, realClock } from '../clock.ts';
import { longestDuration } from '../options.ts';

/**
 * A condition variable: waits until a predicate is true for a state that events change. The owner of the state calls
 * {@link notify} after each change.
 */
export class Condition {
  readonly #checks = new Set<() => void>();
  readonly #clock: Clock;

  constructor(clock: Clock = realClock) {
    this.#clock = clock;
  }

  /**
   * Resolves with true as soon as `isMet()` returns true, or with false if it does not within `timeoutMs` milliseconds.
   *
   * @param timeoutMs default: no limit; 0 or less only checks the current state
   */
  until(isMet: () => boolean, timeoutMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    if (isMet()) return Promise.resolve(true);
    if (timeoutMs <= 0) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (wasMet: boolean) => {
        timer?.cancel();
        this.#checks.delete(check);
        resolve(wasMet);
      };
      const check = () => {
        if (isMet()) settle(true);
      };
      const isLimited = timeoutMs < Number.POSITIVE_INFINITY;
      const timer = isLimited
        ? this.#clock.deadline(Math.min(timeoutMs, longestDuration), () => settle(isMet()))
        : undefined;
      this.#checks.add(check);
    });
  }

  /** The state has changed. */
  notify(): void {
    for (const check of this.#checks) check();
  }
}
