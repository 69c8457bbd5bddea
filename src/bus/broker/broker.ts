/**
 * The contract of a broker: a program, such as NATS or Redis, that passes what is published on a subject to all who subscribe to it.
 *
 * An implementation connects once and never reconnects: {@link BrokerLink} does that, so that what is sent meanwhile is counted
 * rather than dropped or repeated by a client library.
 */

import type { NewBatch, Place, StoredBatch, StoredRange, StoreLimits } from '../../rooms/stored/store.ts';
import type { Subjects } from './subjects.ts';

/** A broker that can be connected to. */
export interface Broker {
  /** Its kind and address, without credentials: `Redis at 127.0.0.1:6379`. */
  readonly name: string;
  /** @throws Error with a message that says why there is no connection */
  connect(receiver: BrokerReceiver): Promise<BrokerConnection>;
}

/** A connection to a broker. Its methods never throw; after the connection is lost they do nothing. */
export interface BrokerConnection {
  /** The longest packet that the broker takes, in bytes. */
  readonly maxPacket: number;
  /** Resolves when what others publish comes here, if they learn of it by what is published later. */
  subscribe(subjects: readonly string[]): Promise<void>;
  unsubscribe(subjects: readonly string[]): void;
  /** Packets are passed on in this order, also those of different subjects. */
  publish(subject: string, packet: Buffer): void;
  /** Resolves when the broker has taken everything before, and subscriptions are in effect. Rejects if it never will. */
  roundTrip(): Promise<void>;
  /**
   * Opens the histories of rooms, with connections of its own. What is appended there is also passed to all who subscribe to the
   * subject of the room, in order; see `stored-packets.ts`.
   *
   * @throws Error with a message that says why there is none, such as a missing permission
   */
  openHistory(subjects: Subjects, limits: StoreLimits): Promise<BrokerHistory>;
  /** Sends what is pending, and disconnects. */
  close(): Promise<void>;
  /** Disconnects at once. */
  abort(): void;
}

/** What a connection reports. */
export interface BrokerReceiver {
  /**
   * The packet is not changed later. It may have been published by this connection itself.
   *
   * @param at of a stored batch: where the broker has it, if it knows
   */
  received(packet: Buffer, at?: number): void;
  /** The broker has refused something, such as a subject for which there is no permission; the connection remains. */
  refused(reason: string): void;
  /** The connection is lost. */
  closed(reason: string): void;
}

/**
 * The histories of rooms at a broker, over connections that are open until the {@link BrokerConnection} is closed or lost. Requests
 * that are pending then reject.
 */
export interface BrokerHistory {
  /**
   * Appends a batch, once.
   *
   * @param isRepeated whether it may have been appended already, by this call before the connection was lost: then it is looked for
   *   among the batches after `known`
   * @param known a place of the history that was before the batch
   * @returns the batch as it is stored
   * @throws Error if it is not known whether it is appended, because the connection was lost; {@link RefusedError} if it is not
   */
  append(batch: NewBatch, known: Place, isRepeated: boolean): Promise<StoredBatch>;
  /** As `RoomStore.read`. @throws Error also if the broker is silent for 5 s; RangeError if what there is cannot be read */
  read(
    room: string,
    from: { readonly after: Place } | { readonly newest: number },
    maxBytes: number,
  ): Promise<StoredRange>;
}

/** The broker has refused something, and will again. */
export class RefusedError extends Error {}
