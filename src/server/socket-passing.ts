/**
 * Passes accepted connections to workers in turn. Connections that no worker can take yet wait here, as they would in the
 * kernel's queue: nothing is read from them, and their peers notice nothing.
 */
import { Queue } from '../queue.ts';
import type { PassedSocket } from './passed-sockets.ts';

/** A worker, as connections see it. */
export interface SocketTaker {
  /** Whether it can take a connection now. */
  readonly canTake: boolean;
  /** The number of connections that were passed to it and not acknowledged. */
  readonly passing: number;
  pass(passed: PassedSocket): void;
}

/** The connections of all listeners whose connections are passed on. */
export class SocketPassing {
  readonly #workers: readonly SocketTaker[];
  readonly #waiting = new Queue<PassedSocket>();
  /** The worker that is next. */
  #next = 0;
  #onEmpty: (() => void) | undefined;

  constructor(workers: readonly SocketTaker[]) {
    this.#workers = workers;
  }

  /** The number of connections whose descriptors this process still has. */
  get size(): number {
    return this.#workers.reduce((sum, { passing }) => sum + passing, this.#waiting.length);
  }

  /** Passes a connection, at once or as soon as a worker can take it. */
  add(passed: PassedSocket): void {
    this.#waiting.push(passed);
    this.passWaiting();
  }

  /** Passes again what was passed to a worker that has ended, before all others. */
  putBack(all: readonly PassedSocket[]): void {
    this.#waiting.putBack(all);
    this.passWaiting();
  }

  /** Passes what can be passed now. Call it when a worker may be able to take more. */
  passWaiting(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#nextWorker();
      if (!worker) return;
      worker.pass(this.#waiting.shift() as PassedSocket);
    }
    if (this.size === 0) this.#onEmpty?.();
  }

  /** Resolves when all connections are with workers, at the latest after `withinMs`. Those left then are closed. */
  async emptied(withinMs: number): Promise<void> {
    if (this.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, withinMs);
    this.#onEmpty = resolve;
    await promise;
    clearTimeout(timer);
    this.#onEmpty = undefined;
    for (const { socket } of this.#waiting.takeAll()) socket.destroy();
  }

  #nextWorker(): SocketTaker | undefined {
    const count = this.#workers.length;
    for (let tries = 0; tries < count; tries++) {
      const worker = this.#workers[this.#next++ % count];
      if (worker?.canTake) return worker;
    }
    return undefined;
  }
}
