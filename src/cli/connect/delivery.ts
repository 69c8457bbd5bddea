/** Whether the server's operating system has taken what was sent, where this one tells (Linux). */
import { setTimeout as pause } from 'node:timers/promises';
import type { Address } from '../../address.ts';
import { systemError, type YodelError } from '../../errors.ts';
import { timeWaitIsFull } from '../../transport/ports.ts';
import { TcpEntry, type TcpState } from '../../transport/tcp-state.ts';
import type { Connection } from '../../transport/transport.ts';

const lookEveryMs = 20;

/** What is known of the bytes that were sent. */
export interface Delivered {
  /** Bytes that the server's operating system has not acknowledged. 0 where nothing is known. */
  readonly pending: number;
  /** Whether the server has reset the connection: it closed without having read everything. */
  readonly isReset: boolean;
}

/** Follows what was sent over one connection after the runtime has passed it on. */
export class Delivery {
  /** Undefined where the system does not tell. */
  readonly #entry: TcpEntry | undefined;
  /** Whether this side ended before the peer: its system then remembers the connection for a minute (TIME_WAIT). */
  #endedFirst = false;
  #hasEnded = false;
  #lastPending = Number.POSITIVE_INFINITY;

  constructor({ local, peer }: Connection) {
    this.#entry = TcpEntry.find({ local, peer });
  }

  /** What is known now. */
  get now(): Delivered {
    const state = this.#state();
    if (typeof state === 'object') return { pending: state.unacknowledged, isReset: false };
    // Where the peer ended first, the end of this side is the end of the connection.
    const isReset = state === 'gone' && (!this.#hasEnded || (this.#endedFirst && !timeWaitIsFull()));
    return { pending: 0, isReset };
  }

  /** Whether the peer has ended or reset the connection, which the runtime may not have told yet. */
  get peerHasEnded(): boolean {
    const state = this.#state();
    return state === 'gone' || state?.peerHasEnded === true;
  }

  /** Whether the server's operating system has taken something since the last call, and more is to be taken. */
  hasProgressed(): boolean {
    const { pending } = this.now;
    const isLess = pending > 0 && pending < this.#lastPending;
    this.#lastPending = pending;
    return isLess;
  }

  /** This side has ended. Looks whether it was the first. */
  ended(): void {
    this.#hasEnded = true;
    this.#state();
  }

  /** The connection was closed. Its system still knows which side ended first. */
  closed(): void {
    this.#hasEnded = true;
  }

  /** Resolves when everything was taken, when the connection was reset, or when nothing was taken for `stillMs` milliseconds. */
  async settled(stillMs: number): Promise<Delivered> {
    let last = this.now;
    for (let since = performance.now(); last.pending > 0 && performance.now() - since < stillMs; ) {
      await pause(lookEveryMs);
      const next = this.now;
      if (next.pending < last.pending) since = performance.now();
      last = next;
    }
    return last;
  }

  #state(): TcpState | 'gone' | undefined {
    const state = this.#entry?.state;
    if (typeof state === 'object' && state.endedFirst) this.#endedFirst = true;
    return state;
  }
}

/** The error of a connection that was reset, where the runtime did not report it. */
export function wasReset(address: Address): YodelError {
  const error = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  return systemError(`the connection to ${address} broke`, error);
}
