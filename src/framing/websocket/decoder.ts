/**
 * Decodes the frames of RFC 6455 into messages.
 *
 * Whatever arrived, messages leave in the form that a server sends: one frame per message, unmasked, with the shortest
 * header. The frames of a chunk are unmasked where they are and moved to the left, so that they are adjacent:
 *
 * ```
 * chunk     | 81 83 MASK a b c | 89 80 MASK (a ping) | 81 82 MASK d e |
 * frames           | 81 03 a b c | 81 02 d e |
 * ```
 *
 * So a whole batch can be sent back in one write, without copying it. Messages in several frames, and those that are not
 * complete in one chunk, are assembled in a {@link Tail}. Control frames are passed on at once and are no messages.
 */
import { isUtf8 } from 'node:buffer';
import { YodelError } from '../../errors.ts';
import { stopsDecoder } from '../checked.ts';
import type { FrameReader } from '../frames.ts';
import { asBuffer, byteCount, type Decoder, type DecoderOptions, tooLong } from '../framing.ts';
import { Batch } from '../message.ts';
import { ownCopy, part } from '../slices.ts';
import { Tail } from '../tail.ts';
import { invalidUtf8 } from '../utf8.ts';
import { type Body, type Found, manyBytes, takeMany, takeMasked, takeUnmasked } from './body.ts';
import { closeReason } from './close.ts';
import {
  controlBit,
  finalBit,
  frameProblem,
  headerSizeFor,
  headerSizeOf,
  keySize,
  lengthProblem,
  maskBit,
  maxControlSize,
  maxHeaderSize,
  opcodes,
  payloadSize,
  reservedBits,
  writeHeader,
} from './header.ts';
import { applyMask, keyAt, rotatedKey } from './mask.ts';

/** Receives the control frames, in the middle of `decode`. */
export interface ControlFrames {
  /** @param data valid during the call */
  pinged(data: Buffer): void;
  /** The peer ends the connection. No message follows. */
  closed(code: number, reason: string): void;
}

/**
 * Which frames are accepted: those of a client (`masked`), those of a server (`unmasked`), or both. A masked chunk is changed,
 * except with `either`, which copies it.
 */
export type Masking = 'masked' | 'unmasked' | 'either';

/** More fragments than a message needs, but each costs time: browsers send each message in one frame. */
const maxFragments = 1024;

/** See the top of the file. */
export class WebSocketDecoder implements Decoder {
  /** The number of calls of `decode`. */
  calls = 0;
  /** The connection takes control frames, which only mean something in their place, from the beginning of the next chunk. */
  readonly decodesAtOnce = true;
  readonly #reader: FrameReader;
  readonly #masking: Masking;
  readonly #options: DecoderOptions;
  readonly #control: ControlFrames | undefined;
  /** The message that is not complete: space for a header, then its payload. */
  readonly #tail: Tail;
  /** The opcode of that message; 0 if there is none. */
  #kind = 0;
  #fragments = 0;
  /** Bytes received of it, headers included. */
  #pending = 0;
  /** Whether the message is too long and is discarded up to its end. */
  #isSkipping = false;
  /** The header of the frame that is being received, as far as it has arrived. */
  #header = none;
  #headerLength = 0;
  /** Whether its header is complete. Then `#remaining` bytes of its payload are missing. */
  #isInPayload = false;
  #remaining = 0;
  #key = 0;
  /** The payload of a control frame that is not complete in one chunk. */
  #controlData = none;
  /** Nothing more can be decoded: after a fault or a close frame. */
  #stopped = false;
  /** Messages are discarded; only control frames are still of interest. */
  #isDropped = false;
  /** The fault after which nothing more can be decoded. */
  fault: YodelError | undefined;
  /** Messages so far, discarded ones included. */
  #number = 0;

  constructor(reader: FrameReader, masking: Masking, options: DecoderOptions, control?: ControlFrames) {
    this.#reader = reader;
    this.#masking = masking;
    this.#options = options;
    this.#control = control;
    this.#tail = new Tail(options.maxMessageLength + maxHeaderSize);
  }

  get pending(): number {
    if (this.#isDropped) return 0;
    const isControl = this.#headerLength > 0 && ((this.#header[0] as number) & controlBit) !== 0;
    return this.#pending + (this.#isInPayload || isControl ? 0 : this.#headerLength);
  }

  get memory(): number {
    return this.#tail.memory;
  }

  decode(bytes: Uint8Array): Batch {
    this.calls++;
    const chunk = this.#masking === 'either' ? Buffer.from(bytes) : asBuffer(bytes);
    if (this.#stopped || chunk.length === 0) return this.#batch({});
    return this.#mayDecodeFrames ? this.#decodeFrames(undefined, chunk, 0) : this.#assemble(chunk, 0);
  }

  end(): Batch {
    if (this.#stopped || this.#isBetweenMessages) return this.#batch({});
    const text = `input ended after ${byteCount(this.pending)} of a frame, in message ${this.#number + 1}`;
    return this.#batch({}, new YodelError('YODEL_UNFINISHED_FRAME', text));
  }

  /** Passes on the control frames that are complete at the beginning of the chunk. Returns the offset after them. */
  takeControlFrames(chunk: Buffer): number {
    return this.#stopped || this.#headerLength > 0 || this.#isInPayload ? 0 : this.#skipControlFrames(chunk, 0);
  }

  #skipControlFrames(chunk: Buffer, from: number): number {
    for (let at = from; ; ) {
      const end = this.#controlFrame(chunk, at);
      if (end === 0 || this.#stopped) return end || at;
      at = end;
    }
  }

  /** Whether the chunk's bytes from `at` on are the beginning of a control frame that may yet prove valid. */
  isControlFrameBegun(chunk: Buffer, at: number): boolean {
    if (this.#stopped || this.#headerLength > 0 || this.#isInPayload || at === chunk.length) return false;
    const first = chunk[at] as number;
    const second = chunk[at + 1] ?? 0;
    const opcode = first ^ finalBit;
    if (opcode < opcodes.close || opcode > opcodes.pong || (second & 0x7f) > maxControlSize) return false;
    if (at + 1 === chunk.length) return true;
    const isMasked = second >= maskBit;
    const size = 2 + (isMasked ? keySize : 0) + (second & 0x7f);
    return this.#accepts(isMasked) && chunk.length - at < size;
  }

  get #isBetweenMessages(): boolean {
    return this.#kind === 0 && this.#headerLength === 0 && !this.#isSkipping;
  }

  get #mayDecodeFrames(): boolean {
    return this.#isBetweenMessages && !this.#isDropped;
  }

  /** Decodes the frames from `from` on that are complete messages, after an assembled one. */
  #decodeFrames(joined: Buffer | undefined, chunk: Buffer, from: number): Batch {
    const found: Body = { bytes: chunk, start: from, out: from, ends: [], isAscii: true, invalid: undefined };
    let at = from;
    while (at < chunk.length && !this.#stopped && !found.invalid) {
      const next = this.#takeFrames(chunk, at, found);
      if (next === at) break;
      at = next;
    }
    const { bytes, start, out, ends, isAscii, invalid } = found;
    const frames = { joined, body: part(bytes, start, out), ends, isAscii };
    if (invalid) {
      const number = this.#number + (joined ? 1 : 0) + ends.length + 1;
      return this.#batch(frames, invalidUtf8(number, invalid));
    }
    if (at === chunk.length || this.#stopped) return this.#batch(frames);
    if (joined || ends.length > 0) return this.#batch(frames, undefined, chunk.subarray(at));
    return this.#assemble(chunk, at);
  }

  /** Takes the frame at `at`, and perhaps those after it. Returns the offset after them; `at` if it is no whole message. */
  #takeFrames(chunk: Buffer, at: number, found: Body): number {
    const opcode = (chunk[at] as number) ^ finalBit;
    if (opcode !== opcodes.text && opcode !== opcodes.binary) return this.#controlFrame(chunk, at) || at;
    const second = chunk[at + 1] ?? 0;
    const isMasked = second >= maskBit;
    const headerSize = headerSizeOf(second);
    const payload = at + headerSize + (isMasked ? keySize : 0);
    if (payload > chunk.length || !this.#accepts(isMasked)) return at;
    const size = payloadSize(chunk, at);
    const end = payload + size;
    const limit = this.#options.maxMessageLength;
    if (end > chunk.length || size > limit || headerSize !== headerSizeFor(size)) return at;
    if (!isMasked) return takeUnmasked(chunk, at, end, found);
    if (chunk.length - at >= manyBytes && headerSize < maxHeaderSize && found.bytes === chunk) {
      const next = takeMany(chunk, at, limit, found);
      if (next > at) return next;
    }
    return takeMasked(chunk, at, payload, end, found);
  }

  /** Passes on the control frame at `at`, if it is one, complete and valid. Returns where it ends, else 0. */
  #controlFrame(chunk: Buffer, at: number): number {
    const first = chunk[at] as number;
    const second = chunk[at + 1] ?? 0xff;
    if ((first & (finalBit | reservedBits | controlBit)) !== (finalBit | controlBit)) return 0;
    const size = second & 0x7f;
    const isMasked = (second & maskBit) !== 0;
    const payload = at + 2 + (isMasked ? keySize : 0);
    const end = payload + size;
    if (size > maxControlSize || end > chunk.length || !this.#accepts(isMasked)) return 0;
    if ((first & 0x0f) > opcodes.pong) return 0;
    // A pong has no reader.
    if ((first & 0x0f) === opcodes.pong) return end;
    if (isMasked) applyMask(chunk, payload, end, keyAt(chunk, payload - keySize), payload);
    const data = chunk.subarray(payload, end);
    if ((first & 0x0f) === opcodes.close && typeof closeReason(data) === 'string') {
      // Not valid: it is reported as any other invalid frame, which unmasks it again.
      if (isMasked) applyMask(chunk, payload, end, keyAt(chunk, payload - keySize), payload);
      return 0;
    }
    this.#passOn(first & 0x0f, data);
    return end;
  }

  #accepts(isMasked: boolean): boolean {
    return this.#masking === 'either' || isMasked === (this.#masking === 'masked');
  }

  /** Passes on a control frame. Returns what is wrong with it, if anything. */
  #passOn(opcode: number, data: Buffer): string | undefined {
    if (opcode === opcodes.ping) this.#control?.pinged(data);
    if (opcode !== opcodes.close) return undefined;
    const reason = closeReason(data);
    if (typeof reason === 'string') return reason;
    this.#stopped = true;
    this.#control?.closed(reason.code, reason.text);
    return undefined;
  }

  /** Continues with the frames of a message that is not complete in one chunk or one frame, up to its end. */
  #assemble(chunk: Buffer, from: number): Batch {
    for (let at = from; ; ) {
      if (!this.#isInPayload) {
        if (this.#headerLength === 0) at = this.#skipControlFrames(chunk, at);
        if (this.#stopped) return this.#batch({});
        at = this.#readHeader(chunk, at);
        if (!this.#hasHeader) return this.#batch({});
        const problem = this.#beginFrame();
        if (problem) return this.#batch({}, problem, chunk.subarray(at));
      }
      at = this.#readPayload(chunk, at);
      if (this.#remaining > 0) return this.#batch({});
      const first = this.#header[0] as number;
      this.#isInPayload = false;
      this.#headerLength = 0;
      if (first & controlBit) {
        const data = this.#controlData;
        this.#controlData = none;
        const problem = this.#passOn(first & 0x0f, data);
        if (problem !== undefined) return this.#batch({}, this.#invalid(problem));
        if (this.#stopped) return this.#batch({});
        if (this.#mayDecodeFrames) return this.#decodeFrames(undefined, chunk, at);
      } else if (first & finalBit) {
        if (!this.#isSkipping) return this.#complete(chunk, at);
        this.#isSkipping = false;
        this.#pending = 0;
        if (this.#mayDecodeFrames) return this.#decodeFrames(undefined, chunk, at);
      }
    }
  }

  get #hasHeader(): boolean {
    if (this.#headerLength < 2) return false;
    const second = this.#header[1] as number;
    return this.#headerLength === headerSizeOf(second) + (second & maskBit ? keySize : 0);
  }

  #readHeader(chunk: Buffer, from: number): number {
    let at = from;
    if (this.#header === none) this.#header = Buffer.allocUnsafeSlow(maxHeaderSize + keySize);
    while (at < chunk.length && !this.#hasHeader) this.#header[this.#headerLength++] = chunk[at++] as number;
    return at;
  }

  /** Checks the frame whose header is complete. Returns the fault, if there is one. */
  #beginFrame(): YodelError | undefined {
    const header = this.#header;
    const first = header[0] as number;
    const opcode = first & 0x0f;
    const size = payloadSize(header, 0);
    const isMasked = ((header[1] as number) & maskBit) !== 0;
    const headerSize = this.#headerLength - (isMasked ? keySize : 0);
    const problem = this.#problemOf(first, isMasked, size) ?? lengthProblem(header, headerSize, size);
    if (problem !== undefined) return this.#invalid(problem);
    this.#isInPayload = true;
    this.#remaining = size;
    this.#key = isMasked ? keyAt(header, this.#headerLength - keySize) : 0;
    if (opcode & controlBit) return undefined;
    this.#isSkipping ||= this.#isDropped;
    if (this.#isSkipping) return undefined;
    if (this.#kind === 0) {
      this.#kind = opcode;
      this.#fragments = 0;
      this.#tail.append(emptyHeader);
    }
    this.#pending += this.#headerLength;
    const limit = this.#options.maxMessageLength;
    if (this.#tail.length - maxHeaderSize + size > limit) return this.#skip(tooLong(this.#number + 1, limit));
    if (++this.#fragments <= maxFragments) return undefined;
    const text = `message ${this.#number + 1} has more than ${maxFragments} fragments`;
    return this.#skip(new YodelError('YODEL_MESSAGE_TOO_LONG', text));
  }

  #problemOf(first: number, isMasked: boolean, size: number): string | undefined {
    const problem = frameProblem(first, size, this.#kind !== 0 || this.#isSkipping);
    if (problem !== undefined || this.#accepts(isMasked)) return problem;
    return isMasked ? 'a frame of a server is masked' : 'a frame of a client is not masked';
  }

  /** The rest of the message is discarded. */
  #skip(fault: YodelError): YodelError {
    this.#tail.drop();
    this.#kind = 0;
    this.#isSkipping = true;
    this.#pending = 1;
    return fault;
  }

  #readPayload(chunk: Buffer, at: number): number {
    const size = Math.min(this.#remaining, chunk.length - at);
    const end = at + size;
    this.#remaining -= size;
    const isControl = ((this.#header[0] as number) & controlBit) !== 0;
    if (this.#isSkipping && !isControl) return end;
    if (this.#key !== 0) {
      applyMask(chunk, at, end, this.#key, at);
      this.#key = rotatedKey(this.#key, size);
    }
    if (isControl) this.#controlData = ownCopy(Buffer.concat([this.#controlData, chunk.subarray(at, end)]));
    else {
      this.#tail.appendPart(chunk, at, end);
      this.#pending += size;
    }
    return end;
  }

  /** The message in the tail is complete. */
  #complete(chunk: Buffer, at: number): Batch {
    const kind = this.#kind;
    const bytes = this.#tail.take();
    const size = bytes.length - maxHeaderSize;
    writeHeader(bytes, maxHeaderSize, kind, size);
    this.#kind = 0;
    this.#pending = 0;
    const payload = bytes.subarray(maxHeaderSize);
    if (kind === opcodes.text && !isUtf8(payload)) return this.#batch({}, invalidUtf8(this.#number + 1, payload));
    return this.#decodeFrames(bytes.subarray(maxHeaderSize - headerSizeFor(size)), chunk, at);
  }

  #invalid(problem: string): YodelError {
    const text = `message ${this.#number + 1} is not a valid WebSocket message: ${problem}`;
    return new YodelError('YODEL_INVALID_FRAME', text);
  }

  /** @param rest decoded next, unless the fault stops the decoder */
  #batch({ joined, body, ends = [], isAscii = false }: Found, fault?: YodelError, rest?: Buffer): Batch {
    const count = (joined ? 1 : 0) + ends.length;
    const isStopped = fault !== undefined && stopsDecoder(fault, this.#options);
    if (isStopped) {
      this.fault = fault;
      this.#stopped = true;
      this.drop();
    }
    this.#number += count + (fault ? 1 : 0);
    const next = isStopped || rest?.length === 0 ? undefined : rest;
    const batch = new Batch(this.#reader, joined, body, count, fault, next, ends);
    batch.isAscii = isAscii && count > 0;
    return batch;
  }

  drop(): void {
    this.#isDropped = true;
    // What follows is understood only from the end of this message on.
    this.#isSkipping ||= this.#kind !== 0;
    this.#kind = 0;
    this.#pending = 0;
    this.#tail.drop();
  }
}

const none = Buffer.alloc(0);
const emptyHeader = Buffer.alloc(maxHeaderSize);
