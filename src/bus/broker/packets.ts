/**
 * What nodes publish at a broker. Each packet begins with a version, the node that sent it, and its type:
 *
 * ```
 * batch    version | node: text | 1 | room: text | first: 8 | time: 8 | timeBefore: 8 | count: 4 | messages
 * state    version | node: text | 2 | number: 8 | time: 8 | flags: 1 | part: 2 | parts: 2
 *                                   | (room: text | follows: 8 | last: 8 | sentAt: 8 | size: 4 | names) …
 * piece    version | node: text | 3 | packet: 8 | piece: 4 | pieces: 4 | bytes of a packet that is too long for the broker
 * asks     version | node: text | 5 | (room: text | follows: 8) …
 * starts   version | node: text | 6 | (room: text | follows: 8 | last: 8) …
 * ```
 *
 * `asks` and `starts` are for one node, all others for all. The type 4 is in `stored-packets.ts`.
 */
import type { BusBatch, MemberName, RoomState } from '../../rooms/bus.ts';
import { PacketReader, PacketWriter, textSize } from '../packet-bytes.ts';
import { batchSize, namesSize, readBatch, readNameList, writeBatch, writeNames } from '../packets.ts';

/** Nodes of two versions may share a broker while a cluster is being replaced. */
const version = 1;

const types = { batch: 1, state: 2, piece: 3, asks: 5, starts: 6 } as const;

/**
 * A node follows a room: its messages are to be published, for the node has members there. The number grows each time that it begins
 * to, so that others see that it has not followed the room in between.
 */
export type Follow = number;

/** What a node tells about a room. */
export interface NodeRoom extends RoomState {
  /** See {@link Follow}. 0: it does not follow it. */
  readonly follows: number;
  readonly sentAt: number;
  /** The names of its members there. */
  readonly names: readonly MemberName[];
}

/** What a node tells all others about itself. */
export interface NodeState {
  /** It grows with each that the node tells. One that was overtaken by a later one, on a newer connection, is out of date. */
  readonly number: number;
  /** When it was sent, in milliseconds since 1970. */
  readonly time: number;
  /** It has just started: everything that it will send comes after this. */
  readonly isNew: boolean;
  /** It has missed something, and wants to know about all rooms of all nodes. */
  readonly asks: boolean;
  /** It is leaving, with all its members. */
  readonly leaves: boolean;
  /** A part of the state of all its rooms, from 0, and the number of parts. Undefined: only what has changed. */
  readonly full: { readonly part: number; readonly parts: number } | undefined;
  readonly rooms: ReadonlyMap<string, NodeRoom>;
}

/** A piece of a packet. */
export interface Piece {
  /** Which packet of its node: a number that grows. */
  readonly packet: number;
  readonly piece: number;
  readonly pieces: number;
  readonly bytes: Buffer;
}

/** A room that a node follows, and the last number of another one's messages that it need not receive there. */
export interface Start {
  readonly room: string;
  readonly follows: Follow;
  readonly last: number;
}

/** A packet that was received. */
export type NodePacket = { readonly node: string } & (
  | { readonly type: 'batch'; readonly batch: BusBatch }
  | { readonly type: 'state'; readonly state: NodeState }
  | { readonly type: 'piece'; readonly piece: Piece }
  | { readonly type: 'asks'; readonly rooms: readonly Omit<Start, 'last'>[] }
  | { readonly type: 'starts'; readonly rooms: readonly Start[] }
);

export function batchPacket(batch: BusBatch): Buffer {
  const writer = packet(batch.node, types.batch, batchSize(batch));
  writeBatch(writer, batch);
  return writer.bytes;
}

const flags = { isNew: 1, asks: 2, leaves: 4, full: 8 } as const;

export function statePacket(node: string, { number, time, isNew, asks, leaves, full, rooms }: NodeState): Buffer {
  let size = 8 + 8 + 1 + 2 + 2;
  for (const [room, state] of rooms) size += roomSize(room, state);
  const writer = packet(node, types.state, size);
  const given =
    (isNew ? flags.isNew : 0) | (asks ? flags.asks : 0) | (leaves ? flags.leaves : 0) | (full ? flags.full : 0);
  writer
    .number(number)
    .number(time)
    .byte(given)
    .short(full?.part ?? 0)
    .short(full?.parts ?? 0);
  for (const [room, state] of rooms) {
    writer.text(room).number(state.follows).number(state.last).number(state.sentAt).int(state.size);
    writeNames(writer, state.names);
  }
  return writer.bytes;
}

/** The size of a room in the state of a node. */
export function roomSize(room: string, { names }: NodeRoom): number {
  return textSize(room) + 8 + 8 + 8 + 4 + namesSize(names);
}

/** Asks another node where its sequences of these rooms begin for this one. */
export function asksPacket(node: string, rooms: readonly Omit<Start, 'last'>[]): Buffer {
  const writer = packet(
    node,
    types.asks,
    rooms.reduce((size, { room }) => size + textSize(room) + 8, 0),
  );
  for (const { room, follows } of rooms) writer.text(room).number(follows);
  return writer.bytes;
}

/** Answers that. */
export function startsPacket(node: string, rooms: readonly Start[]): Buffer {
  const writer = packet(
    node,
    types.starts,
    rooms.reduce((size, { room }) => size + textSize(room) + 8 + 8, 0),
  );
  for (const { room, follows, last } of rooms) writer.text(room).number(follows).number(last);
  return writer.bytes;
}

/** Cuts a packet that is longer than `longest` bytes into pieces, each a packet. @param number see {@link Piece.packet} */
export function pieces(node: string, number: number, bytes: Buffer, longest: number): Buffer[] {
  const capacity = longest - packetSize(node, 8 + 4 + 4);
  const count = Math.ceil(bytes.length / capacity);
  return Array.from({ length: count }, (_, at) => {
    const part = bytes.subarray(at * capacity, (at + 1) * capacity);
    const writer = packet(node, types.piece, 8 + 4 + 4 + part.length);
    return writer.number(number).int(at).int(count).rest(part).bytes;
  });
}

/**
 * Reads a packet.
 *
 * @returns undefined if its node is the one with the name `self`
 * @throws RangeError if it ends too early, or has an impossible number; TypeError if its type or version is another, or the
 *   name of its node is impossible
 */
export function readPacket(bytes: Buffer, self: string): NodePacket | undefined {
  const reader = new PacketReader(bytes);
  if (reader.byte() !== version) throw new TypeError('a packet of another version');
  const node = reader.text();
  if (node === self) return undefined;
  if (!nodeName.test(node)) throw new TypeError('a packet of a node with an impossible name');
  switch (reader.byte()) {
    case types.batch:
      return { node, type: 'batch', batch: { node, ...readBatch(reader) } };
    case types.state:
      return { node, type: 'state', state: readState(reader) };
    case types.piece:
      return {
        node,
        type: 'piece',
        piece: { packet: reader.number(), piece: reader.int(), pieces: reader.int(), bytes: reader.rest() },
      };
    case types.asks:
      return { node, type: 'asks', rooms: readEach(reader, () => readFollow(reader)) };
    case types.starts:
      return {
        node,
        type: 'starts',
        rooms: readEach(reader, () => ({ ...readFollow(reader), last: reader.number() })),
      };
    default:
      throw new TypeError('a packet of another version');
  }
}

/** Nodes are called by random UUIDs. */
const nodeName = /^[\da-f-]{36}$/;

function readEach<Entry>(reader: PacketReader, read: () => Entry): Entry[] {
  const all: Entry[] = [];
  while (reader.hasMore) all.push(read());
  return all;
}

function readFollow(reader: PacketReader): Omit<Start, 'last'> {
  return { room: reader.text(), follows: reader.number() };
}

function readState(reader: PacketReader): NodeState {
  const [number, time, given] = [reader.number(), reader.number(), reader.byte()];
  const [part, parts] = [reader.short(), reader.short()];
  const rooms = new Map<string, NodeRoom>();
  while (reader.hasMore) {
    const room = reader.text();
    const [follows, last, sentAt, size] = [reader.number(), reader.number(), reader.number(), reader.int()];
    rooms.set(room, { follows, last, sentAt, size, names: readNameList(reader) });
  }
  return {
    number,
    time,
    isNew: (given & flags.isNew) > 0,
    asks: (given & flags.asks) > 0,
    leaves: (given & flags.leaves) > 0,
    full: (given & flags.full) > 0 ? { part, parts } : undefined,
    rooms,
  };
}

function packet(node: string, type: number, size: number): PacketWriter {
  return PacketWriter.bare(packetSize(node, size)).byte(version).text(node).byte(type);
}

function packetSize(node: string, size: number): number {
  return 1 + textSize(node) + 1 + size;
}
