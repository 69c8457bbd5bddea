import type { Clock } from '../clock.ts';
import { isYodelError, YodelError } from '../errors.ts';
import type { ReconnectLimits } from '../options.ts';

/** What a connection was good for. */
export interface Use {
  readonly hasReceived: boolean;
  readonly hasAnswered: boolean;
}

/**
 * The reconnect loop: waits, tries to connect, and doubles the delay after each attempt, from `minDelay` up to `maxDelay`.
 *
 * Attempts count until a connection {@link lost has worked}. A server that accepts connections and closes them at once counts as
 * failing, also if it says why: a full server would otherwise be tried without growing pauses, by all that it refuses.
 */
export class Reconnector {
  readonly #limits: ReconnectLimits;
  readonly #clock: Clock;
  #attempts = 0;
  /** Before the last attempt. */
  #delayMs = 0;
  #connectedAt = 0;
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

  /**
   * The connection is lost. If it has worked, the next pause is `minDelay` again: it has answered a request, or it has received anything and was open
   * for as long as the pause before it.
   */
  lost({ hasReceived, hasAnswered }: Use): void {
    const wasLasting = this.#clock.now() - this.#connectedAt >= this.#delayMs;
    if (hasAnswered || (hasReceived && wasLasting)) this.#attempts = 0;
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
        const connected = await open(aborter.signal);
        this.#connectedAt = this.#clock.now();
        return connected;
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
    this.#delayMs = this.#isImmediate ? 0 : delay;
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
