/** What a subscription has received and its program has not taken yet: bounded. */
import { Queue } from '../queue.ts';
import type { RoomEvent } from './subscribing.ts';

/** What an event takes besides the payload of its message. */
const eventCost = 256;

/** See the top of the file. */
export class Inbox {
  readonly #limit: number;
  readonly #events = new Queue<RoomEvent>();
  #bytes = 0;
  #end: { readonly error: unknown } | undefined;
  #arrived: PromiseWithResolvers<void> | undefined;

  /** @param limit in bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get isFull(): boolean {
    return this.#bytes >= this.#limit;
  }

  /** Whether it takes more again, after it was full. */
  get isLow(): boolean {
    return this.#bytes <= this.#limit / 2;
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  add(event: RoomEvent): void {
    if (this.#end) return;
    this.#events.push(event);
    this.#bytes += costOf(event);
    this.#wake();
  }

  /** Nothing more comes. @param error the reason, if it is one */
  end(error?: unknown): void {
    this.#end ??= { error };
    this.#wake();
  }

  /** Drops what is there. */
  clear(): void {
    this.#events.takeAll();
    this.#bytes = 0;
  }

  /** The next event; undefined at the end. @throws the error of {@link end} */
  async next(): Promise<RoomEvent | undefined> {
    while (this.#events.length === 0 && !this.#end) {
      this.#arrived ??= Promise.withResolvers();
      await this.#arrived.promise;
    }
    const event = this.#events.shift();
    if (event) this.#bytes -= costOf(event);
    else if (this.#end?.error !== undefined) throw this.#end.error;
    return event;
  }

  #wake(): void {
    this.#arrived?.resolve();
    this.#arrived = undefined;
  }
}

function costOf({ message }: RoomEvent): number {
  return eventCost + (message?.size ?? 0);
}
