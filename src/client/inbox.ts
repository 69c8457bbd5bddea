/** Received messages that the program has not taken yet, as an async iterator. */
import type { Message } from '../framing/message.ts';
import { Queue } from '../queue.ts';

interface Taker {
  readonly resolve: (result: IteratorResult<Message, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

/** A queue that ends, or fails, only after all its messages were taken. */
export class Inbox {
  readonly #onTaken: () => void;
  readonly #messages = new Queue<Message>();
  #takers: Taker[] = [];
  #bytes = 0;
  #isOver = false;
  #error: unknown;

  /** @param onTaken called when a queued message was taken */
  constructor(onTaken: () => void) {
    this.#onTaken = onTaken;
  }

  /** Memory that the queued messages cost, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  put(message: Message): void {
    const taker = this.#takers.shift();
    if (taker) {
      taker.resolve({ done: false, value: message });
      return;
    }
    this.#messages.push(message);
    this.#bytes += cost(message);
  }

  /** No more messages follow. With an error, the next call of {@link next} after the last message rejects with it, once. */
  end(error?: unknown): void {
    this.#isOver = true;
    this.#error = error;
    for (const taker of this.#takers.splice(0)) this.#settleEnd(taker);
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    const message = this.#messages.shift();
    if (message) {
      this.#bytes -= cost(message);
      this.#onTaken();
      return Promise.resolve({ done: false, value: message });
    }
    return new Promise((resolve, reject) => {
      if (this.#isOver) this.#settleEnd({ resolve, reject });
      else this.#takers.push({ resolve, reject });
    });
  }

  #settleEnd(taker: Taker): void {
    const error = this.#error;
    this.#error = undefined;
    if (error) taker.reject(error);
    else taker.resolve({ done: true, value: undefined });
  }
}

/** What a message object costs besides its bytes, about. Without it, empty messages would cost nothing and have no limit. */
const objectSize = 64;

function cost(message: Message): number {
  return message.size + objectSize;
}
