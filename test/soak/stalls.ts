/** Notices when this process did not run for a second: then its clients were late, not the server. */
export class Stalls {
  readonly #timer: NodeJS.Timeout;
  #last = performance.now();
  #stalledAt = Number.NEGATIVE_INFINITY;

  constructor() {
    this.#timer = setInterval(() => this.#look(), 50);
  }

  /** Whether it stalled after this time of `performance.now()`. */
  since(time: number): boolean {
    this.#look();
    return this.#stalledAt >= time;
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#last > 1000) this.#stalledAt = now;
    this.#last = now;
  }
}
