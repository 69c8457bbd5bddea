/**
 * One limit for the memory of all sessions together: unfinished messages, messages that are waiting for a handler, and
 * pending replies. Each session reports how many bytes it buffers whenever that changes.
 *
 * | Total                 | Effect                                                                                         |
 * |-----------------------|------------------------------------------------------------------------------------------------|
 * | above 3/4 of the limit | a session that grows is throttled: not read until nothing is pending (NATS does the same there) |
 * | above the limit       | the largest session is disconnected, until the total is below                                  |
 * | below half of it      | all throttled sessions resume                                                                  |
 *
 * A session that buffers nothing but an unfinished message is never throttled: only reading can complete that message.
 */
import { YodelError } from '../errors.ts';

/** A session, as the memory limit sees it. */
export interface MemoryUser {
  /** Bytes that the session buffers, as last reported. */
  readonly buffered: number;
  /** Whether some of them can leave without reading more: queued messages, or pending replies. */
  readonly hasPending: boolean;
  /** Stops reading the peer, or resumes. */
  throttle(isThrottled: boolean): void;
  /** Ends the session at once. It buffers nothing afterwards. */
  disconnect(error: YodelError): void;
}

/** Keeps the total below the limit. */
export class MemoryLimit {
  #limit: number;
  #total = 0;
  readonly #users = new Set<MemoryUser>();
  readonly #throttled = new Set<MemoryUser>();

  /** @param limit in bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that all sessions buffer. */
  get total(): number {
    return this.#total;
  }

  /** Changes the limit. It applies from the next report on. */
  setLimit(limit: number): void {
    this.#limit = limit;
  }

  /** Reports that the number of bytes a session buffers is no longer `before`. */
  changed(user: MemoryUser, before: number): void {
    const { buffered } = user;
    this.#total += buffered - before;
    if (buffered === 0) this.#users.delete(user);
    else this.#users.add(user);
    if (this.#total > this.#limit) this.#disconnectLargest();
    if (buffered > before && this.#total > this.#limit * 0.75) this.#throttle(user);
    if (this.#throttled.size === 0) return;
    if (!user.hasPending) this.#resume(user);
    if (this.#total < this.#limit / 2) for (const throttled of this.#throttled) this.#resume(throttled);
  }

  /** Does nothing if the session was just disconnected, because nothing is pending then. */
  #throttle(user: MemoryUser): void {
    if (!user.hasPending || this.#throttled.has(user)) return;
    this.#throttled.add(user);
    user.throttle(true);
  }

  #resume(user: MemoryUser): void {
    if (this.#throttled.delete(user)) user.throttle(false);
  }

  #disconnectLargest(): void {
    while (this.#total > this.#limit) {
      let largest: MemoryUser | undefined;
      for (const user of this.#users) if (!largest || user.buffered > largest.buffered) largest = user;
      if (!largest) return;
      const text = `buffered ${largest.buffered} bytes, the most of all sessions, when their total exceeded maxPendingBytes (${this.#limit})`;
      largest.disconnect(new YodelError('YODEL_TOO_MANY_PENDING_BYTES', text));
    }
  }
}
