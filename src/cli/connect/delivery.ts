/** Whether the server's operating system has taken what was sent, where this one tells (Linux). */
import { setTimeout as pause } from 'node:timers/promises';
import { timeWaitIsFull } from '../../transport/ports.ts';
import { type ConnectionEnds, type TcpState, tcpStateOf } from '../../transport/tcp-state.ts';
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
  readonly #ends: ConnectionEnds;
  /** Some systems have the table of connections, but not these in it. */
  readonly #isListed: boolean;
  /** Whether this side ended before the peer: its system then remembers the connection for a minute (TIME_WAIT). */
  #endedFirst = false;
  #isClosed = false;
  #lastPending = Number.POSITIVE_INFINITY;

  constructor({ local, peer }: Connection) {
    this.#ends = { local, peer };
    this.#isListed = typeof tcpStateOf(this.#ends) === 'object';
  }

  /** What is known now. */
  get now(): Delivered {
    const state = this.#state();
    if (typeof state === 'object') return { pending: state.unacknowledged, isReset: false };
    const isReset = state === 'gone' && (!this.#isClosed || (this.#endedFirst && !timeWaitIsFull()));
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

  /** This side has ended. */
  ended(): void {
    this.#state();
  }

  /** Both sides have ended, and the runtime has closed the connection. */
  closed(): void {
    this.#isClosed = true;
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
    if (!this.#isListed) return undefined;
    const state = tcpStateOf(this.#ends);
    if (typeof state === 'object' && state.endedFirst) this.#endedFirst = true;
    return state;
  }
}
