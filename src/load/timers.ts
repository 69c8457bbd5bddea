/** Timers that end together. */
export class Timers {
  readonly #waiting = new Set<NodeJS.Timeout>();
  #isOver = false;

  /** Calls `run` once after `delayMs`, unless all is over by then. */
  after(delayMs: number, run: () => void): void {
    if (this.#isOver) return;
    const timer = setTimeout(
      () => {
        this.#waiting.delete(timer);
        run();
      },
      Math.max(0, delayMs),
    );
    this.#waiting.add(timer);
  }

  /** From now on none goes off. */
  end(): void {
    this.#isOver = true;
    for (const timer of this.#waiting) clearTimeout(timer);
    this.#waiting.clear();
  }
}
