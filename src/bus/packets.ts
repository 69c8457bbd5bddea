/**
 * What workers send each other, in frames of the framing `length:4`. The first byte of a packet is its type:
 *
 * ```
 * hello     1 | version | worker: 2 | node: text
 * follow    2 | room: text …                              it has members there
 * unfollow  3 | room: text …
 * followed  4 | (room: text | last: 8) …                  answers `follow`
 * batch     5 | room: text | first: 8 | time: 8 | message …
 * news      6 | (room: text | last: 8 | size: 4) …
 *
 * text      length: 1 | UTF-8
 * message   what it has: 1 | payload: long | header: long, if it has one | key: long, if it has one
 * long      length: 4 | bytes
 * ```
 *
 * Numbers are big-endian; those of 8 bytes are doubles, which are exact up to 2^53.
 */
import { length } from '../framing/counted/length.ts';
import type { MessageKind } from '../framing/frames.ts';
import type { InPlaceEncoder } from '../framing/framing.ts';
import type { BusBatch, BusMessage, RoomState } from '../rooms/bus.ts';

/** The framing of all packets. */
export const packetFraming = length();

/** Workers of one parent may be of two versions while the program is being replaced. */
const version = 1;

const types = { hello: 1, follow: 2, unfollow: 3, followed: 4, batch: 5, news: 6 } as const;

/** Who the other end is. */
export interface Hello {
  readonly worker: number;
  readonly node: string;
}

/** A packet that was received. */
export type Packet =
  | { readonly type: 'hello'; readonly hello: Hello }
  | { readonly type: 'follow' | 'unfollow'; readonly rooms: readonly string[] }
  | { readonly type: 'followed'; readonly last: ReadonlyMap<string, number> }
  | { readonly type: 'batch'; readonly batch: Omit<BusBatch, 'node'> }
  | { readonly type: 'news'; readonly states: ReadonlyMap<string, RoomState> };

export function helloPacket({ worker, node }: Hello): Buffer {
  const writer = new Writer(1 + 1 + 2 + textSize(node));
  writer.byte(types.hello).byte(version).short(worker).text(node);
  return writer.frame;
}

export function followPacket(type: 'follow' | 'unfollow', rooms: readonly string[]): Buffer {
  const writer = new Writer(1 + rooms.reduce((size, room) => size + textSize(room), 0));
  writer.byte(types[type]);
  for (const room of rooms) writer.text(room);
  return writer.frame;
}

export function followedPacket(last: ReadonlyMap<string, number>): Buffer {
  let size = 1;
  for (const room of last.keys()) size += textSize(room) + 8;
  const writer = new Writer(size);
  writer.byte(types.followed);
  for (const [room, number] of last) writer.text(room).number(number);
  return writer.frame;
}

export function newsPacket(states: ReadonlyMap<string, RoomState>): Buffer {
  let size = 1;
  for (const room of states.keys()) size += textSize(room) + 8 + 4;
  const writer = new Writer(size);
  writer.byte(types.news);
  for (const [room, state] of states) writer.text(room).number(state.last).int(state.size);
  return writer.frame;
}

export function batchPacket({ room, first, time, messages }: BusBatch): Buffer {
  let size = 1 + textSize(room) + 8 + 8;
  for (const message of messages) size += messageSize(message);
  const writer = new Writer(size);
  writer.byte(types.batch).text(room).number(first).number(time);
  for (const message of messages) writeMessage(writer, message);
  return writer.frame;
}

/**
 * Reads a packet.
 *
 * @param keeps whether the messages of a room are wanted; those of others are not read. They keep `bytes` in memory
 * @throws RangeError if it ends too early; TypeError if its type or version is another
 */
export function readPacket(bytes: Buffer, keeps: (room: string) => boolean): Packet {
  const reader = new Reader(bytes);
  switch (reader.byte()) {
    case types.hello:
      return { type: 'hello', hello: readHello(reader) };
    case types.follow:
      return { type: 'follow', rooms: readTexts(reader) };
    case types.unfollow:
      return { type: 'unfollow', rooms: readTexts(reader) };
    case types.followed:
      return { type: 'followed', last: readNumbers(reader) };
    case types.news:
      return { type: 'news', states: readNews(reader) };
    case types.batch:
      return { type: 'batch', batch: readBatch(reader, keeps) };
    default:
      throw new TypeError('a packet of another version');
  }
}

function readHello(reader: Reader): Hello {
  if (reader.byte() !== version) throw new TypeError('a worker of another version');
  return { worker: reader.short(), node: reader.text() };
}

function readTexts(reader: Reader): string[] {
  const texts: string[] = [];
  while (reader.hasMore) texts.push(reader.text());
  return texts;
}

function readNumbers(reader: Reader): Map<string, number> {
  const numbers = new Map<string, number>();
  while (reader.hasMore) numbers.set(reader.text(), reader.number());
  return numbers;
}

function readNews(reader: Reader): Map<string, RoomState> {
  const states = new Map<string, RoomState>();
  while (reader.hasMore) states.set(reader.text(), { last: reader.number(), size: reader.int() });
  return states;
}

function readBatch(reader: Reader, keeps: (room: string) => boolean): Omit<BusBatch, 'node'> {
  const room = reader.text();
  const [first, time] = [reader.number(), reader.number()];
  const messages: BusMessage[] = [];
  if (keeps(room)) while (reader.hasMore) messages.push(readMessage(reader));
  return { room, first, time, messages };
}

/** What a message has, as bits. The kind is in the lowest two. */
const kinds: readonly (MessageKind | undefined)[] = [undefined, 'text', 'binary'];
const withHeader = 4;
const withKey = 8;

function messageSize({ payload, header, key }: BusMessage): number {
  return (
    1 + 4 + payload.length + (header ? 4 + header.length : 0) + (key === undefined ? 0 : 4 + Buffer.byteLength(key))
  );
}

function writeMessage(writer: Writer, { payload, header, kind, key }: BusMessage): void {
  writer.byte(kinds.indexOf(kind) | (header ? withHeader : 0) | (key === undefined ? 0 : withKey));
  writer.long(payload);
  if (header) writer.long(header);
  if (key !== undefined) writer.long(Buffer.from(key));
}

function readMessage(reader: Reader): BusMessage {
  const parts = reader.byte();
  const payload = reader.long();
  const header = parts & withHeader ? reader.long() : undefined;
  const key = parts & withKey ? reader.long().toString() : undefined;
  return { payload, header, kind: kinds[parts & 3], key };
}

function textSize(text: string): number {
  return 1 + Buffer.byteLength(text);
}

const encoder = packetFraming.encoder.inPlace as InPlaceEncoder;

/** Writes a packet into its frame. */
class Writer {
  readonly frame: Buffer;
  #at: number;

  /** @param size of the packet */
  constructor(size: number) {
    const start = encoder.headerSize(size);
    this.frame = Buffer.allocUnsafe(start + size);
    encoder.seal(this.frame, 0, start, start + size);
    this.#at = start;
  }

  byte(value: number): this {
    this.#at = this.frame.writeUInt8(value, this.#at);
    return this;
  }

  short(value: number): this {
    this.#at = this.frame.writeUInt16BE(value, this.#at);
    return this;
  }

  int(value: number): this {
    this.#at = this.frame.writeUInt32BE(value, this.#at);
    return this;
  }

  number(value: number): this {
    this.#at = this.frame.writeDoubleBE(value, this.#at);
    return this;
  }

  text(text: string): this {
    const size = this.frame.write(text, this.#at + 1);
    this.frame[this.#at] = size;
    this.#at += 1 + size;
    return this;
  }

  long(bytes: Uint8Array): this {
    this.int(bytes.length);
    this.frame.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }
}

/** Reads a packet. Each method throws a RangeError at its end. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get hasMore(): boolean {
    return this.#at < this.#bytes.length;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  short(): number {
    return this.#bytes.readUInt16BE(this.#advance(2));
  }

  int(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }

  number(): number {
    return this.#bytes.readDoubleBE(this.#advance(8));
  }

  text(): string {
    const size = this.byte();
    const start = this.#advance(size);
    return this.#bytes.toString('utf8', start, start + size);
  }

  long(): Buffer {
    const size = this.int();
    const start = this.#advance(size);
    return this.#bytes.subarray(start, start + size);
  }

  #advance(size: number): number {
    const start = this.#at;
    if (start + size > this.#bytes.length) throw new RangeError('a packet ends too early');
    this.#at += size;
    return start;
  }
}
