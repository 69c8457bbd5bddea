/**
 * The order in which JetStream passes on what is appended to a room.
 *
 * nats-server 2.9 appends in one order, but passes on what two clients have appended at nearly the same time in any order. Each message
 * says where it is, and where the one before it is. So one that comes too early waits for the one before it, for a moment.
 */
import { type Clock, realClock, type Timer } from '../../../clock.ts';

/** After this, what is missing was lost, which its receiver notices. */
const patienceMs = 200;
const maxWaiting = 1000;

interface Early {
  readonly packet: Buffer;
  readonly at: number;
  readonly previous: number;
}

/** See the top of the file. For one subject. */
export class InOrder {
  readonly #deliver: (packet: Buffer, at: number) => void;
  readonly #clock: Clock;
  /** Where the last one was that was delivered. 0: none yet. */
  #last = 0;
  #early: Early[] = [];
  #timer: Timer | undefined;

  constructor(deliver: (packet: Buffer, at: number) => void, clock: Clock = realClock) {
    this.#deliver = deliver;
    this.#clock = clock;
  }

  /** @param previous where the one before it is; lower than the last one if that one was removed meanwhile */
  received(packet: Buffer, at: number, previous: number): void {
    const isEarly = this.#last > 0 && previous > this.#last;
    if (!isEarly) return this.#pass({ packet, at, previous });
    this.#early.push({ packet, at, previous });
    this.#early.sort((a, b) => a.at - b.at);
    if (this.#early.length > maxWaiting) return this.#release();
    this.#timer ??= this.#clock.after(patienceMs, () => this.#release());
  }

  close(): void {
    this.#timer?.cancel();
    this.#early = [];
  }

  #pass({ packet, at }: Early): void {
    this.#last = at;
    this.#deliver(packet, at);
    const [next] = this.#early;
    if (next && next.previous <= at) {
      this.#early.shift();
      this.#pass(next);
    } else if (!next) this.#stopTimer();
  }

  /** What is missing does not come. */
  #release(): void {
    this.#stopTimer();
    const early = this.#early;
    this.#early = [];
    for (const each of early) this.#pass(each);
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
