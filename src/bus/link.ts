/** The connection between two workers. What waits for a peer that does not read is bounded. */
import type { Decoder } from '../framing/framing.ts';
import { decodeChunk } from '../framing/framing.ts';
import { ownCopy } from '../framing/slices.ts';
import { longestMessage } from '../option-values.ts';
import type { MemberName, RoomState, SharedMemory } from '../rooms/bus.ts';
import type { Connection, Receiver } from '../transport/transport.ts';
import { packetFraming } from './packet-bytes.ts';
import {
  followedPacket,
  followPacket,
  type Hello,
  helloPacket,
  namesPacket,
  newsPacket,
  type Packet,
  readPacket,
} from './packets.ts';

/** The mesh, as its links see it. */
export interface LinkOwner {
  /** How many bytes may wait for the peer. */
  readonly limit: number;
  readonly keeper: SharedMemory;
  /** Whether this worker has members in the room. */
  follows(room: string): boolean;
  stateOf(room: string): RoomState;
  startOf(room: string): Pick<RoomState, 'last' | 'sentAt'>;
  namesOf(room: string): readonly MemberName[];
  received(link: Link, packet: Packet): void;
  /** {@link Link.isFull} has changed. */
  fullnessChanged(link: Link): void;
  /** {@link Link.memory} has changed. */
  memoryChanged(): void;
  closed(link: Link): void;
}

/**
 * A turn may bring this many times the limit at once, such as all that clients have sent while this process stood still. A peer
 * that keeps up can take it, and senders wait before the next turn.
 */
const mostInTurn = 4;

/** The longest packet: one message that is as long as messages can be, and what a batch has besides. */
const longestPacket = longestMessage + 65_536;

/** Who sends more without a hello is no worker. */
const longestHello = 1024;

/** See the top of the file. */
export class Link implements Receiver {
  /** The worker at the other end, and its node once it has said hello. */
  readonly worker: number | undefined;
  node: string | undefined;
  /** The rooms where the peer has members. */
  readonly followed = new Set<string>();
  /** Whether more than half of the limit waits. */
  isFull = false;
  /** Whether the peer has read something since {@link isFull} was last looked at. */
  hasProgressed = false;
  /** Bytes of memory that wait for the peer, without those that the owner's keeper knows. */
  memory = 0;
  readonly #connection: Connection;
  readonly #owner: LinkOwner;
  readonly #decoder: Decoder = packetFraming.createDecoder({
    maxMessageLength: longestPacket,
    onTooLong: 'close',
    encoding: 'binary',
  });
  /** What is written at the end of this turn. */
  #packets: Buffer[] = [];
  #size = 0;
  #isFlushDue = false;
  /** Rooms that this worker has begun or ceased to follow, and rooms whose state or names have changed. Told when there is space. */
  readonly #changed = new Set<string>();
  readonly #news = new Set<string>();
  readonly #named = new Set<string>();
  /** Bytes, until it has said hello. */
  #received = 0;
  #isOver = false;

  /** @param worker the one that it was dialled for */
  constructor(connection: Connection, owner: LinkOwner, worker?: number) {
    this.#connection = connection;
    this.#owner = owner;
    this.worker = worker;
  }

  /** Begins to receive. */
  start(): void {
    this.#connection.start(this);
  }

  /** Says hello, and in the same write what is to be told: who starts knows by then which rooms there are. */
  greet(hello: Hello): void {
    this.#append(helloPacket(hello));
    this.#tell();
    this.#write();
  }

  get keeper(): SharedMemory {
    return this.#owner.keeper;
  }

  /** Sends a batch, or drops it if too much waits already; the peer learns the room's last number then. */
  sendBatch(room: string, packet: Buffer): void {
    if (this.#hasSpaceFor(packet.length)) this.#append(packet);
    else this.#news.add(room);
    this.#flushSoon();
  }

  #hasSpaceFor(length: number): boolean {
    const pending = this.#size + this.#connection.unsent;
    const { limit } = this.#owner;
    return pending === 0 || pending + length <= (this.isFull ? limit : mostInTurn * limit);
  }

  /** The peer follows these rooms from now on. */
  begin(rooms: readonly string[]): void {
    for (const room of rooms) this.followed.add(room);
    this.#append(followedPacket(new Map(rooms.map((room) => [room, this.#owner.startOf(room)]))));
    this.#flushSoon();
  }

  /** This worker follows a room, or no longer. */
  changed(room: string): void {
    this.#changed.add(room);
    this.#flushSoon();
  }

  /** A room's last number or number of members has changed. */
  news(room: string): void {
    this.#news.add(room);
    this.#flushSoon();
  }

  /** The names of a room's members have changed. */
  named(room: string): void {
    this.#named.add(room);
    this.#flushSoon();
  }

  /** Writes what waits, and ends the connection. */
  end(): void {
    this.#flush();
    this.#connection.end();
  }

  abort(): void {
    this.#isOver = true;
    this.#connection.abort();
  }

  // The connection calls these.

  onData(chunk: Uint8Array): void {
    this.#received += chunk.length;
    for (const batch of decodeChunk(this.#decoder, chunk)) {
      for (const { bytes } of batch) this.#receive(bytes);
      if (batch.fault) this.abort();
    }
    if (this.node === undefined && this.#received > longestHello) this.abort();
  }

  onEnd(): void {
    this.#connection.release();
  }

  onDrain(): void {
    this.hasProgressed = true;
    this.#look();
    if (!this.isFull && this.#changed.size + this.#news.size + this.#named.size > 0) this.#flushSoon();
  }

  onClose(): void {
    this.#isOver = true;
    this.memory = 0;
    this.#owner.closed(this);
  }

  #receive(bytes: Uint8Array): void {
    if (this.#isOver) return;
    let packet: Packet;
    try {
      packet = readPacket(this.#lastingOf(bytes));
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
      // A worker of another version.
      return this.abort();
    }
    this.#owner.received(this, packet);
  }

  /** The messages of a batch last, and the chunk may be borrowed. */
  #lastingOf(bytes: Uint8Array): Buffer {
    if (this.#connection.chunksAreBorrowed) return ownCopy(bytes);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  #append(packet: Buffer): void {
    this.#packets.push(packet);
    this.#size += packet.length;
  }

  /** What is sent in one turn is written at once. */
  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushDue = false;
    if (this.#isOver) return;
    // After the batches of this turn, so that dropped ones are reported at once where nothing else is pending.
    this.#write();
    if (this.#connection.unsent <= this.#owner.limit) this.#tell();
    this.#write();
    this.#look();
  }

  #write(): void {
    const packets = this.#packets;
    this.#packets = [];
    this.#size = 0;
    if (packets.length > 0)
      this.#connection.write(packets.length === 1 ? (packets[0] as Buffer) : Buffer.concat(packets));
  }

  /** Adds what is told about rooms. Numbers come last: they include every batch before. Who is in a room is known before how many. */
  #tell(): void {
    const changed = [...this.#changed];
    this.#changed.clear();
    const begun = changed.filter((room) => this.#owner.follows(room));
    const ceased = changed.filter((room) => !this.#owner.follows(room));
    if (ceased.length > 0) this.#append(followPacket('unfollow', ceased));
    if (begun.length > 0) this.#append(followPacket('follow', begun));
    if (this.#named.size > 0) {
      this.#append(namesPacket(new Map([...this.#named].map((room) => [room, this.#owner.namesOf(room)]))));
      this.#named.clear();
    }
    if (this.#news.size > 0) {
      this.#append(newsPacket(new Map([...this.#news].map((room) => [room, this.#owner.stateOf(room)]))));
      this.#news.clear();
    }
  }

  #look(): void {
    const { unsent, unsentMemory = unsent } = this.#connection;
    if (unsentMemory !== this.memory) {
      this.memory = unsentMemory;
      this.#owner.memoryChanged();
    }
    const isFull = unsent > this.#owner.limit / 2;
    if (isFull === this.isFull) return;
    this.isFull = isFull;
    this.#owner.fullnessChanged(this);
  }
}
