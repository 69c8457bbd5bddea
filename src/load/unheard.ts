import type { Retraction } from './latency-log.ts';
import type { Tally } from './tally.ts';

/**
 * The latencies of connections that were ended after their last reply, before replies that are too many could be noticed. With a
 * connection for each message there is room to listen to some of them only: if one of those shows that the first reply was
 * none, the others may have been taken in as well.
 */
export class Unheard {
  readonly #tally: Tally;
  readonly #latencies: Retraction[] = [];
  #isDoubted = false;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  /** Adds those of a connection. */
  add(latencies: Retraction | undefined): void {
    if (!latencies) return;
    if (this.#isDoubted) this.#tally.retract(latencies);
    else this.#latencies.push(latencies);
  }

  /** A server has sent more messages than requests: takes back these latencies, and all that are unheard. */
  doubt(latencies: Retraction | undefined): void {
    this.#isDoubted = true;
    this.#tally.retract(latencies);
    for (const others of this.#latencies.splice(0)) this.#tally.retract(others);
  }
}
