/**
 * The contract of a broker: a program, such as NATS or Redis, that passes what is published on a subject to all who subscribe to it.
 *
 * An implementation connects once and never reconnects: {@link BrokerLink} does that, so that what is sent meanwhile is counted
 * rather than dropped or repeated by a client library.
 */

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
  subscribe(subjects: readonly string[]): void;
  unsubscribe(subjects: readonly string[]): void;
  /** Packets are passed on in this order, also those of different subjects. */
  publish(subject: string, packet: Buffer): void;
  /** Resolves when the broker has taken everything before, and subscriptions are in effect. Rejects if it never will. */
  roundTrip(): Promise<void>;
  /** Sends what is pending, and disconnects. */
  close(): Promise<void>;
  /** Disconnects at once. */
  abort(): void;
}

/** What a connection reports. */
export interface BrokerReceiver {
  /** The packet is not changed later. It may have been published by this connection itself. */
  received(packet: Buffer): void;
  /** The broker has refused something, such as a subject for which there is no permission; the connection remains. */
  refused(reason: string): void;
  /** The connection is lost. */
  closed(reason: string): void;
}
