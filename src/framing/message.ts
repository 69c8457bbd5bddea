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
  /** Which of the frames. */
  readonly #index: number;
  #text: string | undefined;

  /** @internal Batches make messages. */
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
    return frames.shown.subarray(frames.messageStart(this.#index), frames.messageEnd(this.#index));
  }

  /** The message as text. Bytes that are not UTF-8 (only `encoding: 'binary'` lets them in) become U+FFFD. */
  get text(): string {
    this.#text ??= this.#frames.text(this.#index);
    return this.#text;
  }

  /** The message as it stood on the wire, delimiter or length field included. */
  get frame(): Uint8Array {
    const frames = this.#frames;
    return frames.shown.subarray(frames.start(this.#index), frames.end(this.#index));
  }

  /** What follows the message in its frame: the delimiter, or nothing when input ended without one. */
  get terminator(): Uint8Array {
    const frames = this.#frames;
    return frames.shown.subarray(frames.messageEnd(this.#index), frames.end(this.#index));
  }

  /** What stands before the message in its frame: the length field and what leads it, or nothing. */
  get header(): Uint8Array {
    const frames = this.#frames;
    return frames.shown.subarray(frames.start(this.#index), frames.messageStart(this.#index));
  }

  /** @internal How many bytes follow the message in its frame: what {@link terminator} has, without making it. */
  get terminatorSize(): number {
    return this.#frames.terminatorSize(this.#index);
  }

  toString(): string {
    return this.text;
  }

  /**
   * @internal Whether this is what {@link text} gave, and would be encoded as just the frame that the message came in:
   * then that can be sent, and nothing needs to be encoded.
   */
  isFrameOf(text: string): boolean {
    return text === this.#text && this.#frames.isTextInFrame(this.#index);
  }

  /** The same message, in memory of its own: to keep a message of a batch for longer than its call. */
  kept(): Message {
    return this.#frames.areBorrowed ? this.#frames.copy(this.#index) : this;
  }

  /** @internal Gives the place of the frame to an output that copies nothing. */
  place(output: ByteOutput): void {
    const frames = this.#frames;
    output.append(frames.bytes, frames.start(this.#index), frames.end(this.#index));
  }
}

/** @internal What takes bytes without copying them. */
export interface ByteOutput {
  append(source: Buffer, start: number, end: number): void;
}

/** @internal How the frames of a framing lie in bytes. One serves all decoders of its framing. */
export interface FrameReader {
  /** Bytes that stand before the message in each frame. */
  readonly headerSize: number;
  /** Where the frames end, `count` of them, which fill `bytes`. */
  ends(bytes: Buffer, count: number): number[];
  /** Where the message ends of the frame that stands from `start` to `end`. */
  messageEnd(bytes: Buffer, start: number, end: number): number;
  /** How many bytes follow the message in each of several frames; -1 when that may differ. */
  terminatorSize(bytes: Buffer): number;
}

/**
 * @internal How long bytes stay as they are: for good, for a batch handler's call, or until the transport reuses them,
 * and then they are copied when they are first read.
 */
export type Borrowed = 'no' | 'forTheCall' | 'untilLookedAt';

/**
 * @internal The bytes that several frames stand in, where each of them ends, and their text.
 *
 * Text is made of all the bytes at once and cut, where they are ASCII, so that places in the one are places in the
 * other: to decode a short message costs the runtimes 30 to 60 ns, to cut it out of a string 8.
 */
export class Frames {
  /** How many there are. */
  readonly count: number;
  readonly #reader: FrameReader;
  /** None once they are no longer borrowed, and can be made from the text. */
  #bytes: Buffer | undefined;
  readonly #length: number;
  #borrowed: Borrowed;
  readonly #ends: readonly number[] | undefined;
  readonly #terminatorSize: number;
  /** Found out when it matters. */
  #isAscii: boolean | undefined;
  #text: string | undefined;
  /** Somebody was given the bytes, and may have changed them. */
  #areShown = false;

  constructor(reader: FrameReader, bytes: Buffer, count: number, borrowed: Borrowed = 'no') {
    this.count = count;
    this.#reader = reader;
    this.#bytes = bytes;
    this.#length = bytes.length;
    this.#borrowed = borrowed;
    this.#ends = count > 1 ? reader.ends(bytes, count) : undefined;
    this.#terminatorSize = count > 1 ? reader.terminatorSize(bytes) : -1;
  }

  /** The bytes, for whoever looks at them only now. */
  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(this.#text as string, 'latin1');
    return this.#bytes;
  }

  /** The bytes, for whoever was promised that they last. */
  get shown(): Buffer {
    this.#areShown = true;
    if (this.#borrowed === 'untilLookedAt') this.moveTo(Buffer.from(this.bytes));
    return this.bytes;
  }

  /** Whether the bytes may change once the handler has returned. */
  get areBorrowed(): boolean {
    return this.#borrowed !== 'no';
  }

  /** Whether a frame is still its message's text and what encloses it, all of it ASCII. Input may have ended without a delimiter. */
  isTextInFrame(index: number): boolean {
    return this.#isAscii === true && !this.#areShown && (this.#reader.headerSize > 0 || this.terminatorSize(index) > 0);
  }

  /** Where a frame begins, or the one before it ends. */
  start(index: number): number {
    return index === 0 ? 0 : (this.#ends?.[index - 1] as number);
  }

  /** Where a frame ends. */
  end(index: number): number {
    return this.#ends ? (this.#ends[index] as number) : this.#length;
  }

  /** Where the message of a frame begins. */
  messageStart(index: number): number {
    return this.start(index) + this.#reader.headerSize;
  }

  /** Where the message of a frame ends. */
  messageEnd(index: number): number {
    const end = this.end(index);
    if (this.#terminatorSize !== -1) return end - this.#terminatorSize;
    return this.#reader.messageEnd(this.bytes, this.start(index), end);
  }

  /** How many bytes follow the message in a frame. */
  terminatorSize(index: number): number {
    return this.#terminatorSize !== -1 ? this.#terminatorSize : this.end(index) - this.messageEnd(index);
  }

  /** Looks at a copy of the bytes from now on, and so do the messages that stand in them. */
  moveTo(copy: Buffer): void {
    this.#bytes = copy;
    this.#borrowed = 'no';
  }

  /** Borrowed bytes are about to change: does without them, where their text has been made and tells all of them, or copies them. */
  giveUp(): void {
    if (this.#borrowed === 'no') return;
    this.#borrowed = 'no';
    this.#bytes = this.#text === undefined ? Buffer.from(this.bytes) : undefined;
  }

  /** A copy of the message of a frame. */
  copy(index: number): Message {
    const frame = Buffer.from(this.bytes.subarray(this.start(index), this.end(index)));
    return new Message(new Frames(this.#reader, frame, 1), 0);
  }

  /** The text of the message of a frame. */
  text(index: number): string {
    const start = this.messageStart(index);
    const end = this.messageEnd(index);
    this.#isAscii ??= isAscii(this.bytes);
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
  /** The frame that began in an earlier chunk, put together in a buffer that nothing else uses. */
  #joined: Buffer | undefined;
  /** The frames behind it, as they stand in the chunk. */
  #body: Buffer | undefined;
  /** Messages in both slices, those that were taken out of the first one included. */
  #count: number;
  /** The frames of the first slice, once messages were taken out, and which of them is next. */
  #frames: Frames | undefined;
  #next = 0;
  /** The body's frames, once messages were given out that stay in the batch. */
  #given: Frames | undefined;
  /** The body's frames, once the last message was taken out. */
  #spent: Frames | undefined;
  /** @internal Whether the chunk may change once it has been handled. */
  isBorrowed = true;

  /** @internal Decoders make batches: of a frame that was put together, and of frames that stand whole in the chunk. */
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

  /** How many messages there are. */
  get count(): number {
    return this.#count - this.#next;
  }

  /**
   * The frames as they stood on the wire, at most two slices.
   *
   * They are borrowed: the transport may reuse the bytes as soon as the handler has returned. To reply with
   * the batch is always safe; to keep the bytes, copy them.
   */
  get slices(): readonly Uint8Array[] {
    this.#cutTaken();
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
    this.#cutTaken();
    const count = this.#count;
    const joined = this.#joined;
    const body = this.#body;
    if (joined) yield new Message(new Frames(this.#reader, joined, 1, 'forTheCall'), 0);
    if (!body) return;
    this.#given ??= new Frames(this.#reader, body, joined ? count - 1 : count, 'forTheCall');
    const frames = this.#given;
    for (let next = 0; next < frames.count; next++) yield new Message(frames, next);
  }

  /** @internal The first message, which stays in the batch. */
  get first(): Message | undefined {
    const frames = this.#locate();
    return frames && new Message(frames, this.#next);
  }

  /** @internal Takes the first message out of the batch. */
  shift(): Message | undefined {
    const frames = this.#locate();
    if (!frames) return undefined;
    const index = this.#next++;
    if (index + 1 === frames.count) this.#dropFirst();
    return new Message(frames, index);
  }

  /** @internal Takes the first `count` messages out of the batch, as a batch of their own, with a fault behind them. */
  take(count: number, fault?: YodelError): Batch {
    const joined = count > 0 ? this.#joined : undefined;
    const rest = joined ? count - 1 : count;
    if (joined) {
      this.#next = 1;
      this.#dropFirst();
    }
    const frames = rest > 0 ? this.#locate() : undefined;
    const next = this.#next;
    const last = frames ? Math.min(next + rest, frames.count) : next;
    const body = frames?.bytes.subarray(frames.start(next), frames.start(last));
    this.#next = last;
    if (frames && last === frames.count) this.#dropFirst();
    const taken = new Batch(this.#reader, joined, body, last - next + (joined ? 1 : 0), fault);
    taken.isBorrowed = this.isBorrowed;
    return taken;
  }

  /** @internal The chunk is about to change: the batch, and the messages it has given, do without it. */
  keep(): void {
    if (!this.isBorrowed) return;
    this.isBorrowed = false;
    this.#spent?.giveUp();
    if (this.#next > 0) return this.#frames?.giveUp();
    this.#frames = undefined;
    if (this.#body) this.#body = Buffer.from(this.#body);
    if (this.#body) this.#given?.moveTo(this.#body);
  }

  /** @internal The same messages in bytes of their own. */
  copied(): Batch {
    this.#cutTaken();
    const [joined, body] = [this.#joined, this.#body].map((bytes) => bytes && Buffer.from(bytes));
    return new Batch(this.#reader, joined, body, this.#count);
  }

  /** @internal Gives the frames to an output that copies nothing. */
  place(output: ByteOutput): void {
    this.#cutTaken();
    if (this.#joined) output.append(this.#joined, 0, this.#joined.length);
    if (this.#body) output.append(this.#body, 0, this.#body.length);
  }

  /** @internal Whether all frames pass the test. */
  passes(test: (bytes: Buffer) => boolean): boolean {
    return (!this.#joined || test(this.#joined)) && (!this.#body || test(this.#body));
  }

  /** @internal Says that nobody looks at the batch's bytes any more, so that the next long message can use their memory. */
  release(): void {
    if (this.#joined) giveBack(this.#joined);
    this.#joined = undefined;
  }

  /** The first slice's frames. */
  #locate(): Frames | undefined {
    if (this.#frames) return this.#frames;
    if (this.#joined) this.#frames = new Frames(this.#reader, this.#joined, 1);
    else if (this.#body)
      this.#frames = new Frames(this.#reader, this.#body, this.#count, this.isBorrowed ? 'untilLookedAt' : 'no');
    return this.#frames;
  }

  #dropFirst(): void {
    if (this.#joined) this.#joined = undefined;
    else {
      this.#body = undefined;
      this.#spent = this.#frames;
    }
    this.#frames = undefined;
    this.#count -= this.#next;
    this.#next = 0;
  }

  #cutTaken(): void {
    if (this.#next === 0) return;
    // The frame that was put together is taken as a whole: what was taken in part is the body.
    this.#body = this.#frames?.bytes.subarray(this.#frames.start(this.#next));
    this.#given = undefined;
    this.#frames = undefined;
    this.#count -= this.#next;
    this.#next = 0;
  }
}

/** @internal The chunk from `start` to `end`; the chunk itself when that is all of it, for a new view costs 30 to 45 ns. */
export function part(chunk: Buffer, start: number, end: number): Buffer | undefined {
  if (start === end) return undefined;
  return start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end);
}
