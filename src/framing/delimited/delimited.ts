/** The decoder that `lines` and `delimiter` share: frames that end with a delimiter. */
import type { YodelError } from '../../errors.ts';
import { checkUtf8, stopsDecoder } from '../checked.ts';
import type { FrameReader } from '../frames.ts';
import { asBuffer, type Decoder, type DecoderOptions, tooLong } from '../framing.ts';
import { Batch } from '../message.ts';
import type { FramingId } from '../message-parts.ts';
import { part } from '../slices.ts';
import { Tail } from '../tail.ts';
import { isUtf8 } from '../utf8.ts';
import { countByte, endsOfByte } from './scan.ts';

const CR = 0x0d;

/** Finds frames that end with a delimiter. All decoders of a framing share one instance. */
export class DelimitedFrames implements FrameReader {
  readonly delimiter: Buffer;
  readonly carriageReturn: boolean;
  /** Whether frames are valid UTF-8 exactly when their messages are. */
  readonly areText: boolean;
  readonly framing: FramingId;
  readonly headerSize = 0;
  readonly #width: number;
  /** The delimiter if it is one byte; else -1. */
  readonly #byte: number;

  /** @param carriageReturn whether a CR before the delimiter belongs to the delimiter (CRLF) */
  constructor(framing: FramingId, delimiter: Buffer, carriageReturn: boolean) {
    this.framing = framing;
    this.delimiter = delimiter;
    this.carriageReturn = carriageReturn;
    this.areText = isUtf8(delimiter);
    this.#width = delimiter.length;
    this.#byte = delimiter.length === 1 ? (delimiter[0] as number) : -1;
  }

  /** The offset of the first delimiter at or after `start`; -1 if there is none. */
  indexOf(bytes: Buffer, start: number): number {
    // Searching for one byte is a memchr; for several bytes it is the slower general search.
    return this.#byte === -1 ? bytes.indexOf(this.delimiter, start) : bytes.indexOf(this.#byte, start);
  }

  /** Whether a CR precedes the delimiter at `end` and belongs to it. */
  endsInCr(bytes: Buffer, start: number, end: number): boolean {
    return this.carriageReturn && end > start && bytes[end - 1] === CR;
  }

  /** Counts the complete frames from `start` on, up to the first one above the limit, and finds where the last one ends. */
  findComplete(bytes: Buffer, start: number, limit: number): { count: number; end: number } {
    if (this.#byte === -1) return this.#findOneByOne(bytes, start, limit);
    const first = bytes.indexOf(this.#byte, start);
    // Shortcut: a peer that waits for each reply usually sends one frame per chunk.
    if (first === bytes.length - 1 && first - start <= limit) return { count: 1, end: bytes.length };
    if (first === -1) return { count: 0, end: start };
    let count = 0;
    let at = start;
    while (at < bytes.length) {
      // In a window of limit + 1 bytes that ends with a delimiter, no frame is above the limit.
      const last = bytes.lastIndexOf(this.#byte, Math.min(at + limit, bytes.length - 1));
      if (last >= at) count += countByte(bytes, this.#byte, at, last + 1);
      else if (!this.#fitsWithCr(bytes, at, limit)) break;
      else count++;
      at = last >= at ? last + 1 : at + limit + 2;
    }
    return { count, end: at };
  }

  ends(bytes: Buffer, count: number): number[] {
    // Only a frame that ends with the input may lack its delimiter, and it is then the only one.
    if (this.#byte !== -1) return endsOfByte(bytes, this.#byte, count);
    const ends = new Array<number>(count);
    for (let at = 0, found = 0; found < count; found++) {
      at = bytes.indexOf(this.delimiter, at) + this.delimiter.length;
      ends[found] = at;
    }
    return ends;
  }

  payloadStart(_bytes: Buffer, start: number): number {
    return start;
  }

  payloadEnd(bytes: Buffer, start: number, end: number): number {
    const found = end - this.#width;
    // A frame that ends with the input may lack its delimiter.
    if (this.#byte === -1 ? !this.#endsInDelimiter(bytes, start, end) : bytes[found] !== this.#byte) return end;
    return this.carriageReturn && found > start && bytes[found - 1] === CR ? found - 1 : found;
  }

  terminatorSize(bytes: Buffer): number {
    // If there are several frames, each ends with the delimiter.
    return this.carriageReturn && bytes.includes(CR) ? -1 : this.#width;
  }

  #endsInDelimiter(bytes: Buffer, start: number, end: number): boolean {
    const { length } = this.delimiter;
    return end - start >= length && bytes.compare(this.delimiter, 0, length, end - length, end) === 0;
  }

  #findOneByOne(bytes: Buffer, start: number, limit: number): { count: number; end: number } {
    let count = 0;
    let at = start;
    for (let found = this.indexOf(bytes, at); found !== -1 && found - at <= limit; found = this.indexOf(bytes, at)) {
      count++;
      at = found + this.delimiter.length;
    }
    return { count, end: at };
  }

  /** Whether the message at `start` is as long as the limit and ends with CRLF: the CR does not count. */
  #fitsWithCr(bytes: Buffer, start: number, limit: number): boolean {
    const end = start + limit + 1;
    return bytes[end] === this.#byte && this.endsInCr(bytes, start, end);
  }
}

/**
 * Decodes frames that end with a delimiter.
 *
 * ```
 * kept tail   chunk                          -> slices of the batch                kept tail
 * "ab"        "c\nde\nf"                     -> "abc\n", "de\n"                    "f"
 * ```
 *
 * The state is in the tail: the beginning of an unfinished message, or, while the rest of one that is too long is skipped,
 * just enough bytes to recognise a delimiter that is split across two chunks.
 */
export class DelimitedDecoder implements Decoder {
  readonly frames: DelimitedFrames;
  readonly #options: DecoderOptions;
  readonly #tail: Tail;
  #skipping = false;
  #stopped = false;
  /** Messages so far, discarded ones included. */
  #number = 0;

  constructor(frames: DelimitedFrames, options: DecoderOptions) {
    this.frames = frames;
    this.#options = options;
    this.#tail = new Tail(options.maxMessageLength + frames.delimiter.length + 1);
  }

  get pending(): number {
    return this.#skipping ? Math.max(1, this.#tail.length) : this.#tail.length;
  }

  get memory(): number {
    return this.#tail.memory;
  }

  get unfinished(): Uint8Array | undefined {
    const { bytes, length } = this.#tail;
    if (this.#skipping) return undefined;
    const end = this.frames.endsInCr(bytes, 0, length) ? length - 1 : length;
    return end > 0 ? bytes.subarray(0, end) : undefined;
  }

  decode(bytes: Uint8Array): Batch {
    const chunk = asBuffer(bytes);
    if (this.#stopped || chunk.length === 0) return this.#batch(undefined, undefined, 0);
    if (!this.#skipping && this.#tail.length === 0) return this.#decodeFrames(undefined, chunk, 0);
    const end = this.#endOfFirstFrame(chunk);
    if (end === -1) return this.#keepUnfinished(undefined, undefined, 0, chunk);
    if (this.#skipping) {
      this.#skipping = false;
      this.#tail.drop();
      return this.#decodeFrames(undefined, chunk, end);
    }
    if (this.#tail.length + end > this.#options.maxMessageLength) {
      // Close to the limit: count exactly. Only the last bytes of the frame matter, and they are in this chunk.
      if (this.#lengthOfFirst(chunk, end) > this.#options.maxMessageLength) {
        return this.#tooLong(undefined, undefined, 0, chunk, end);
      }
    }
    this.#tail.append(chunk.subarray(0, end));
    return this.#decodeFrames(this.#tail.take(), chunk, end);
  }

  end(): Batch {
    if (this.#stopped || this.#skipping || this.#tail.length === 0) return this.#batch(undefined, undefined, 0);
    const last = this.#tail.take();
    // A CR that could have been part of CRLF is data after all, and counts.
    if (last.length > this.#options.maxMessageLength) return this.#tooLong(undefined, undefined, 0, undefined, 0);
    return this.#batch(last, undefined, 1);
  }

  drop(): void {
    this.#stopped = true;
    this.#skipping = false;
    this.#tail.drop();
  }

  /** Decodes the complete frames from `start` on, after the assembled one, and buffers the rest. */
  #decodeFrames(joined: Buffer | undefined, chunk: Buffer, start: number): Batch {
    const limit = this.#options.maxMessageLength;
    const complete = this.frames.findComplete(chunk, start, limit);
    const { end } = complete;
    const count = joined ? complete.count + 1 : complete.count;
    const body = part(chunk, start, end);
    if (end === chunk.length) return this.#batch(joined, body, count);
    // An unfinished frame follows, or one that is too long.
    const found = chunk.length - end > limit ? this.frames.indexOf(chunk, end) : -1;
    if (found !== -1) return this.#tooLong(joined, body, count, chunk, found + this.frames.delimiter.length);
    return this.#keepUnfinished(joined, body, count, chunk.subarray(end));
  }

  /** Buffers the unfinished last frame, unless it is already too long. */
  #keepUnfinished(joined: Buffer | undefined, body: Buffer | undefined, count: number, rest: Buffer): Batch {
    const width = this.frames.delimiter.length;
    if (this.#skipping) {
      this.#rememberEnd(rest);
      return this.#batch(joined, body, count);
    }
    const total = this.#tail.length + rest.length;
    const limit = this.#options.maxMessageLength;
    // The last bytes may be part of a delimiter, which does not count towards the limit.
    const mostOfDelimiter = this.frames.carriageReturn ? width : width - 1;
    if (total > limit + mostOfDelimiter) return this.#tooLong(joined, body, count, rest, -1);
    this.#tail.append(rest);
    if (total > limit && !this.#mayBeDelimiter(this.#tail.bytes)) {
      return this.#tooLong(joined, body, count, undefined, -1);
    }
    return this.#batch(joined, body, count);
  }

  /**
   * Ends the batch with a fault.
   *
   * @param end where the frame of the message ends in `chunk`; -1 if its end has not arrived
   */
  #tooLong(
    joined: Buffer | undefined,
    body: Buffer | undefined,
    count: number,
    chunk: Buffer | undefined,
    end: number,
  ): Batch {
    const fault = tooLong(this.#number + count + 1, this.#options.maxMessageLength);
    if (this.#options.onTooLong === 'close') return this.#batch(joined, body, count, fault);
    if (end === -1) {
      this.#skipping = true;
      this.#rememberEnd(chunk ?? none);
    } else {
      this.#tail.drop();
    }
    const rest = end === -1 || chunk === undefined || end === chunk.length ? undefined : chunk.subarray(end);
    return this.#batch(joined, body, count, fault, rest);
  }

  #batch(
    joined: Buffer | undefined,
    body: Buffer | undefined,
    count: number,
    fault?: YodelError,
    rest?: Buffer,
  ): Batch {
    let batch = new Batch(this.frames, joined, body, count, fault, rest);
    if (count > 0 && this.#options.encoding === 'utf8') {
      batch = checkUtf8(batch, this.frames.areText, this.#number + 1);
    }
    this.#number += batch.count + (batch.fault ? 1 : 0);
    if (batch.fault && stopsDecoder(batch.fault, this.#options)) this.drop();
    return batch;
  }

  /** Where the frame that began in the tail ends in the chunk, delimiter included (it may be split); -1 if it does not. */
  #endOfFirstFrame(chunk: Buffer): number {
    const width = this.frames.delimiter.length;
    if (width > 1 && this.#tail.length > 0) {
      const kept = this.#tail.bytes.subarray(-(width - 1));
      const joint = Buffer.concat([kept, chunk.subarray(0, width - 1)]);
      const found = joint.indexOf(this.frames.delimiter);
      if (found !== -1) return found + width - kept.length;
    }
    const found = this.frames.indexOf(chunk, 0);
    return found === -1 ? -1 : found + width;
  }

  /** The length of the message whose frame began in the tail and ends at `end` in the chunk. */
  #lengthOfFirst(chunk: Buffer, end: number): number {
    const length = this.#tail.length + end - this.frames.delimiter.length;
    if (!this.frames.carriageReturn || length === 0) return length;
    const last = end - 2 >= 0 ? chunk[end - 2] : this.#tail.bytes[this.#tail.length - 1];
    return last === CR ? length - 1 : length;
  }

  /** While skipping, only the last bytes are needed: a delimiter may begin in them. */
  #rememberEnd(bytes: Buffer): void {
    const width = this.frames.delimiter.length;
    this.#tail.keepLast(width - 1);
    this.#tail.append(bytes.subarray(Math.max(0, bytes.length - (width - 1))));
    this.#tail.keepLast(width - 1);
  }

  /** Whether a delimiter may have begun within the limit, so that the message may still fit. */
  #mayBeDelimiter(kept: Buffer): boolean {
    const limit = this.#options.maxMessageLength;
    if (this.frames.carriageReturn) return kept.length === limit + 1 && kept[limit] === CR;
    for (let at = Math.max(0, kept.length - this.frames.delimiter.length + 1); at <= limit; at++) {
      const begun = kept.subarray(at);
      if (begun.equals(this.frames.delimiter.subarray(0, begun.length))) return true;
    }
    return false;
  }
}

const none = Buffer.alloc(0);
