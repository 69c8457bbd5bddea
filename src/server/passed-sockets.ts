/** Connections that were passed to a worker, until it acknowledges them. */
import type { Socket } from 'node:net';

/**
 * The number of unacknowledged connections of a worker. Enough to keep it busy, and few, because those that were passed to a
 * worker just before it hangs wait until it is replaced.
 */
const maxPending = 16;

/** A connection that this process accepted and another one serves. */
export interface PassedSocket {
  readonly socket: Socket;
  /** Where it was accepted. */
  readonly address: string;
}

/**
 * Keeps this process's ends of the sockets open until the worker acknowledges them. A worker acknowledges a socket before it
 * touches it, so those left when it dies are as good as new, and can be passed to another worker.
 */
export class PassedSockets {
  readonly #pending = new Map<number, PassedSocket>();
  #last = 0;

  get size(): number {
    return this.#pending.size;
  }

  get isFull(): boolean {
    return this.#pending.size >= maxPending;
  }

  /** Returns the number with which the worker acknowledges the socket. */
  add(passed: PassedSocket): number {
    this.#pending.set(++this.#last, passed);
    return this.#last;
  }

  /** Closes this process's end: the worker has received the socket, or it cannot be passed. */
  release(number: number): void {
    this.#pending.get(number)?.socket.destroy();
    this.#pending.delete(number);
  }

  /** Removes the socket, which stays open. Empty if it is not there. */
  take(number: number): PassedSocket[] {
    const passed = this.#pending.get(number);
    this.#pending.delete(number);
    return passed ? [passed] : [];
  }

  /** Removes all of them: the worker has ended. */
  takeAll(): PassedSocket[] {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    return all;
  }
}
