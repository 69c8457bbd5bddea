/**
 * The connection to a broker, re-established whenever it is lost or the broker stops responding. Output that the broker has not taken
 * is bounded.
 *
 * A broker that has stopped, or is behind a network that is cut, closes no connection. So there is a round trip at least once a
 * second, and one that takes longer than 5 s counts as a loss.
 *
 * A round trip also shows what the broker has taken. It costs both ends as much as a packet, so there is one for many of them.
 */
import type { Clock, Timer } from '../../clock.ts';
import type { BusCounters } from '../../rooms/bus.ts';
import type { StoreLimits } from '../../rooms/stored/store.ts';
import type { Broker, BrokerConnection, BrokerHistory } from './broker.ts';
import type { Subjects } from './subjects.ts';

/** The bus, as its link sees it. */
export interface BrokerLinkOwner {
  /** How many bytes may wait for the broker. */
  readonly limit: number;
  /** There is a connection, and everything is subscribed to. */
  connected(): void;
  /** There is none any more, or the first attempt has failed. */
  disconnected(reason: string): void;
  /** See `BrokerReceiver.received`. */
  received(packet: Buffer, at?: number): void;
  refused(reason: string): void;
  /** {@link BrokerLink.isFull} has changed. */
  fullnessChanged(): void;
  /** How many bytes wait now. */
  waiting(bytes: number): void;
}

/** How often a round trip is made when nothing is sent. */
const roundTripMs = 1000;
/** How soon when something has been sent. */
const takenMs = 100;
/** When more than this share of the limit may wait, it is made at once. */
const takenShare = 1 / 8;
/** A broker that takes longer for a round trip is away. */
const silentMs = 5000;
/** Why it is away then. */
export const silent = `it has not responded for ${silentMs / 1000} s`;
const noConnection = 'there is no connection';
/** The time between two attempts to connect, and the least pause. It doubles with each. */
const minRetryMs = 100;
const maxRetryMs = 800;
/** After a connection that has lasted this long, it begins anew. One that is lost soon is not tried again all the time. */
const lastsMs = 1000;
/** Subjects are subscribed to in portions, each one command. */
const portion = 1000;

/** See the top of the file. */
export class BrokerLink {
  /** Whether more than half of the limit waits. */
  isFull = false;
  /** Of what passes here, and of what its owner counts. */
  readonly counters: BusCounters = {
    isConnected: false,
    reconnects: 0,
    packetsSent: 0,
    bytesSent: 0,
    packetsReceived: 0,
    bytesReceived: 0,
    bytesWaiting: 0,
    messagesUnsent: 0,
    refused: 0,
  };
  readonly #broker: Broker;
  readonly #owner: BrokerLinkOwner;
  readonly #clock: Clock;
  readonly #subjects = new Set<string>();
  /** The connection, and one that is not ready yet. */
  #connection: BrokerConnection | undefined;
  #opening: BrokerConnection | undefined;
  /** What has been published over this connection, and what of it the broker has taken, in bytes. */
  #published = 0;
  #taken = 0;
  #isUnderWay = false;
  /** For the next attempt to connect, or the next round trip, and how long after it was set. */
  #timer: Timer | undefined;
  #timerMs = Number.POSITIVE_INFINITY;
  #silence: Timer | undefined;
  #retryMs = minRetryMs;
  #attemptAt = 0;
  #hasConnected = false;
  #isClosed = false;

  constructor(broker: Broker, owner: BrokerLinkOwner, clock: Clock) {
    this.#broker = broker;
    this.#owner = owner;
    this.#clock = clock;
  }

  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  /** The longest packet that can be sent now. */
  get maxPacket(): number {
    return this.#connection?.maxPacket ?? 0;
  }

  /** How many bytes the broker has not taken, as far as is known. */
  get #waiting(): number {
    return this.#published - this.#taken;
  }

  /** Whether so many bytes wait that it should be asked at once whether it has taken them. */
  get #isMuch(): boolean {
    return this.#waiting > this.#owner.limit * takenShare;
  }

  /** Resolves after the first attempt to connect. */
  start(): Promise<void> {
    return this.#connect();
  }

  /** Resolves when it is in effect, if there is a connection. */
  async subscribe(subject: string): Promise<void> {
    this.#subjects.add(subject);
    await (this.#connection ?? this.#opening)?.subscribe([subject]);
  }

  unsubscribe(subject: string): void {
    this.#subjects.delete(subject);
    (this.#connection ?? this.#opening)?.unsubscribe([subject]);
  }

  /**
   * Publishes the pieces of one packet, none of them longer than {@link maxPacket}.
   *
   * @returns whether they were sent; otherwise there is no connection, or no space
   */
  publish(subject: string, packets: readonly Buffer[]): boolean {
    if (!this.#connection) return false;
    const size = packets.reduce((sum, { length }) => sum + length, 0);
    // The broker may long have taken a little that waits.
    if (this.#isMuch && this.#waiting + size > this.#owner.limit) return false;
    this.#published += size;
    for (const packet of packets) this.#connection.publish(subject, packet);
    this.counters.packetsSent += packets.length;
    this.counters.bytesSent += size;
    this.#look();
    this.#roundTripSoon();
    return true;
  }

  /**
   * Resolves when the broker has taken everything before, and subscriptions are in effect.
   *
   * @throws Error if there is no connection, or it is lost meanwhile
   */
  async taken(): Promise<void> {
    const connection = this.#connection;
    if (!connection) throw new Error(noConnection);
    await connection.roundTrip();
    if (connection !== this.#connection) throw new Error(noConnection);
  }

  /** See {@link BrokerConnection.openHistory}. It is lost with the connection. @throws Error also if there is no connection */
  async openHistory(subjects: Subjects, limits: StoreLimits): Promise<BrokerHistory> {
    if (!this.#connection) throw new Error(noConnection);
    return await this.#connection.openHistory(subjects, limits);
  }

  /** Sends what is pending, for at most a second, and disconnects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#silence?.cancel();
    this.#opening?.abort();
    const connection = this.#connection;
    this.#connection = undefined;
    this.counters.isConnected = false;
    if (!connection) return;
    const timer = this.#clock.after(roundTripMs, () => connection.abort());
    await connection.close();
    timer.cancel();
  }

  async #connect(): Promise<void> {
    this.#attemptAt = this.#clock.now();
    const silence = Promise.withResolvers<never>();
    const timer = this.#clock.deadline(silentMs, () => silence.reject(new Error(silent)));
    const opened = this.#open();
    try {
      this.#ready(await Promise.race([opened, silence.promise]));
    } catch (error) {
      (this.#opening as BrokerConnection | undefined)?.abort();
      opened.then(abort, () => undefined);
      this.#retry((error as Error).message);
    } finally {
      timer.cancel();
      this.#opening = undefined;
    }
  }

  /** Connects, and subscribes to everything. */
  async #open(): Promise<BrokerConnection> {
    let lost: string | undefined;
    let connection: BrokerConnection | undefined;
    connection = await this.#broker.connect({
      received: (packet, at) => this.#received(packet, at),
      refused: (reason) => this.#owner.refused(reason),
      closed: (reason) => {
        lost = reason;
        if (connection && connection === this.#connection) this.#lost(reason);
      },
    });
    this.#opening = connection;
    const subjects = [...this.#subjects];
    for (let at = 0; at < subjects.length; at += portion) void connection.subscribe(subjects.slice(at, at + portion));
    try {
      await connection.roundTrip();
    } catch (error) {
      throw lost === undefined ? error : new Error(lost);
    }
    return connection;
  }

  #ready(connection: BrokerConnection): void {
    if (this.#isClosed) return connection.abort();
    this.#connection = connection;
    this.counters.isConnected = true;
    if (this.#hasConnected) this.counters.reconnects++;
    this.#hasConnected = true;
    this.#published = 0;
    this.#taken = 0;
    this.#isUnderWay = false;
    this.#owner.connected();
    this.#roundTripSoon();
  }

  #received(packet: Buffer, at?: number): void {
    this.counters.packetsReceived++;
    this.counters.bytesReceived += packet.length;
    this.#owner.received(packet, at);
  }

  #lost(reason: string): void {
    this.#connection?.abort();
    this.#connection = undefined;
    this.counters.isConnected = false;
    this.#silence?.cancel();
    if (this.#clock.now() - this.#attemptAt >= lastsMs) this.#retryMs = minRetryMs;
    this.#retry(reason);
    this.#published = this.#taken;
    this.#look();
  }

  #retry(reason: string): void {
    if (this.#isClosed) return;
    const took = this.#clock.now() - this.#attemptAt;
    this.#after(Math.max(minRetryMs, this.#retryMs - took), () => void this.#connect());
    this.#retryMs = Math.min(maxRetryMs, this.#retryMs * 2);
    this.#owner.disconnected(reason);
  }

  /** Sets the only timer. */
  #after(ms: number, run: () => void): void {
    this.#timer?.cancel();
    this.#timerMs = ms;
    this.#timer = this.#clock.after(ms, () => {
      this.#timerMs = Number.POSITIVE_INFINITY;
      run();
    });
  }

  /** One at a time. */
  #roundTripSoon(): void {
    if (this.#isUnderWay) return;
    if (this.#isMuch) return this.#roundTrip();
    const ms = this.#waiting > 0 ? takenMs : roundTripMs;
    if (ms < this.#timerMs) this.#after(ms, () => this.#roundTrip());
  }

  #roundTrip(): void {
    const connection = this.#connection;
    if (!connection || this.#isUnderWay) return;
    const published = this.#published;
    this.#isUnderWay = true;
    this.#timer?.cancel();
    this.#timerMs = Number.POSITIVE_INFINITY;
    this.#silence = this.#clock.deadline(silentMs, () => this.#lost(silent));
    const isOver = () => connection !== this.#connection;
    connection.roundTrip().then(
      () => {
        if (!isOver()) this.#arrived(published);
      },
      // The connection is lost, which is reported elsewhere.
      () => undefined,
    );
  }

  /** The broker has taken this much. */
  #arrived(published: number): void {
    this.#silence?.cancel();
    this.#isUnderWay = false;
    this.#taken = published;
    this.#look();
    this.#roundTripSoon();
  }

  #look(): void {
    this.#owner.waiting(this.#waiting);
    this.counters.bytesWaiting = this.#waiting;
    const isFull = this.#waiting > this.#owner.limit / 2;
    if (isFull === this.isFull) return;
    this.isFull = isFull;
    this.#owner.fullnessChanged();
  }
}

function abort(connection: BrokerConnection): void {
  connection.abort();
}
