/** Back-pressure: when a session stops reading its peer, and how many bytes it reports to the memory limit. */
import type { YodelError } from '../errors.ts';
import type { Connection } from '../transport/transport.ts';
import type { MemoryLimit, MemoryUser } from './memory-limit.ts';

/** The session, as its flow control sees it. */
export interface FlowingSession {
  /** Bytes of messages that wait for the handler. */
  readonly queued: number;
  /** Bytes of replies that wait for the peer. */
  readonly unsent: number;
  turnSoon(): void;
  disconnect(error: YodelError): void;
}

/** Pauses and resumes the connection of one session. */
export class Flow implements MemoryUser {
  buffered = 0;
  /** Bytes that the handler buffers itself. {@link account} adds them. */
  handlerBytes = 0;
  readonly #session: FlowingSession;
  readonly #connection: Connection;
  readonly #memoryLimit: MemoryLimit;
  #isPaused = false;
  #isThrottled = false;

  constructor(session: FlowingSession, connection: Connection, memoryLimit: MemoryLimit) {
    this.#session = session;
    this.#connection = connection;
    this.#memoryLimit = memoryLimit;
  }

  /** Whether the session currently does not read its peer. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  get hasPending(): boolean {
    return this.#session.queued + this.#session.unsent + this.handlerBytes > 0;
  }

  /**
   * Pauses the connection if the session is behind or throttled, and resumes it if not.
   *
   * @param isOpen whether the session takes input. If not, it keeps reading and drops everything: unread bytes would turn
   *   the close into a reset
   * @returns whether reading has been resumed
   */
  regulate(isBehind: boolean, isOpen: boolean): boolean {
    const pause = (isBehind || this.#isThrottled) && isOpen;
    if (pause === this.#isPaused) return false;
    this.#isPaused = pause;
    if (pause) this.#connection.pause();
    else this.#connection.resume();
    return !pause;
  }

  /** Reports to the memory limit how many bytes the session buffers. */
  account(bytes: number): void {
    const before = this.buffered;
    const total = bytes + this.handlerBytes;
    if (total === before) return;
    this.buffered = total;
    this.#memoryLimit.changed(this, before);
  }

  throttle(isThrottled: boolean): void {
    this.#isThrottled = isThrottled;
    // The memory limit calls this during the turn of another session.
    this.#session.turnSoon();
  }

  disconnect(error: YodelError): void {
    this.#session.disconnect(error);
    this.release();
  }

  /** The session buffers nothing any more, and neither does its handler. */
  release(): void {
    this.handlerBytes = 0;
    this.account(0);
  }
}
