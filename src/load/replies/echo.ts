/** Compares replies with what was sent. */
import { YodelError } from '../../errors.ts';
import { asBuffer, type Decoder, decodeChunk, type Framing } from '../../framing/framing.ts';
import type { Ring } from '../payload.ts';
import { noReplies, type ReplyMatcher } from './matcher.ts';
import { show } from './show.ts';

/** The longest echo, in bytes. */
const longest = 1_073_741_824;

/** A position in a ring of frames. */
export class RingPosition {
  readonly payload: Ring;
  /** Index of the next byte of the ring. */
  at = 0;
  /** Index of the frame it belongs to. */
  frame = 0;

  constructor(payload: Ring) {
    this.payload = payload;
  }

  /** Advances by `count` bytes, at most to the end of the ring. Returns the number of frames that this completed. */
  advance(count: number): number {
    const { bytes, ends } = this.payload;
    const before = this.frame;
    let frame = before;
    const at = this.at + count;
    while (frame < ends.length && (ends[frame] as number) <= at) frame++;
    const wraps = at === bytes.length;
    this.at = wraps ? 0 : at;
    this.frame = wraps ? 0 : frame;
    return frame - before;
  }
}

/**
 * Expects the bytes of an echo. Compares whole chunks with the ring, without searching them for messages: the ends of
 * the ring's frames determine which replies are complete.
 */
export class EchoMatcher implements ReplyMatcher {
  readonly #position: RingPosition;
  readonly #connection: number;
  readonly greetingLeft = 0;
  readonly failed = noReplies;
  fault: YodelError | undefined;
  #answered = 0;

  /** @param connection its number, for errors */
  constructor(payload: Ring, connection: number) {
    this.#position = new RingPosition(payload);
    this.#connection = connection;
  }

  match(bytes: Uint8Array): number {
    const chunk = asBuffer(bytes);
    const position = this.#position;
    const ring = position.payload.bytes;
    const before = this.#answered;
    for (let from = 0; from < chunk.length; ) {
      const { at } = position;
      const count = Math.min(chunk.length - from, ring.length - at);
      if (ring.compare(chunk, from, from + count, at, at + count) !== 0) {
        this.#findFault(chunk, from, count);
        break;
      }
      this.#answered += position.advance(count);
      from += count;
    }
    return this.#answered - before;
  }

  /** Counts the correct replies, and reports the first wrong one. */
  #findFault(chunk: Buffer, from: number, count: number): void {
    const { payload, at } = this.#position;
    let same = 0;
    while (same < count && chunk[from + same] === payload.bytes[at + same]) same++;
    this.#answered += this.#position.advance(same);
    const { frame } = this.#position;
    const start = frame === 0 ? 0 : (payload.ends[frame - 1] as number);
    const expected = payload.bytes.subarray(start, payload.ends[frame]);
    const matched = payload.bytes.subarray(start, at + same);
    const got = Buffer.concat([matched, chunk.subarray(from + same, from + same + expected.length - matched.length)]);
    this.fault = wrongReply(this.#answered + 1, this.#connection, expected, got);
  }
}

/** Leaves the frames of an echo to another matcher, without what may be between them, such as the pings of WebSocket. */
export class FrameMatcher implements ReplyMatcher {
  readonly greetingLeft = 0;
  readonly failed = noReplies;
  readonly #decoder: Decoder;
  readonly #matcher: ReplyMatcher;
  #fault: YodelError | undefined;

  constructor(framing: Framing, matcher: ReplyMatcher) {
    this.#decoder = framing.createDecoder({ maxMessageLength: longest, onTooLong: 'close', encoding: 'binary' });
    this.#matcher = matcher;
  }

  get fault(): YodelError | undefined {
    return this.#matcher.fault ?? this.#fault;
  }

  match(chunk: Uint8Array): number {
    let count = 0;
    for (const batch of decodeChunk(this.#decoder, chunk)) {
      for (const slice of batch.slices) if (!this.fault) count += this.#matcher.match(slice);
      this.#fault ??= batch.fault;
    }
    return count;
  }
}

/** An error that shows both replies around the first byte that differs. */
function wrongReply(message: number, connection: number, expected: Buffer, got: Buffer): YodelError {
  const differs = expected.findIndex((byte, index) => byte !== got[index]);
  const around = differs === -1 ? expected.length : differs;
  return new YodelError(
    'YODEL_WRONG_REPLY',
    `message ${message} of connection ${connection}: expected ${expected.length} bytes ${show(expected, around)}, ` +
      `got ${show(got, around)}`,
  );
}
