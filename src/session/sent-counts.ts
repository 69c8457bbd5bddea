/** Counts what a session sends: for itself, and for the counters of its server. */
import type { Counters } from '../telemetry/telemetry.ts';

/** See the top of the file. */
export class SentCounts {
  /** Messages appended so far. */
  messages = 0;
  /** Bytes passed to the connection so far. */
  bytes = 0;
  /** Bytes that were not sent when the output was discarded. */
  lost: number | undefined;
  readonly #counters: Counters;
  /** The number of messages that the server's counters already include. */
  #messagesCounted = 0;
  #bytesSent = 0;

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  /** Bytes that the operating system has taken, as of the last {@link countBytes}. */
  get bytesSent(): number {
    return this.#bytesSent;
  }

  countMessages(): void {
    if (this.messages === this.#messagesCounted) return;
    this.#counters.messagesSent += this.messages - this.#messagesCounted;
    this.#messagesCounted = this.messages;
  }

  /** Counts what the operating system has taken. A WebSocket's control frames are among what is unsent, but are not counted. */
  countBytes(unsent: number): void {
    const sent = this.bytes - unsent;
    if (sent <= this.#bytesSent || this.lost !== undefined) return;
    this.#counters.bytesSent += sent - this.#bytesSent;
    this.#bytesSent = sent;
  }
}
