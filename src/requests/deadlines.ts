/** The time limits of all requests of a connection. */
import type { Clock } from '../clock.ts';
import { DeadlineTimer } from '../deadline-timer.ts';
import { LinkedSet } from '../linked-set.ts';
import type { Pending } from './pending.ts';

/**
 * One timer for all of them. Requests with the same limit expire in the order in which they were sent, so each limit has a list, of
 * which only the first counts: a program uses a few limits, and may have a hundred thousand requests in flight.
 */
export class RequestDeadlines<In> {
  readonly #clock: Clock;
  readonly #timer: DeadlineTimer;
  readonly #onExpired: (pending: Pending<In>) => void;
  readonly #lists = new Map<number, LinkedSet<Pending<In>>>();

  /** @param onExpired called once for each request whose time is over; it is removed already */
  constructor(clock: Clock, onExpired: (pending: Pending<In>) => void) {
    this.#clock = clock;
    this.#onExpired = onExpired;
    this.#timer = new DeadlineTimer(clock, { onDeadline: () => this.#expire() });
  }

  /** When a limit that begins now ends. */
  after(timeoutMs: number): number {
    return timeoutMs === 0 ? Number.POSITIVE_INFINITY : this.#clock.ran() + timeoutMs;
  }

  add(pending: Pending<In>): void {
    if (pending.timeoutMs === 0) return;
    let list = this.#lists.get(pending.timeoutMs);
    if (!list) {
      list = new LinkedSet();
      this.#lists.set(pending.timeoutMs, list);
    }
    list.add(pending);
    this.#timer.set(pending.deadline);
  }

  delete(pending: Pending<In>): void {
    const list = this.#lists.get(pending.timeoutMs);
    if (list?.delete(pending) && list.size === 0) this.#lists.delete(pending.timeoutMs);
  }

  /** Forgets all of them. */
  clear(): void {
    this.#timer.cancel();
    for (const list of this.#lists.values()) for (const pending of list) list.delete(pending);
    this.#lists.clear();
  }

  #expire(): void {
    const now = this.#clock.ran();
    let next = Number.POSITIVE_INFINITY;
    for (const list of [...this.#lists.values()]) {
      for (let first = list.first; first && first.deadline <= now; first = list.first) {
        this.delete(first);
        this.#onExpired(first);
      }
      if (list.first) next = Math.min(next, list.first.deadline);
    }
    this.#timer.set(next);
  }
}
