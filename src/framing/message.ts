/** Messages, and the batch of all messages that one chunk completed, which a decoder returns. */
import type { YodelError } from '../errors.ts';
import { type ByteOutput, checkKind, type FrameReader, Frames } from './frames.ts';
import { inspect, inspectionOf } from './inspection.ts';
import { batchMark, hasMark, messageMark } from './marks.ts';
import type { FramingId, MessageKind, MessageParts } from './message-parts.ts';
import { ownCopy } from './slices.ts';
import { recycle } from './tail.ts';
import { noFraming, unframed } from './unframed.ts';

export type { MessageParts };

/**
 * One message: what an application sent as one unit. It has a payload (`bytes`, `text`) and, where its framing has one, a
 * `header`. It remembers the frame it arrived in: sent to a connection of the same framing, it leaves as that frame;
 * anywhere else it is encoded again.
 *
 * A message handler may keep its messages as long as it likes. A message is a small view into the bytes that came from the
 * network, and so are its `bytes`: one kept message keeps its whole chunk in memory, up to 64 KiB. To store a few of many
 * messages, store {@link copy}. A kept `text` keeps at most 8 KiB more than itself.
 */
export class Message {
  readonly #frames: Frames;
  /** The frame's index. */
  readonly #index: number;
  #text: string | undefined;
  #copy: Message | undefined;

  /** @internal Batches create messages; programs call {@link Message.of}. */
  constructor(frames: Frames, index: number) {
    this.#frames = frames;
    this.#index = index;
  }

  /**
   * A new message, such as one with a header. Text and bytes without a header can be sent without this.
   *
   * @throws YodelError `YODEL_INVALID_OPTION` if the kind is another
   */
  static of(payload: string | Uint8Array, { header, kind }: MessageParts = {}): Message {
    checkKind(kind);
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(payload);
    const kindOf = kind ?? (typeof payload === 'string' ? 'text' : undefined);
    return new Message(new Frames(unframed(header && Buffer.from(header), kindOf), bytes, 1), 0);
  }

  /** The payload's length in bytes. */
  get size(): number {
    return this.#frames.size(this.#index);
  }

  /** The payload: the message's bytes without anything that the framing adds. */
  get bytes(): Uint8Array {
    return this.#frames.payload(this.#index);
  }

  /** The payload as text. Bytes that are not UTF-8, which only `encoding: 'binary'` admits, become U+FFFD. */
  get text(): string {
    this.#text ??= this.#frames.text(this.#index);
    return this.#text;
  }

  /**
   * Bytes outside the payload that carry meaning, such as a type or an id. Which bytes those are depends on the
   * framing; most have none. A length field or delimiter is not part of it.
   */
  get header(): Uint8Array {
    return this.#frames.header(this.#index);
  }

  /** Whether it is a text or a binary message, where its framing distinguishes them, as WebSocket does. */
  get kind(): MessageKind | undefined {
    return this.#frames.kind(this.#index);
  }

  /** The framing it arrived in; undefined for a message that a program created. */
  get framing(): FramingId | undefined {
    const { framing } = this.#frames.reader;
    return framing === noFraming ? undefined : framing;
  }

  /**
   * The message as it was on the wire, delimiter or length field included. Of a WebSocket message, the frame without mask; of
   * one that a program created, the payload.
   */
  get frame(): Uint8Array {
    const frames = this.#frames;
    return frames.exposed.subarray(frames.start(this.#index), frames.end(this.#index));
  }

  /** What follows the payload in its frame: the delimiter, or nothing if the input ended without one. */
  get terminator(): Uint8Array {
    const frames = this.#frames;
    return frames.exposed.subarray(frames.payloadEnd(this.#index), frames.end(this.#index));
  }

  /** @internal The length of {@link terminator}, without making it. */
  get terminatorSize(): number {
    return this.#frames.terminatorSize(this.#index);
  }

  /** @internal See {@link isMessage}. */
  get [messageMark](): true {
    return true;
  }

  toString(): string {
    return this.text;
  }

  /** @internal What `console.log` prints. */
  [inspect](): string {
    return inspectionOf(this);
  }

  /** @internal Whether encoding `text` would give the frame this message came in, so that the frame can be sent instead. */
  isFrameOf(text: string): boolean {
    return text === this.#text && this.#frames.isTextInFrame(this.#index);
  }

  /** A copy in memory of its own. It is still the same message, with the same header, frame and framing. */
  copy(): Message {
    return new Message(this.#frames.copyOf(this.#index), 0);
  }

  /** @internal The message itself if it may be kept after the batch handler has returned, else a copy: one for all who ask. */
  kept(): Message {
    if (!this.#frames.areBorrowed) return this;
    this.#copy ??= this.copy();
    return this.#copy;
  }

  /** @internal Bytes of the text that was read, and is kept, with that of its batch. */
  get textMemory(): number {
    const frames = this.#frames;
    // ASCII is cut from the batch's text. Any other text may have two bytes per character.
    return frames.textMemory + (frames.isAscii ? 0 : 2 * (this.#text?.length ?? 0));
  }

  /** @internal How its frame is read. */
  get reader(): FrameReader {
    return this.#frames.reader;
  }

  /** @internal Appends the payload to an output, without a view of its own. */
  placePayload(output: ByteOutput): void {
    this.#frames.placePayload(this.#index, output);
  }

  /** @internal Appends the frame to an output that copies nothing. */
  place(output: ByteOutput): void {
    const frames = this.#frames;
    output.append(frames.bytes, frames.start(this.#index), frames.end(this.#index));
  }
}

/** @internal Whether this is a message, also one of another copy of yodel in the same process. */
export function isMessage(value: unknown): value is Message {
  return value instanceof Message || hasMark(value, messageMark);
}

/** @internal Whether this is a batch, also one of another copy of yodel in the same process. */
export function isBatch(value: unknown): value is Batch {
  return value instanceof Batch || hasMark(value, batchMark);
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
  readonly rest: Uint8Array | undefined;
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
  /** @internal Bytes of memory that it keeps while it waits or is handled; see `Intake`. */
  memory = 0;
  /** @internal The part of them that is the chunk it came in. */
  chunkMemory = 0;

  /** @internal Bytes before the first frame that belong to no message, for handlers that pass on everything. */
  before: Buffer | undefined;
  /** @internal Whether nothing can be decoded after the fault, because the decoder cannot find the end of the message. */
  isLast = false;
  /** @internal Whether all payloads of the body are known to be ASCII. */
  isAscii = false;
  /** Where each frame of the body ends, if the decoder knows. */
  #ends: readonly number[] | undefined;

  /** @internal Only decoders create batches: from an assembled frame, and from frames that are complete in the chunk. */
  constructor(
    reader: FrameReader,
    joined: Buffer | undefined,
    body: Buffer | undefined,
    count: number,
    fault?: YodelError,
    rest?: Buffer,
    ends?: readonly number[],
  ) {
    this.#reader = reader;
    this.#ends = ends;
    this.#joined = joined;
    this.#body = body;
    this.#count = count;
    this.fault = fault;
    this.rest = rest;
  }

  /** The framing that the messages arrived in. */
  get framing(): FramingId {
    return this.#reader.framing;
  }

  /** @internal Whether each payload is in its frame as it is: without escapes, and not made by a program. */
  get hasPlainPayloads(): boolean {
    return this.#reader.payload === undefined;
  }

  /** @internal See {@link isBatch}. */
  get [batchMark](): true {
    return true;
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
    this.#iterated ??= new Frames(this.#reader, body, joined ? count - 1 : count, 'borrowed', this.#ends, this.isAscii);
    const frames = this.#iterated;
    for (let next = 0; next < frames.count; next++) yield new Message(frames, next);
  }

  /** @internal The length of the frame that was assembled, which has memory of its own; 0 if there is none. */
  get assembledLength(): number {
    return this.#joined?.length ?? 0;
  }

  /** @internal Whether it is a single message that was assembled: it arrived in several chunks, or at the end of the input. */
  get isAssembled(): boolean {
    return this.#joined !== undefined && this.#body === undefined;
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
    const ends = frames?.endsOf(next, last);
    this.#next = last;
    if (frames && last === frames.count) this.#dropFirstSlice();
    const taken = new Batch(this.#reader, joined, body, last - next + (joined ? 1 : 0), fault, undefined, ends);
    taken.isBorrowed = this.isBorrowed;
    taken.isAscii = this.isAscii;
    return taken;
  }

  /** @internal The borrowed chunk is about to change: copies the bytes that the batch and the messages taken from it still need. */
  endBorrow(): void {
    if (!this.isBorrowed) return;
    this.isBorrowed = false;
    const copied = this.#body?.length ?? this.#emptied?.byteLength ?? 0;
    this.memory += copied - this.chunkMemory;
    this.chunkMemory = copied;
    this.#emptied?.endBorrow();
    if (this.#next > 0) return this.#frames?.endBorrow();
    this.#frames = undefined;
    if (this.#body) this.#body = ownCopy(this.#body);
    if (this.#body) this.#iterated?.moveTo(this.#body);
  }

  /** @internal A copy of the batch in its own memory. */
  copied(): Batch {
    this.#dropTaken();
    const [joined, body] = [this.#joined, this.#body].map((bytes) => bytes && ownCopy(bytes));
    const copy = new Batch(this.#reader, joined, body, this.#count, undefined, undefined, this.#ends);
    copy.before = this.before;
    return copy;
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
    const memory = this.isBorrowed ? 'copyOnRead' : 'owned';
    if (this.#joined) this.#frames = new Frames(this.#reader, this.#joined, 1);
    else if (this.#body)
      this.#frames = new Frames(this.#reader, this.#body, this.#count, memory, this.#ends, this.isAscii);
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
    this.#ends = this.#frames?.endsOf(this.#next, this.#frames.count);
    this.#iterated = undefined;
    this.#frames = undefined;
    this.#count -= this.#next;
    this.#next = 0;
  }
}
