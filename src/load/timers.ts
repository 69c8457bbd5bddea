/** Timers that are cancelled together. */
export class Timers {
  readonly #pending = new Set<NodeJS.Timeout>();
  #isOver = false;

  /** Calls `run` once after `delayMs`, unless {@link end} is called first. */
  after(delayMs: number, run: () => void): void {
    if (this.#isOver) return;
    const timer = setTimeout(
      () => {
        this.#pending.delete(timer);
        run();
      },
      Math.max(0, delayMs),
    );
    this.#pending.add(timer);
  }

  /** Cancels all timers, and any set later. */
  end(): void {
    this.#isOver = true;
    for (const timer of this.#pending) clearTimeout(timer);
    this.#pending.clear();
  }
}
