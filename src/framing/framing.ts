/**
 * The contract of a framing: the rule between messages and frames.
 *
 * A framing is pure: no socket, no clock. What a decoder returns never depends on how the bytes were cut into chunks
 * (`raw` alone shows chunks). See `lines.ts`, `delimiter.ts`, `length.ts` and `raw.ts`.
 */
import { YodelError } from '../errors.ts';
import type { Batch, Message } from './message.ts';

/** What messages hold: text that is checked to be UTF-8, or any bytes. */
export type Encoding = 'utf8' | 'binary';

/** How a decoder treats what comes. */
export interface DecoderOptions {
  /** The longest message that is taken, in bytes, its delimiter or length field not counted. */
  readonly maxMessageLength: number;
  /**
   * What a longer one does. `close`: the decoder stops for good after the fault. `discard`: it leaves that message
   * out, reports the fault, and goes on behind it.
   */
  readonly onTooLong: 'close' | 'discard';
  /** `utf8` makes a message that is not UTF-8 a fault that stops the decoder for good. */
  readonly encoding: Encoding;
}

/** Bytes -> messages, for one connection. Synchronous; copies only an unfinished tail. */
export interface Decoder {
  /**
   * Takes the next chunk and gives the messages that it completed. The chunk is only read during the call, but the
   * batch points into it.
   *
   * Less than a frame: an empty batch, the bytes are kept. Exactly a frame: one message, nothing kept. More: the
   * messages, and the rest kept. A fault ends the batch; `batch.rest`, where there is one, is to be decoded next, as
   * {@link decodeChunk} does.
   */
  decode(chunk: Uint8Array): Batch;
  /** Says that no more bytes will come. Gives the unfinished last message where the framing allows one, or a fault. */
  end(): Batch;
  /** Bytes that are held of an unfinished message; also above 0 while the rest of a discarded one is awaited. */
  readonly pending: number;
}

/** Message -> frame, in place: the caller writes the message into its buffer and the encoder closes the frame around it. */
export interface Encoder {
  /** Bytes before the message. */
  readonly headerSize: number;
  /** The most bytes that come after the message. */
  readonly trailerSize: number;
  /**
   * Writes header and trailer around the message that stands in `target` from `at + headerSize` to `end`.
   *
   * @param shape how the peer's own frames look, as `shapeOf` told it; without it, the framing's default
   * @returns where the frame ends
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE` when the message would not come out of a decoder as it went in
   */
  seal(target: Buffer, at: number, end: number, shape?: Uint8Array): number;
  /** Where a frame of text is the text and an ending behind it: so that many can be made bytes at one go. */
  readonly text?: TextFrames;
  /**
   * What a reply should take over from a message: its line ending, the bytes before its length field. `undefined`
   * where the message does not show it.
   */
  shapeOf(message: Message): Uint8Array | undefined;
}

/** Frames of text that are put together as text. */
export interface TextFrames {
  /** What follows the text. `shape` as for {@link Encoder.seal}. */
  ending(shape?: Uint8Array): string;
  /**
   * Whether the bytes from `start` to `end` are `count` frames with this ending, just as `seal` would have made them.
   * False is no error: then each of them is to be sealed on its own.
   */
  areSealed(bytes: Buffer, start: number, end: number, count: number, ending: string): boolean;
}

/** A rule between messages and frames. Immutable; one serves any number of connections. */
export interface Framing {
  /** As it is written on the command line: `lines`, `delimiter:\0`, `length:4`, `raw`. */
  readonly name: string;
  /** What messages of this framing hold when nothing else is said. */
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
 * The frame of one message, in a buffer of its own.
 *
 * @param shape as for {@link Encoder.seal}: of `lines` the line's ending; default: the framing's own
 * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`
 * @throws TypeError when it is neither text nor bytes
 */
export function encode(framing: Framing, message: string | Uint8Array): Uint8Array {
  return encodeLike(framing.encoder, message, undefined);
}

/**
 * @internal The same, with the frame in a shape as `shapeOf` tells it.
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

/** @internal Refuses what is neither text nor bytes: a program without types may have passed anything. */
export function checkMessage(message: unknown): void {
  if (typeof message === 'string' || message instanceof Uint8Array) return;
  throw new TypeError(`a message is a string or a Uint8Array, not ${Object.prototype.toString.call(message)}`);
}

/** @internal The same bytes as a Buffer, without copying. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** @internal The fault of a message above the limit. It does not tell the real length: that would depend on the chunks. */
export function tooLong(messageNumber: number, limit: number): YodelError {
  return new YodelError(
    'YODEL_MESSAGE_TOO_LONG',
    `message ${messageNumber} is longer than the limit of ${limit} bytes`,
  );
}
