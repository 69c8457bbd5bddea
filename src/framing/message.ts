/**
 * What a decoder gives: messages, and the batch of all that one chunk completed.
 */
import type { YodelError } from '../errors.ts';

/**
 * One message: what an application sent at one go.
 *
 * A message handler may keep its messages for as long as it likes. It is a small view into the bytes that came from
 * the network: keep `text`, or a copy of `bytes`, when you store many small messages for long, or each of them keeps
 * its whole chunk in memory.
 */
export class Message {
  readonly #source: Buffer;
  readonly #frameStart: number;
  readonly #start: number;
  readonly #end: number;
  readonly #frameEnd: number;

  /** @internal Decoders make messages: `source` holds the frame from frameStart to frameEnd, the message from start to end. */
  constructor(source: Buffer, frameStart: number, start: number, end: number, frameEnd: number) {
    this.#source = source;
    this.#frameStart = frameStart;
    this.#start = start;
    this.#end = end;
    this.#frameEnd = frameEnd;
  }

  /** The message's length in bytes, without delimiter or length field. */
  get size(): number {
    return this.#end - this.#start;
  }

  /** The message's bytes, without delimiter or length field. */
  get bytes(): Uint8Array {
    return this.#source.subarray(this.#start, this.#end);
  }

  /** The message as text. Bytes that are not UTF-8 (only `encoding: 'binary'` lets them in) become U+FFFD. */
  get text(): string {
    return this.#source.toString('utf8', this.#start, this.#end);
  }

  /** The message as it stood on the wire, delimiter or length field included. */
  get frame(): Uint8Array {
    return this.#source.subarray(this.#frameStart, this.#frameEnd);
  }

  /** What follows the message in its frame: the delimiter, or nothing when input ended without one. */
  get terminator(): Uint8Array {
    return this.#source.subarray(this.#end, this.#frameEnd);
  }

  /** What stands before the message in its frame: the length field and what leads it, or nothing. */
  get header(): Uint8Array {
    return this.#source.subarray(this.#frameStart, this.#start);
  }

  toString(): string {
    return this.text;
  }

  /** @internal Gives the place of the frame to an output that copies nothing. */
  place<Result>(use: (source: Buffer, start: number, end: number) => Result): Result {
    return use(this.#source, this.#frameStart, this.#frameEnd);
  }

  /** @internal Where the next frame begins in the same source. */
  get frameEnd(): number {
    return this.#frameEnd;
  }
}

/** Finds the message of the frame that begins at `at`, in bytes that hold whole frames only. */
export type MessageFinder = (source: Buffer, at: number) => Message;

/**
 * All the messages that one chunk completed, in order.
 *
 * The frames stand in one slice, or in two when the first of them began in an earlier chunk; nothing was copied but
 * such a beginning. After the last message there may be a `fault`.
 */
export class Batch implements Iterable<Message> {
  /** What is wrong with the message after the last one of this batch, if anything is. */
  readonly fault: YodelError | undefined;
  /** What remains of the chunk behind a discarded message: give it to `decode` next. */
  readonly rest: Buffer | undefined;
  readonly #find: MessageFinder;
  #slices: Buffer[];
  #count: number;
  /** Where the first slice's next message begins: messages before it were taken out. */
  #at = 0;

  /** @internal Decoders make batches. */
  constructor(find: MessageFinder, slices: Buffer[], count: number, fault?: YodelError, rest?: Buffer) {
    this.#find = find;
    this.#slices = slices;
    this.#count = count;
    this.fault = fault;
    this.rest = rest;
  }

  /** How many messages there are. */
  get count(): number {
    return this.#count;
  }

  /**
   * The frames as they stood on the wire, at most two slices.
   *
   * They are lent: a transport may reuse the bytes as soon as the handler has returned. To reply with
   * the batch is always safe; to keep the bytes, copy them.
   */
  get slices(): readonly Uint8Array[] {
    this.#cutTaken();
    return this.#slices;
  }

  /** Bytes of all frames together. */
  get byteLength(): number {
    let total = 0;
    for (const slice of this.#slices) total += slice.length;
    return total - this.#at;
  }

  *[Symbol.iterator](): Iterator<Message> {
    for (const slice of this.slices as Buffer[]) {
      for (let at = 0; at < slice.length; ) {
        const message = this.#find(slice, at);
        at = message.frameEnd;
        yield message;
      }
    }
  }

  /** @internal Takes the first message out of the batch. */
  shift(): Message | undefined {
    const slice = this.#slices[0];
    if (slice === undefined) return undefined;
    const message = this.#find(slice, this.#at);
    this.#dropTo(message.frameEnd, 1);
    return message;
  }

  /** @internal Takes the first `count` messages out of the batch, as a batch of their own. */
  take(count: number): Batch {
    const slices: Buffer[] = [];
    let missing = count;
    while (missing > 0 && this.#slices[0] !== undefined) {
      const slice = this.#slices[0];
      let end = this.#at;
      let found = 0;
      for (; found < missing && end < slice.length; found++) end = this.#find(slice, end).frameEnd;
      slices.push(slice.subarray(this.#at, end));
      missing -= found;
      this.#dropTo(end, found);
    }
    return new Batch(this.#find, slices, count - missing);
  }

  /** @internal Copies the bytes, so that the batch may outlive the chunk it came from. */
  keep(): void {
    this.#cutTaken();
    this.#slices = this.#slices.map((slice) => Buffer.from(slice));
  }

  #dropTo(end: number, count: number): void {
    this.#count -= count;
    this.#at = end;
    if (end !== this.#slices[0]?.length) return;
    this.#slices.shift();
    this.#at = 0;
  }

  #cutTaken(): void {
    if (this.#at === 0) return;
    this.#slices[0] = (this.#slices[0] as Buffer).subarray(this.#at);
    this.#at = 0;
  }
}
