/**
 * The decoder of all framings whose frames are found one after another: everything except `lines`, one delimiter, `raw` and
 * WebSocket, which have faster ones. A framing only says where a frame ends; limits, unfinished frames, discarding and
 * UTF-8 are handled here.
 */
import { YodelError } from '../errors.ts';
import { checkUtf8, stopsDecoder } from './checked.ts';
import type { FrameReader } from './frames.ts';
import { asBuffer, type Decoder, type DecoderOptions, tooLong } from './framing.ts';
import { Batch, part } from './message.ts';
import { Tail } from './tail.ts';

/**
 * Finds the frames of one direction of a connection. Frames are found in order, and never look beyond their own end, unless
 * `scan` waits for more bytes before it decides.
 */
export interface FrameScanner {
  /** Reads the next frame that `scan` finds. A scanner may replace it in `found`: the rule can change after any frame. */
  readonly reader: FrameReader;
  /**
   * Where the frame at `start` ends.
   *
   * @param seen where the bytes begin that the last call for this frame did not have; `start` in the first call
   * @returns the offset after the frame; more than `bytes.length` if its length is known and the rest has not arrived; 0 if
   *   more bytes are needed to tell; below 0 if the bytes up to this offset, negated, are not part of any frame
   * @throws YodelError from {@link invalidFrame} if this is no frame
   */
  scan(bytes: Buffer, start: number, seen: number): number;
  /**
   * The longest frame of a message of `limit` bytes, under every rule that may apply until the next frame is found. A longer one
   * is refused, even if its end has not arrived. Asked again when `found` has replaced the reader.
   */
  maxFrameSize(limit: number): number;
  /** Checks a complete frame within the limits, such as its checksum. @throws YodelError from {@link invalidFrame} */
  check?(bytes: Buffer, start: number, end: number): void;
  /** A frame is complete and valid; called once for each, in order. */
  found?(bytes: Buffer, start: number, end: number): void;
  /** Whether bytes that are left when the input ends are a frame without its ending. Default: they are an unfinished frame. */
  endsWithInput?(bytes: Buffer): boolean;
  /** How to find the end of a message that is too long. Absent: the decoder stops after it. */
  readonly skip?: SkipRule | undefined;
}

/** Finds the end of a message whose beginning was discarded. */
export interface SkipRule {
  /**
   * The number of bytes that end a frame. One less are kept when the end was not found, and are given to `find` again before
   * those that follow them. It may be different each time.
   */
  readonly endSize: number;
  /**
   * The offset after the first end at or after `from`; 0 if there is none.
   *
   * @throws YodelError from {@link invalidFrame} if there can be none
   */
  find(bytes: Buffer, from: number): number;
}

/**
 * The error of bytes that are not a frame.
 *
 * @param offset of the first wrong byte, from the beginning of the frame
 * @param problem follows `at byte N:`, such as `expected a digit, not 0x41`
 */
export function invalidFrame(offset: number, problem: string): YodelError {
  return new YodelError('YODEL_INVALID_FRAME', `at byte ${offset + 1}: ${problem}`);
}

/** A byte for errors: `"a" (0x61)`, or `0x00`. */
export function nameByte(byte: number | undefined): string {
  if (byte === undefined) return 'nothing';
  const hex = `0x${byte.toString(16).padStart(2, '0')}`;
  return byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}" (${hex})` : hex;
}

/** The least that is copied at a time of a frame whose end is not known yet. Each time is one more scan. */
const firstPiece = 256;

/**
 * Decodes with a scanner. The unfinished frame is in the tail. While a message that is too long is skipped, `#skip` counts the
 * bytes of it that have not arrived, or `#isSkipping` says that its end must be found.
 */
export class ScanningDecoder implements Decoder {
  readonly scanner: FrameScanner;
  readonly #options: DecoderOptions;
  #maxFrame: number;
  #tail: Tail;
  #skip = 0;
  #isSkipping = false;
  #stopped = false;
  /** How many bytes of the frame `scan` was given last. */
  #scanned = 0;
  /** Messages so far, discarded ones included. */
  #number = 0;

  constructor(scanner: FrameScanner, options: DecoderOptions) {
    this.scanner = scanner;
    this.#options = options;
    this.#maxFrame = scanner.maxFrameSize(options.maxMessageLength);
    this.#tail = new Tail(this.#maxFrame + 1);
  }

  get pending(): number {
    return this.#skip > 0 || this.#isSkipping ? Math.max(1, this.#tail.length) : this.#tail.length;
  }

  decode(bytes: Uint8Array): Batch {
    const chunk = asBuffer(bytes);
    if (this.#stopped || chunk.length === 0) return this.#nothing();
    if (this.#isSkipping) return this.#findSkippedEnd(chunk);
    const at = Math.min(this.#skip, chunk.length);
    this.#skip -= at;
    if (this.#tail.length > 0) return this.#continueFirst(chunk);
    return this.#decodeFrames(this.scanner.reader, undefined, chunk, at);
  }

  end(): Batch {
    // The end of a discarded message may be missing where it is a delimiter.
    if (this.#stopped || this.#isSkipping || this.pending === 0) return this.#nothing();
    const { reader } = this.scanner;
    if (this.#skip === 0 && this.scanner.endsWithInput?.(this.#tail.bytes)) {
      const last = this.#tail.take();
      const isTooLong = sizeIn(reader, last, 0, last.length) > this.#options.maxMessageLength;
      if (isTooLong) return this.#batch({ reader }, this.#tooLong({ reader }));
      const fault = this.#accept(last, 0, last.length);
      return fault ? this.#invalid({ reader }, fault) : this.#batch({ reader, joined: last });
    }
    const missing = this.#skip > 0 ? 'inside a discarded message' : `after ${this.#tail.length} bytes of a frame`;
    // A discarded message was counted with its fault.
    const number = this.#skip > 0 ? this.#number : this.#number + 1;
    const fault = new YodelError('YODEL_UNFINISHED_FRAME', `input ended ${missing}, in message ${number}`);
    return this.#batch({ reader }, fault);
  }

  /** Continues the frame that began in the tail, with no more of the chunk than it may need. */
  #continueFirst(chunk: Buffer): Batch {
    const { reader } = this.scanner;
    const tail = this.#tail;
    let announced = 0;
    for (let taken = 0; taken < chunk.length; ) {
      const seen = tail.length;
      const wanted = announced > 0 ? announced - seen : Math.max(seen, firstPiece);
      const piece = chunk.subarray(taken, taken + Math.min(wanted, this.#maxFrame + 1 - seen));
      tail.append(piece);
      taken += piece.length;
      const { bytes } = tail;
      const end = this.#tryScan(bytes, 0, seen);
      if (typeof end !== 'number') return this.#invalid({ reader }, end);
      if (end < 0) {
        const rest = this.#restAfter(-end, chunk, taken);
        this.#tail.take();
        return this.#decodeFrames(reader, undefined, rest, 0);
      }
      if (this.#isTooLong(reader, bytes, 0, end)) {
        const known = Math.min(end, bytes.length);
        if (end > 0) return this.#discard({ reader }, this.#restAfter(known, chunk, taken), end - known);
        const scanned = bytes.subarray(0, this.#scanned);
        return this.#discardUnfinished({ reader }, scanned, this.#restAfter(scanned.length, chunk, taken));
      }
      if (end > 0 && end <= bytes.length) return this.#complete(reader, chunk, taken, end);
      announced = end;
    }
    return this.#nothing();
  }

  /** The frame in the tail is complete at `end`. @param taken how much of the chunk is in the tail */
  #complete(reader: FrameReader, chunk: Buffer, taken: number, end: number): Batch {
    const next = taken - (this.#tail.length - end);
    const rest = next < 0 ? this.#restAfter(end, chunk, taken) : undefined;
    const joined = this.#tail.take().subarray(0, end);
    const fault = this.#accept(joined, 0, end);
    if (fault) return this.#invalid({ reader }, fault);
    return rest ? this.#batch({ reader, joined }, undefined, rest) : this.#decodeFrames(reader, joined, chunk, next);
  }

  /** The bytes that follow the first `end` of the tail, which ends with the first `taken` of the chunk. */
  #restAfter(end: number, chunk: Buffer, taken: number): Buffer {
    const { bytes } = this.#tail;
    const next = taken - (bytes.length - end);
    // The scanner waited for more bytes before it decided: some of those after the frame are only in the tail.
    return next < 0 ? Buffer.concat([bytes.subarray(end, end - next), chunk]) : chunk.subarray(next);
  }

  /** Decodes the complete frames from `first` on, after the assembled one, and buffers the rest. */
  #decodeFrames(reader: FrameReader, joined: Buffer | undefined, chunk: Buffer, first: number): Batch {
    const scanner = this.scanner;
    const { length } = chunk;
    const limit = this.#options.maxMessageLength;
    const ends: number[] = [];
    let start = first;
    let at = start;
    let fault: { readonly thrown: unknown } | undefined;
    // When the rule changes, what follows is a batch of its own.
    while (at < length && scanner.reader === reader) {
      const end = this.#tryScan(chunk, at, at);
      if (typeof end !== 'number') fault = end;
      // Most frames are shorter than the limit of their payload.
      else if ((end - at > limit || end === 0) && this.#isTooLong(reader, chunk, at, end)) {
        const found = { reader, joined, body: part(chunk, start, at), ends };
        if (end > 0) return this.#discard(found, chunk.subarray(end), Math.max(0, end - length));
        return this.#discardUnfinished(
          found,
          chunk.subarray(at, at + this.#scanned),
          chunk.subarray(at + this.#scanned),
        );
      } else if (end === 0 || end > length) break;
      else if (end < 0) {
        // The frames of a batch are adjacent: what follows these bytes is a batch of its own.
        const found = { reader, joined, body: part(chunk, start, at), ends };
        if (countOf(found) > 0) return this.#batch(found, undefined, chunk.subarray(-end));
        start = -end;
        at = start;
        continue;
      } else fault = this.#accept(chunk, at, end);
      if (fault) return this.#invalid({ reader, joined, body: part(chunk, start, at), ends }, fault);
      ends.push((end as number) - start);
      at = end as number;
    }
    const body = part(chunk, start, at);
    if (at === length) return this.#batch({ reader, joined, body, ends });
    const rest = chunk.subarray(at);
    if (scanner.reader !== reader) return this.#batch({ reader, joined, body, ends }, undefined, rest);
    this.#tail.append(rest);
    return this.#batch({ reader, joined, body, ends });
  }

  /**
   * Returns where the frame ends, or the error thrown. The result is the same whether bytes after the longest possible frame
   * have arrived or not: an error in them does not count, and neither does an end that was found by searching them.
   */
  #tryScan(bytes: Buffer, start: number, seen: number): number | { readonly thrown: unknown } {
    const { scanner } = this;
    let most = start + this.#maxFrame;
    this.#scanned = bytes.length - start;
    try {
      const end = scanner.scan(bytes, start, seen);
      if (end <= most || end > bytes.length || scanner.skip) return end;
      // One more byte than the longest frame, which is as many as a frame that arrives in pieces can have.
      most++;
    } catch (thrown) {
      if (bytes.length <= most) return { thrown };
    }
    this.#scanned = most - start;
    try {
      return scanner.scan(bytes.subarray(0, most), start, start);
    } catch (thrown) {
      return { thrown };
    }
  }

  /** Checks a complete frame. Returns the error thrown, if any. */
  #accept(bytes: Buffer, start: number, end: number): { readonly thrown: unknown } | undefined {
    const { scanner } = this;
    if (!scanner.check && !scanner.found) return undefined;
    const { reader } = scanner;
    try {
      scanner.check?.(bytes, start, end);
      scanner.found?.(bytes, start, end);
    } catch (thrown) {
      return { thrown };
    }
    if (scanner.reader !== reader) this.#changeLimits();
    return undefined;
  }

  /** The frames that follow are those of another reader. The tail is empty: it is the end of a frame. */
  #changeLimits(): void {
    const maxFrame = this.scanner.maxFrameSize(this.#options.maxMessageLength);
    if (maxFrame === this.#maxFrame) return;
    this.#maxFrame = maxFrame;
    this.#tail = new Tail(maxFrame + 1);
  }

  /** Whether the frame at `start` is too long, as far as is known. @param end as `scan` returned it */
  #isTooLong(reader: FrameReader, bytes: Buffer, start: number, end: number): boolean {
    if (end === 0) return bytes.length - start > this.#maxFrame;
    if (end - start > this.#maxFrame) return true;
    const limit = this.#options.maxMessageLength;
    if (end - start <= limit) return false;
    // An escaped payload is known only once it has arrived; the frame's own limit bounds it until then.
    if (reader.payload && end > bytes.length) return false;
    try {
      return sizeIn(reader, bytes, start, end) > limit;
    } catch {
      // Only the functions of an own framing throw, and again when the complete frame is checked.
      return false;
    }
  }

  /** A message is too long, and the end of its frame is known: `missing` bytes of it have not arrived, and `rest` follows it. */
  #discard(found: Found, rest: Buffer, missing: number): Batch {
    this.#tail.take();
    this.#skip = missing;
    return this.#batch(found, this.#tooLong(found), rest);
  }

  /** A message is too long, and its end was not found in `scanned`: it is in `rest`, or begins in the last bytes of `scanned`, or is still to come. */
  #discardUnfinished(found: Found, scanned: Buffer, rest: Buffer): Batch {
    const { skip } = this.scanner;
    const lastBytes = skip ? Buffer.from(lastOf(scanned, skip.endSize - 1)) : none;
    this.#tail.take();
    this.#tail.append(lastBytes);
    this.#isSkipping = true;
    const batch = this.#batch(found, this.#tooLong(found), skip && rest);
    if (skip) return batch;
    // Without an end to look for, nothing that follows can be decoded.
    this.#stop();
    batch.isLast = true;
    return batch;
  }

  #findSkippedEnd(chunk: Buffer): Batch {
    const { reader } = this.scanner;
    const skip = this.scanner.skip as SkipRule;
    const tail = this.#tail;
    const kept = tail.length;
    if (kept > 0) tail.append(chunk);
    const bytes = kept > 0 ? tail.bytes : chunk;
    let end: number;
    try {
      end = skip.find(bytes, 0);
    } catch (thrown) {
      // The discarded message was counted with its first fault.
      this.#number--;
      return this.#invalid({ reader }, { thrown });
    }
    if (end > 0) {
      this.#isSkipping = false;
      // The end may have begun in an earlier chunk, but is found only together with bytes of this one.
      const rest = end < kept ? Buffer.from(bytes.subarray(end)) : chunk.subarray(end - kept);
      tail.take();
      return this.#decodeFrames(reader, undefined, rest, 0);
    }
    if (kept > 0) tail.keepLast(skip.endSize - 1);
    else tail.append(lastOf(chunk, skip.endSize - 1));
    return this.#nothing();
  }

  #nothing(): Batch {
    return new Batch(this.scanner.reader, undefined, undefined, 0);
  }

  #tooLong(found: Found): YodelError {
    return tooLong(this.#number + countOf(found) + 1, this.#options.maxMessageLength);
  }

  #invalid(found: Found, { thrown }: { readonly thrown: unknown }): Batch {
    const number = this.#number + countOf(found) + 1;
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    const text = `message ${number} is not a valid frame of the framing "${found.reader.framing.name}": ${reason}`;
    return this.#batch(found, new YodelError('YODEL_INVALID_FRAME', text, { cause: thrown }));
  }

  /** @param rest decoded next, unless the fault stops the decoder */
  #batch(found: Found, fault?: YodelError, rest?: Buffer): Batch {
    const isStopped = fault !== undefined && stopsDecoder(fault, this.#options);
    const { reader, joined, body, ends } = found;
    const count = countOf(found);
    const next = isStopped || rest?.length === 0 ? undefined : rest;
    let batch = new Batch(reader, joined, body, count, fault, next, ends);
    if (count > 0 && this.#options.encoding === 'utf8') batch = checkUtf8(batch, false, this.#number + 1);
    this.#number += batch.count + (batch.fault ? 1 : 0);
    if (isStopped || (batch.fault && batch.fault !== fault)) this.#stop();
    return batch;
  }

  #stop(): void {
    this.#stopped = true;
    this.#isSkipping = false;
    this.#skip = 0;
    this.#tail.take();
  }
}

/** The frames of a batch. */
interface Found {
  readonly reader: FrameReader;
  /** The frame that began in an earlier chunk. */
  readonly joined?: Buffer | undefined;
  readonly body?: Buffer | undefined;
  /** Where each frame of the body ends. */
  readonly ends?: readonly number[];
}

function countOf({ joined, ends }: Found): number {
  return (joined ? 1 : 0) + (ends?.length ?? 0);
}

/** The size of the payload of a frame. */
function sizeIn(reader: FrameReader, bytes: Buffer, start: number, end: number): number {
  if (reader.payload) return reader.payload(bytes, start, end).length;
  return reader.payloadEnd(bytes, start, end) - reader.payloadStart(bytes, start, end);
}

function lastOf(bytes: Buffer, count: number): Buffer {
  return bytes.subarray(Math.max(0, bytes.length - count));
}

const none = Buffer.alloc(0);
