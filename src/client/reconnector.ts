import type { Clock } from '../clock.ts';
import { isYodelError, YodelError } from '../errors.ts';
import type { ReconnectLimits } from '../options.ts';

/**
 * The reconnect loop: waits, tries to connect, and doubles the delay after each attempt, from `minDelay` up to `maxDelay`.
 *
 * Attempts count until {@link reset}: a server that accepts connections and closes them without a message counts as
 * failing, because it would otherwise be retried without any delay.
 */
export class Reconnector {
  readonly #limits: ReconnectLimits;
  readonly #clock: Clock;
  #attempts = 0;
  #isImmediate = false;
  #isCancelled = false;
  #interrupt: (() => void) | undefined;

  constructor(limits: ReconnectLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Whether `maxAttempts` attempts were made. */
  get isExhausted(): boolean {
    const { maxAttempts } = this.#limits;
    return maxAttempts > 0 && this.#attempts >= maxAttempts;
  }

  /** The connection works: the next loss starts at `minDelay` again. */
  reset(): void {
    this.#attempts = 0;
  }

  /** Skips the current or next delay, and aborts the attempt in flight. */
  retryNow(): void {
    this.#attempts = 0;
    this.#isImmediate = true;
    this.#interrupt?.();
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#interrupt?.();
  }

  /**
   * Tries until it succeeds. Resolves with undefined if it was cancelled or no attempts are left.
   *
   * @param open connects; must reject when the signal is aborted
   * @param failed receives the error of each failed attempt
   */
  async connect<Connected>(
    open: (signal: AbortSignal) => Promise<Connected>,
    failed: (error: YodelError) => void,
  ): Promise<Connected | undefined> {
    while (!this.#isCancelled && !this.isExhausted) {
      await this.#delay();
      if (this.#isCancelled) return undefined;
      const aborter = new AbortController();
      this.#interrupt = () => aborter.abort(new YodelError('YODEL_CONNECTION_CLOSED', 'connecting was aborted'));
      try {
        return await open(aborter.signal);
      } catch (error) {
        if (!isYodelError(error)) throw error;
        failed(error);
      } finally {
        this.#interrupt = undefined;
      }
    }
    return undefined;
  }

  async #delay(): Promise<void> {
    const delay = Math.min(this.#limits.maxDelay, this.#limits.minDelay * 2 ** this.#attempts);
    this.#attempts++;
    if (!this.#isImmediate) {
      await new Promise<void>((resolve) => {
        // Half of the delay is random, so that a thousand clients do not reconnect at the same moment.
        const timer = this.#clock.after(delay / 2 + (Math.random() * delay) / 2, resolve);
        this.#interrupt = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    this.#isImmediate = false;
  }
}
