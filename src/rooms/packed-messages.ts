/**
 * How the messages of a room travel from process to process, over any bus. They are never frames: processes may differ in framing.
 *
 * ```
 * packed    (what: 1 | payload size: 4) … | payload … | (header | key) …
 * header    size: 4 | bytes      if `what` says that there is one
 * key       size: 4 | UTF-8      the same
 * ```
 *
 * Numbers are big-endian. Sizes come first and payloads adjacent, because then texts are written together and read together:
 * a call of the runtime for each message costs more than all the rest.
 */
import { type FrameReader, Frames } from '../framing/frames.ts';
import { isMessage, Message } from '../framing/message.ts';
import type { MessageKind } from '../framing/message-parts.ts';
import { ownCopy } from '../framing/slices.ts';
import { unframed } from '../framing/unframed.ts';
import type { RoomMessage } from './segment.ts';

/** What a message is, in the lowest two bits of `what`. Bytes are what a program sends that is no message of a client. */
const kinds: readonly (MessageKind | 'bytes' | undefined)[] = [undefined, 'text', 'binary', 'bytes'];
const bytesKind = 3;
const withHeader = 4;
const withKey = 8;
/** The history does not keep it. */
const passing = 16;
/** The bytes of a message before all payloads. */
const headSize = 5;

/** Longer texts are measured before they are packed; for others three bytes are reckoned for each UTF-16 unit. */
const longText = 1024;

/** The messages that fit into one batch, packed. */
export interface PackedMessages {
  readonly count: number;
  /** Valid until the next batch is packed. */
  readonly bytes: Buffer;
}

/** Reused for each batch: messages are packed, passed to the bus, which copies them, and forgotten. */
let scratch = Buffer.allocUnsafeSlow(65_536);
/** Larger ones are not kept. */
const largestScratch = 524_288;

/** Packs messages into batches of at most `maxSize` bytes; one that is longer travels alone. */
export function* packMessages(messages: readonly RoomMessage[], maxSize: number): Generator<PackedMessages> {
  let [start, size] = [0, 0];
  for (let index = 0; index < messages.length; index++) {
    const cost = costOf(messages[index] as RoomMessage);
    if (index > start && size + cost > maxSize) {
      yield pack(messages, start, index, size);
      [start, size] = [index, 0];
    }
    size += cost;
  }
  if (start < messages.length) yield pack(messages, start, messages.length, size);
}

/** The most bytes that it takes in a batch. */
function costOf({ message, key }: RoomMessage): number {
  const extras = key === undefined ? 0 : 4 + Buffer.byteLength(key);
  if (typeof message === 'string')
    return headSize + extras + (message.length > longText ? Buffer.byteLength(message) : 3 * message.length);
  if (!isMessage(message)) return headSize + extras + message.length;
  const { length } = message.header;
  return headSize + extras + message.size + (length > 0 ? 4 + length : 0);
}

function pack(messages: readonly RoomMessage[], start: number, end: number, size: number): PackedMessages {
  const into = size <= scratch.length ? scratch : Buffer.allocUnsafeSlow(size);
  if (size <= largestScratch) scratch = into;
  const packer = new Packer(into, end - start);
  for (let index = start; index < end; index++) packer.add(messages[index] as RoomMessage);
  return { count: end - start, bytes: packer.finish() };
}

/** Writes one batch. */
class Packer {
  readonly #bytes: Buffer;
  /** Where the next message's size, and its payload, is written. */
  #head = 0;
  #at: number;
  /** Texts that are written together, at the end, and where their sizes are. */
  #texts: string[] = [];
  #text = '';
  readonly #extras: Uint8Array[] = [];

  constructor(bytes: Buffer, count: number) {
    this.#bytes = bytes;
    this.#at = count * headSize;
  }

  add({ message, key, isPassing }: RoomMessage): void {
    const extras = (key === undefined ? 0 : withKey) | (isPassing ? passing : 0);
    if (typeof message === 'string') {
      this.#bytes[this.#head] = 1 | extras;
      this.#head += headSize;
      this.#texts.push(message);
      this.#text += message;
    } else {
      if (this.#texts.length > 0) this.#writeTexts();
      this.#addBytes(message, extras);
    }
    if (key !== undefined) this.#extras.push(Buffer.from(key));
  }

  finish(): Buffer {
    if (this.#texts.length > 0) this.#writeTexts();
    for (const extra of this.#extras) {
      this.#bytes.writeUInt32BE(extra.length, this.#at);
      this.#bytes.set(extra, this.#at + 4);
      this.#at += 4 + extra.length;
    }
    return this.#bytes.subarray(0, this.#at);
  }

  /** @internal What a message appends its payload to. */
  append(source: Buffer, start: number, end: number): void {
    source.copy(this.#bytes, this.#at, start, end);
    this.#at += end - start;
  }

  #addBytes(message: Uint8Array | Message, extras: number): void {
    const before = this.#at;
    let what = extras;
    if (isMessage(message)) {
      message.placePayload(this);
      const { header } = message;
      what |= kinds.indexOf(message.kind);
      if (header.length > 0) {
        what |= withHeader;
        this.#extras.push(header);
      }
    } else {
      this.#bytes.set(message, this.#at);
      this.#at += message.length;
      what |= bytesKind;
    }
    this.#bytes[this.#head] = what;
    this.#writeSize(this.#head, this.#at - before);
    this.#head += headSize;
  }

  /** If all is ASCII, each text has as many bytes as characters. */
  #writeTexts(): void {
    const [texts, text] = [this.#texts, this.#text];
    this.#texts = [];
    this.#text = '';
    let head = this.#head - texts.length * headSize;
    const written = this.#bytes.write(text, this.#at);
    const isAscii = written === text.length;
    for (const one of texts) {
      // One by one, for the halves of a pair at the end of one text and the beginning of the next are not a pair.
      const size = isAscii ? one.length : this.#bytes.write(one, this.#at);
      this.#writeSize(head, size);
      this.#at += size;
      head += headSize;
    }
  }

  #writeSize(head: number, size: number): void {
    const bytes = this.#bytes;
    bytes[head + 1] = size >>> 24;
    bytes[head + 2] = size >>> 16;
    bytes[head + 3] = size >>> 8;
    bytes[head + 4] = size;
  }
}

/** The messages of a batch. They keep its bytes in memory. @throws RangeError if these are not `count` messages */
export function unpackMessages(bytes: Buffer, count: number): RoomMessage[] {
  const start = count * headSize;
  if (count < 1 || start > bytes.length) throw new RangeError('a batch ends too early');
  const ends: number[] = [];
  let [at, isAlike] = [start, true];
  const first = bytes[0] as number;
  for (let head = 0; head < start; head += headSize) {
    const what = bytes[head] as number;
    if (what !== first || what > bytesKind - 1) isAlike = false;
    at += bytes.readUInt32BE(head + 1);
    ends.push(at - start);
  }
  if (at > bytes.length) throw new RangeError('a batch ends too early');
  const payloads = bytes.subarray(start, at);
  if (!isAlike) return unpackEach(bytes, payloads, ends, new ExtraReader(bytes, at));
  const frames = new Frames(readers[first] as FrameReader, payloads, count, 'owned', ends);
  return ends.map((end, index) => arrived(new Message(frames, index), end - frames.start(index), undefined, false));
}

function unpackEach(bytes: Buffer, payloads: Buffer, ends: readonly number[], extras: ExtraReader): RoomMessage[] {
  let start = 0;
  return ends.map((end, index) => {
    const what = bytes[index * headSize] as number;
    const payload = payloads.subarray(start, end);
    start = end;
    const header = what & withHeader ? extras.next() : undefined;
    const key = what & withKey ? extras.next().toString() : undefined;
    const isBytes = (what & 3) === bytesKind;
    return arrived(
      isBytes ? payload : new Message(new Frames(readerOf(what, header), payload, 1), 0),
      payload.length,
      key,
      (what & passing) > 0,
    );
  });
}

/** The headers and keys. */
class ExtraReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** @throws RangeError if there is none */
  next(): Buffer {
    const start = this.#at + 4;
    const end = start + this.#bytes.readUInt32BE(this.#at);
    if (end > this.#bytes.length) throw new RangeError('a batch ends too early');
    this.#at = end;
    return ownCopy(this.#bytes.subarray(start, end));
  }
}

const readers = [undefined, 'text', 'binary'].map((kind) => unframed(undefined, kind as MessageKind | undefined));

function readerOf(what: number, header: Buffer | undefined): FrameReader {
  const kind = what & 3;
  return header ? unframed(header, kinds[kind] as MessageKind | undefined) : (readers[kind] as FrameReader);
}

function arrived(
  message: RoomMessage['message'],
  size: number,
  key: string | undefined,
  isPassing: boolean,
): RoomMessage {
  return { message, size, except: undefined, key, isRemote: true, isPassing };
}
