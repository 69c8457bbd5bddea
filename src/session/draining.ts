/** Created for a session that drains: continues to read until everything that had already arrived has been read. */
import type { Clock, Timer } from '../clock.ts';
import type { Flow } from './flow.ts';
import type { Lifecycle } from './lifecycle.ts';

/**
 * Reading stops after this many bytes, against a peer that never stops sending. The maximum of tcp_rmem limits a kernel's
 * receive buffer. It is 6 MiB by default on Linux, and often raised to 32 MiB. After this many bytes, everything that had
 * already arrived has been read.
 */
const readLimit = 33_554_432;

/** How long it waits for replies of the peer, without which the handler cannot answer. In milliseconds: a round trip anywhere. */
const replyMs = 1_000;

/** The session, as it drains. */
export interface DrainingSession {
  readonly lifecycle: Lifecycle;
  readonly flow: Flow;
  /** Whether requests to the peer are pending. */
  readonly awaitsPeer: boolean;
}

/** Ends a session's input once nothing more is ready to be read. */
export class Draining {
  readonly #session: DrainingSession;
  readonly #clock: Clock;
  readonly #until: number;
  #bytesRead = 0;
  #replyTimer: Timer | undefined;

  /** @param withinMs the longest time to read */
  constructor(session: DrainingSession, clock: Clock, withinMs: number) {
    this.#session = session;
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
   * everything that had already arrived has been read. Call it again when a paused session resumes reading, and when the
   * peer has replied to what the session asked.
   */
  watch(quietTurns = 0): void {
    const before = this.#bytesRead;
    this.#clock.soon(() => {
      const { lifecycle, flow, awaitsPeer } = this.#session;
      if (lifecycle.state !== 'open' || flow.isPaused) return;
      const quiet = this.#bytesRead === before && !flow.awaitsTurn ? quietTurns + 1 : 0;
      if (quiet < 2) this.watch(quiet);
      else if (awaitsPeer) this.#awaitReplies();
      else lifecycle.finish();
    });
  }

  /** The session is over. */
  cancel(): void {
    this.#replyTimer?.cancel();
  }

  #awaitReplies(): void {
    const ms = Math.max(1, Math.min(replyMs, this.#until - this.#clock.ran()));
    this.#replyTimer ??= this.#clock.deadline(ms, () => this.#session.lifecycle.finish());
  }
}
