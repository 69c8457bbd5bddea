/**
 * The order in which handshakes begin. A client's first message makes the server compute a key and a signature, which takes
 * as long as thousands of messages. So handshakes begin one in each turn of the event loop, between the messages of those who
 * are connected, and addresses take turns: neither waits for the handshakes of a flood.
 */
import { Queue } from '../../queue.ts';

/** After a turn that took longer, more begin: one for each of these milliseconds. A busy loop accepts new clients, too. */
const turnMs = 4;
/** At most this many in one turn: with a key of RSA, those take 10 ms of processor time. */
const mostInTurn = 4;

/** Begins a handshake. Returns false if there is nothing to do any more. */
export type Begin = () => boolean;

/** The handshakes of a process that have not begun. */
export class HandshakeQueue {
  /** Those of each address, which is removed with its last one. The first is the next. */
  readonly #waiting = new Map<string, Queue<Begin>>();
  readonly #soon: (run: () => void) => void;
  readonly #now: () => number;
  #isTurnTaken = false;
  #turnBegan = 0;

  /** @param soon calls back in the next turn of the event loop @param now the time in milliseconds */
  constructor(
    soon: (run: () => void) => void = (run) => void setImmediate(run),
    now: () => number = () => performance.now(),
  ) {
    this.#soon = soon;
    this.#now = now;
  }

  /** Begins a handshake at once if it is the first in this turn, otherwise in a later one. @param host of the client */
  add(host: string, begin: Begin): void {
    if (!this.#isTurnTaken) {
      if (begin()) this.#nextTurn();
      return;
    }
    const queue = this.#waiting.get(host);
    if (queue) return queue.push(begin);
    const first = new Queue<Begin>();
    first.push(begin);
    this.#waiting.set(host, first);
  }

  #nextTurn(): void {
    this.#isTurnTaken = true;
    this.#turnBegan = this.#now();
    this.#soon(() => this.#turn());
  }

  #turn(): void {
    this.#isTurnTaken = false;
    if (this.#waiting.size === 0) return;
    const many = Math.min(mostInTurn, Math.ceil((this.#now() - this.#turnBegan) / turnMs));
    for (let begun = 0; begun < Math.max(1, many); ) {
      const next = this.#next();
      if (!next) break;
      if (next()) begun++;
    }
    this.#nextTurn();
  }

  /** The next handshake of the address whose turn it is. */
  #next(): Begin | undefined {
    for (const [host, queue] of this.#waiting) {
      const next = queue.shift();
      this.#waiting.delete(host);
      if (queue.length > 0) this.#waiting.set(host, queue);
      return next;
    }
    return undefined;
  }
}

/** The one of this process. */
export const handshakeQueue: HandshakeQueue = new HandshakeQueue();
