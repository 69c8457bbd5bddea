/** A queue of received messages that the program has not taken yet. */
import type { Message } from '../framing/message.ts';
import { Queue } from '../queue.ts';

interface Waiter {
  readonly resolve: (result: IteratorResult<Message, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

/** The queue ends, or fails, only after all its messages were taken. */
export class Inbox {
  readonly #onTaken: () => void;
  readonly #messages = new Queue<Message>();
  #waiters: Waiter[] = [];
  #bytes = 0;
  #isOver = false;
  #error: unknown;

  /** @param onTaken called when a queued message was taken */
  constructor(onTaken: () => void) {
    this.#onTaken = onTaken;
  }

  /** The memory that the queued messages take, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  put(message: Message): void {
    const waiter = this.#waiters.shift();
    if (waiter) {
      waiter.resolve({ done: false, value: message });
      return;
    }
    this.#messages.push(message);
    this.#bytes += cost(message);
  }

  /** No more messages follow. With an error, {@link next} rejects with it once, after the last message. */
  end(error?: unknown): void {
    this.#isOver = true;
    this.#error = error;
    for (const waiter of this.#waiters.splice(0)) this.#settleEnd(waiter);
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
      else this.#waiters.push({ resolve, reject });
    });
  }

  #settleEnd(waiter: Waiter): void {
    const error = this.#error;
    this.#error = undefined;
    if (error) waiter.reject(error);
    else waiter.resolve({ done: true, value: undefined });
  }
}

/** The approximate size of a message object besides its bytes. Without it, empty messages would have no limit. */
const objectSize = 64;

function cost(message: Message): number {
  return message.size + objectSize;
}
