/**
 * The order in which children are started for clients. Starting one stops the event loop for as long as hundreds of messages:
 * for more than 1 ms on Node.js, which waits until the child runs its own program. Then the child itself needs the processor to
 * begin. So children start one at a time, with pauses in which others are served: clients that start many wait for each other,
 * and no one else waits for them. Addresses take turns.
 */
import { FairQueue } from '../fair-queue.ts';
import type { Linked } from '../linked-set.ts';

/** The shortest pause after a start, in milliseconds. */
const pauseMs = 5;
/** A longer start is followed by a pause of this many times its length: starts take at most a ninth of the time. */
const pauseShare = 8;
/** But no longer than this: on a busy machine a start takes many milliseconds, and no pause makes up for that. */
const longestPauseMs = 20;

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
    return () => this.#waiting.delete(client, waiting);
  }

  #start(start: () => void): void {
    this.#isPausing = true;
    const began = this.#clock.now();
    try {
      start();
    } finally {
      const took = this.#clock.now() - began;
      this.#clock.after(Math.min(longestPauseMs, Math.max(pauseMs, pauseShare * took)), () => this.#next());
    }
  }

  #next(): void {
    this.#isPausing = false;
    const next = this.#waiting.shift();
    if (next) this.#start(next.start);
  }
}

/** The one of this process. */
export const startQueue: StartQueue = new StartQueue();
