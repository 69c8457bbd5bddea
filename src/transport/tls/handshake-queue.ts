/**
 * The order in which handshakes begin. A client's first message makes the server compute a key and a signature, which takes
 * as long as thousands of messages. So handshakes begin one in each turn of the event loop, between the messages of those who
 * are connected, and addresses take turns: neither waits for the handshakes of a flood.
 *
 * While most handshakes are not completed, they get a part of the time only: each leaves garbage, of which Node frees little
 * before the next full collection, so that as many as possible would cost everybody pauses of several milliseconds.
 */
import { FairQueue } from '../../fair-queue.ts';
import type { Linked } from '../../linked-set.ts';

/** After a turn that took longer, more begin: one for each of these milliseconds. A busy loop accepts new clients, too. */
const turnMs = 4;
/** At most this many in one turn: with a key of RSA, those take 10 ms of processor time. */
const mostInTurn = 4;

/** After a handshake of a flood the next one waits for this many times as long as it took: they get a quarter of the time. */
const restTimes = 3;
/** But at least and at most this long, in milliseconds. */
const shortestRest = 1;
const longestRest = 8;
/** How many of the last handshakes count: each counts this part of all before it. It is a flood if half of them failed. */
const counted = 16;

/** Begins a handshake. Returns false if there is nothing to do any more. */
export type Begin = () => boolean;

/** A handshake that waits. */
class Waiting implements Linked<Waiting> {
  memberOf: object | undefined;
  previousMember: Waiting | undefined;
  nextMember: Waiting | undefined;
  readonly begin: Begin;

  constructor(begin: Begin) {
    this.begin = begin;
  }
}

/** The handshakes of a process that have not begun. */
export class HandshakeQueue {
  readonly #waiting = new FairQueue<Waiting>();
  readonly #soon: (run: () => void) => void;
  readonly #now: () => number;
  readonly #after: (ms: number, run: () => void) => void;
  #isTurnTaken = false;
  #turnBegan = 0;
  /** The share of the last handshakes that were not completed, from 0 to 1. */
  #failed = 0;

  /**
   * @param soon calls back in the next turn of the event loop
   * @param now the time in milliseconds
   * @param after calls back after so many milliseconds
   */
  constructor(
    soon: (run: () => void) => void = (run) => void setImmediate(run),
    now: () => number = () => performance.now(),
    after: (ms: number, run: () => void) => void = (ms, run) => void setTimeout(run, ms),
  ) {
    this.#soon = soon;
    this.#now = now;
    this.#after = after;
  }

  /** A handshake that had begun has ended. */
  ended(isCompleted: boolean): void {
    this.#failed += ((isCompleted ? 0 : 1) - this.#failed) / counted;
  }

  /** Begins a handshake at once if it is the first in this turn, otherwise in a later one. @param host of the client */
  add(host: string, begin: Begin): void {
    if (!this.#isTurnTaken) {
      if (begin()) this.#nextTurn();
      return;
    }
    this.#waiting.add(host, new Waiting(begin));
  }

  #nextTurn(): void {
    this.#isTurnTaken = true;
    this.#turnBegan = this.#now();
    this.#soon(() => this.#turnEnded(this.#now() - this.#turnBegan));
  }

  /** @param ms how long the turn took */
  #turnEnded(ms: number): void {
    if (this.#failed < 0.5) return this.#turn(Math.min(mostInTurn, Math.ceil(ms / turnMs)));
    const rest = Math.min(longestRest, Math.max(shortestRest, restTimes * ms));
    this.#after(rest, () => this.#turn(1));
  }

  #turn(many: number): void {
    this.#isTurnTaken = false;
    if (this.#waiting.isEmpty) return;
    for (let begun = 0; begun < Math.max(1, many); ) {
      const next = this.#waiting.shift();
      if (!next) break;
      if (next.begin()) begun++;
    }
    this.#nextTurn();
  }
}

/** The one of this process. */
export const handshakeQueue: HandshakeQueue = new HandshakeQueue();
