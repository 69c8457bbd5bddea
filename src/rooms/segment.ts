/** What a room was sent in one turn, or a part of it, encoded once for each kind of connection. */
import { YodelError } from '../errors.ts';
import { isMessage, type Message } from '../framing/message.ts';
import type { Wire } from '../session/wire.ts';

/** A message on its way to the members of a room. */
export interface RoomMessage {
  /** Its bytes last. */
  readonly message: string | Uint8Array | Message;
  /** Bytes of its payload, or characters of its text. */
  readonly size: number;
  /** The id of a session that does not receive it. */
  readonly except: number | undefined;
  readonly key: string | undefined;
  /** Whether it came from another process. */
  readonly isRemote: boolean;
  /** Whether the history does not keep it. */
  readonly isPassing?: boolean | undefined;
}

/** The frames of a segment, one after another. */
interface EncodedFrames {
  bytes: Buffer;
  /** Where each message's frame ends. The frame is empty if the framing cannot express the message, or it was replaced. */
  readonly ends: number[];
  /** Why messages have no frame, by their index. */
  readonly errors: ReadonlyMap<number, YodelError> | undefined;
}

/** What one member receives of a segment. */
export interface Share {
  readonly pieces: readonly Buffer[];
  readonly messages: number;
  /** How many it does not receive because newer ones replace them. */
  readonly replaced: number;
  /** Why it does not receive others. */
  readonly errors: ReadonlyMap<number, YodelError> | undefined;
}

/** Who a share is for. */
export interface Recipient {
  /** The id of its session. */
  readonly id: number;
  readonly wire: Wire;
  /** The first message for it: it joined after those before. */
  readonly from: number;
}

/** Segments are not larger than this, unless a message is: what a member that stops reading leaves in its connection. */
const segmentSize = 65_536;

/** The end of a frame, in a list of numbers. */
const endCost = 8;
/** That a message is not for a member, in a set. */
const exceptedCost = 40;

/** Several messages of a room. */
export class Segment {
  /** The number of messages. */
  readonly count: number;
  #messages: readonly RoomMessage[] | undefined;
  readonly #encoded = new Map<Wire, EncodedFrames>();
  /** The messages that are not for a session, by its id: a handler may know it by an object of its own, as with faults. */
  readonly #excepted: ReadonlyMap<number, ReadonlySet<number>> | undefined;
  /** The messages that newer ones have replaced. */
  #replaced: Set<number> | undefined;
  /** How many of them have no memory any more. */
  #freed = 0;

  constructor(messages: readonly RoomMessage[]) {
    this.#messages = messages;
    this.count = messages.length;
    this.#excepted = exceptedOf(messages);
  }

  /** The memory of the frames, to be counted. */
  get buffers(): readonly Buffer[] {
    return [...this.#encoded.values()].map(({ bytes }) => bytes);
  }

  /** About how many bytes its objects take besides the frames: short messages are many. */
  get objectsSize(): number {
    return this.count * this.#encoded.size * endCost + (this.#excepted ? this.count * exceptedCost : 0);
  }

  /** Whether newer messages have replaced all of its own. */
  get isReplaced(): boolean {
    return this.#replaced?.size === this.count;
  }

  /** Encodes for this wire, unless that was done before. */
  encode(wire: Wire): EncodedFrames {
    let encoded = this.#encoded.get(wire);
    if (!encoded) {
      encoded = encodeAll(wire, this.#messages ?? []);
      this.#encoded.set(wire, encoded);
    }
    return encoded;
  }

  /** Everyone who is not behind has received it: keeps only the frames for these wires. */
  keepOnly(wires: { has(wire: Wire): boolean }): void {
    this.#messages = undefined;
    for (const wire of this.#encoded.keys()) if (!wires.has(wire)) this.#encoded.delete(wire);
  }

  /** What a member receives. */
  shareOf(recipient: Recipient): Share {
    const { bytes, ends, errors } = this.encode(recipient.wire);
    const { id, from } = recipient;
    const excepted = this.#excepted?.get(id);
    if (from === 0 && !excepted && !this.#replaced) {
      const messages = this.count - (errors?.size ?? 0);
      return { pieces: messages > 0 ? [bytes] : [], messages, replaced: 0, errors };
    }
    return this.#parts(bytes, ends, errors, from, excepted);
  }

  /** A newer message has replaced this one. Returns whether the segment takes less memory now. */
  replace(index: number): boolean {
    this.#replaced ??= new Set();
    this.#replaced.add(index);
    const { size } = this.#replaced;
    if (size === this.count) return true;
    // Half of what is left, so that many messages, replaced one by one, are not copied as often.
    if ((size - this.#freed) * 2 < this.count - this.#freed) return false;
    this.#freed = size;
    this.#compact(this.#replaced);
    return true;
  }

  /** Frees the frames of replaced messages. */
  #compact(replaced: ReadonlySet<number>): void {
    for (const encoded of this.#encoded.values()) {
      const pieces: Buffer[] = [];
      let [start, length] = [0, 0];
      for (const [index, end] of encoded.ends.entries()) {
        if (!replaced.has(index) && end > start) {
          pieces.push(encoded.bytes.subarray(start, end));
          length += end - start;
        }
        encoded.ends[index] = length;
        start = end;
      }
      if (length < encoded.bytes.length) encoded.bytes = joinFrames(pieces, length);
    }
  }

  #parts(
    bytes: Buffer,
    ends: readonly number[],
    errors: EncodedFrames['errors'],
    from: number,
    excepted: ReadonlySet<number> | undefined,
  ): Share {
    const pieces: Buffer[] = [];
    const own = errors && new Map<number, YodelError>();
    let [messages, replaced] = [0, 0];
    // The piece that is being extended.
    let [start, end] = [0, 0];
    for (let index = from; index < ends.length; index++) {
      if (excepted?.has(index)) continue;
      if (this.#replaced?.has(index)) {
        replaced++;
        continue;
      }
      const error = errors?.get(index);
      if (error) {
        own?.set(index, error);
        continue;
      }
      messages++;
      const begin = index === 0 ? 0 : (ends[index - 1] as number);
      if (begin !== end) {
        if (end > start) pieces.push(bytes.subarray(start, end));
        start = begin;
      }
      end = ends[index] as number;
    }
    if (end > start) pieces.push(bytes.subarray(start, end));
    return { pieces, messages, replaced, errors: own };
  }
}

/** The message in memory that lasts, with its size. */
export function lastingOf(message: string | Uint8Array | Message): Pick<RoomMessage, 'message' | 'size'> {
  if (typeof message === 'string') return { message, size: message.length };
  if (!isMessage(message)) return { message: Buffer.from(message), size: message.length };
  const kept = message.kept();
  // Reading it makes its bytes its own.
  return { message: kept, size: kept.bytes.length };
}

/** Parts that are small enough for a segment. */
export function* partsOf(messages: readonly RoomMessage[]): Generator<readonly RoomMessage[]> {
  let [start, size] = [0, 0];
  for (const [index, message] of messages.entries()) {
    if (size > 0 && size + message.size > segmentSize) {
      yield messages.slice(start, index);
      [start, size] = [index, 0];
    }
    size += message.size;
  }
  if (start < messages.length) yield start === 0 ? messages : messages.slice(start);
}

function exceptedOf(messages: readonly RoomMessage[]): ReadonlyMap<number, ReadonlySet<number>> | undefined {
  let excepted: Map<number, Set<number>> | undefined;
  for (const [index, { except }] of messages.entries()) {
    if (except === undefined) continue;
    excepted ??= new Map();
    const known = excepted.get(except);
    if (known) known.add(index);
    else excepted.set(except, new Set([index]));
  }
  return excepted;
}

function encodeAll(wire: Wire, messages: readonly RoomMessage[]): EncodedFrames {
  const frames: Uint8Array[] = [];
  const ends: number[] = [];
  let errors: Map<number, YodelError> | undefined;
  let length = 0;
  for (const [index, { message }] of messages.entries()) {
    try {
      const frame = wire.encode(message);
      frames.push(frame);
      length += frame.length;
    } catch (thrown) {
      if (!(thrown instanceof YodelError) || thrown.code !== 'YODEL_UNENCODABLE_MESSAGE') throw thrown;
      errors ??= new Map();
      errors.set(index, thrown);
    }
    ends.push(length);
  }
  return { bytes: joinFrames(frames, length), ends, errors };
}

/** In memory of their own: it is counted, and connections that wait may keep it. */
function joinFrames(frames: readonly Uint8Array[], length: number): Buffer {
  const joined = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const frame of frames) {
    joined.set(frame, at);
    at += frame.length;
  }
  return joined;
}
