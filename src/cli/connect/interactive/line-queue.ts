/** Lines that were entered or pasted and cannot be sent yet. */
import { setImmediate as endOfTurn } from 'node:timers/promises';
import { Queue } from '../../../queue.ts';

/** Above this many characters no more lines are read. Smaller pastes are read whole, so that a Ctrl-C after them takes effect. */
const highWaterMark = 67_108_864;
/** After this many messages in a row, the sender yields to keys and received messages. */
export const messagesPerTurn = 100;

/** The callbacks of a queue. */
export interface LineQueueEvents {
  /** Resolves when a line can be sent. */
  readonly ready: () => Promise<void>;
  /** Sends a line. */
  readonly send: (line: string) => void;
  /** The queue is full: no more lines should be added until `low`. */
  readonly full: () => void;
  readonly low: () => void;
  /** Every line was sent, or discarded. */
  readonly empty: () => void;
}

/** Sends lines in order, as fast as they can be sent. */
export class LineQueue {
  readonly #events: LineQueueEvents;
  readonly #lines = new Queue<string>();
  #characters = 0;
  #isFull = false;
  #isSending = false;

  constructor(events: LineQueueEvents) {
    this.#events = events;
  }

  get length(): number {
    return this.#lines.length;
  }

  add(line: string): void {
    this.#lines.push(line);
    this.#characters += line.length;
    if (!this.#isFull && this.#characters > highWaterMark) {
      this.#isFull = true;
      this.#events.full();
    }
    void this.#send();
  }

  /** Discards all lines. Returns how many there were. */
  discard(): number {
    const { length } = this.#lines.takeAll();
    this.#characters = 0;
    this.#reportLow();
    this.#events.empty();
    return length;
  }

  async #send(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    for (let sent = 1; this.#lines.length > 0; sent++) {
      await this.#events.ready();
      const line = this.#lines.shift();
      if (line === undefined) break;
      this.#characters -= line.length;
      if (this.#characters < highWaterMark / 2) this.#reportLow();
      this.#events.send(line);
      if (sent % messagesPerTurn === 0) await endOfTurn();
    }
    this.#isSending = false;
    this.#events.empty();
  }

  #reportLow(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#events.low();
  }
}
