/** The decoder that `lines` and `delimiter` share: frames that end with a delimiter. */
import type { YodelError } from '../errors.ts';
import { checkUtf8 } from './checked.ts';
import { asBuffer, type Decoder, type DecoderOptions, tooLong } from './framing.ts';
import { Batch, Message, type MessageFinder } from './message.ts';
import { Tail } from './tail.ts';
import { isUtf8 } from './utf8.ts';

const CR = 0x0d;

/**
 * ```
 * kept tail   chunk                          -> slices of the batch                kept tail
 * "ab"        "c\nde\nf"                     -> "abc\n", "de\n"                    "f"
 * ```
 *
 * The state is what the tail holds: the beginning of an unfinished message, or, while the rest of a too long one is
 * skipped, just enough bytes to recognise a delimiter that was cut in two.
 */
export class DelimitedDecoder implements Decoder {
  readonly #delimiter: Buffer;
  readonly #carriageReturn: boolean;
  readonly #options: DecoderOptions;
  readonly #framesAreText: boolean;
  readonly #find: MessageFinder;
  readonly #tail = new Tail();
  #skipping = false;
  #stopped = false;
  /** Messages so far, discarded ones included. */
  #number = 0;

  /** @param carriageReturn whether a CR before the delimiter belongs to the delimiter (CRLF) */
  constructor(delimiter: Buffer, carriageReturn: boolean, options: DecoderOptions) {
    this.#delimiter = delimiter;
    this.#carriageReturn = carriageReturn;
    this.#options = options;
    this.#framesAreText = isUtf8(delimiter);
    this.#find = (source, at) => this.#messageAt(source, at);
  }

  get pending(): number {
    return this.#skipping ? Math.max(1, this.#tail.length) : this.#tail.length;
  }

  decode(bytes: Uint8Array): Batch {
    const chunk = asBuffer(bytes);
    if (this.#stopped || chunk.length === 0) return this.#batch([], 0);
    if (!this.#skipping && this.#tail.length === 0) return this.#decodeFrames(chunk, 0, []);
    const end = this.#endOfFirstFrame(chunk);
    if (end === -1) return this.#holdBack(chunk, [], 0);
    if (this.#skipping) {
      this.#skipping = false;
      this.#tail.take();
      return this.#decodeFrames(chunk, end, []);
    }
    if (this.#tail.length + end > this.#options.maxMessageLength) {
      // The limit is near: look exactly. Only the last bytes of the frame matter, and they fit.
      if (this.#lengthOfFirst(chunk, end) > this.#options.maxMessageLength) return this.#tooLong([], 0, chunk, end);
    }
    this.#tail.append(chunk.subarray(0, end));
    return this.#decodeFrames(chunk, end, [this.#tail.take()]);
  }

  end(): Batch {
    if (this.#stopped || this.#skipping || this.#tail.length === 0) return this.#batch([], 0);
    const last = this.#tail.take();
    // A CR that was held back in the hope of an LF is data after all, and counts.
    if (last.length > this.#options.maxMessageLength) return this.#tooLong([], 0, undefined, 0);
    return this.#batch([last], 1);
  }

  /** Decodes whole frames from `start` on and keeps what is left over. `first` holds the frame before them, if any. */
  #decodeFrames(chunk: Buffer, start: number, first: Buffer[]): Batch {
    const width = this.#delimiter.length;
    const limit = this.#options.maxMessageLength;
    let count = first.length;
    let at = start;
    for (let found = this.#indexOf(chunk, at); found !== -1; found = this.#indexOf(chunk, at)) {
      const length = found - at;
      if (length > limit && !(length === limit + 1 && this.#endsInCr(chunk, at, found))) {
        return this.#tooLong(withSlice(first, chunk, start, at), count, chunk, found + width);
      }
      count++;
      at = found + width;
    }
    const slices = withSlice(first, chunk, start, at);
    return at === chunk.length ? this.#batch(slices, count) : this.#holdBack(chunk.subarray(at), slices, count);
  }

  /** Keeps the unfinished end, or finds that it is too long already. */
  #holdBack(rest: Buffer, slices: Buffer[], count: number): Batch {
    const width = this.#delimiter.length;
    if (this.#skipping) {
      this.#rememberEnd(rest);
      return this.#batch(slices, count);
    }
    const total = this.#tail.length + rest.length;
    const limit = this.#options.maxMessageLength;
    // A delimiter may have begun, and does not count: up to its length there is doubt.
    const mostOfDelimiter = this.#carriageReturn ? width : width - 1;
    if (total > limit + mostOfDelimiter) return this.#tooLong(slices, count, rest, -1);
    this.#tail.append(rest);
    if (total > limit && !this.#mayBeDelimiter(this.#tail.bytes)) return this.#tooLong(slices, count, undefined, -1);
    return this.#batch(slices, count);
  }

  /**
   * Ends the batch with a fault.
   *
   * @param end where the too long message's frame ends in `chunk`; -1 when its end has not come yet
   */
  #tooLong(slices: Buffer[], count: number, chunk: Buffer | undefined, end: number): Batch {
    const fault = tooLong(this.#number + count + 1, this.#options.maxMessageLength);
    if (this.#options.onTooLong === 'close') return this.#batch(slices, count, fault);
    if (end === -1) {
      this.#skipping = true;
      this.#rememberEnd(chunk ?? none);
    } else {
      this.#tail.take();
    }
    const rest = end === -1 || chunk === undefined || end === chunk.length ? undefined : chunk.subarray(end);
    return this.#batch(slices, count, fault, rest);
  }

  #batch(slices: Buffer[], count: number, fault?: YodelError, rest?: Buffer): Batch {
    let batch = new Batch(this.#find, slices, count, fault, rest);
    if (count > 0 && this.#options.encoding === 'utf8') {
      batch = checkUtf8(this.#find, batch, this.#framesAreText, this.#number + 1);
    }
    this.#number += batch.count + (batch.fault ? 1 : 0);
    if (batch.fault && (batch.fault.code !== 'YODEL_MESSAGE_TOO_LONG' || this.#options.onTooLong === 'close')) {
      this.#stopped = true;
      this.#skipping = false;
      this.#tail.take();
    }
    return batch;
  }

  /** Where in the chunk the frame ends that began in the tail: just behind its delimiter, which may be cut in two. -1: not here. */
  #endOfFirstFrame(chunk: Buffer): number {
    const width = this.#delimiter.length;
    if (width > 1 && this.#tail.length > 0) {
      const kept = this.#tail.bytes.subarray(-(width - 1));
      const joint = Buffer.concat([kept, chunk.subarray(0, width - 1)]);
      const found = joint.indexOf(this.#delimiter);
      if (found !== -1) return found + width - kept.length;
    }
    const found = this.#indexOf(chunk, 0);
    return found === -1 ? -1 : found + width;
  }

  /** The length of the message whose frame began in the tail and ends at `end` in the chunk. */
  #lengthOfFirst(chunk: Buffer, end: number): number {
    const length = this.#tail.length + end - this.#delimiter.length;
    if (!this.#carriageReturn || length === 0) return length;
    const last = end - 2 >= 0 ? chunk[end - 2] : this.#tail.bytes[this.#tail.length - 1];
    return last === CR ? length - 1 : length;
  }

  /** While skipping, only the last bytes matter: a delimiter may begin in them. */
  #rememberEnd(bytes: Buffer): void {
    const width = this.#delimiter.length;
    this.#tail.keepLast(width - 1);
    this.#tail.append(bytes.subarray(Math.max(0, bytes.length - (width - 1))));
    this.#tail.keepLast(width - 1);
  }

  /** Whether a delimiter may have begun within the limit, so that the message may still turn out short enough. */
  #mayBeDelimiter(held: Buffer): boolean {
    const limit = this.#options.maxMessageLength;
    if (this.#carriageReturn) return held.length === limit + 1 && held[limit] === CR;
    for (let at = Math.max(0, held.length - this.#delimiter.length + 1); at <= limit; at++) {
      const begun = held.subarray(at);
      if (begun.equals(this.#delimiter.subarray(0, begun.length))) return true;
    }
    return false;
  }

  #indexOf(chunk: Buffer, from: number): number {
    // Looking for one byte is a memchr; a needle of several bytes takes the slower general search.
    return this.#delimiter.length === 1
      ? chunk.indexOf(this.#delimiter[0] as number, from)
      : chunk.indexOf(this.#delimiter, from);
  }

  #endsInCr(chunk: Buffer, at: number, end: number): boolean {
    return this.#carriageReturn && end > at && chunk[end - 1] === CR;
  }

  #messageAt(source: Buffer, at: number): Message {
    const found = this.#indexOf(source, at);
    if (found === -1) return new Message(source, at, at, source.length, source.length);
    const end = this.#endsInCr(source, at, found) ? found - 1 : found;
    return new Message(source, at, at, end, found + this.#delimiter.length);
  }
}

const none = Buffer.alloc(0);

function withSlice(first: Buffer[], chunk: Buffer, start: number, end: number): Buffer[] {
  if (end > start) first.push(start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end));
  return first;
}
