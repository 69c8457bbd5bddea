/** Checks and counts replies. */
import { YodelError } from '../errors.ts';
import { asBuffer, type Decoder, decodeChunk, type Framing } from '../framing/framing.ts';
import type { Batch } from '../framing/message.ts';
import { openConversation, type Protocol } from '../framing/protocol.ts';
import type { Ring } from './payload.ts';

/** Longer replies are counted without being buffered. */
const maxBuffered = 16_777_216;
/** The longest echo, in bytes. */
const longest = 1_073_741_824;
/** The number of bytes of a wrong reply that an error shows. */
const maxShown = 48;

/** Counts the replies in a stream. */
export interface ReplyMatcher {
  /** Takes the next bytes and returns the number of replies they completed. Sets `fault` when a reply is wrong. */
  match(chunk: Uint8Array): number;
  /** The error of the first wrong reply. Nothing is matched after it. */
  readonly fault: YodelError | undefined;
}

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

/** Counts each message of the server as a reply, regardless of its content; those that it sends first are none. */
export class CountMatcher implements ReplyMatcher {
  readonly #decoder: Decoder;
  /** Must be called with everything that is sent, if it is there. */
  readonly sent: ((bytes: Uint8Array) => void) | undefined;
  /** The number of messages still to come that are no replies. */
  #greetings: number;
  /** A reply that is too long to be buffered is being received; it counts when it ends. */
  #isLong = false;
  fault: YodelError | undefined;

  /** @param own the framing of the connection itself, if it has one */
  constructor(protocol: Protocol, own?: Framing) {
    const options = { maxMessageLength: maxBuffered, onTooLong: 'discard', encoding: 'binary' } as const;
    const { decoder, sent } = openConversation(protocol, 'client', options, own);
    this.#decoder = decoder;
    this.sent = sent;
    this.#greetings = own ? 0 : (protocol.greeting ?? 0);
  }

  match(chunk: Uint8Array): number {
    let count = 0;
    for (const batch of decodeChunk(this.#decoder, chunk)) {
      count += batch.count + this.#endOfLong(batch);
      if (batch.fault?.code === 'YODEL_MESSAGE_TOO_LONG') this.#isLong = true;
      else if (batch.fault) this.fault = batch.fault;
    }
    count += this.#endOfLong();
    if (this.#greetings === 0) return count;
    const greetings = Math.min(this.#greetings, count);
    this.#greetings -= greetings;
    return count - greetings;
  }

  /** Returns 1 if a long reply has ended: other replies follow it, or nothing is pending. */
  #endOfLong(batch?: Batch): number {
    const hasEnded = this.#isLong && (batch ? batch.count > 0 : this.#decoder.pending === 0);
    if (!hasEnded) return 0;
    this.#isLong = false;
    return 1;
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

/** Bytes as escaped text in quotes; of many bytes, those around an index. */
function show(bytes: Uint8Array, around: number): string {
  const start = bytes.length <= maxShown ? 0 : Math.max(0, Math.min(around - 16, bytes.length - maxShown));
  const end = Math.min(bytes.length, start + maxShown);
  const text = Array.from(bytes.subarray(start, end), showByte).join('');
  return `${start > 0 ? '…' : ''}"${text}"${end < bytes.length ? '…' : ''}`;
}

const shortForms: Record<number, string> = { 0: '\\0', 9: '\\t', 10: '\\n', 13: '\\r', 34: '\\"', 92: '\\\\' };

function showByte(byte: number): string {
  const short = shortForms[byte];
  if (short !== undefined) return short;
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
}
