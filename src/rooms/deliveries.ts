/** When rooms deliver: at the end of the turn in which they were sent something. */
import type { Clock } from '../clock.ts';
import type { Participant } from '../session/membership.ts';
import type { LocalRoom } from './local-room.ts';

/** Who delivers. */
export interface Deliverer {
  /** Delivers what a room was sent. */
  deliver(room: LocalRoom): void;
  /** It was delivered. */
  delivered(room: LocalRoom): void;
  /** A session continues with what it has not received. */
  continue(participant: Participant): void;
}

/** See the top of the file. */
export class Deliveries {
  readonly #clock: Clock;
  readonly #deliverer: Deliverer;
  /** Rooms that were sent something in this turn. */
  readonly #sent = new Set<LocalRoom>();
  /** Sessions that continue in the next turn with what they have not received. */
  readonly #continuing = new Set<Participant>();
  #isDue = false;
  isDelivering = false;

  constructor(clock: Clock, deliverer: Deliverer) {
    this.#clock = clock;
    this.#deliverer = deliverer;
  }

  /** A room was sent something. */
  add(room: LocalRoom): void {
    this.#sent.add(room);
    this.#soon();
  }

  has(room: LocalRoom): boolean {
    return this.#sent.has(room);
  }

  continueSoon(participant: Participant): void {
    this.#continuing.add(participant);
    this.#soon();
  }

  /** Does now what is due at the end of the turn. */
  now(): void {
    if (this.#isDue) this.#run();
  }

  /** Delivers to one room now. */
  deliver(room: LocalRoom): void {
    this.isDelivering = true;
    try {
      this.#deliverer.deliver(room);
    } finally {
      this.isDelivering = false;
    }
  }

  #soon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#clock.soon(() => this.#run());
  }

  #run(): void {
    this.#isDue = false;
    const continuing = [...this.#continuing];
    this.#continuing.clear();
    // What handlers send meanwhile is delivered in the next turn.
    for (const room of [...this.#sent]) {
      this.#sent.delete(room);
      this.deliver(room);
      this.#deliverer.delivered(room);
    }
    for (const participant of continuing) this.#deliverer.continue(participant);
  }
}
