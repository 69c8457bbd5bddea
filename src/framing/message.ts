/**
 * What a decoder gives: messages, and the batch of all that one chunk completed.
 */
import { isAscii } from 'node:buffer';
import type { YodelError } from '../errors.ts';
import { giveBack } from './tail.ts';

/**
 * One message: what an application sent at one go.
 *
 * A message handler may keep its messages for as long as it likes. It is a small view into the bytes that came from
 * the network, and so may its `text` be: when you store few of many small messages for long, store a copy, or each of
 * them keeps its whole chunk in memory.
 */
export class Message {
  readonly #frames: Frames;
  readonly #frameStart: number;
  readonly #start: number;
  readonly #end: number;
  readonly #frameEnd: number;

  /** @internal Batches make messages: the frame stands from frameStart to frameEnd, the message from start to end. */
  constructor(frames: Frames, frameStart: number, start: number, end: number, frameEnd: number) {
    this.#frames = frames;
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
    return this.#frames.bytes.subarray(this.#start, this.#end);
  }

  /** The message as text. Bytes that are not UTF-8 (only `encoding: 'binary'` lets them in) become U+FFFD. */
  get text(): string {
    return this.#frames.text(this.#start, this.#end);
  }

  /** The message as it stood on the wire, delimiter or length field included. */
  get frame(): Uint8Array {
    return this.#frames.bytes.subarray(this.#frameStart, this.#frameEnd);
  }

  /** What follows the message in its frame: the delimiter, or nothing when input ended without one. */
  get terminator(): Uint8Array {
    return this.#frames.bytes.subarray(this.#end, this.#frameEnd);
  }

  /** What stands before the message in its frame: the length field and what leads it, or nothing. */
  get header(): Uint8Array {
    return this.#frames.bytes.subarray(this.#frameStart, this.#start);
  }

  /** @internal How many bytes follow the message in its frame: what {@link terminator} has, without making it. */
  get terminatorSize(): number {
    return this.#frameEnd - this.#end;
  }

  toString(): string {
    return this.text;
  }

  /** @internal Gives the place of the frame to an output that copies nothing. */
  place(output: { append(source: Buffer, start: number, end: number): void }): void {
    output.append(this.#frames.bytes, this.#frameStart, this.#frameEnd);
  }
}

/** @internal How the frames of a framing lie in bytes. One serves all decoders of its framing. */
export interface FrameReader {
  /** Bytes that stand before the message in each frame. */
  readonly headerSize: number;
  /** Where the frames end, `count` of them, which fill `bytes`. */
  ends(bytes: Buffer, count: number): number[];
  /** Where the message ends of the frame that stands from `start` to `end`. */
  messageEnd(bytes: Buffer, start: number, end: number): number;
}

/**
 * @internal The bytes that several frames stand in, where each of them ends, and their text.
 *
 * Text is made of all the bytes at once and cut, where they are ASCII, so that places in the one are places in the
 * other: to decode a short message costs the runtimes 30 to 60 ns, to cut it out of a string 8.
 */
export class Frames {
  readonly bytes: Buffer;
  /** How many there are. */
  readonly count: number;
  readonly #reader: FrameReader;
  readonly #ends: readonly number[] | undefined;
  readonly #isAscii: boolean;
  #text: string | undefined;

  constructor(reader: FrameReader, bytes: Buffer, count: number) {
    this.bytes = bytes;
    this.count = count;
    this.#reader = reader;
    this.#ends = count > 1 ? reader.ends(bytes, count) : undefined;
    this.#isAscii = count > 1 && isAscii(bytes);
  }

  /** Where a frame begins. */
  start(index: number): number {
    return index === 0 ? 0 : (this.#ends?.[index - 1] as number);
  }

  /** Where a frame ends. */
  end(index: number): number {
    return this.#ends ? (this.#ends[index] as number) : this.bytes.length;
  }

  /** The message of a frame. */
  message(index: number): Message {
    const start = this.start(index);
    const end = this.end(index);
    const { headerSize } = this.#reader;
    return new Message(this, start, start + headerSize, this.#reader.messageEnd(this.bytes, start, end), end);
  }

  text(start: number, end: number): string {
    if (!this.#isAscii) return this.bytes.toString('utf8', start, end);
    this.#text ??= this.bytes.toString('latin1');
    return this.#text.substring(start, end);
  }
}

/**
 * All the messages that one chunk completed, in order.
 *
 * The frames stand in one slice, or in two when the first of them began in an earlier chunk: then the first slice is
 * that frame. Nothing was copied but such a beginning. After the last message there may be a `fault`.
 */
export class Batch implements Iterable<Message> {
  /** What is wrong with the message after the last one of this batch, if anything is. */
  readonly fault: YodelError | undefined;
  /** What remains of the chunk behind a discarded message: give it to `decode` next. */
  readonly rest: Buffer | undefined;
  readonly #reader: FrameReader;
  #slices: Buffer[];
  #count: number;
  /** The first slice's frames, once messages were taken out, and which of them is next. */
  #frames: Frames | undefined;
  #next = 0;
  /** The first frame, when it was put together in a buffer that nothing else uses. */
  #owned: Buffer | undefined;

  /** @internal Decoders make batches. */
  constructor(reader: FrameReader, slices: Buffer[], count: number, fault?: YodelError, rest?: Buffer) {
    this.#reader = reader;
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
    return total - (this.#frames?.start(this.#next) ?? 0);
  }

  *[Symbol.iterator](): Iterator<Message> {
    const slices = this.slices as Buffer[];
    let left = this.#count;
    for (const [index, slice] of slices.entries()) {
      const count = index === 0 ? this.#countOfFirst : left;
      const frames = new Frames(this.#reader, slice, count);
      for (let next = 0; next < count; next++) yield frames.message(next);
      left -= count;
    }
  }

  /** @internal The first message, which stays in the batch. */
  get first(): Message | undefined {
    const frames = this.#located;
    return frames?.message(this.#next);
  }

  /** @internal Takes the first message out of the batch. */
  shift(): Message | undefined {
    const frames = this.#located;
    if (!frames) return undefined;
    const message = frames.message(this.#next++);
    this.#count--;
    if (this.#next === frames.count) this.#dropFirst();
    return message;
  }

  /** @internal Takes the first `count` messages out of the batch, as a batch of their own. */
  take(count: number): Batch {
    const slices: Buffer[] = [];
    let missing = count;
    for (let frames = this.#located; frames && missing > 0; frames = this.#located) {
      const last = Math.min(this.#next + missing, frames.count) - 1;
      slices.push(frames.bytes.subarray(frames.start(this.#next), frames.end(last)));
      const taken = last + 1 - this.#next;
      missing -= taken;
      this.#count -= taken;
      this.#next = last + 1;
      if (this.#next === frames.count) this.#dropFirst();
    }
    return new Batch(this.#reader, slices, count - missing);
  }

  /** @internal Copies the bytes, so that the batch may outlive the chunk it came from. */
  keep(): void {
    this.#cutTaken();
    this.#frames = undefined;
    this.#owned = undefined;
    this.#slices = this.#slices.map((slice) => Buffer.from(slice));
  }

  /** @internal Says that a frame of this batch has its bytes for itself. */
  own(frame: Buffer): void {
    this.#owned = frame;
  }

  /** @internal Says that nobody looks at the batch's bytes any more, so that the next long message can use their memory. */
  release(): void {
    if (this.#owned) giveBack(this.#owned);
    this.#owned = undefined;
  }

  /** How many frames the first slice holds. */
  get #countOfFirst(): number {
    return this.#slices.length > 1 ? 1 : this.#count;
  }

  /** The first slice's frames. */
  get #located(): Frames | undefined {
    if (this.#frames) return this.#frames;
    const slice = this.#slices[0];
    if (slice) this.#frames = new Frames(this.#reader, slice, this.#countOfFirst);
    return this.#frames;
  }

  #dropFirst(): void {
    this.#slices.shift();
    this.#frames = undefined;
    this.#next = 0;
  }

  #cutTaken(): void {
    if (this.#next === 0) return;
    const frames = this.#frames as Frames;
    this.#slices[0] = frames.bytes.subarray(frames.start(this.#next));
    this.#frames = undefined;
    this.#next = 0;
  }
}
