/** Messages that have come and that nobody has taken yet, as an async iterator. */
import type { Message } from '../framing/message.ts';
import { Queue } from '../queue.ts';

interface Taker {
  readonly resolve: (result: IteratorResult<Message, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

/** Ends, or fails, only after all messages were taken. */
export class Inbox {
  /** Told when a message was taken that had to wait. */
  readonly #taken: () => void;
  readonly #messages = new Queue<Message>();
  #takers: Taker[] = [];
  #bytes = 0;
  #over = false;
  #error: unknown;

  constructor(taken: () => void) {
    this.#taken = taken;
  }

  /** What the messages that wait cost, in bytes. */
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

  /** No more messages will come; with an error, whoever wants one more gets it, once. */
  end(error?: unknown): void {
    this.#over = true;
    this.#error = error;
    for (const taker of this.#takers.splice(0)) this.#tellEnd(taker);
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    const message = this.#messages.shift();
    if (message) {
      this.#bytes -= cost(message);
      this.#taken();
      return Promise.resolve({ done: false, value: message });
    }
    return new Promise((resolve, reject) => {
      if (this.#over) this.#tellEnd({ resolve, reject });
      else this.#takers.push({ resolve, reject });
    });
  }

  #tellEnd(taker: Taker): void {
    const error = this.#error;
    this.#error = undefined;
    if (error) taker.reject(error);
    else taker.resolve({ done: true, value: undefined });
  }
}

/** An empty message costs memory, too: about this much for the object. Without it a server could send them without end. */
const objectSize = 64;

function cost(message: Message): number {
  return message.size + objectSize;
}
