/**
 * The bus over a broker: NATS or Redis, which passes on what nodes publish. Nodes know each other only by what they tell there.
 *
 * - Each room has a subject, to which the nodes with members in it subscribe. On one further subject all nodes tell which rooms
 *   they follow, the number of the last message that they sent there, and the number of their members: what has changed at once,
 *   everything every 10 s and after a loss of the connection. A node that tells nothing for a second says that it is there.
 * - A node that follows a room learns from the others' next state where their sequences are. From then on it counts what it misses.
 * - A node that is silent for 3 s is gone, with its members. Its rooms remain numbered for an hour, so that it learns the exact
 *   number of what it has missed if it was only cut off.
 */
import { type Clock, realClock, type Timer } from '../../clock.ts';
import { YodelError } from '../../errors.ts';
import { ownCopy } from '../../framing/slices.ts';
import type { Bus, BusBatch, BusBeat, BusCounters, BusReceiver, BusState, MemberName } from '../../rooms/bus.ts';
import type { Broker } from './broker.ts';
import { BrokerLink, type BrokerLinkOwner, silent } from './link.ts';
import { Nodes, type RemoteNode } from './nodes.ts';
import { batchPacket, type NodeRoom, type NodeState, pieces, readPacket, roomSize, statePacket } from './packets.ts';
import { Puzzle } from './puzzle.ts';
import { Subjects } from './subjects.ts';

/** Settings of a {@link BrokerBus}. */
export interface BrokerBusOptions {
  /** Subjects begin with this. Servers with the same prefix share their rooms. */
  readonly prefix: string;
  /** Whether it does not start without a connection. Default: no. */
  readonly required?: boolean | undefined;
  /** Default: the real time. */
  readonly clock?: Clock | undefined;
}

/** How often a node says that it is there. */
const beatMs = 1000;
/** A node that says nothing for this long is gone. */
const silentMs = 3000;
/** How often a node tells everything. */
const fullMs = 10_000;
/** How soon it does when another one asks, so that several are answered at once. */
const answerMs = 50;
/** How long it waits at the start for the others to tell about themselves, and after a loss. */
const greetingMs = 200;
/** How long it waits at the start for the broker. */
const startMs = 5000;
/** How long the rooms of a silent node are remembered. */
const forgottenMs = 3_600_000;
/** The pause before the same is reported as refused again. */
const repeatMs = 60_000;
/** The longest state; a longer one is told in parts. */
const maxState = 131_072;

/** See the top of the file. */
export class BrokerBus implements Bus, BrokerLinkOwner {
  readonly #clock: Clock;
  readonly #subjects: Subjects;
  readonly #link: BrokerLink;
  readonly #nodes = new Nodes();
  readonly #name: string;
  readonly #isRequired: boolean;
  #refused: { readonly reason: string; readonly at: number } | undefined;
  /** Why it is away. */
  #reason: string | undefined;
  readonly #followed = new Set<string>();
  readonly #puzzle = new Puzzle();
  #receiver!: BusReceiver;
  /** Rooms whose state is told at the end of this turn, or before the next message. */
  readonly #changed = new Set<string>();
  #isTellingDue = false;
  #isNew = true;
  #packets = 0;
  /** The timers for being there, and for telling everything. */
  #beats: Timer | undefined;
  #full: { readonly timer: Timer; readonly at: number } | undefined;
  /** Until then it is not known who follows what: everything is published. */
  #learnsUntil = 0;
  #isClosed = false;

  constructor(broker: Broker, { prefix, required = false, clock = realClock }: BrokerBusOptions) {
    this.#clock = clock;
    this.#isRequired = required;
    this.#name = broker.name;
    this.#subjects = new Subjects(prefix);
    this.#link = new BrokerLink(broker, this, clock);
  }

  get counters(): BusCounters {
    return this.#link.counters;
  }

  get state(): BusState {
    if (!this.#link.isConnected) return 'away';
    return this.#link.isFull ? 'full' : 'ready';
  }

  /** @throws YodelError `YODEL_BUS_UNAVAILABLE` if it is required, and there is no connection within 5 s */
  async start(receiver: BusReceiver): Promise<void> {
    this.#receiver = receiver;
    this.#link.subscribe(this.#subjects.nodes);
    const late = Promise.withResolvers<void>();
    const timer = this.#clock.after(startMs, late.resolve);
    await Promise.race([this.#link.start(), late.promise]);
    timer.cancel();
    if (!this.#link.isConnected && this.#isRequired) {
      await this.close();
      throw new YodelError('YODEL_BUS_UNAVAILABLE', `no connection to ${this.#name}: ${this.#reason ?? silent}`);
    }
    this.#beat();
    if (this.#link.isConnected) await new Promise<void>((resolve) => this.#clock.after(greetingMs, resolve));
  }

  follow(room: string): void {
    this.#followed.add(room);
    this.#link.subscribe(this.#subjects.ofRoom(room));
    this.#tellSoon(room);
  }

  unfollow(room: string): void {
    this.#followed.delete(room);
    this.#link.unsubscribe(this.#subjects.ofRoom(room));
    this.#tellSoon(room);
  }

  isFollowed(room: string): boolean {
    return this.#nodes.isFollowed(room) || this.#clock.now() < this.#learnsUntil;
  }

  publish(batch: BusBatch): void {
    // A node that has just begun to follow the room learns first where the sequence is.
    if (this.#changed.has(batch.room)) this.#tell();
    if (this.#link.isConnected && this.#publish(this.#subjects.ofRoom(batch.room), batchPacket(batch))) return;
    this.#link.counters.messagesUnsent += batch.count;
    this.#tellSoon(batch.room);
  }

  beat({ last, sizes, names }: BusBeat): void {
    for (const rooms of [last, sizes, names]) for (const room of rooms.keys()) this.#tellSoon(room);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#beats?.cancel();
    this.#full?.timer.cancel();
    this.#tell({ leaves: true });
    await this.#link.close();
  }

  // The link calls these.

  get limit(): number {
    return this.#receiver.busBuffer;
  }

  connected(): void {
    this.#learnsUntil = this.#clock.now() + greetingMs;
    this.#tellAll({ asks: true });
    this.#reason = undefined;
    this.#receiver.reported('connected', this.#name);
  }

  disconnected(reason: string): void {
    // Each further attempt that fails for the same reason is no news.
    if (reason === this.#reason) return;
    this.#reason = reason;
    this.#receiver.reported('disconnected', `${this.#name}: ${reason}`);
  }

  refused(reason: string): void {
    this.#link.counters.refused++;
    const now = this.#clock.now();
    // What is not allowed is tried again every second.
    if (reason === this.#refused?.reason && now < this.#refused.at + repeatMs) return;
    this.#refused = { reason, at: now };
    this.#receiver.reported('refused', `${this.#name}: ${reason}`);
  }

  waiting(bytes: number): void {
    this.#receiver.waiting(bytes);
  }

  fullnessChanged(): void {
    if (!this.#link.isFull) this.#receiver.drained();
  }

  received(bytes: Buffer): void {
    const { node: self } = this.#receiver;
    try {
      this.#read(bytes, self);
    } catch (error) {
      // Anyone with write access to the broker can send anything.
      if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
      this.refused(`a packet that cannot be read: ${error.message}`);
    }
  }

  #read(bytes: Buffer, self: string): void {
    const packet = readPacket(bytes, self);
    if (!packet || packet.type === 'stored') return;
    const node = this.#heard(packet.node);
    switch (packet.type) {
      case 'state':
        return this.#told(node, packet.state);
      case 'piece': {
        const whole = this.#puzzle.add(packet.node, packet.piece);
        return whole && this.#read(whole, self);
      }
      case 'batch':
        return this.#receive(packet.batch);
    }
  }

  #receive(batch: BusBatch): void {
    if (!this.#followed.has(batch.room) || batch.count === 0) return;
    // What is read from a connection is part of a larger chunk, which the messages would keep in memory.
    const isRead = this.#receiver.received({ ...batch, bytes: ownCopy(batch.bytes) });
    if (!isRead) this.refused(`messages that cannot be read, for room ${JSON.stringify(batch.room)}`);
  }

  /** A node that was not known, or was silent, is told everything. */
  #heard(name: string): RemoteNode {
    const now = this.#clock.ran();
    const known = this.#nodes.get(name);
    if (!known || known.isSilent) this.#tellAllWithin(answerMs);
    const node = known ?? this.#nodes.add(name, now);
    node.heardAt = now;
    node.isSilent = false;
    return node;
  }

  #told(node: RemoteNode, { isNew, asks, leaves, full, rooms }: NodeState): void {
    if (leaves) return this.#gone(node);
    if (isNew) for (const room of this.#followed) this.#receiver.followed(node.name, room, 0);
    if (asks) this.#tellAllWithin(answerMs);
    const all = new Map(rooms);
    if (full) for (const room of this.#missingAfter(node, full, rooms)) all.set(room, nothing);
    const [last, sizes] = [new Map<string, number>(), new Map<string, number>()];
    const names = new Map<string, readonly MemberName[]>();
    for (const [room, state] of all) {
      this.#learn(node, room, state);
      sizes.set(room, state.size);
      names.set(room, state.names);
      if (this.#followed.has(room) && state !== nothing) last.set(room, state.last);
    }
    this.#receiver.beaten({ node: node.name, last, sizes, names });
  }

  #learn(node: RemoteNode, room: string, state: NodeRoom): void {
    if (state.follows) {
      if (!node.followed.has(room)) this.#tellSoon(room);
      this.#nodes.follow(node, room);
    } else if (this.#nodes.unfollow(node, room)) this.#receiver.unfollowed(room);
  }

  /** The rooms that the node followed, but has not named in all parts of its full state, after the last of them. */
  #missingAfter(
    node: RemoteNode,
    { part, parts }: { readonly part: number; readonly parts: number },
    rooms: ReadonlyMap<string, NodeRoom>,
  ): string[] {
    if (part === 0) node.told.clear();
    else if (part !== node.nextPart) node.nextPart = Number.NaN;
    if (part === 0 || part === node.nextPart) {
      node.nextPart = part + 1;
      for (const room of rooms.keys()) node.told.add(room);
    }
    if (node.nextPart !== parts) return [];
    const missing = [...node.followed].filter((room) => !node.told.has(room));
    node.told.clear();
    return missing;
  }

  /** Its members are gone; it is forgotten. */
  #gone(node: RemoteNode): void {
    this.#receiver.gone(node.name);
    this.#receiver.forgotten(node.name);
    this.#puzzle.forget(node.name);
    for (const room of this.#nodes.delete(node)) this.#receiver.unfollowed(room);
  }

  /** Says that this node is there, and looks which others are. */
  #beat(): void {
    if (this.#isClosed) return;
    this.#beats = this.#clock.deadline(beatMs, () => {
      this.#tell({});
      this.#look();
      this.#beat();
    });
  }

  #look(): void {
    const now = this.#clock.ran();
    for (const node of this.#nodes) {
      const silence = now - node.heardAt;
      if (silence >= forgottenMs) this.#gone(node);
      else if (silence >= silentMs && !node.isSilent) {
        node.isSilent = true;
        this.#receiver.gone(node.name);
      }
    }
  }

  #tellSoon(room: string): void {
    this.#changed.add(room);
    if (this.#isTellingDue) return;
    this.#isTellingDue = true;
    this.#clock.soon(() => {
      if (this.#isTellingDue) this.#tell();
    });
  }

  /** Tells what has changed. @param about if given, it is told even if nothing has */
  #tell(about?: { readonly leaves?: boolean }): void {
    this.#isTellingDue = false;
    if (!this.#link.isConnected || (!about && this.#changed.size === 0)) return;
    const rooms = this.#statesOf(this.#changed);
    for (const portion of portionsOf(rooms)) this.#send({ leaves: about?.leaves ?? false, rooms: portion });
  }

  #tellAllWithin(ms: number): void {
    const at = this.#clock.now() + ms;
    if (this.#isClosed || (this.#full && this.#full.at <= at)) return;
    this.#full?.timer.cancel();
    this.#full = { at, timer: this.#clock.after(ms, () => this.#tellAll({ asks: false })) };
  }

  /** Tells everything. */
  #tellAll({ asks }: { readonly asks: boolean }): void {
    this.#full?.timer.cancel();
    this.#full = undefined;
    this.#tellAllWithin(fullMs);
    if (!this.#link.isConnected) return;
    const rooms = this.#statesOf(new Set([...this.#followed, ...this.#receiver.numbered()]));
    const portions = portionsOf(rooms);
    for (const [part, portion] of portions.entries()) {
      this.#send({ asks: asks && part === 0, full: { part, parts: portions.length }, rooms: portion });
    }
  }

  #statesOf(rooms: ReadonlySet<string>): Map<string, NodeRoom> {
    const state = (room: string) => ({
      ...this.#receiver.stateOf(room),
      follows: this.#followed.has(room),
      names: this.#receiver.namesOf(room),
    });
    return new Map([...rooms].map((room) => [room, state(room)]));
  }

  #send(state: Partial<NodeState> & Pick<NodeState, 'rooms'>): void {
    const { node } = this.#receiver;
    const packet = statePacket(node, {
      isNew: this.#isNew,
      asks: false,
      leaves: false,
      full: undefined,
      ...state,
    });
    if (!this.#publish(this.#subjects.nodes, packet)) return;
    this.#isNew = false;
    for (const room of state.rooms.keys()) this.#changed.delete(room);
  }

  /** @returns false if there is no connection or no space */
  #publish(subject: string, packet: Buffer): boolean {
    const { isConnected, maxPacket } = this.#link;
    if (!isConnected) return false;
    if (packet.length <= maxPacket) return this.#link.publish(subject, [packet]);
    this.#packets++;
    return this.#link.publish(subject, pieces(this.#receiver.node, this.#packets, packet, maxPacket));
  }
}

const nothing: NodeRoom = { follows: false, last: 0, size: 0, names: [] };

/** At least one portion, each short enough for a packet. */
function portionsOf(rooms: ReadonlyMap<string, NodeRoom>): Map<string, NodeRoom>[] {
  let portion = new Map<string, NodeRoom>();
  const portions = [portion];
  let size = 0;
  for (const [room, state] of rooms) {
    size += roomSize(room, state);
    if (size > maxState) {
      portion = new Map();
      portions.push(portion);
      size = roomSize(room, state);
    }
    portion.set(room, state);
  }
  return portions;
}
