/** Requests that wait for a connection, first come, first served. */
import type { Clock } from '../../clock.ts';
import { YodelError } from '../../errors.ts';
import { LinkedMember, LinkedSet } from '../../linked-set.ts';

class Waiter<Given> extends LinkedMember<Waiter<Given>> {
  readonly resolve: (given: Given) => void;
  readonly reject: (error: unknown) => void;

  constructor(resolve: (given: Given) => void, reject: (error: unknown) => void) {
    super();
    this.resolve = resolve;
    this.reject = reject;
  }
}

/** See the top of the file. */
export class Waiting<Given> {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #waiters = new LinkedSet<Waiter<Given>>();

  constructor(clock: Clock, limit: number) {
    this.#clock = clock;
    this.#limit = limit;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /**
   * Resolves with what this one was given. @param timeoutMs 0 for no limit
   *
   * @throws YodelError `YODEL_TOO_MANY_REQUESTS`, `YODEL_REQUEST_TIMEOUT`; the signal's reason
   */
  async wait(address: string, timeoutMs: number, signal: AbortSignal | undefined): Promise<Given> {
    if (this.#waiters.size >= this.#limit) {
      const text = `the request was not sent: ${this.#limit} requests wait for a connection to ${address} (maxWaiting)`;
      throw new YodelError('YODEL_TOO_MANY_REQUESTS', text);
    }
    const { promise, resolve, reject } = Promise.withResolvers<Given>();
    const waiter = new Waiter(resolve, reject);
    const give = (error: unknown) => {
      if (this.#waiters.delete(waiter)) reject(error);
    };
    const abort = () => give(signal?.reason);
    const text = `no connection to ${address} was free within the time limit (requestTimeout)`;
    const expire = () => give(new YodelError('YODEL_REQUEST_TIMEOUT', text));
    const timer = timeoutMs === 0 ? undefined : this.#clock.deadline(timeoutMs, expire);
    signal?.addEventListener('abort', abort, { once: true });
    this.#waiters.add(waiter);
    try {
      return await promise;
    } finally {
      timer?.cancel();
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Gives the first one what it waits for. */
  next(given: Given): void {
    const { first } = this.#waiters;
    if (!first) return;
    this.#waiters.delete(first);
    first.resolve(given);
  }

  fail(error: unknown): void {
    for (const waiter of this.#waiters) {
      this.#waiters.delete(waiter);
      waiter.reject(error);
    }
  }
}
