/** Created for a session that drains: continues to read until everything that had already arrived has been read. */
import type { Clock } from '../clock.ts';
import type { Flow } from './flow.ts';
import type { Lifecycle } from './lifecycle.ts';

/**
 * Reading stops after this many bytes, against a peer that never stops sending. The maximum of tcp_rmem limits a kernel's
 * receive buffer. It is 6 MiB by default on Linux, and often raised to 32 MiB. After this many bytes, everything that had
 * already arrived has been read.
 */
const readLimit = 33_554_432;

/** Ends a session's input once nothing more is ready to be read. */
export class Draining {
  readonly #lifecycle: Lifecycle;
  readonly #flow: Flow;
  readonly #clock: Clock;
  readonly #until: number;
  #bytesRead = 0;

  /** @param withinMs the longest time to read */
  constructor(lifecycle: Lifecycle, flow: Flow, clock: Clock, withinMs: number) {
    this.#lifecycle = lifecycle;
    this.#flow = flow;
    this.#clock = clock;
    this.#until = clock.ran() + withinMs;
  }

  /** Counts bytes that were read. Returns whether the session has reached the limit of bytes or of time. */
  isOver(bytes: number, now: number): boolean {
    this.#bytesRead += bytes;
    return this.#bytesRead > readLimit || now >= this.#until;
  }

  /**
   * Ends the input after two turns of the event loop in which the session could have read but got nothing: by then,
   * everything that had already arrived has been read. Call it again when a paused session resumes reading.
   */
  watch(quietTurns = 0): void {
    const before = this.#bytesRead;
    this.#clock.soon(() => {
      if (this.#lifecycle.state !== 'open' || this.#flow.isPaused) return;
      const quiet = this.#bytesRead === before && !this.#flow.awaitsTurn ? quietTurns + 1 : 0;
      if (quiet < 2) this.watch(quiet);
      else this.#lifecycle.finish();
    });
  }
}
