/** Waits until a client can send. */
import type { Clock } from '../clock.ts';
import { YodelError } from '../errors.ts';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** How long to wait for {@link Client.ready}. */
export interface ReadyOptions {
  /** Rejects with `YODEL_CONNECT_TIMEOUT` after this time, in milliseconds; 0 for no limit. Default: no limit. */
  readonly timeoutMs?: number | undefined;
  /** Rejects with the signal's reason when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Those who wait for a connection. */
export class Readiness {
  readonly #clock: Clock;
  readonly #waiters = new Set<Waiter>();
  readonly #whenClosed = new Set<(error: unknown) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves with the next connection, and rejects when there is none any more. @param address for the error text */
  wait(address: string, { timeoutMs = 0, signal }: ReadyOptions): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const settle = (resolveOrReject: () => void) => {
      this.#waiters.delete(waiter);
      timer?.cancel();
      signal?.removeEventListener('abort', abort);
      resolveOrReject();
    };
    const waiter: Waiter = {
      resolve: () => settle(resolve),
      reject: (error) => settle(() => reject(error)),
    };
    const abort = () => waiter.reject(signal?.reason);
    const expire = () =>
      waiter.reject(new YodelError('YODEL_CONNECT_TIMEOUT', `not connected to ${address} within ${timeoutMs} ms`));
    const timer = timeoutMs === 0 ? undefined : this.#clock.deadline(timeoutMs, expire);
    signal?.addEventListener('abort', abort, { once: true });
    this.#waiters.add(waiter);
    return promise;
  }

  /** Calls back once it never can send again. Returns a function that takes that back. */
  whenClosed(listener: (error: unknown) => void): () => void {
    this.#whenClosed.add(listener);
    return () => void this.#whenClosed.delete(listener);
  }

  /** The client can send. */
  opened(): void {
    for (const waiter of [...this.#waiters]) waiter.resolve();
  }

  /** It never will again. */
  closed(error: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
    for (const listener of [...this.#whenClosed]) listener(error);
  }
}
