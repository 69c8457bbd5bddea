/**
 * What a room was sent and has not delivered. Its messages have numbers, from 0 over the life of the room: from which one a
 * member receives them, whatever is sent, joined and left while others are being delivered.
 */
import { partsOf, type RoomMessage, Segment } from './segment.ts';

/** Consecutive messages. */
export interface Part {
  /** The number of its first message. */
  readonly first: number;
  readonly messages: readonly RoomMessage[];
  readonly segment: Segment;
}

/** See the top of the file. */
export class Pending {
  /** Bytes of the messages that were not taken. */
  size = 0;
  #first = 0;
  #messages: RoomMessage[] = [];
  /** Those among them that members have already received who left. */
  #received: Part[] = [];
  /** What is being delivered. */
  #delivering: readonly Part[] = [];

  /** The messages that were not taken. */
  get messages(): readonly RoomMessage[] {
    return this.#messages;
  }

  /** The number of the next message. */
  get end(): number {
    return this.#first + this.#messages.length;
  }

  add(message: RoomMessage): void {
    this.#messages.push(message);
    this.size += message.size;
  }

  /** Begins to deliver all of them: {@link delivered} must follow. */
  take(): readonly Part[] {
    const messages = this.#messages;
    const parts: Part[] = [];
    for (const part of partsOf(messages)) {
      parts.push(partOf(part, this.#first));
      this.#first += part.length;
    }
    this.#delivering = parts;
    this.#messages = [];
    this.#received = [];
    this.size = 0;
    return this.#delivering;
  }

  delivered(): void {
    this.#delivering = [];
  }

  /**
   * What a member receives that leaves now, from the message with this number on. However many leave in one turn, with messages
   * in between, each message is encoded a few times only.
   */
  restFrom(number: number): readonly Part[] {
    this.#addReceived();
    return [...this.#delivering, ...this.#received].filter(({ first, messages }) => first + messages.length > number);
  }

  /** Adds the messages since the last part. Parts that are not longer become one with it, so that there are few of them. */
  #addReceived(): void {
    const parts = this.#received;
    const last = parts.at(-1);
    let first = last ? last.first + last.messages.length : this.#first;
    if (first === this.end) return;
    for (let part = parts.at(-1); part && part.messages.length <= this.end - first; part = parts.at(-1)) {
      first = part.first;
      parts.pop();
    }
    parts.push(partOf(this.#messages.slice(first - this.#first), first));
  }
}

function partOf(messages: readonly RoomMessage[], first: number): Part {
  return { first, messages, segment: new Segment(messages) };
}
