/** Messages, and the batch of all messages that one chunk completed, which a decoder returns. */
import type { YodelError } from '../errors.ts';
import { type ByteOutput, type FrameReader, Frames } from './frames.ts';
import { recycle } from './tail.ts';

/**
 * One message: what an application sent as one unit.
 *
 * A message handler may keep its messages as long as it likes. A message is a small view into the bytes that came from the
 * network, and so may its `text` be. To store a few of many small messages for long, store copies: each view keeps its
 * whole chunk in memory.
 */
export class Message {
  readonly #frames: Frames;
  /** The frame's index. */
  readonly #index: number;
  #text: string | undefined;

  /** @internal Only batches create messages. */
  constructor(frames: Frames, index: number) {
    this.#frames = frames;
    this.#index = index;
  }

  /** The message's length in bytes, without delimiter or length field. */
  get size(): number {
    return this.#frames.messageEnd(this.#index) - this.#frames.messageStart(this.#index);
  }

  /** The message's bytes, without delimiter or length field. */
  get bytes(): Uint8Array {
    const frames = this.#frames;
    return frames.exposed.subarray(frames.messageStart(this.#index), frames.messageEnd(this.#index));
  }

  /** The message as text. Bytes that are not UTF-8, which only `encoding: 'binary'` admits, become U+FFFD. */
  get text(): string {
    this.#text ??= this.#frames.text(this.#index);
    return this.#text;
  }

  /** The message as it was on the wire, delimiter or length field included. */
  get frame(): Uint8Array {
    const frames = this.#frames;
    return frames.exposed.subarray(frames.start(this.#index), frames.end(this.#index));
  }

  /** What follows the message in its frame: the delimiter, or nothing if the input ended without one. */
  get terminator(): Uint8Array {
    const frames = this.#frames;
    return frames.exposed.subarray(frames.messageEnd(this.#index), frames.end(this.#index));
  }

  /** What precedes the message in its frame: the length field and the bytes before it, or nothing. */
  get header(): Uint8Array {
    const frames = this.#frames;
    return frames.exposed.subarray(frames.start(this.#index), frames.messageStart(this.#index));
  }

  /** @internal The length of {@link terminator}, without making it. */
  get terminatorSize(): number {
    return this.#frames.terminatorSize(this.#index);
  }

  toString(): string {
    return this.text;
  }

  /** @internal Whether encoding `text` would give the frame this message came in, so that the frame can be sent instead. */
  isFrameOf(text: string): boolean {
    return text === this.#text && this.#frames.isTextInFrame(this.#index);
  }

  /** A copy in its own memory, for a message that is kept after the batch handler has returned. */
  kept(): Message {
    return this.#frames.areBorrowed ? new Message(this.#frames.copyOf(this.#index), 0) : this;
  }

  /** @internal Appends the frame to an output that copies nothing. */
  place(output: ByteOutput): void {
    const frames = this.#frames;
    output.append(frames.bytes, frames.start(this.#index), frames.end(this.#index));
  }
}

/**
 * All messages that one chunk completed, in order, and the `fault` that follows them, if there is one.
 *
 * The frames are in one slice, or in two if the first of them began in an earlier chunk: then the first slice is that
 * frame. Only such a frame is copied.
 */
export class Batch implements Iterable<Message> {
  /** The error of the message that follows the last one of this batch. */
  readonly fault: YodelError | undefined;
  /** The rest of the chunk after a discarded message, to be decoded next. */
  readonly rest: Buffer | undefined;
  readonly #reader: FrameReader;
  /** The frame that began in an earlier chunk, assembled in its own buffer. */
  #joined: Buffer | undefined;
  /** The frames after it, as they are in the chunk. */
  #body: Buffer | undefined;
  /** Messages in both slices, including those already taken out of the first one. */
  #count: number;
  /** The frames of the first slice, once a message was taken out, and the index of the next one. */
  #frames: Frames | undefined;
  #next = 0;
  /** The frames of the body, once it was iterated over: the messages stay in the batch. */
  #iterated: Frames | undefined;
  /** The frames of the body, once its last message was taken out. */
  #emptied: Frames | undefined;
  /** @internal Whether the chunk is borrowed. */
  isBorrowed = true;

  /** @internal Only decoders create batches: from an assembled frame, and from frames that are complete in the chunk. */
  constructor(
    reader: FrameReader,
    joined: Buffer | undefined,
    body: Buffer | undefined,
    count: number,
    fault?: YodelError,
    rest?: Buffer,
  ) {
    this.#reader = reader;
    this.#joined = joined;
    this.#body = body;
    this.#count = count;
    this.fault = fault;
    this.rest = rest;
  }

  /** The number of messages. */
  get count(): number {
    return this.#count - this.#next;
  }

  /**
   * The frames as they were on the wire, in at most two slices.
   *
   * They are borrowed: the transport may reuse the bytes as soon as the handler has returned. To reply with the batch is
   * always safe; to keep the bytes, copy them.
   */
  get slices(): readonly Uint8Array[] {
    this.#dropTaken();
    const slices: Uint8Array[] = [];
    if (this.#joined) slices.push(this.#joined);
    if (this.#body) slices.push(this.#body);
    return slices;
  }

  /** Bytes of all frames together. */
  get byteLength(): number {
    const total = (this.#joined?.length ?? 0) + (this.#body?.length ?? 0);
    return total - (this.#frames?.start(this.#next) ?? 0);
  }

  *[Symbol.iterator](): Iterator<Message> {
    this.#dropTaken();
    const count = this.#count;
    const joined = this.#joined;
    const body = this.#body;
    if (joined) yield new Message(new Frames(this.#reader, joined, 1, 'borrowed'), 0);
    if (!body) return;
    this.#iterated ??= new Frames(this.#reader, body, joined ? count - 1 : count, 'borrowed');
    const frames = this.#iterated;
    for (let next = 0; next < frames.count; next++) yield new Message(frames, next);
  }

  /** @internal The first message, which stays in the batch. */
  get first(): Message | undefined {
    const frames = this.#firstFrames();
    return frames && new Message(frames, this.#next);
  }

  /** @internal Takes the first message out of the batch. */
  shift(): Message | undefined {
    const frames = this.#firstFrames();
    if (!frames) return undefined;
    const index = this.#next++;
    if (index + 1 === frames.count) this.#dropFirstSlice();
    return new Message(frames, index);
  }

  /** @internal Takes the first `count` messages out of the batch, as a separate batch that ends with `fault`. */
  take(count: number, fault?: YodelError): Batch {
    const joined = count > 0 ? this.#joined : undefined;
    const remaining = joined ? count - 1 : count;
    if (joined) {
      this.#next = 1;
      this.#dropFirstSlice();
    }
    const frames = remaining > 0 ? this.#firstFrames() : undefined;
    const next = this.#next;
    const last = frames ? Math.min(next + remaining, frames.count) : next;
    const body = frames?.bytes.subarray(frames.start(next), frames.start(last));
    this.#next = last;
    if (frames && last === frames.count) this.#dropFirstSlice();
    const taken = new Batch(this.#reader, joined, body, last - next + (joined ? 1 : 0), fault);
    taken.isBorrowed = this.isBorrowed;
    return taken;
  }

  /** @internal The borrowed chunk is about to change: copies the bytes that the batch and the messages taken from it still need. */
  endBorrow(): void {
    if (!this.isBorrowed) return;
    this.isBorrowed = false;
    this.#emptied?.endBorrow();
    if (this.#next > 0) return this.#frames?.endBorrow();
    this.#frames = undefined;
    if (this.#body) this.#body = Buffer.from(this.#body);
    if (this.#body) this.#iterated?.moveTo(this.#body);
  }

  /** @internal A copy of the batch in its own memory. */
  copied(): Batch {
    this.#dropTaken();
    const [joined, body] = [this.#joined, this.#body].map((bytes) => bytes && Buffer.from(bytes));
    return new Batch(this.#reader, joined, body, this.#count);
  }

  /** @internal Appends the frames to an output that copies nothing. */
  place(output: ByteOutput): void {
    this.#dropTaken();
    if (this.#joined) output.append(this.#joined, 0, this.#joined.length);
    if (this.#body) output.append(this.#body, 0, this.#body.length);
  }

  /** @internal Whether all frames pass the test. */
  passes(test: (bytes: Buffer) => boolean): boolean {
    return (!this.#joined || test(this.#joined)) && (!this.#body || test(this.#body));
  }

  /** @internal The batch's bytes are no longer used: frees the memory of an assembled frame for the next one. */
  release(): void {
    if (this.#joined) recycle(this.#joined);
    this.#joined = undefined;
  }

  /** The frames of the first slice. */
  #firstFrames(): Frames | undefined {
    if (this.#frames) return this.#frames;
    if (this.#joined) this.#frames = new Frames(this.#reader, this.#joined, 1);
    else if (this.#body)
      this.#frames = new Frames(this.#reader, this.#body, this.#count, this.isBorrowed ? 'copyOnRead' : 'owned');
    return this.#frames;
  }

  #dropFirstSlice(): void {
    if (this.#joined) this.#joined = undefined;
    else {
      this.#body = undefined;
      this.#emptied = this.#frames;
    }
    this.#frames = undefined;
    this.#count -= this.#next;
    this.#next = 0;
  }

  /** Drops the messages that were taken out. Only the body can be partly taken: an assembled frame is one message. */
  #dropTaken(): void {
    if (this.#next === 0) return;
    this.#body = this.#frames?.bytes.subarray(this.#frames.start(this.#next));
    this.#iterated = undefined;
    this.#frames = undefined;
    this.#count -= this.#next;
    this.#next = 0;
  }
}

/** @internal The chunk from `start` to `end`; the chunk itself if it is the whole chunk, because a new view costs 30 to 45 ns. */
export function part(chunk: Buffer, start: number, end: number): Buffer | undefined {
  if (start === end) return undefined;
  return start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end);
}
