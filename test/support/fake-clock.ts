/** Time that a test turns by hand. */
import type { Clock } from '../../src/session/clock.ts';

/** A clock that stands still until `advance`. */
export class FakeClock implements Clock {
  #now = 1_000_000;
  #timers: { at: number; run: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  /** Timers that have been set and have not gone off. */
  get waiting(): number {
    return this.#timers.length;
  }

  after(delayMs: number, run: () => void): { cancel(): void } {
    const timer = { at: this.#now + delayMs, run };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((one) => one !== timer);
      },
    };
  }

  soon(run: () => void): void {
    setImmediate(run);
  }

  /** Lets this much time pass; what falls due meanwhile happens at its time, in order. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await settled();
    for (;;) {
      const next = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#now = Math.max(this.#now, next.at);
      this.#timers = this.#timers.filter((timer) => timer !== next);
      next.run();
      await settled();
    }
    this.#now = end;
    await settled();
  }
}

/** Resolves when everything that is ready in this process has happened: microtasks and immediates, several rounds of them. */
export async function settled(): Promise<void> {
  for (let round = 0; round < 8; round++) await new Promise((resolve) => setImmediate(resolve));
}
