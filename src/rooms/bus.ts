/**
 * The contract of a bus: it carries what rooms are sent from one process of a server to the others.
 *
 * A bus may lose batches, but never without a number: each batch has its first number in the sequence of its node and room, and
 * a beat repeats the last ones, so that each receiver knows exactly how many messages of which room it has missed.
 */
import type { MessageKind } from '../framing/frames.ts';

/** Carries rooms' messages between processes. */
export interface Bus {
  /** Connects. Resolves when the other nodes can be reached, or when it is known that there are none. */
  start(receiver: BusReceiver): Promise<void>;
  /** This node has members in the room: its batches come here from now on. */
  follow(room: string): void;
  /** It has none any more. */
  unfollow(room: string): void;
  /** Sends to all nodes that follow the room. Never throws, and never waits: see {@link PublishResult}. */
  publish(batch: BusBatch): PublishResult;
  /** Tells the other nodes the last number of each room in which this node has sent something since the last beat. */
  beat(beat: BusBeat): void;
  /** Sends what is pending, and disconnects. */
  close(): Promise<void>;
}

/**
 * `sent`: all nodes that follow the room will receive it, unless they or the connection to them fail. `full`: the bus accepted it,
 * but the sender should wait until `BusReceiver.drained`. `local`: the bus is away; it was not sent.
 */
export type PublishResult = 'sent' | 'full' | 'local';

/** Messages of one room from one node, in order. They are never frames: nodes may differ in framing. */
export interface BusBatch {
  /** The node that sends it: random for each start of a process. */
  readonly node: string;
  readonly room: string;
  /** The number of its first message, from 1, for this node and room. */
  readonly first: number;
  /** When it was sent, in milliseconds since 1970. */
  readonly time: number;
  readonly messages: readonly BusMessage[];
}

/** A message as it travels. */
export interface BusMessage {
  readonly payload: Uint8Array;
  readonly header: Uint8Array | undefined;
  readonly kind: MessageKind | undefined;
  /** See `RoomSendOptions.key`. */
  readonly key: string | undefined;
}

/** What a node tells all others about once a second, and when its members change. */
export interface BusBeat {
  readonly node: string;
  /** The number of the last message that the node sent to a room. */
  readonly last: ReadonlyMap<string, number>;
  /** The number of members that the node has in rooms where it changed. */
  readonly sizes: ReadonlyMap<string, number>;
}

/** Receives what other nodes send. */
export interface BusReceiver {
  received(batch: BusBatch): void;
  beaten(beat: BusBeat): void;
  /** Another node is gone, with all its members. */
  gone(node: string): void;
  /** After `full`: there is space again. */
  drained(): void;
}
