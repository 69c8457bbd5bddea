/**
 * The contract of a framing: the rule between messages and frames.
 *
 * A framing is pure: no socket, no clock. What a decoder returns never depends on how the bytes were split into chunks
 * (except with `raw`). `counted/netstring.ts` is a short example.
 */
import { YodelError } from '../errors.ts';
import { type Batch, isMessage, type Message } from './message.ts';
import type { FramingId } from './message-parts.ts';

/** What messages contain: text that is checked to be UTF-8, or any bytes. */
export type Encoding = 'utf8' | 'binary';

/** Options of a decoder. */
export interface DecoderOptions {
  /** The longest payload accepted, in bytes. */
  readonly maxMessageLength: number;
  /**
   * What to do with a longer one. `close`: the decoder stops after the fault. `discard`: it skips that message, reports
   * the fault, and continues after it.
   */
  readonly onTooLong: 'close' | 'discard';
  /** With `utf8`, a message that is not UTF-8 is a fault that stops the decoder. */
  readonly encoding: Encoding;
  /** @internal Whether the beginning of a message is a message as soon as it arrives. Only `lines` does so; others ignore it. */
  readonly atOnce?: boolean | undefined;
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
  /** @internal Whether all of a chunk must be decoded at once, because others look at what follows it. Default: no. */
  readonly decodesAtOnce?: boolean | undefined;
  /** @internal Bytes of memory that it keeps between two chunks, where that is more than {@link pending}. */
  readonly memory?: number | undefined;
  /**
   * The beginning of the payload of an unfinished message, such as a prompt without its line end. A view, valid until the next
   * call. Undefined: nothing has arrived of it, or it cannot be read before its end, as an escaped one.
   */
  readonly unfinished?: Uint8Array | undefined;
  /**
   * @internal No more messages are wanted: frees the memory of an unfinished one at once. What follows is ignored, except control
   * frames of WebSocket.
   */
  drop?(): void;
}

/** Messages -> frames. One encoder serves all connections. */
export interface Encoder {
  /**
   * The frame of a message, in new bytes.
   *
   * @param shape the part of a frame that is not determined by the payload, from {@link shapeOf}. Default: the framing's own
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE` if a decoder would not return the same message
   */
  encode(payload: Uint8Array, shape?: Uint8Array): Uint8Array;
  /** The same, around a payload that is in its buffer already. Present unless the framing changes the payload, such as by escaping. */
  readonly inPlace?: InPlaceEncoder;
  /**
   * The payload of a reply that reports an error, where the protocol has one of its own; undefined: none is sent. Default:
   * `error: REASON`.
   */
  errorPayload?(reason: string): string | undefined;
  /** Present if a frame of text is the text and an ending, so that many frames can be encoded at once. */
  readonly text?: TextFrames;
  /**
   * What a reply copies from the message that it answers, and what a message keeps when it is encoded in this framing: its line
   * ending, its header, or its kind. Undefined if it has none.
   *
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE` if the message's header does not fit
   */
  shapeOf(message: Message): Uint8Array | undefined;
  /**
   * Whether a frame of this framing that came from another connection may be sent as it is to a peer whose frames have
   * `shape`. Absent: always.
   */
  suits?(message: Message, shape: Uint8Array | undefined): boolean;
  /** Whether all frames of a peer have the shape of its first one, such as the same line ending. Default: no, it is a header. */
  readonly sharesShape?: boolean;
}

/** Builds a frame around its payload, in the buffer that already contains it. */
export interface InPlaceEncoder {
  /** Bytes before a payload of `size` bytes. */
  headerSize(size: number, shape?: Uint8Array): number;
  /** The most bytes that follow a payload. */
  readonly trailerSize: number;
  /**
   * Writes what precedes the payload from `at` to `start`, and what follows it from `end` on.
   *
   * @returns where the frame ends
   * @throws as {@link Encoder.encode}
   */
  seal(target: Buffer, at: number, start: number, end: number, shape?: Uint8Array): number;
}

/** Frames that are joined as text. */
export interface TextFrames {
  /** What follows the text. `shape` as for {@link Encoder.encode}. */
  ending(shape?: Uint8Array): string;
  /**
   * Whether the bytes from `start` to `end` are `count` frames with this ending, exactly as `seal` writes them. If not,
   * which is not an error, each of them must be sealed on its own.
   */
  areSealed(bytes: Buffer, start: number, end: number, count: number, ending: string): boolean;
}

/** A rule between messages and frames, for one direction. Immutable; any number of connections share it. */
export interface Framing extends FramingId {
  /** What messages of this framing contain by default. */
  readonly defaultEncoding: Encoding;
  readonly encoder: Encoder;
  /**
   * The encoder of one connection, where frames depend on what was said before. The state sees each frame before the next
   * one is encoded. Default: {@link encoder}.
   */
  createEncoder?(state: unknown): Encoder;
  /** @param state what the decoders of both directions of a connection share, if their protocol needs it (`Protocol.createState`) */
  createDecoder(options: DecoderOptions, state?: unknown): Decoder;
}

/** @internal An encoder that writes its frames in place. */
export function inPlace(encoder: InPlaceEncoder): Pick<Encoder, 'encode' | 'inPlace'> {
  return {
    inPlace: encoder,
    encode(payload, shape) {
      const start = encoder.headerSize(payload.length, shape);
      const end = start + payload.length;
      const target = Buffer.allocUnsafe(end + encoder.trailerSize);
      target.set(payload, start);
      return target.subarray(0, encoder.seal(target, 0, start, end, shape));
    },
  };
}

/** @internal Whether frames of one framing are frames of the other. */
export function isSameFraming(one: FramingId | undefined, other: FramingId): boolean {
  return one === other || one?.id === other.id;
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
 * Encodes one message as a frame, in a new buffer. A message that came in a frame of this framing keeps it.
 *
 * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`
 * @throws TypeError if the message is neither text nor bytes nor a message
 */
export function encode(framing: Framing, message: string | Uint8Array | Message): Uint8Array {
  return encodeLike(framing, message, undefined);
}

/**
 * @internal The same in a shape that `shapeOf` returned. A message has its own shape, where it has one.
 *
 * @param encoder of the connection, if it has its own
 * @throws as {@link encode}
 */
export function encodeLike(
  framing: Framing,
  message: string | Uint8Array | Message,
  shape: Uint8Array | undefined,
  encoder: Encoder = framing.encoder,
): Uint8Array {
  if (isMessage(message)) {
    if (isSameFraming(message.framing, framing) && (encoder.suits?.(message, shape) ?? true))
      return message.kept().frame;
    return encoder.encode(message.bytes, shapeFor(encoder, message, shape));
  }
  checkMessage(message);
  return encoder.encode(typeof message === 'string' ? Buffer.from(message) : message, shape);
}

/**
 * @internal The shape of a message that is encoded again. A line ending is the peer's, a header the message's.
 *
 * @param shape of the peer's frames, or of the message that it answers
 */
export function shapeFor(encoder: Encoder, message: Message, shape: Uint8Array | undefined): Uint8Array | undefined {
  return encoder.sharesShape ? (shape ?? encoder.shapeOf(message)) : (encoder.shapeOf(message) ?? shape);
}

/** @internal Throws a TypeError unless `message` is text or bytes: a program without types may pass anything. */
export function checkMessage(message: unknown): void {
  if (typeof message === 'string' || message instanceof Uint8Array) return;
  const kind = Object.prototype.toString.call(message);
  throw new TypeError(
    `a message is a string, a Uint8Array or a Message, not ${kind}; other values need a codec, such as json()`,
  );
}

/** @internal The same bytes as a Buffer, without copying. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** `1 byte`, `2 bytes`. */
export function byteCount(count: number): string {
  return count === 1 ? '1 byte' : `${count} bytes`;
}

/** @internal The fault of a message above the limit. Without the real length, which would depend on the chunks. */
export function tooLong(messageNumber: number, limit: number): YodelError {
  return new YodelError(
    'YODEL_MESSAGE_TOO_LONG',
    `message ${messageNumber} is longer than the limit of ${limit} bytes`,
  );
}
