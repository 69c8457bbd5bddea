/** The messages of a batch one by one. */
import type { Batch, Message } from '../../framing/message.ts';
import { Queue } from '../../queue.ts';

/** What a handler with `message` gets its messages from. */
export type MessageSource = Batch | MessageList;

/** What a message costs besides its bytes, in the list and as an object. */
const messageCost = 128;

/**
 * Messages that were looked at, because one of them could have been a reply, and that are not replies. The handler gets the same
 * objects, so that nothing is decoded twice.
 */
export class MessageList {
  /** Bytes of memory, with the chunk that the messages are in. */
  readonly memory: number;
  readonly #messages = new Queue<Message>();
  #byteLength = 0;

  /** @param memory of the batch that the messages were taken from */
  constructor(messages: readonly Message[], memory: number) {
    for (const message of messages) {
      this.#messages.push(message);
      this.#byteLength += message.size;
    }
    this.memory = memory + messages.length * messageCost;
  }

  get count(): number {
    return this.#messages.length;
  }

  /** Bytes of all payloads together. */
  get byteLength(): number {
    return this.#byteLength;
  }

  shift(): Message | undefined {
    const message = this.#messages.shift();
    this.#byteLength -= message?.size ?? 0;
    return message;
  }

  /** They are in memory of their own already. */
  endBorrow(): void {}
}
