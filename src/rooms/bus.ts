/**
 * The contract of a bus: it carries what rooms are sent from one process of a server to the others, its nodes.
 *
 * A bus may lose batches, but never without a number: each batch has the number of its first message in the sequence of its node
 * and room, and beats repeat the last numbers. So each receiver knows exactly how many messages of which room it has missed.
 */

import type { BusCounters, BusEvent } from '../telemetry/telemetry.ts';
import type { RoomStore } from './stored/store.ts';

export type { BusCounters };

/** Carries rooms' messages between nodes. Its methods never throw and never wait. */
export interface Bus {
  readonly state: BusState;
  /** Absent: it counts nothing, such as one between processes of one machine. */
  readonly counters?: BusCounters | undefined;
  /** Keeps what rooms store. Undefined: they cannot. */
  readonly store?: RoomStore | undefined;
  /** Connects. Resolves when the other nodes can be reached, or when it is known that there are none. */
  start(receiver: BusReceiver): Promise<void>;
  /** This node has members in the room: its batches come here from now on; see {@link BusReceiver.followed}. */
  follow(room: string): void;
  /** It has none any more. */
  unfollow(room: string): void;
  /** Whether another node follows the room. A bus that does not know says yes. */
  isFollowed(room: string): boolean;
  /**
   * Sends to all nodes that follow the room. What there is no space for, or is published while the bus is away, is lost, and shows
   * as a jump of the numbers.
   */
  publish(batch: BusBatch): void;
  /** Tells the other nodes. */
  beat(beat: BusBeat): void;
  /**
   * Resolves when everything before has been taken, and subscriptions are in effect. Rejects if the connection is lost first. Absent:
   * what is between the nodes takes nothing for itself.
   */
  taken?(): Promise<void>;
  /** Sends what is pending, and disconnects. */
  close(): Promise<void>;
}

/**
 * `ready`: all nodes that follow a room will receive what is published, unless they fail. `full`: they will, but senders should
 * wait until `BusReceiver.drained`, for there is little space left. `away`: they will not.
 */
export type BusState = 'ready' | 'full' | 'away';

/** Messages of one room from one node, in order. */
export interface BusBatch {
  /** The node that sends it: random for each start of a process. */
  readonly node: string;
  readonly room: string;
  /** The number of its first message, from 1, for this node and room. */
  readonly first: number;
  /** The number of its messages, at least 1. */
  readonly count: number;
  /** When it was sent, in milliseconds since 1970. */
  readonly time: number;
  /** When the message before its first one was sent: whoever joined later has not missed that. 0 or absent: not known. */
  readonly timeBefore?: number | undefined;
  /**
   * The messages (see `packed-messages.ts`), which a bus passes on as they are. Those that are published are valid only during
   * that call; those that were received last.
   */
  readonly bytes: Uint8Array;
}

/** What a node tells all others about once a second, and soon after its members change. */
export interface BusBeat {
  readonly node: string;
  /** The number of the last message that the node sent to each room in which it has been active since the last beat. */
  readonly last: ReadonlyMap<string, number>;
  /** When those were sent, in milliseconds since 1970: later members have not missed them. Absent where it is not known. */
  readonly sentAt?: ReadonlyMap<string, number> | undefined;
  /** The number of members that the node has in rooms where it has changed. */
  readonly sizes: ReadonlyMap<string, number>;
  /** The names of these members, of rooms where they have or had some; see {@link BusReceiver.namesOf}. */
  readonly names: ReadonlyMap<string, readonly MemberName[]>;
}

/** A member that others see. */
export interface MemberName {
  /** Empty: it has none, but is alone in its room. */
  readonly name: string;
  /** When it joined, in milliseconds since 1970. */
  readonly since: number;
  /** Whether nobody else can join the room. */
  readonly alone: boolean;
}

/** What a node has to tell about a room. */
export interface RoomState {
  /** The number of the last message that it sent. 0: none, or none that anyone else knows of. */
  readonly last: number;
  /** When it sent that, in milliseconds since 1970. 0 or absent: not known. */
  readonly sentAt?: number | undefined;
  /** The number of its members. */
  readonly size: number;
}

/** Accounts for memory that may be kept several times, and counts once. */
export interface SharedMemory {
  /** @param size in bytes */
  kept(memory: object, size: number): void;
  /** It is kept no longer. Called once for each call of `kept`. */
  freed(memory: object): void;
}

/** Receives what other nodes send, and knows what they are told. */
export interface BusReceiver {
  /** The name of this node. */
  readonly node: string;
  /** How many bytes may wait for another node. */
  readonly busBuffer: number;
  /** What other nodes are told again, such as those that have just come. */
  stateOf(room: string): RoomState;
  /** Where this node's sequence of a room begins for another one that follows it from now on: see {@link followed}. */
  startOf(room: string): Required<Pick<RoomState, 'last' | 'sentAt'>>;
  /** Whether another node may have such a room and such members. */
  accepts(room: string, names: readonly MemberName[]): boolean;
  /** The names of a room's members in this process: at most 100, those first that have been there longest. */
  namesOf(room: string): readonly MemberName[];
  /** Returns whether the messages could be read. If not, nothing has changed: another version, or a stranger, has sent them. */
  received(batch: BusBatch): boolean;
  /**
   * Where another node's sequence of a room begins for this one, which follows it: everything above `last` comes here. If it was
   * known already, what is missing up to `last` was lost.
   *
   * @param sentAt when `last` was sent, as in {@link RoomState}
   */
  followed(node: string, room: string, last: number, sentAt?: number): void;
  /**
   * The same for a bus that may tell it late, and more than once: only what came before the first batch or beat counts as lost, and
   * only once.
   */
  started(node: string, room: string, last: number): void;
  /** The rooms of which it is not known where the node's sequence begins, although something has come. */
  unknownStarts(node: string): Iterable<string>;
  beaten(beat: BusBeat): void;
  /**
   * No other node follows the room any more, not even one that is gone but not forgotten. The next one that does learns its number
   * from {@link followed}.
   */
  unfollowed(room: string): void;
  /**
   * Another node is gone, with all its members: it has ended, or cannot be reached. If it comes back before it is forgotten, its
   * sequences continue: what is missing was lost.
   */
  gone(node: string): void;
  /** It does not come back. */
  forgotten(node: string): void;
  /** The rooms that this node has sent something to, and that another one follows. */
  numbered(): Iterable<string>;
  /** Buses between processes of one machine report nothing. */
  reported(event: BusEvent, reason: string): void;
  /** After `full`: there is space again. */
  drained(): void;
  /** How many bytes of memory wait in this process for other nodes now, without what {@link keeper} knows. Told when it changes. */
  waiting(bytes: number): void;
  /** What a connection to other nodes keeps of memory that it shares: what is published to several of them counts once. */
  readonly keeper: SharedMemory;
}
