import { longestDuration } from '../options.ts';

/**
 * A condition variable: waits until something holds for a state that events change. The owner of the state calls
 * {@link notify} after each change.
 */
export class Condition {
  readonly #checks = new Set<() => void>();

  /**
   * Resolves with true as soon as `holds()` does, or with false when it does not within `timeoutMs` milliseconds.
   *
   * @param timeoutMs default: no limit; 0 or less only looks at the present state
   */
  until(holds: () => boolean, timeoutMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    if (holds()) return Promise.resolve(true);
    if (timeoutMs <= 0) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (held: boolean) => {
        clearTimeout(timer);
        this.#checks.delete(check);
        resolve(held);
      };
      const check = () => {
        if (holds()) settle(true);
      };
      const isLimited = timeoutMs < Number.POSITIVE_INFINITY;
      const timer = isLimited ? setTimeout(() => settle(holds()), Math.min(timeoutMs, longestDuration)) : undefined;
      this.#checks.add(check);
    });
  }

  /** The state has changed. */
  notify(): void {
    for (const check of this.#checks) check();
  }
}
