/**
 * The decoder of all framings whose frames are found one after another: everything except `lines`, one delimiter, `raw` and
 * WebSocket, which have faster ones. A framing only says where a frame ends; limits, unfinished frames, discarding and
 * UTF-8 are handled here.
 */
import { YodelError } from '../errors.ts';
import { checkUtf8, stopsDecoder } from './checked.ts';
import type { FrameReader } from './frames.ts';
import { asBuffer, byteCount, type Decoder, type DecoderOptions, tooLong } from './framing.ts';
import { Batch } from './message.ts';
import { type FrameScanner, reasonOf, type SkipRule } from './scanner.ts';
import { part } from './slices.ts';
import { Tail } from './tail.ts';

export { type FrameScanner, invalidFrame, nameByte, reasonOf, type SkipRule } from './scanner.ts';

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
  /** How many bytes of the frame the last scan was given, if not all that have arrived; else 0. */
  #cutAt = 0;
  /** Bytes before the frames of the next batch that belong to no message. */
  #between: Buffer | undefined;
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

  get memory(): number {
    return this.#tail.memory + (this.scanner.memory ?? 0);
  }

  get unfinished(): Uint8Array | undefined {
    const { headerSize, payload } = this.scanner.reader;
    const isReadable = headerSize !== -1 && !payload && this.#skip === 0 && !this.#isSkipping;
    return isReadable && this.#tail.length > headerSize ? this.#tail.bytes.subarray(headerSize) : undefined;
  }

  decode(bytes: Uint8Array): Batch {
    const batch = this.#decode(bytes);
    if (this.#between) {
      batch.before = this.#between;
      this.#between = undefined;
    }
    return batch;
  }

  #decode(bytes: Uint8Array): Batch {
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
      if (isTooLong) return this.#batch({ reader, count: 0 }, this.#tooLong({ reader, count: 0 }));
      const fault = this.#accept(last, 0, last.length);
      return fault ? this.#invalid({ reader, count: 0 }, fault) : this.#batch({ reader, joined: last, count: 1 });
    }
    const missing = this.#skip > 0 ? 'inside a discarded message' : `after ${byteCount(this.#tail.length)} of a frame`;
    // A discarded message was counted with its fault.
    const number = this.#skip > 0 ? this.#number : this.#number + 1;
    const fault = new YodelError('YODEL_UNFINISHED_FRAME', `input ended ${missing}, in message ${number}`);
    return this.#batch({ reader, count: 0 }, fault);
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
      if (typeof end !== 'number') return this.#invalid({ reader, count: 0 }, end);
      if (end < 0) {
        const rest = this.#restAfter(-end, chunk, taken);
        this.#passOver(bytes.subarray(0, -end));
        this.#tail.drop();
        return this.#decodeFrames(reader, undefined, rest, 0);
      }
      if (this.#isTooLong(reader, bytes, 0, end)) {
        const known = Math.min(end, bytes.length);
        if (end > 0) return this.#discard({ reader, count: 0 }, this.#restAfter(known, chunk, taken), end - known);
        const scanned = bytes.subarray(0, this.#scannedOf(bytes.length));
        return this.#discardUnfinished({ reader, count: 0 }, scanned, this.#restAfter(scanned.length, chunk, taken));
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
    if (fault) return this.#invalid({ reader, count: 0 }, fault);
    return rest
      ? this.#batch({ reader, joined, count: 1 }, undefined, rest)
      : this.#decodeFrames(reader, joined, chunk, next);
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
    const isChecked = scanner.check !== undefined || scanner.found !== undefined;
    let count = joined ? 1 : 0;
    // Most chunks are one frame: an array costs more than the rest of this function.
    let ends: number[] | undefined;
    let start = first;
    let at = start;
    // When the rule changes, what follows is a batch of its own.
    while (at < length && scanner.reader === reader) {
      const end = this.#tryScan(chunk, at, at);
      // Most frames are shorter than the limit of their payload.
      const isUnusual = typeof end !== 'number' || end <= 0 || end - at > limit;
      const next = isUnusual
        ? this.#unusual({ reader, joined, body: part(chunk, start, at), count, ends }, chunk, at, end)
        : end;
      if (typeof next !== 'number') return next;
      if (next === 0 || next > length) break;
      if (next < 0) {
        this.#passOver(chunk.subarray(at, -next));
        start = -next;
        at = start;
        continue;
      }
      const fault = isChecked ? this.#accept(chunk, at, next) : undefined;
      if (fault) return this.#invalid({ reader, joined, body: part(chunk, start, at), count, ends }, fault);
      if (ends) ends.push(next - start);
      else if (at > start && !reader.ends) ends = [at - start, next - start];
      at = next;
      count++;
    }
    const body = part(chunk, start, at);
    if (at === length) return this.#whole(reader, joined, body, count, ends);
    const rest = chunk.subarray(at);
    if (scanner.reader !== reader) return this.#batch({ reader, joined, body, count, ends }, undefined, rest);
    this.#tail.append(rest);
    return this.#whole(reader, joined, body, count, ends);
  }

  /**
   * The frame at `at` is invalid, too long, not complete, or none.
   *
   * @param end as `scan` returned it
   * @returns the batch before it, if it ends there; else `end`
   */
  #unusual(found: Found, chunk: Buffer, at: number, end: number | { readonly thrown: unknown }): number | Batch {
    if (typeof end !== 'number') return this.#invalid(found, end);
    // The frames of a batch are adjacent: what follows bytes that are no frame is a batch of its own.
    if (end < 0) return found.count > 0 ? this.#batch(found, undefined, chunk.subarray(at)) : end;
    if (!this.#isTooLong(found.reader, chunk, at, end)) return end;
    if (end > 0) return this.#discard(found, chunk.subarray(end), Math.max(0, end - chunk.length));
    const scanned = this.#scannedOf(chunk.length - at);
    return this.#discardUnfinished(found, chunk.subarray(at, at + scanned), chunk.subarray(at + scanned));
  }

  /**
   * Returns where the frame ends, or the error thrown. The result is the same whether bytes after the longest possible frame
   * have arrived or not: an error in them does not count, and neither does an end that was found by searching them.
   */
  #tryScan(bytes: Buffer, start: number, seen: number): number | { readonly thrown: unknown } {
    const { scanner } = this;
    let most = start + this.#maxFrame;
    try {
      const end = scanner.scan(bytes, start, seen);
      if (end <= most || end > bytes.length || scanner.skip) return end;
      // One more byte than the longest frame, which is as many as a frame that arrives in pieces can have.
      most++;
    } catch (thrown) {
      if (bytes.length <= most) return { thrown };
    }
    try {
      const end = scanner.scan(bytes.subarray(0, most), start, start);
      if (end === 0) this.#cutAt = most - start;
      return end;
    } catch (thrown) {
      return { thrown };
    }
  }

  /** How many of these bytes of a frame the last scan was given. */
  #scannedOf(length: number): number {
    const scanned = this.#cutAt || length;
    this.#cutAt = 0;
    return scanned;
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
    this.#tail.drop();
    this.#skip = missing;
    return this.#batch(found, this.#tooLong(found), rest);
  }

  /** A message is too long, and its end was not found in `scanned`: it is in `rest`, or begins in the last bytes of `scanned`, or is still to come. */
  #discardUnfinished(found: Found, scanned: Buffer, rest: Buffer): Batch {
    const { skip } = this.scanner;
    const lastBytes = skip ? Buffer.from(lastOf(scanned, skip.endSize - 1)) : none;
    this.#tail.drop();
    this.#tail.append(lastBytes);
    this.#isSkipping = true;
    const batch = this.#batch(found, this.#tooLong(found), skip && rest);
    if (skip) return batch;
    // Without an end to look for, nothing that follows can be decoded.
    this.drop();
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
      return this.#invalid({ reader, count: 0 }, { thrown });
    }
    if (end > 0) {
      this.#isSkipping = false;
      // The end may have begun in an earlier chunk, but is found only together with bytes of this one.
      const rest = end < kept ? Buffer.from(bytes.subarray(end)) : chunk.subarray(end - kept);
      tail.drop();
      return this.#decodeFrames(reader, undefined, rest, 0);
    }
    if (kept > 0) tail.keepLast(skip.endSize - 1);
    else tail.append(lastOf(chunk, skip.endSize - 1));
    return this.#nothing();
  }

  /** Keeps bytes that belong to no message, for those who pass on everything. */
  #passOver(bytes: Buffer): void {
    this.#between = this.#between ? Buffer.concat([this.#between, bytes]) : Buffer.from(bytes);
  }

  #nothing(): Batch {
    return new Batch(this.scanner.reader, undefined, undefined, 0);
  }

  /** A batch without a fault, and nothing after it. */
  #whole(
    reader: FrameReader,
    joined: Buffer | undefined,
    body: Buffer | undefined,
    count: number,
    ends?: number[],
  ): Batch {
    if (count > 0 && this.#options.encoding === 'utf8') return this.#batch({ reader, joined, body, count, ends });
    this.#number += count;
    return new Batch(reader, joined, body, count, undefined, undefined, ends);
  }

  #tooLong(found: Found): YodelError {
    return tooLong(this.#number + found.count + 1, this.#options.maxMessageLength);
  }

  #invalid(found: Found, { thrown }: { readonly thrown: unknown }): Batch {
    const number = this.#number + found.count + 1;
    const text = `message ${number} is not a valid frame of the framing "${found.reader.framing.name}": ${reasonOf(thrown)}`;
    return this.#batch(found, new YodelError('YODEL_INVALID_FRAME', text, { cause: thrown }));
  }

  /** @param rest decoded next, unless the fault stops the decoder */
  #batch(found: Found, fault?: YodelError, rest?: Buffer): Batch {
    const isStopped = fault !== undefined && stopsDecoder(fault, this.#options);
    const { reader, joined, body, count, ends } = found;
    const next = isStopped || rest?.length === 0 ? undefined : rest;
    let batch = new Batch(reader, joined, body, count, fault, next, ends);
    if (count > 0 && this.#options.encoding === 'utf8') batch = checkUtf8(batch, false, this.#number + 1);
    this.#number += batch.count + (batch.fault ? 1 : 0);
    if (isStopped || (batch.fault && batch.fault !== fault)) this.drop();
    return batch;
  }

  drop(): void {
    this.#stopped = true;
    this.#isSkipping = false;
    this.#skip = 0;
    this.#tail.drop();
  }
}

/** The frames of a batch. */
interface Found {
  readonly reader: FrameReader;
  /** The frame that began in an earlier chunk. */
  readonly joined?: Buffer | undefined;
  readonly body?: Buffer | undefined;
  /** The number of frames. */
  readonly count: number;
  /** Where each frame of the body ends, if there are several. */
  readonly ends?: readonly number[] | undefined;
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
