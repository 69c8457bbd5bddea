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
 * The process reuses its own buffers only once the operating system has taken their contents: the slab of replies
 * (session/output.ts) and the buffers of assembled frames (`Batch.release`).
 */
import { isAscii } from 'node:buffer';

/** @internal Takes bytes without copying them. */
export interface ByteOutput {
  append(source: Buffer, start: number, end: number): void;
}

/** @internal Where the frames of a framing begin and end. All decoders of the framing share one instance. */
export interface FrameReader {
  /** Bytes before the message in each frame. */
  readonly headerSize: number;
  /** The end offset of each of the `count` frames that fill `bytes`. */
  ends(bytes: Buffer, count: number): number[];
  /** Where the message ends in the frame from `start` to `end`. */
  messageEnd(bytes: Buffer, start: number, end: number): number;
  /** The number of bytes that follow the message in each of several frames; -1 if it may differ. */
  terminatorSize(bytes: Buffer): number;
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

/**
 * @internal Several frames in the same bytes, where each of them ends, and their text.
 *
 * ASCII bytes become text all at once, which is then cut at the same offsets: decoding a short message on its own costs
 * the runtimes 30 to 60 ns, cutting it out of a string 8.
 */
export class Frames {
  /** The number of frames. */
  readonly count: number;
  readonly #reader: FrameReader;
  /** Undefined if a borrow ended after the text was decoded: the bytes are then encoded from the text again. */
  #bytes: Buffer | undefined;
  readonly #length: number;
  #memory: Memory;
  readonly #ends: readonly number[] | undefined;
  readonly #terminatorSize: number;
  /** Computed on first use. */
  #isAscii: boolean | undefined;
  #text: string | undefined;
  /** A handler has been given the bytes, and may have changed them. */
  #areExposed = false;

  constructor(reader: FrameReader, bytes: Buffer, count: number, memory: Memory = 'owned') {
    this.count = count;
    this.#reader = reader;
    this.#bytes = bytes;
    this.#length = bytes.length;
    this.#memory = memory;
    this.#ends = count > 1 ? reader.ends(bytes, count) : undefined;
    this.#terminatorSize = count > 1 ? reader.terminatorSize(bytes) : -1;
  }

  /** The bytes, valid only during this call. */
  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(this.#text as string, 'latin1');
    return this.#bytes;
  }

  /** The bytes, for a handler. */
  get exposed(): Buffer {
    this.#areExposed = true;
    if (this.#memory === 'copyOnRead') this.moveTo(Buffer.from(this.bytes));
    return this.bytes;
  }

  /** Whether the bytes may change once the handler has returned. */
  get areBorrowed(): boolean {
    return this.#memory !== 'owned';
  }

  /** Whether a frame is its message's ASCII text with header or terminator. False for a last line without delimiter. */
  isTextInFrame(index: number): boolean {
    return (
      this.#isAscii === true && !this.#areExposed && (this.#reader.headerSize > 0 || this.terminatorSize(index) > 0)
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

  /** The number of bytes that follow the message in a frame. */
  terminatorSize(index: number): number {
    return this.#terminatorSize !== -1 ? this.#terminatorSize : this.end(index) - this.messageEnd(index);
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

  /** A copy of one frame. */
  copyOf(index: number): Frames {
    return new Frames(this.#reader, Buffer.from(this.bytes.subarray(this.start(index), this.end(index))), 1);
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
    this.#bytes = this.#text === undefined ? Buffer.from(this.bytes) : undefined;
  }
}
