/** Messages preceded by their length, the framing of most binary protocols. */
import { YodelError } from '../errors.ts';
import { checkUtf8, stopsDecoder } from './checked.ts';
import type { FrameReader } from './frames.ts';
import { asBuffer, type Decoder, type DecoderOptions, type Encoder, type Framing, tooLong } from './framing.ts';
import { Batch, part } from './message.ts';
import { Tail } from './tail.ts';

/** Where the length field is and what it counts. The names are those of Netty and tokio. */
export interface LengthOptions {
  /** The width of the length field in bytes. Default 4. */
  readonly bytes?: 1 | 2 | 4 | 8;
  /** The byte order of the length field. Default `big`. */
  readonly endian?: 'big' | 'little';
  /** The number of bytes before the length field. A reply copies them from its message; otherwise they are 0. Default 0. */
  readonly offset?: number;
  /** Added to the field's value to get the message's length. Default 0. */
  readonly adjustment?: number;
  /** Whether the field's value includes the bytes up to its own end. Default false. */
  readonly includesHeader?: boolean;
}

/**
 * Messages preceded by their length.
 *
 * ```
 * length()                              00 00 00 02 'h' 'i'         -> "hi"
 * length({ bytes: 2, endian: 'little'}) 02 00 'h' 'i'               -> "hi"
 * length({ includesHeader: true })      00 00 00 06 'h' 'i'         -> "hi"
 * length({ bytes: 1, offset: 2 })       aa bb 02 'h' 'i'            -> "hi"
 * length({ bytes: 1, adjustment: -1 })  03 'h' 'i'                  -> "hi"
 * ```
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function length(options: LengthOptions = {}): Framing {
  const layout = resolveLayout(options);
  const frames = framesOf(layout);
  return {
    name: describe(layout),
    defaultEncoding: 'binary',
    encoder: createEncoder(layout),
    createDecoder: (decoderOptions) => new LengthDecoder(layout, frames, decoderOptions),
  };
}

type Layout = Required<LengthOptions> & {
  /** Bytes before the message. */
  readonly headerSize: number;
  /** The message's length minus the field's value. */
  readonly correction: number;
};

/**
 * The state is in the tail: less than a header, or a header and a part of its message. While a message that is too long is
 * skipped, the tail is empty, and `#skip` counts its bytes that have not arrived yet.
 */
class LengthDecoder implements Decoder {
  readonly #layout: Layout;
  readonly #options: DecoderOptions;
  readonly #frames: FrameReader;
  readonly #tail: Tail;
  #skip = 0;
  #stopped = false;
  /** Messages so far, discarded ones included. */
  #number = 0;

  constructor(layout: Layout, frames: FrameReader, options: DecoderOptions) {
    this.#layout = layout;
    this.#frames = frames;
    this.#options = options;
    this.#tail = new Tail(layout.headerSize + options.maxMessageLength);
  }

  get pending(): number {
    return this.#skip > 0 ? 1 : this.#tail.length;
  }

  decode(bytes: Uint8Array): Batch {
    const chunk = asBuffer(bytes);
    if (this.#stopped || chunk.length === 0) return this.#batch(undefined, undefined, 0);
    const at = Math.min(this.#skip, chunk.length);
    this.#skip -= at;
    return this.#tail.length > 0 ? this.#decodeFirst(chunk) : this.#decodeFrames(undefined, chunk, at);
  }

  end(): Batch {
    if (this.#stopped || this.pending === 0) return this.#batch(undefined, undefined, 0);
    const missing = this.#skip > 0 ? 'inside a discarded message' : `after ${this.#tail.length} bytes of a frame`;
    // A discarded message was counted with its fault.
    const number = this.#skip > 0 ? this.#number : this.#number + 1;
    const fault = new YodelError('YODEL_UNFINISHED_FRAME', `input ended ${missing}, in message ${number}`);
    return this.#batch(undefined, undefined, 0, fault);
  }

  /** Continues the frame that began in the tail. */
  #decodeFirst(chunk: Buffer): Batch {
    const at = this.#fillHeader(chunk);
    if (this.#tail.length < this.#layout.headerSize) return this.#batch(undefined, undefined, 0);
    const length = this.#lengthAt(this.#tail.bytes, 0);
    if (typeof length !== 'number') return this.#faulty(undefined, undefined, 0, length, chunk, at);
    const missing = this.#layout.headerSize + length - this.#tail.length;
    this.#tail.append(chunk.subarray(at, at + missing));
    if (chunk.length - at < missing) return this.#batch(undefined, undefined, 0);
    return this.#decodeFrames(this.#tail.take(), chunk, at + missing);
  }

  #decodeFrames(joined: Buffer | undefined, chunk: Buffer, start: number): Batch {
    const { headerSize } = this.#layout;
    let count = joined ? 1 : 0;
    let at = start;
    while (at + headerSize <= chunk.length) {
      const length = this.#lengthAt(chunk, at);
      if (typeof length !== 'number') {
        return this.#faulty(joined, part(chunk, start, at), count, length, chunk, at + headerSize);
      }
      if (at + headerSize + length > chunk.length) break;
      at += headerSize + length;
      count++;
    }
    if (at < chunk.length) this.#tail.append(chunk.subarray(at));
    return this.#batch(joined, part(chunk, start, at), count);
  }

  /** Completes the header in the tail. Returns the number of bytes taken from the chunk. */
  #fillHeader(chunk: Buffer): number {
    const missing = Math.max(0, this.#layout.headerSize - this.#tail.length);
    this.#tail.append(chunk.subarray(0, missing));
    return Math.min(missing, chunk.length);
  }

  /** The length of the message whose header begins at `at`, or why it is not accepted. */
  #lengthAt(source: Buffer, at: number): number | { code: 'too-long' | 'negative'; length: number } {
    const length = readLength(this.#layout, source, at);
    if (length < 0) return { code: 'negative', length };
    if (length > this.#options.maxMessageLength) return { code: 'too-long', length };
    return length;
  }

  #faulty(
    joined: Buffer | undefined,
    body: Buffer | undefined,
    count: number,
    { code, length }: { code: 'too-long' | 'negative'; length: number },
    chunk: Buffer,
    afterHeader: number,
  ): Batch {
    const number = this.#number + count + 1;
    if (code === 'negative') {
      const text = `message ${number} has an invalid length field: it gives a length of ${length} bytes`;
      return this.#batch(joined, body, count, new YodelError('YODEL_INVALID_FRAME', text));
    }
    const fault = tooLong(number, this.#options.maxMessageLength);
    this.#tail.take();
    if (this.#options.onTooLong === 'close') return this.#batch(joined, body, count, fault);
    const here = Math.min(length, chunk.length - afterHeader);
    // Not exact above 2^53, but such a message would take centuries to arrive.
    this.#skip = length - here;
    const rest = chunk.subarray(afterHeader + here);
    return this.#batch(joined, body, count, fault, rest.length > 0 ? rest : undefined);
  }

  #batch(
    joined: Buffer | undefined,
    body: Buffer | undefined,
    count: number,
    fault?: YodelError,
    rest?: Buffer,
  ): Batch {
    let batch = new Batch(this.#frames, joined, body, count, fault, rest);
    if (count > 0 && this.#options.encoding === 'utf8') batch = checkUtf8(batch, false, this.#number + 1);
    this.#number += batch.count + (batch.fault ? 1 : 0);
    if (batch.fault && stopsDecoder(batch.fault, this.#options)) {
      this.#stopped = true;
      this.#tail.take();
      this.#skip = 0;
    }
    return batch;
  }
}

function framesOf(layout: Layout): FrameReader {
  const { headerSize } = layout;
  return {
    headerSize,
    ends(bytes, count) {
      const ends = new Array<number>(count);
      for (let at = 0, found = 0; found < count; found++) {
        at += headerSize + readLength(layout, bytes, at);
        ends[found] = at;
      }
      return ends;
    },
    messageEnd: (_bytes, _start, end) => end,
    terminatorSize: () => 0,
  };
}

function createEncoder(layout: Layout): Encoder {
  const { headerSize, bytes, offset, correction } = layout;
  const largest = bytes === 8 ? Number.MAX_SAFE_INTEGER : 2 ** (8 * bytes) - 1;
  return {
    headerSize,
    trailerSize: 0,
    seal(target, at, end, shape) {
      const size = end - at - headerSize;
      const value = size - correction;
      if (value < 0) {
        const text = `a message of ${size} bytes is too short for the adjustment; the shortest has ${correction} bytes`;
        throw new YodelError('YODEL_UNENCODABLE_MESSAGE', text);
      }
      if (value > largest) {
        throw new YodelError(
          'YODEL_UNENCODABLE_MESSAGE',
          `a message of ${size} bytes does not fit a length field of ${bytes} ${bytes === 1 ? 'byte' : 'bytes'}; use a wider one`,
        );
      }
      target.fill(0, at, at + offset);
      if (shape) target.set(shape.subarray(0, offset), at);
      writeField(layout, target, at + offset, value);
      return end;
    },
    shapeOf: (message) => (offset === 0 ? undefined : Uint8Array.from(message.header.subarray(0, offset))),
  };
}

function readLength({ bytes, endian, offset, correction }: Layout, source: Buffer, at: number): number {
  const field = at + offset;
  if (bytes === 8) {
    return Number(endian === 'big' ? source.readBigUInt64BE(field) : source.readBigUInt64LE(field)) + correction;
  }
  return (endian === 'big' ? source.readUIntBE(field, bytes) : source.readUIntLE(field, bytes)) + correction;
}

function writeField({ bytes, endian }: Layout, target: Buffer, at: number, value: number): void {
  if (bytes === 8) {
    if (endian === 'big') target.writeBigUInt64BE(BigInt(value), at);
    else target.writeBigUInt64LE(BigInt(value), at);
  } else if (endian === 'big') target.writeUIntBE(value, at, bytes);
  else target.writeUIntLE(value, at, bytes);
}

function resolveLayout(options: LengthOptions): Layout {
  const { bytes = 4, endian = 'big', offset = 0, adjustment = 0, includesHeader = false } = options;
  const refuse = (text: string): never => {
    throw new YodelError('YODEL_INVALID_OPTION', `the framing "length" takes ${text}`);
  };
  if (![1, 2, 4, 8].includes(bytes)) refuse(`a field of 1, 2, 4 or 8 bytes, not ${bytes}`);
  if (endian !== 'big' && endian !== 'little') refuse(`"big" or "little" as endian, not ${JSON.stringify(endian)}`);
  if (!Number.isInteger(offset) || offset < 0 || offset > 1024) refuse(`an offset from 0 to 1024, not ${offset}`);
  if (!Number.isSafeInteger(adjustment)) refuse(`a whole number as adjustment, not ${adjustment}`);
  const headerSize = offset + bytes;
  const correction = adjustment - (includesHeader ? headerSize : 0);
  return { bytes, endian, offset, adjustment, includesHeader, headerSize, correction };
}

function describe({ bytes, endian, offset, adjustment, includesHeader }: Layout): string {
  const parts = [String(bytes)];
  if (endian === 'little') parts.push('little');
  if (offset !== 0) parts.push(`offset=${offset}`);
  if (adjustment !== 0) parts.push(`adjust=${adjustment}`);
  if (includesHeader) parts.push('inclusive');
  return `length:${parts.join(',')}`;
}
