/**
 * The contract of a framing: the rule between messages and frames.
 *
 * A framing is pure: no socket, no clock. What a decoder returns never depends on how the bytes were split into chunks
 * (except with `raw`). See `lines.ts`, `delimiter.ts`, `length.ts` and `raw.ts`.
 */
import { YodelError } from '../errors.ts';
import type { Batch, Message } from './message.ts';

/** What messages contain: text that is checked to be UTF-8, or any bytes. */
export type Encoding = 'utf8' | 'binary';

/** Options of a decoder. */
export interface DecoderOptions {
  /** The longest message accepted, in bytes, without its delimiter or length field. */
  readonly maxMessageLength: number;
  /**
   * What to do with a longer one. `close`: the decoder stops after the fault. `discard`: it skips that message, reports
   * the fault, and continues after it.
   */
  readonly onTooLong: 'close' | 'discard';
  /** With `utf8`, a message that is not UTF-8 is a fault that stops the decoder. */
  readonly encoding: Encoding;
}

/** Bytes -> messages, for one connection. Synchronous; copies only an unfinished tail. */
export interface Decoder {
  /**
   * Takes the next chunk and returns the messages that it completed. The chunk is only read during the call, but the
   * batch points into it.
   *
   * Less than a frame: an empty batch, and the bytes are kept. Exactly a frame: one message, and nothing is kept. More: the
   * messages, and the rest is kept. A fault ends the batch; `batch.rest`, if there is one, must be decoded next, as
   * {@link decodeChunk} does.
   */
  decode(chunk: Uint8Array): Batch;
  /** The input has ended. Returns the unfinished last message if the framing allows one, or a fault. */
  end(): Batch;
  /** Buffered bytes of an unfinished message; above 0 also while the rest of a discarded one is skipped. */
  readonly pending: number;
}

/** Message -> frame, in place: the caller writes the message into its buffer, and the encoder adds what encloses it. */
export interface Encoder {
  /** Bytes before the message. */
  readonly headerSize: number;
  /** The most bytes that follow the message. */
  readonly trailerSize: number;
  /**
   * Writes header and trailer around the message in `target` from `at + headerSize` to `end`.
   *
   * @param shape the shape of the peer's frames, from `shapeOf`. Default: the framing's own
   * @returns where the frame ends
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE` if a decoder would not return the same message
   */
  seal(target: Buffer, at: number, end: number, shape?: Uint8Array): number;
  /** Present if a frame of text is the text and an ending, so that many frames can be encoded at once. */
  readonly text?: TextFrames;
  /**
   * The part of a message's frame that a reply copies: its line ending, or the bytes before its length field. Undefined if
   * the message does not have it.
   */
  shapeOf(message: Message): Uint8Array | undefined;
}

/** Frames that are joined as text. */
export interface TextFrames {
  /** What follows the text. `shape` as for {@link Encoder.seal}. */
  ending(shape?: Uint8Array): string;
  /**
   * Whether the bytes from `start` to `end` are `count` frames with this ending, exactly as `seal` writes them. If not,
   * which is not an error, each of them must be sealed on its own.
   */
  areSealed(bytes: Buffer, start: number, end: number, count: number, ending: string): boolean;
}

/** A rule between messages and frames. Immutable; any number of connections share it. */
export interface Framing {
  /** The text form: `lines`, `delimiter:\0`, `length:4`, `raw`. */
  readonly name: string;
  /** What messages of this framing contain by default. */
  readonly defaultEncoding: Encoding;
  readonly encoder: Encoder;
  createDecoder(options: DecoderOptions): Decoder;
}

/**
 * @internal Decodes a chunk: the one loop over `decode` and `batch.rest`. Nearly every chunk is one batch; there are more
 * where messages were discarded. Lazy: what follows a batch is decoded only when the next batch is requested.
 *
 * One batch comes back in an array, which costs 2 to 5 ns over a loop written by hand. A generator costs 25 (Bun) to
 * 40 ns (Node) a chunk, an iterator class 5 to 10; a whole chunk of one short message is decoded in 60 to 110.
 */
export function decodeChunk(decoder: Decoder, chunk: Uint8Array): Iterable<Batch> {
  const batch = decoder.decode(chunk);
  return batch.rest ? decodeRest(decoder, batch) : [batch];
}

function* decodeRest(decoder: Decoder, first: Batch): Generator<Batch, void, undefined> {
  yield first;
  for (let { rest } = first; rest; ) {
    const batch = decoder.decode(rest);
    yield batch;
    rest = batch.rest;
  }
}

/**
 * Encodes one message as a frame, in a new buffer.
 *
 * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`
 * @throws TypeError if the message is neither text nor bytes
 */
export function encode(framing: Framing, message: string | Uint8Array): Uint8Array {
  return encodeLike(framing.encoder, message, undefined);
}

/**
 * @internal The same in a shape that `shapeOf` returned.
 *
 * @throws as {@link encode}
 */
export function encodeLike(encoder: Encoder, message: string | Uint8Array, shape: Uint8Array | undefined): Uint8Array {
  checkMessage(message);
  const { headerSize, trailerSize } = encoder;
  const bytes = typeof message === 'string' ? Buffer.from(message) : message;
  const target = Buffer.allocUnsafe(headerSize + bytes.length + trailerSize);
  target.set(bytes, headerSize);
  return target.subarray(0, encoder.seal(target, 0, headerSize + bytes.length, shape));
}

/** @internal Throws a TypeError unless `message` is text or bytes: a program without types may pass anything. */
export function checkMessage(message: unknown): void {
  if (typeof message === 'string' || message instanceof Uint8Array) return;
  throw new TypeError(`a message is a string or a Uint8Array, not ${Object.prototype.toString.call(message)}`);
}

/** @internal The same bytes as a Buffer, without copying. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** @internal The fault of a message above the limit. Without the real length, which would depend on the chunks. */
export function tooLong(messageNumber: number, limit: number): YodelError {
  return new YodelError(
    'YODEL_MESSAGE_TOO_LONG',
    `message ${messageNumber} is longer than the limit of ${limit} bytes`,
  );
}
