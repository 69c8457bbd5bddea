/** What has arrived at a link, before its messages are looked at one by one. */
import type { Batch } from '../../framing/message.ts';
import { Queue } from '../../queue.ts';
import type { CountedFault } from './fault-set.ts';
import type { Unit } from './unit.ts';

/** To take so few messages out at once is no more than to copy their batch. */
const few = 32;

/** Messages that arrived together. */
export interface Arrival {
  /** Those that are left. Each is made when it is asked for. */
  readonly units: Iterator<Unit>;
  /** Bytes. */
  readonly memory: number;
  /** When they arrived, by the clock. */
  readonly at: number;
  /** The same, in milliseconds since the session began. */
  readonly elapsed: number;
  /** The faults at that time. */
  readonly faults: readonly CountedFault[];
}

/** Whether a batch has so few messages that it is not worth a copy. */
export function isFew(batch: Batch): boolean {
  return batch.count <= few;
}

/** A queue of them. */
export class Arrivals {
  /** Bytes of all. */
  memory = 0;
  readonly #queue = new Queue<Arrival>();

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  get first(): Arrival | undefined {
    return this.#queue.first;
  }

  add(arrival: Arrival): void {
    this.#queue.push(arrival);
    this.memory += arrival.memory;
  }

  shift(): void {
    this.memory -= this.#queue.shift()?.memory ?? 0;
  }
}
