/**
 * One limit for the memory of all sessions together: unfinished messages, messages that wait for a handler or are being
 * handled (handling.ts), pending replies, and what handlers report. Each session reports how many bytes it buffers whenever that changes.
 * Memory that several sessions keep, such as a message that was sent to all of them, is counted once.
 *
 * | Total                 | Effect                                                                                         |
 * |-----------------------|------------------------------------------------------------------------------------------------|
 * | above 3/4 of the limit | a session that grows is throttled: not read until nothing is pending (NATS does the same there) |
 * | above the limit       | the largest session is disconnected, until the total is below                                  |
 * | below half of it      | all throttled sessions resume                                                                  |
 *
 * A session that buffers nothing but an unfinished message is never throttled: only reading can complete that message.
 */
import type { Clock } from '../clock.ts';
import { YodelError } from '../errors.ts';
import { Handling } from './handling.ts';

/** A session, as the memory limit sees it. */
export interface MemoryUser {
  /** Bytes that the session buffers, as last reported, with all of the memory that it shares with others. */
  readonly buffered: number;
  /** The same, with its part of the memory that it shares. @param usersOf how many sessions keep a piece of memory */
  costs(usersOf: (memory: object) => number): number;
  /** Whether some of them leave without reading more: queued messages, or pending replies. */
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
  /** How many sessions keep each piece of memory that several may share. */
  readonly #shared = new Map<object, number>();
  readonly #usersOf = (memory: object): number => this.#shared.get(memory) ?? 1;
  readonly #throttled = new Set<MemoryUser>();
  #isDisconnecting = false;

  /** What handlers work on. It is a part of the total, but disconnecting a session does not free it. */
  readonly handling: Handling;

  /** @param limit in bytes */
  constructor(limit: number, clock: Clock) {
    this.#limit = limit;
    this.handling = new Handling(limit, clock);
  }

  /** Bytes that all sessions buffer, with those that their handlers work on. */
  get total(): number {
    return this.#total + this.handling.bytes - this.handling.abandonedBytes;
  }

  /** The same, with what handlers still work on for sessions that have ended. */
  get #used(): number {
    return this.#total + this.handling.bytes;
  }

  /** Changes the limit. It applies from the next report on. */
  setLimit(limit: number): void {
    this.#limit = limit;
    this.handling.setLimit(limit);
  }

  /**
   * Reports that a session buffers more bytes than before, or fewer.
   *
   * @param by how many more, without the memory that it shares with others
   */
  changed(user: MemoryUser, by: number, hasGrown: boolean): void {
    this.#total += by;
    if (user.buffered === 0) this.#users.delete(user);
    else this.#users.add(user);
    if (this.#used > this.#limit) this.#disconnectLargest();
    if (hasGrown && user.buffered > 0 && this.#used > this.#limit * 0.75) this.#throttle(user);
    if (this.#throttled.size === 0) return;
    if (user.buffered === 0 || !user.hasPending) this.#resume(user);
    if (this.#used < this.#limit / 2) for (const throttled of this.#throttled) this.#resume(throttled);
  }

  /** A session keeps memory that others may keep as well. @param size in bytes */
  share(memory: object, size: number): void {
    const users = this.#shared.get(memory) ?? 0;
    this.#shared.set(memory, users + 1);
    if (users === 0) this.#total += size;
  }

  /** The session keeps it no longer. */
  unshare(memory: object, size: number): void {
    const users = this.#shared.get(memory) ?? 0;
    if (users > 1) this.#shared.set(memory, users - 1);
    else if (this.#shared.delete(memory)) this.#total -= size;
  }

  #throttle(user: MemoryUser): void {
    if (!user.hasPending || this.#throttled.has(user)) return;
    this.#throttled.add(user);
    user.throttle(true);
  }

  #resume(user: MemoryUser): void {
    if (this.#throttled.delete(user)) user.throttle(false);
  }

  /** What users report while they are being disconnected starts it no second time: they would be asked in the middle of it. */
  #disconnectLargest(): void {
    if (this.#isDisconnecting) return;
    this.#isDisconnecting = true;
    try {
      while (this.#used > this.#limit && this.#disconnectOne());
    } finally {
      this.#isDisconnecting = false;
    }
  }

  /** Returns whether there was one. */
  #disconnectOne(): boolean {
    const largest = this.#largest();
    if (!largest) return false;
    const text = `buffered ${largest.bytes} bytes, the most of all sessions, when their total exceeded maxPendingBytes (${this.#limit})`;
    largest.user.disconnect(new YodelError('YODEL_TOO_MANY_PENDING_BYTES', text));
    return true;
  }

  #largest(): { readonly user: MemoryUser; readonly bytes: number } | undefined {
    let largest: MemoryUser | undefined;
    let most = 0;
    for (const user of this.#users) {
      // What it shares with many others is hardly its fault, and ending it would free nothing.
      const bytes = user.buffered > most ? user.costs(this.#usersOf) : 0;
      if (largest && bytes <= most) continue;
      largest = user;
      most = bytes;
    }
    return largest && { user: largest, bytes: Math.ceil(most) };
  }
}
