/**
 * The order in which children are started for clients. Starting one stops the event loop for as long as hundreds of messages:
 * for more than 1 ms on Node.js, which waits until the child runs its own program. Then the child itself needs the processor to
 * begin. So children start one at a time, with pauses in which others are served: clients that start many wait for each other,
 * and no one else waits for them. Addresses take turns.
 *
 * While most clients leave before their children are started, pauses are long: a child that is started in vain is not worth
 * that others wait for it. A client that stays waits little longer, because it overtakes those that leave and come again.
 */
import { FairQueue } from '../fair-queue.ts';
import type { Linked } from '../linked-set.ts';

/** The shortest pause after a start, in milliseconds. */
const pauseMs = 5;
/** A longer start is followed by a pause of this many times its length: starts take at most a ninth of the time. */
const pauseShare = 8;
/** But no longer than this: on a busy machine a start takes many milliseconds, and no pause makes up for that. */
const longestPauseMs = 20;

/** The pause after a start while most clients leave, in milliseconds: about one message in fifty waits for a start then. */
const stormPauseMs = 200;
/** How many of the last clients count: each counts this part of all before it. It is a storm if half of them have left. */
const counted = 16;

/** A child that waits to be started. */
class Waiting implements Linked<Waiting> {
  memberOf: object | undefined;
  previousMember: Waiting | undefined;
  nextMember: Waiting | undefined;
  readonly start: () => void;

  constructor(start: () => void) {
    this.start = start;
  }
}

/** The time, and timers. */
export interface StartClock {
  /** In milliseconds. */
  now(): number;
  after(ms: number, run: () => void): void;
}

const realStartClock: StartClock = {
  now: () => performance.now(),
  after: (ms, run) => void setTimeout(run, ms),
};

/** The children of a process that have not been started. */
export class StartQueue {
  readonly #clock: StartClock;
  readonly #waiting = new FairQueue<Waiting>();
  #isPausing = false;
  /** The share of the last clients that left before it was their turn, from 0 to 1. */
  #left = 0;

  constructor(clock: StartClock = realStartClock) {
    this.#clock = clock;
  }

  /**
   * Starts a child at once if none was started a moment ago, otherwise when it is its turn.
   *
   * @param client whom it is for, such as the host of a client
   * @returns cancels it. False: it was started
   */
  add(client: string, start: () => void): () => boolean {
    if (!this.#isPausing) {
      this.#start(start);
      return () => false;
    }
    const waiting = new Waiting(start);
    this.#waiting.add(client, waiting);
    return () => {
      const isCancelled = this.#waiting.delete(client, waiting);
      if (isCancelled) this.#count(1);
      return isCancelled;
    };
  }

  /** @param left 1 if the client left, 0 if its child is started */
  #count(left: number): void {
    this.#left += (left - this.#left) / counted;
  }

  #start(start: () => void): void {
    this.#isPausing = true;
    this.#count(0);
    const began = this.#clock.now();
    try {
      start();
    } finally {
      const took = this.#clock.now() - began;
      this.#clock.after(this.#pauseAfter(took), () => this.#next());
    }
  }

  #pauseAfter(tookMs: number): number {
    if (this.#left >= 0.5) return stormPauseMs;
    return Math.min(longestPauseMs, Math.max(pauseMs, pauseShare * tookMs));
  }

  #next(): void {
    this.#isPausing = false;
    const next = this.#waiting.shift();
    if (next) this.#start(next.start);
  }
}

/** The one of this process. */
export const startQueue: StartQueue = new StartQueue();
