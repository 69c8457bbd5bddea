/** Messages that were admitted before the handler could take them, because one of them might be a reply. */
import { type Batch, isBatch, type Message } from '../../framing/message.ts';
import { Queue } from '../../queue.ts';
import type { Fault } from '../fault.ts';
import { MessageList, type MessageSource } from './message-list.ts';

/** What comes to a session, in order. */
export type Admitted = MessageSource | Fault;

/** Whether it has messages. */
export function hasMessages(admitted: Admitted): admitted is MessageSource {
  return isBatch(admitted) || admitted instanceof MessageList;
}

/** A queue of them, in memory of their own. */
export class ReadAhead {
  /** Bytes of the messages. */
  bytes = 0;
  /** Bytes of memory that they keep. */
  memory = 0;
  readonly #queue = new Queue<Admitted>();
  /** What follows the queue and has not been looked at. */
  #unseen: Batch | undefined;

  get isEmpty(): boolean {
    return this.#queue.length === 0 && !this.#unseen;
  }

  get first(): Admitted | undefined {
    return this.#queue.first;
  }

  get unseen(): Batch | undefined {
    return this.#unseen;
  }

  push(admitted: Admitted): void {
    this.#count(admitted);
    this.#queue.push(admitted);
  }

  /** Puts it before all others. */
  putBack(admitted: Admitted): void {
    this.#count(admitted);
    this.#queue.putBack([admitted]);
  }

  /** Keeps messages that have to be looked at. */
  setUnseen(batch: Batch): void {
    this.#count(batch);
    this.#unseen = batch;
  }

  takeUnseen(): Batch | undefined {
    const batch = this.#unseen;
    this.#unseen = undefined;
    if (batch) this.#uncount(batch);
    return batch;
  }

  /** Removes the first of the queue; undefined if there is none, or it must be looked at before. */
  shift(): Admitted | undefined {
    const first = this.#queue.shift();
    if (first) this.#uncount(first);
    return first;
  }

  /** Removes the first message, if messages are the first. */
  shiftMessage(): Message | undefined {
    const { first } = this.#queue;
    if (!first || !hasMessages(first) || first.count === 0) return undefined;
    this.bytes -= first.byteLength;
    const message = first.shift();
    this.bytes += first.byteLength;
    if (first.count === 0) this.shift();
    return message;
  }

  drop(): void {
    this.#queue.takeAll();
    this.#unseen = undefined;
    this.bytes = 0;
    this.memory = 0;
  }

  #count(admitted: Admitted): void {
    if (!hasMessages(admitted)) return;
    admitted.endBorrow();
    this.bytes += admitted.byteLength;
    this.memory += admitted.memory;
  }

  #uncount(admitted: Admitted): void {
    if (!hasMessages(admitted)) return;
    this.bytes -= admitted.byteLength;
    this.memory -= admitted.memory;
  }
}
