/**
 * The one limit of all sessions together: bytes that wait, be they of unfinished messages, of messages that a handler has
 * not taken, or of replies that a peer has not. Each session tells what it holds whenever that has changed.
 *
 * | All together hold      | What happens                                                                                    |
 * |------------------------|-------------------------------------------------------------------------------------------------|
 * | above 3/4 of the limit | whoever comes to hold more is not read until it is owed nothing (NATS stalls producers there, too) |
 * | above the limit        | whoever holds most is broken off, until it is below                                             |
 * | below half of it again | all are read again                                                                              |
 *
 * Who holds nothing but an unfinished message is read on: there is no other way for that message to go.
 */
import { YodelError } from '../errors.ts';

/** A session, as the ceiling sees it. */
export interface MemoryUser {
  /** Bytes that wait on its account, as it told last. */
  readonly held: number;
  /** Whether some of it goes without more being read: messages to be handled, replies to be taken. */
  readonly owes: boolean;
  /** Stops reading the peer, or goes on. */
  restrain(restrained: boolean): void;
  /** Breaks it off. It holds nothing afterwards. */
  giveUp(error: YodelError): void;
}

/** Keeps the sum, and the limit. */
export class MemoryLimit {
  #limit: number;
  #total = 0;
  readonly #holders = new Set<MemoryUser>();
  readonly #restrained = new Set<MemoryUser>();

  /** @param limit in bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that all hold together. */
  get total(): number {
    return this.#total;
  }

  /** Goes on with another limit: it holds from the next change on. */
  follow(limit: number): void {
    this.#limit = limit;
  }

  /** What a session holds has changed; it was `before`. */
  changed(holder: MemoryUser, before: number): void {
    const { held } = holder;
    this.#total += held - before;
    if (held === 0) this.#holders.delete(holder);
    else this.#holders.add(holder);
    if (this.#total > this.#limit) this.#giveUpGreediest();
    if (held > before && this.#total > this.#limit * 0.75) this.#restrain(holder);
    if (this.#restrained.size === 0) return;
    if (!holder.owes) this.#letGo(holder);
    if (this.#total < this.#limit / 2) for (const one of this.#restrained) this.#letGo(one);
  }

  /** It may have been given up a moment ago. */
  #restrain(holder: MemoryUser): void {
    if (!holder.owes || this.#restrained.has(holder)) return;
    this.#restrained.add(holder);
    holder.restrain(true);
  }

  #letGo(holder: MemoryUser): void {
    if (this.#restrained.delete(holder)) holder.restrain(false);
  }

  #giveUpGreediest(): void {
    while (this.#total > this.#limit) {
      let greediest: MemoryUser | undefined;
      for (const holder of this.#holders) if (!greediest || holder.held > greediest.held) greediest = holder;
      if (!greediest) return;
      const text = `held ${greediest.held} bytes, more than any other, when all together passed maxPendingBytes (${this.#limit})`;
      greediest.giveUp(new YodelError('YODEL_TOO_MANY_PENDING_BYTES', text));
    }
  }
}
