/**
 * What workers send each other, in frames of the framing `length:4`. The first byte of a packet is its type:
 *
 * ```
 * hello     1 | version | worker: 2 | node: text
 * follow    2 | room: text …                              it has members there
 * unfollow  3 | room: text …
 * followed  4 | (room: text | last: 8 | time: 8) …        answers `follow`
 * batch     5 | room: text | first: 8 | time: 8 | timeBefore: 8 | count: 4 | messages, as in rooms/packed-messages.ts
 * news      6 | (room: text | last: 8 | time: 8 | size: 4) …
 * names     7 | (room: text | count: 2 | (name: text | since: 8 | alone: 1) …) …
 *
 * text      length: 1 | UTF-8
 * ```
 *
 * Numbers are big-endian; those of 8 bytes are doubles, which are exact up to 2^53.
 */
import type { BusBatch, MemberName, RoomState } from '../rooms/bus.ts';
import { PacketReader, PacketWriter, textSize } from './packet-bytes.ts';

/** Workers of one parent may be of two versions while the program is being replaced. */
const version = 3;

const types = { hello: 1, follow: 2, unfollow: 3, followed: 4, batch: 5, news: 6, names: 7 } as const;

/** Who the other end is. */
export interface Hello {
  readonly worker: number;
  readonly node: string;
}

/** What a worker has sent to a room. */
type LastSent = Pick<RoomState, 'last' | 'sentAt'>;

/** A packet that was received. */
export type Packet =
  | { readonly type: 'hello'; readonly hello: Hello }
  | { readonly type: 'follow' | 'unfollow'; readonly rooms: readonly string[] }
  | { readonly type: 'followed'; readonly last: ReadonlyMap<string, LastSent> }
  | { readonly type: 'batch'; readonly batch: Omit<BusBatch, 'node'> }
  | { readonly type: 'news'; readonly states: ReadonlyMap<string, RoomState> }
  | { readonly type: 'names'; readonly names: ReadonlyMap<string, readonly MemberName[]> };

export function helloPacket({ worker, node }: Hello): Buffer {
  const writer = PacketWriter.framed(1 + 1 + 2 + textSize(node));
  writer.byte(types.hello).byte(version).short(worker).text(node);
  return writer.bytes;
}

export function followPacket(type: 'follow' | 'unfollow', rooms: readonly string[]): Buffer {
  const writer = PacketWriter.framed(1 + rooms.reduce((size, room) => size + textSize(room), 0));
  writer.byte(types[type]);
  for (const room of rooms) writer.text(room);
  return writer.bytes;
}

export function followedPacket(last: ReadonlyMap<string, LastSent>): Buffer {
  let size = 1;
  for (const room of last.keys()) size += textSize(room) + 8 + 8;
  const writer = PacketWriter.framed(size);
  writer.byte(types.followed);
  for (const [room, state] of last)
    writer
      .text(room)
      .number(state.last)
      .number(state.sentAt ?? 0);
  return writer.bytes;
}

export function newsPacket(states: ReadonlyMap<string, RoomState>): Buffer {
  let size = 1;
  for (const room of states.keys()) size += textSize(room) + 8 + 8 + 4;
  const writer = PacketWriter.framed(size);
  writer.byte(types.news);
  for (const [room, state] of states)
    writer
      .text(room)
      .number(state.last)
      .number(state.sentAt ?? 0)
      .int(state.size);
  return writer.bytes;
}

export function namesPacket(rooms: ReadonlyMap<string, readonly MemberName[]>): Buffer {
  let size = 1;
  for (const [room, names] of rooms) size += textSize(room) + namesSize(names);
  const writer = PacketWriter.framed(size);
  writer.byte(types.names);
  for (const [room, names] of rooms) writeNames(writer.text(room), names);
  return writer.bytes;
}

/** The size of what {@link writeNames} writes. */
export function namesSize(names: readonly MemberName[]): number {
  return names.reduce((sum, { name }) => sum + textSize(name) + 8 + 1, 2);
}

/** `count: 2 | (name: text | since: 8 | alone: 1) …` */
export function writeNames(writer: PacketWriter, names: readonly MemberName[]): void {
  writer.short(names.length);
  for (const { name, since, alone } of names)
    writer
      .text(name)
      .number(since)
      .byte(alone ? 1 : 0);
}

export function batchPacket(batch: BusBatch): Buffer {
  const writer = PacketWriter.framed(1 + batchSize(batch)).byte(types.batch);
  writeBatch(writer, batch);
  return writer.bytes;
}

/** The size of what {@link writeBatch} writes. */
export function batchSize({ room, bytes }: BusBatch): number {
  return textSize(room) + 8 + 8 + 8 + 4 + bytes.length;
}

/** `room: text | first: 8 | time: 8 | timeBefore: 8 | count: 4 | messages`, up to the end of the packet. */
export function writeBatch(writer: PacketWriter, { room, first, time, timeBefore = 0, count, bytes }: BusBatch): void {
  writer.text(room).number(first).number(time).number(timeBefore).int(count).rest(bytes);
}

/**
 * Reads a packet. A batch keeps `bytes` in memory.
 *
 * @throws RangeError if it ends too early, or has an impossible number; TypeError if its type or version is another
 */
export function readPacket(bytes: Buffer): Packet {
  const reader = new PacketReader(bytes);
  switch (reader.byte()) {
    case types.hello:
      return { type: 'hello', hello: readHello(reader) };
    case types.follow:
      return { type: 'follow', rooms: readTexts(reader) };
    case types.unfollow:
      return { type: 'unfollow', rooms: readTexts(reader) };
    case types.followed:
      return { type: 'followed', last: readLast(reader) };
    case types.news:
      return { type: 'news', states: readNews(reader) };
    case types.names:
      return { type: 'names', names: readNames(reader) };
    case types.batch:
      return { type: 'batch', batch: readBatch(reader) };
    default:
      throw new TypeError('a packet of another version');
  }
}

function readHello(reader: PacketReader): Hello {
  if (reader.byte() !== version) throw new TypeError('a worker of another version');
  return { worker: reader.short(), node: reader.text() };
}

function readTexts(reader: PacketReader): string[] {
  const texts: string[] = [];
  while (reader.hasMore) texts.push(reader.text());
  return texts;
}

function readLast(reader: PacketReader): Map<string, LastSent> {
  const last = new Map<string, LastSent>();
  while (reader.hasMore) last.set(reader.text(), { last: reader.number(), sentAt: reader.number() });
  return last;
}

function readNews(reader: PacketReader): Map<string, RoomState> {
  const states = new Map<string, RoomState>();
  while (reader.hasMore)
    states.set(reader.text(), { last: reader.number(), sentAt: reader.number(), size: reader.int() });
  return states;
}

function readNames(reader: PacketReader): Map<string, MemberName[]> {
  const rooms = new Map<string, MemberName[]>();
  while (reader.hasMore) {
    const room = reader.text();
    rooms.set(room, readNameList(reader));
  }
  return rooms;
}

/** Reads what {@link writeNames} wrote. */
export function readNameList(reader: PacketReader): MemberName[] {
  const names: MemberName[] = [];
  for (let left = reader.short(); left > 0; left--) {
    names.push({ name: reader.text(), since: reader.number(), alone: reader.byte() === 1 });
  }
  return names;
}

/** Reads what {@link writeBatch} wrote. The batch keeps the packet in memory. */
export function readBatch(reader: PacketReader): Omit<BusBatch, 'node'> {
  const room = reader.text();
  const [first, time, timeBefore, count] = [reader.number(), reader.number(), reader.number(), reader.int()];
  return { room, first, time, timeBefore, count, bytes: reader.rest() };
}
