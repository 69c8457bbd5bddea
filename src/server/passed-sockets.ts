/** Connections that were passed to a worker, until it has received them. */
import type { Socket } from 'node:net';

/** A worker with this many unacknowledged connections is presumed to hang, and gets no more. */
const maxPending = 16;

/**
 * Keeps this process's ends of the sockets open until the worker acknowledges them. A socket in flight to a worker that
 * dies would otherwise stay open forever, without an owner.
 */
export class PassedSockets {
  readonly #pending = new Map<number, Socket>();
  #last = 0;

  get isFull(): boolean {
    return this.#pending.size >= maxPending;
  }

  /** Returns the number with which the worker acknowledges the socket. */
  add(socket: Socket): number {
    this.#pending.set(++this.#last, socket);
    return this.#last;
  }

  /** Closes this process's end: the worker has received the socket, or never will. */
  release(number: number): void {
    this.#pending.get(number)?.destroy();
    this.#pending.delete(number);
  }

  releaseAll(): void {
    for (const number of [...this.#pending.keys()]) this.release(number);
  }
}
