/** What comes back, held against what was sent. */
import { YodelError } from '../errors.ts';
import { asBuffer, type Decoder, decodeChunk, type Framing } from '../framing/framing.ts';
import type { Batch } from '../framing/message.ts';
import type { Payload } from './payload.ts';

/** A reply longer than this is counted without being held. */
const longestCounted = 16_777_216;
/** How much of a wrong reply an error shows. */
const mostShown = 48;

/** Counts the replies in what a server sends. */
export interface ReplyMatcher {
  /** Takes the next bytes and says how many replies they completed. When something is wrong, `fault` says what. */
  match(chunk: Uint8Array): number;
  /** After which nothing that comes can be matched any more. */
  readonly fault: YodelError | undefined;
}

/** Walks along a ring of frames. */
export class RingPosition {
  readonly payload: Payload;
  /** The byte of the ring that comes next, … */
  at = 0;
  /** … and the frame that it belongs to. */
  frame = 0;

  constructor(payload: Payload) {
    this.payload = payload;
  }

  /** Goes on by so many bytes, at most to the end of the ring, and says how many frames that completed. */
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
 * Replies are, byte for byte, what was sent: so whole chunks are compared with the ring, and no message is looked for
 * in them. Which were completed follows from where the ring's frames end.
 */
export class EchoMatcher implements ReplyMatcher {
  readonly #position: RingPosition;
  readonly #connection: number;
  fault: YodelError | undefined;
  #answered = 0;

  /** @param connection its number, for errors */
  constructor(payload: Payload, connection: number) {
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
        this.#lookCloser(chunk, from, count);
        break;
      }
      this.#answered += position.advance(count);
      from += count;
    }
    return this.#answered - before;
  }

  /** Counts what is still right, and tells of the first message that is not. */
  #lookCloser(chunk: Buffer, from: number, count: number): void {
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

/** The same, where each chunk is one whole message. */
export class EchoedMessages implements ReplyMatcher {
  readonly #payload: Payload;
  readonly #connection: number;
  #frame = 0;
  #answered = 0;
  fault: YodelError | undefined;

  constructor(payload: Payload, connection: number) {
    this.#payload = payload;
    this.#connection = connection;
  }

  match(chunk: Uint8Array): number {
    const { bytes, ends } = this.#payload;
    const start = this.#frame === 0 ? 0 : (ends[this.#frame - 1] as number);
    const expected = bytes.subarray(start, ends[this.#frame]);
    if (!expected.equals(chunk)) {
      this.fault = wrongReply(this.#answered + 1, this.#connection, expected, asBuffer(chunk));
      return 0;
    }
    this.#frame = (this.#frame + 1) % ends.length;
    this.#answered++;
    return 1;
  }
}

/** Each chunk is a reply. */
export const countedMessages: ReplyMatcher = { fault: undefined, match: () => 1 };

/** Replies are whatever the framing calls a message. */
export class CountMatcher implements ReplyMatcher {
  readonly #decoder: Decoder;
  /** A reply that is not held has begun, and counts when it has ended. */
  #isLong = false;
  fault: YodelError | undefined;

  constructor(framing: Framing) {
    this.#decoder = framing.createDecoder({
      maxMessageLength: longestCounted,
      onTooLong: 'discard',
      encoding: 'binary',
    });
  }

  match(chunk: Uint8Array): number {
    let count = 0;
    for (const batch of decodeChunk(this.#decoder, chunk)) {
      count += batch.count + this.#endOfLong(batch);
      if (batch.fault?.code === 'YODEL_MESSAGE_TOO_LONG') this.#isLong = true;
      else if (batch.fault) this.fault = batch.fault;
    }
    count += this.#endOfLong();
    return count;
  }

  /** 1 when a reply that is not held has ended: other replies have come, or nothing is awaited any more. */
  #endOfLong(batch?: Batch): number {
    const hasEnded = this.#isLong && (batch ? batch.count > 0 : this.#decoder.pending === 0);
    if (!hasEnded) return 0;
    this.#isLong = false;
    return 1;
  }
}

/** Shows both around the first byte that differs. */
function wrongReply(message: number, connection: number, expected: Buffer, got: Buffer): YodelError {
  const differs = expected.findIndex((byte, index) => byte !== got[index]);
  const around = differs === -1 ? expected.length : differs;
  return new YodelError(
    'YODEL_WRONG_REPLY',
    `message ${message} of connection ${connection}: expected ${expected.length} bytes ${show(expected, around)}, ` +
      `got ${show(got, around)}`,
  );
}

/** Bytes as harmless text, in quotes: around the place that matters, when they are many. */
export function show(bytes: Uint8Array, around: number): string {
  const start = bytes.length <= mostShown ? 0 : Math.max(0, Math.min(around - 16, bytes.length - mostShown));
  const end = Math.min(bytes.length, start + mostShown);
  const text = Array.from(bytes.subarray(start, end), showByte).join('');
  return `${start > 0 ? '…' : ''}"${text}"${end < bytes.length ? '…' : ''}`;
}

const shortForms: Record<number, string> = { 0: '\\0', 9: '\\t', 10: '\\n', 13: '\\r', 34: '\\"', 92: '\\\\' };

function showByte(byte: number): string {
  const short = shortForms[byte];
  if (short !== undefined) return short;
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
}
