import type { Message } from '../../framing/message.ts';
import { Queue } from '../../queue.ts';

/** What a message that waits costs besides its bytes, on the runtime that needs more. */
const messageCost = 512;
/** With more of either, a client is not read: little for thousands of clients. */
const mostMessages = 1000;
const mostBytes = 1_048_576;
/** What clients that have left may leave behind in a mock. It belongs to no session, so no other limit applies. */
const mostLeft = 16_777_216;

/** What clients that have left have sent to a mock, and still waits. */
export interface LeftBehind {
  bytes: number;
}

/** The messages of a client that no line has taken yet. */
export class Inbox {
  readonly #queue = new Queue<Message>();
  readonly #left: LeftBehind;
  #bytes = 0;
  #isLeft = false;

  constructor(left: LeftBehind) {
    this.#left = left;
  }

  get length(): number {
    return this.#queue.length;
  }

  get first(): Message | undefined {
    return this.#queue.first;
  }

  /** The memory that they take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the client should not be read. */
  get isFull(): boolean {
    return this.length >= mostMessages || this.#bytes > mostBytes;
  }

  push(message: Message): void {
    this.#queue.push(message);
    this.#count(message.size + messageCost);
  }

  shift(): Message | undefined {
    const message = this.#queue.shift();
    if (message) this.#count(-(message.size + messageCost));
    return message;
  }

  takeAll(): Message[] {
    this.#count(-this.#bytes);
    return this.#queue.takeAll();
  }

  /** Gives the last message memory of its own, if it still waits: else it would keep the whole chunk that it came in. */
  keep(message: Message): void {
    if (this.length !== 1 || this.first !== message) return;
    this.shift();
    this.push(message.copy());
  }

  /** The client has left, and its messages may still be taken. Returns false if they are too many: then they are dropped. */
  leave(): boolean {
    if (this.#isLeft) return true;
    const fits = this.#left.bytes + this.#bytes <= mostLeft;
    if (!fits) this.takeAll();
    this.#isLeft = true;
    this.#left.bytes += this.#bytes;
    return fits;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#isLeft) this.#left.bytes += bytes;
  }
}
