/**
 * The bytes of messages, and who may keep them.
 *
 * **Borrowed memory.** Where the runtime allows it, a transport reads into one buffer again and again. The chunk it
 * delivers is borrowed (`Connection.chunksAreBorrowed`): valid during the call, and overwritten by the next read. That
 * saves an allocation per read, and copies nothing, because most messages are answered within the call. What must last
 * longer is copied at the last moment:
 *
 * | Where                            | What is copied                                                                       |
 * |----------------------------------|--------------------------------------------------------------------------------------|
 * | a decoder                        | the unfinished end of the chunk                                                      |
 * | `Inbound.receive`                | the whole chunk, before it is decoded, if its messages cannot be handled in the call |
 * | `Inbound.endBorrow`              | what was not handled when the call ends                                              |
 * | a handler of batches             | nothing: it sees borrowed bytes, and copies what it keeps (`Message.kept`)           |
 * | a handler of messages            | its messages are its own: their bytes are copied when they are first read, below     |
 * | `Session.send`                   | a message or batch, which may come from another session                              |
 * | `Connection.write`               | the bytes of a borrowed chunk that the socket does not take at once                  |
 *
 * **Small copies that are kept** have memory of their own (`ownCopy`): Node's pool would be kept with each of them.
 *
 * The process reuses its own buffers only once the operating system has taken their contents: the slab of replies
 * (session/output.ts) and the buffers of assembled frames (`Batch.release`).
 */

import { isAscii } from 'node:buffer';
import { YodelError } from '../errors.ts';
import type { FramingId, MessageKind } from './message-parts.ts';
import { ownCopy } from './slices.ts';
import { pieceSize, TextPieces } from './text-pieces.ts';

/** @internal Takes bytes. */
export interface ByteOutput {
  append(source: Buffer, start: number, end: number): void;
}

/** @internal @throws YodelError `YODEL_INVALID_OPTION` for any other kind */
export function checkKind(kind: MessageKind | undefined): void {
  if (kind === undefined || kind === 'text' || kind === 'binary') return;
  const text = `the kind of a message is "text" or "binary", not ${JSON.stringify(kind)}`;
  throw new YodelError('YODEL_INVALID_OPTION', text);
}

/**
 * Reads whole frames. Every frame is the bytes from `start` to `end`; the functions depend on nothing else. All decoders of a
 * framing share their readers.
 *
 * `payloadStart` and `payloadEnd` are also called for a frame whose last bytes have not arrived, to learn how long its
 * payload will be.
 */
export interface FrameReader {
  /** What the messages remember as their framing. */
  readonly framing: FramingId;
  /** Bytes before the payload in every frame; -1 if it may differ: {@link payloadStart} knows. */
  readonly headerSize: number;
  payloadStart(bytes: Buffer, start: number, end: number): number;
  payloadEnd(bytes: Buffer, start: number, end: number): number;
  /** The number of bytes that follow the payload in each of several frames; -1 if it may differ. */
  terminatorSize(bytes: Buffer): number;
  /** The payload, where it is not just the bytes from `payloadStart` to `payloadEnd`, such as in a framing that escapes bytes. */
  payload?(bytes: Buffer, start: number, end: number): Buffer;
  /** The message's header. Default: none. */
  header?(bytes: Buffer, start: number, end: number): Uint8Array;
  /** Default: none. */
  kind?(bytes: Buffer, start: number, end: number): MessageKind;
  /** The end offset of each of the `count` frames that fill `bytes`, where the decoder does not pass them to the batch. */
  ends?(bytes: Buffer, count: number): number[];
}

/**
 * @internal How long bytes last.
 *
 * - `owned`: they never change.
 * - `borrowed`: they may change once the handler has returned.
 * - `copyOnRead`: they may change, but a handler that reads them may keep them: they are copied when they are first read. A
 *   handler that reads only text, or sends messages on as they are, costs no copy.
 */
export type Memory = 'owned' | 'borrowed' | 'copyOnRead';

const none = Buffer.alloc(0);

/**
 * @internal Several frames in the same bytes, where each of them ends, and their text.
 *
 * ASCII bytes become text in large pieces, from which the texts of messages are cut: decoding a short message on its own
 * costs the runtimes 30 to 60 ns, cutting it out of a string 8.
 */
export class Frames {
  /** The number of frames. */
  readonly count: number;
  readonly reader: FrameReader;
  /** Undefined if a borrow ended after all text was decoded: the bytes are then encoded from the text again. */
  #bytes: Buffer | undefined;
  readonly #length: number;
  #memory: Memory;
  readonly #ends: readonly number[] | undefined;
  readonly #terminatorSize: number;
  /** Computed on first use. */
  #isAscii: boolean | undefined;
  /** The text of all bytes, if they are few. */
  #text: string | undefined;
  /** Their text, if they are many. */
  #pieces: TextPieces | undefined;
  /** A handler has been given the bytes, and may have changed them. */
  #areExposed = false;

  /**
   * @param ends where each frame ends, if the decoder knows
   * @param isAscii whether all payloads are known to be ASCII
   */
  constructor(
    reader: FrameReader,
    bytes: Buffer,
    count: number,
    memory: Memory = 'owned',
    ends?: readonly number[],
    isAscii = false,
  ) {
    this.count = count;
    this.reader = reader;
    this.#bytes = bytes;
    this.#length = bytes.length;
    this.#memory = memory;
    if (isAscii) this.#isAscii = true;
    this.#ends = count > 1 ? (ends ?? reader.ends?.(bytes, count)) : undefined;
    this.#terminatorSize = count > 1 ? reader.terminatorSize(bytes) : -1;
  }

  /** The bytes, valid only during this call. */
  get bytes(): Buffer {
    this.#bytes ??= Buffer.from((this.#text ?? this.#pieces?.whole) as string, 'latin1');
    return this.#bytes;
  }

  /** The bytes, for a handler. */
  get exposed(): Buffer {
    this.#areExposed = true;
    if (this.#memory === 'copyOnRead') this.moveTo(ownCopy(this.bytes));
    return this.bytes;
  }

  /** Whether the bytes may change once the handler has returned. */
  get areBorrowed(): boolean {
    return this.#memory !== 'owned';
  }

  /** Whether a frame is its message's ASCII text with header or terminator. False for a last line without delimiter. */
  isTextInFrame(index: number): boolean {
    return (
      this.#isAscii === true && !this.#areExposed && (this.reader.headerSize > 0 || this.terminatorSize(index) > 0)
    );
  }

  /** Where a frame begins, and the one before it ends. */
  start(index: number): number {
    return index === 0 ? 0 : (this.#ends?.[index - 1] as number);
  }

  /** Where a frame ends. */
  end(index: number): number {
    return this.#ends ? (this.#ends[index] as number) : this.#length;
  }

  /** Where the frames from `first` to before `last` end, in bytes that begin with the first of them. */
  endsOf(first: number, last: number): readonly number[] | undefined {
    const base = this.start(first);
    return this.reader.ends ? undefined : this.#ends?.slice(first, last).map((end) => end - base);
  }

  /** Where the payload of a frame begins. */
  payloadStart(index: number): number {
    const { headerSize } = this.reader;
    const start = this.start(index);
    return headerSize !== -1 ? start + headerSize : this.reader.payloadStart(this.bytes, start, this.end(index));
  }

  /** Where the payload of a frame ends. */
  payloadEnd(index: number): number {
    const end = this.end(index);
    if (this.#terminatorSize !== -1) return end - this.#terminatorSize;
    return this.reader.payloadEnd(this.bytes, this.start(index), end);
  }

  /** The number of bytes that follow the payload in a frame. */
  terminatorSize(index: number): number {
    return this.#terminatorSize !== -1 ? this.#terminatorSize : this.end(index) - this.payloadEnd(index);
  }

  /** The number of bytes of the payload. */
  size(index: number): number {
    if (this.reader.payload) return this.payload(index).length;
    return this.payloadEnd(index) - this.payloadStart(index);
  }

  /** The payload, for a handler. */
  payload(index: number): Buffer {
    const { reader } = this;
    if (reader.payload) return reader.payload(this.bytes, this.start(index), this.end(index));
    return this.exposed.subarray(this.payloadStart(index), this.payloadEnd(index));
  }

  /** Appends the payload to an output. */
  placePayload(index: number, output: ByteOutput): void {
    const { reader } = this;
    if (!reader.payload) return output.append(this.bytes, this.payloadStart(index), this.payloadEnd(index));
    const payload = reader.payload(this.bytes, this.start(index), this.end(index));
    output.append(payload, 0, payload.length);
  }

  /** The header of the message of a frame, for a handler. */
  header(index: number): Uint8Array {
    return this.reader.header?.(this.exposed, this.start(index), this.end(index)) ?? none;
  }

  kind(index: number): MessageKind | undefined {
    return this.reader.kind?.(this.bytes, this.start(index), this.end(index));
  }

  /** The text of the message of a frame. */
  text(index: number): string {
    if (this.reader.payload) return this.payload(index).toString();
    const start = this.payloadStart(index);
    const end = this.payloadEnd(index);
    this.#isAscii ??= isAscii(this.bytes);
    if (!this.#isAscii) return this.bytes.toString('utf8', start, end);
    if (this.#length <= pieceSize) {
      this.#text ??= this.bytes.toString('latin1');
      return this.#text.substring(start, end);
    }
    this.#pieces ??= new TextPieces(this.#length, this.#memory !== 'owned');
    const pieces = this.#pieces;
    if (start >= pieces.start && end <= pieces.end)
      return pieces.piece.substring(start - pieces.start, end - pieces.start);
    return pieces.read(this.bytes, start, end);
  }

  /** The number of bytes. */
  get byteLength(): number {
    return this.#length;
  }

  /** Whether all bytes are known to be ASCII. */
  get isAscii(): boolean {
    return this.#isAscii === true;
  }

  /** Bytes of text that is kept with the frames: all of it is ASCII. */
  get textMemory(): number {
    return this.#text?.length ?? this.#pieces?.memory ?? 0;
  }

  /** A copy of one frame. */
  copyOf(index: number): Frames {
    return new Frames(this.reader, ownCopy(this.bytes.subarray(this.start(index), this.end(index))), 1);
  }

  /** Continues with a copy of the bytes. */
  moveTo(copy: Buffer): void {
    this.#bytes = copy;
    this.#memory = 'owned';
  }

  /** The borrowed bytes are about to change: copies them, unless the decoded text already contains all of them. */
  endBorrow(): void {
    if (this.#memory === 'owned') return;
    this.#memory = 'owned';
    const isDecoded = this.#length > 0 && (this.#text !== undefined || this.#pieces?.isWhole === true);
    this.#bytes = isDecoded ? undefined : ownCopy(this.bytes);
  }
}
