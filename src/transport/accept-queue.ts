/**
 * The connections that the operating system has accepted for a listener, and that the listener has not served: closing the
 * listener would reset them.
 */
import type { Listener } from './transport.ts';

/** The connections that the runtime has accepted and that still wait. */
interface WaitingTurns {
  readonly size: number;
  /** At least one is served in each turn of the event loop from now on. */
  hurry(): void;
}

/** Counts what a listener serves, so that its queue can be emptied before it closes. */
export class AcceptQueue {
  readonly #longest: number;
  readonly #turns: WaitingTurns | undefined;
  #accepted = 0;

  /**
   * @param backlog the longest queue, as the operating system was asked for
   * @param turns those that the runtime has accepted and that still wait
   */
  constructor(backlog: number, turns?: WaitingTurns) {
    // The kernel's queue takes one more than that.
    this.#longest = backlog + 1;
    this.#turns = turns;
  }

  /** A connection was accepted, and is served. */
  add(): void {
    this.#accepted++;
  }

  /**
   * Resolves when everything has been accepted that was in the queue at the time of the call. The queue is in order, so
   * that this is the case once as many connections have been accepted as it can contain; or once nothing was accepted in a
   * whole turn of the event loop, because both runtimes accept at least one connection in each turn in which there is one,
   * and at least one that waits is served.
   */
  async emptied(signal: AbortSignal): Promise<void> {
    this.#turns?.hurry();
    const last = this.#accepted + this.#longest + (this.#turns?.size ?? 0);
    // The first turn may have begun after its sockets were looked at.
    for (let quiet = 0; quiet < 3 && this.#accepted < last && !signal.aborted; ) {
      const before = this.#accepted;
      await new Promise((resolve) => setImmediate(resolve));
      quiet = this.#accepted === before ? quiet + 1 : 0;
    }
  }
}

/** Makes a function that closes a listener: at once, or if there is a signal when the queue is empty. */
export function closingBy(queue: AcceptQueue, close: () => Promise<void>): Listener['close'] {
  return async (signal) => {
    if (signal && !signal.aborted) await queue.emptied(signal);
    await close();
  };
}

/** The same for a listener whose handshakes in progress end with it, or with the signal. */
export function closingWith(close: Listener['close'], abandon: () => void): Listener['close'] {
  return async (signal) => {
    signal?.addEventListener('abort', abandon, { once: true });
    await close(signal);
    if (!signal || signal.aborted) abandon();
  };
}
