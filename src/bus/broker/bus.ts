/**
 * The bus over a broker: NATS or Redis, which passes on what nodes publish. Nodes know each other only by what they tell there.
 *
 * - Each room has a subject, to which the nodes with members in it subscribe. On one further subject all nodes tell which rooms
 *   they follow, the number of the last message that they sent there, and the number of their members: what has changed at once,
 *   everything every 10 s and after a loss of the connection. A node that tells nothing for a second says that it is there.
 * - Who learns that a node follows a room remembers the number of what it had sent there last, and tells it: what comes later counts
 *   as missed if it does not arrive. If that is lost, too, the node asks for it.
 * - A node that is silent for 3 s is gone, with its members. Its rooms remain numbered for an hour, so that it learns the exact
 *   number of what it has missed if it was only cut off.
 */
import { type Clock, realClock, type Timer } from '../../clock.ts';
import { YodelError } from '../../errors.ts';
import { ownCopy } from '../../framing/slices.ts';
import type { Bus, BusBatch, BusBeat, BusCounters, BusReceiver, BusState, MemberName } from '../../rooms/bus.ts';
import type { Broker } from './broker.ts';
import { BrokerLink, type BrokerLinkOwner, silent } from './link.ts';
import { missingAfter, Nodes, type RemoteNode } from './nodes.ts';
import { batchPacket, type Follow, type NodeRoom, type NodeState, pieces, readPacket } from './packets.ts';
import { Puzzle } from './puzzle.ts';
import { Starts, type StartsOwner } from './starts.ts';
import { States, type StatesOwner } from './states.ts';
import { BrokerStore } from './store.ts';
import { isStoredPacket, readStoredPacket } from './stored-packets.ts';
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
/** How often it is looked which are: so it is known within 4 s, also where a little is in the way. */
const lookMs = 500;
/** How long it waits at the start for the others to tell about themselves, and after a loss. */
const greetingMs = 200;
/** How long it waits at the start for the broker. */
const startMs = 5000;
/** How long the rooms of a silent node are remembered. */
const forgottenMs = 3_600_000;
/** The pause before the same is reported as refused again. */
const repeatMs = 60_000;
/** In that time, at most this number of reasons is reported. */
const mostRefused = 10;

/** See the top of the file. */
export class BrokerBus implements Bus, BrokerLinkOwner, StatesOwner, StartsOwner {
  readonly followed = new Map<string, Follow>();
  readonly announced = new Map<string, Follow>();
  receiver!: BusReceiver;
  readonly store: BrokerStore;
  readonly #clock: Clock;
  readonly #subjects: Subjects;
  readonly #link: BrokerLink;
  readonly #states: States;
  readonly #nodes = new Nodes();
  readonly #name: string;
  readonly #isRequired: boolean;
  /** What was reported as refused, and when. */
  readonly #refused = new Map<string, number>();
  /** Why it is away. */
  #reason: string | undefined;
  #follows = 0;
  readonly #puzzle = new Puzzle();
  #packets = 0;
  readonly #starts: Starts;
  /** The timers for being there, and for looking which others are. */
  #beats: Timer | undefined;
  #looks: Timer | undefined;
  /** Until then it is not known who follows what: everything is published. */
  #learnsUntil = 0;
  #learning: Timer | undefined;
  #isClosed = false;

  constructor(broker: Broker, { prefix, required = false, clock = realClock }: BrokerBusOptions) {
    this.#clock = clock;
    this.#isRequired = required;
    this.#name = broker.name;
    this.#subjects = new Subjects(prefix);
    this.#link = new BrokerLink(broker, this, clock);
    this.#states = new States(this, clock);
    this.#starts = new Starts(this, clock);
    const refused = (reason: string) => this.refused(reason);
    this.store = new BrokerStore({ name: broker.name, link: this.#link, subjects: this.#subjects, clock, refused });
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
    this.receiver = receiver;
    for (const subject of [this.#subjects.nodes, this.#subjects.ofNode(receiver.node)])
      void this.#link.subscribe(subject);
    const late = Promise.withResolvers<void>();
    const timer = this.#clock.after(startMs, late.resolve);
    await Promise.race([this.#link.start(), late.promise]);
    timer.cancel();
    if (!this.#link.isConnected && this.#isRequired) {
      await this.close();
      throw new YodelError('YODEL_BUS_UNAVAILABLE', `no connection to ${this.#name}: ${this.#reason ?? silent}`);
    }
    this.#beat();
    this.#look();
    if (this.#link.isConnected) await new Promise<void>((resolve) => this.#clock.after(greetingMs, resolve));
  }

  follow(room: string): void {
    const follows = ++this.#follows;
    this.followed.set(room, follows);
    // The others learn of it when what they send would arrive; they count from then on.
    void this.#link.subscribe(this.#subjects.ofRoom(room)).then(() => this.#subscribed(room, follows));
  }

  #subscribed(room: string, follows: Follow): void {
    if (!this.#link.isConnected || this.followed.get(room) !== follows) return;
    this.announced.set(room, follows);
    this.#states.tellSoon(room);
  }

  unfollow(room: string): void {
    this.followed.delete(room);
    this.announced.delete(room);
    this.#link.unsubscribe(this.#subjects.ofRoom(room));
    this.#states.tellSoon(room);
  }

  isFollowed(room: string): boolean {
    return this.#nodes.isFollowed(room) || this.#clock.now() < this.#learnsUntil;
  }

  publish(batch: BusBatch): void {
    if (this.#link.isConnected && this.#publish(this.#subjects.ofRoom(batch.room), batchPacket(batch))) return;
    this.#link.counters.messagesUnsent += batch.count;
    this.#states.tellSoon(batch.room);
  }

  beat({ last, sizes, names }: BusBeat): void {
    for (const rooms of [last, sizes, names]) for (const room of rooms.keys()) this.#states.tellSoon(room);
  }

  /** @throws YodelError `YODEL_BUS_UNAVAILABLE` */
  async taken(): Promise<void> {
    try {
      await this.#link.taken();
    } catch (error) {
      throw new YodelError('YODEL_BUS_UNAVAILABLE', `no connection to ${this.#name}: ${(error as Error).message}`);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#beats?.cancel();
    this.#looks?.cancel();
    this.#learning?.cancel();
    this.#states.close();
    await this.store.close();
    await this.#link.close();
  }

  // The states and starts call these.

  get isConnected(): boolean {
    return this.#link.isConnected;
  }

  publishTo(node: RemoteNode, packet: Buffer): boolean {
    return this.#publish(this.#subjects.ofNode(node.name), packet);
  }

  publishState(packet: Buffer): boolean {
    return this.#publish(this.#subjects.nodes, packet);
  }

  // The link calls these.

  get limit(): number {
    return this.receiver.busBuffer;
  }

  connected(): void {
    for (const [room, follows] of this.followed) this.announced.set(room, follows);
    this.#learnsUntil = this.#clock.now() + greetingMs;
    this.#learning?.cancel();
    this.#learning = this.#clock.after(greetingMs, () => this.#learned());
    this.#states.tellAll();
    this.#reason = undefined;
    this.receiver.reported('connected', this.#name);
    this.store.connected();
  }

  disconnected(reason: string): void {
    // Each further attempt that fails for the same reason is no news.
    if (reason === this.#reason) return;
    this.#reason = reason;
    this.receiver.reported('disconnected', `${this.#name}: ${reason}`);
  }

  refused(reason: string): void {
    this.#link.counters.refused++;
    const now = this.#clock.now();
    for (const [known, at] of this.#refused) if (now >= at + repeatMs) this.#refused.delete(known);
    // What is not allowed is tried again every second, and may be each of many rooms.
    if (this.#refused.has(reason) || this.#refused.size >= mostRefused) return;
    this.#refused.set(reason, now);
    this.receiver.reported('refused', `${this.#name}: ${reason}`);
  }

  waiting(bytes: number): void {
    this.receiver.waiting(bytes);
  }

  fullnessChanged(): void {
    if (!this.#link.isFull) this.receiver.drained();
  }

  received(bytes: Buffer, at?: number): void {
    const { node: self } = this.receiver;
    try {
      if (isStoredPacket(bytes)) this.#receiveStored(bytes, at);
      else this.#read(bytes, self);
    } catch (error) {
      // Anyone with write access to the broker can send anything.
      if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
      this.refused(`a packet that cannot be read: ${error.message}`);
    }
  }

  #read(bytes: Buffer, self: string, isWhole = false): void {
    const packet = readPacket(bytes, self);
    if (!packet) return;
    const node = this.#heard(packet.node);
    if (!node) return;
    switch (packet.type) {
      case 'state':
        return this.#told(node, packet.state);
      case 'piece': {
        if (isWhole) throw new TypeError('a piece within a piece');
        const whole = this.#puzzle.add(packet.node, packet.piece);
        return whole && this.#read(whole, self, true);
      }
      case 'batch':
        return this.#receive(node, packet.batch);
      case 'asks':
        return this.#starts.answer(node, packet.rooms);
      case 'starts':
        return this.#starts.started(node, packet.rooms);
    }
  }

  #receiveStored(bytes: Buffer, at: number | undefined): void {
    const batch = readStoredPacket(bytes);
    if (this.followed.has(batch.room)) this.store.received(batch, at);
  }

  #receive({ clock }: RemoteNode, batch: BusBatch): void {
    if (!this.followed.has(batch.room) || batch.count === 0) return;
    // What is read from a connection is part of a larger chunk, which the messages would keep in memory.
    const bytes = ownCopy(batch.bytes);
    const isRead = this.receiver.received({ ...batch, timeBefore: clock.here(batch.timeBefore), bytes });
    if (!isRead) this.refused(`messages that cannot be read, for room ${JSON.stringify(batch.room)}`);
  }

  /** A node that was not known, or was silent, is told everything, and asked. @returns undefined if there are too many */
  #heard(name: string): RemoteNode | undefined {
    const now = this.#clock.ran();
    const known = this.#nodes.get(name);
    if (!known && this.#nodes.isFull) {
      const other = this.#nodes.leastNeeded;
      if (!other) return void this.refused('a packet of yet another node: there are too many');
      this.#gone(other);
    }
    // One that was only silent has not noticed it, and would not tell about its members by itself.
    if (!known || known.isSilent) this.#states.answer(known !== undefined);
    const node = known ?? this.#nodes.add(name, now);
    node.heardAt = now;
    node.isSilent = false;
    return node;
  }

  #told(node: RemoteNode, state: NodeState): void {
    const { number, time, isNew, asks, leaves, full, rooms } = state;
    if (number <= node.lastState) return;
    node.lastState = number;
    node.clock.saw(time, Date.now());
    if (leaves) return this.#gone(node);
    if (isNew) for (const room of this.followed.keys()) this.receiver.started(node.name, room, 0);
    if (asks) this.#states.answer(false);
    const all = new Map(rooms);
    if (full) for (const room of missingAfter(node, full, rooms)) all.set(room, nothing);
    this.#tell(node, all);
  }

  /** Tells the rooms of this node what another one has told about its own. */
  #tell(node: RemoteNode, rooms: ReadonlyMap<string, NodeRoom>): void {
    const [last, sentAt, sizes] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()];
    const names = new Map<string, readonly MemberName[]>();
    for (const [room, state] of rooms) {
      if (!this.receiver.accepts(room, state.names)) {
        this.refused('a room, or a member, with an impossible name');
        continue;
      }
      const { size, names: present } = this.#learn(node, room, state);
      sizes.set(room, size);
      names.set(room, present);
      // 0: it has sent nothing, or nothing that anyone follows.
      if (!this.followed.has(room) || state.last === 0) continue;
      last.set(room, state.last);
      sentAt.set(room, node.clock.here(state.sentAt));
    }
    this.receiver.beaten({ node: node.name, last, sentAt, sizes, names });
  }

  /** @returns the state, without members if the node does not follow the room, or there are too many rooms */
  #learn(node: RemoteNode, room: string, state: NodeRoom): Pick<NodeRoom, 'size' | 'names'> {
    const { follows, names } = state;
    if (follows === 0) {
      if (this.#nodes.unfollow(node, room)) this.receiver.unfollowed(room);
      return nothing;
    }
    const known = node.followed.get(room);
    const isKnown = known?.follows === follows;
    const last = isKnown ? known.last : this.receiver.startOf(room).last;
    if (!this.#nodes.follow(node, room, { follows, last, names: names.length })) {
      this.refused('yet another room of another node: there are too many');
      return nothing;
    }
    if (!isKnown) this.#starts.tellSoon(node, { room, follows, last });
    return state;
  }

  /** Rooms that were sent something meanwhile, but that nobody follows, need no numbers. */
  #learned(): void {
    for (const room of this.receiver.numbered()) if (!this.#nodes.isFollowed(room)) this.receiver.unfollowed(room);
  }

  /** Its members are gone; it is forgotten. */
  #gone(node: RemoteNode): void {
    this.receiver.gone(node.name);
    this.receiver.forgotten(node.name);
    this.#puzzle.forget(node.name);
    for (const room of this.#nodes.delete(node)) this.receiver.unfollowed(room);
  }

  /** Says that this node is there. After a pause of the process at once. */
  #beat(): void {
    if (this.#isClosed) return;
    this.#beats = this.#clock.after(beatMs, () => {
      this.#states.beat();
      this.#beat();
    });
  }

  /** Looks which others are there, after what has arrived was read. */
  #look(): void {
    if (this.#isClosed) return;
    this.#looks = this.#clock.deadline(lookMs, () => {
      const now = this.#clock.ran();
      for (const node of this.#nodes) this.#lookAt(node, now - node.heardAt);
      this.#look();
    });
  }

  #lookAt(node: RemoteNode, silence: number): void {
    if (silence >= forgottenMs) return this.#gone(node);
    if (node.isSilent) return;
    if (silence < silentMs) return this.#starts.ask(node);
    node.isSilent = true;
    this.receiver.gone(node.name);
  }

  /** @returns false if there is no connection or no space */
  #publish(subject: string, packet: Buffer): boolean {
    const { isConnected, maxPacket } = this.#link;
    if (!isConnected) return false;
    if (packet.length <= maxPacket) return this.#link.publish(subject, [packet]);
    this.#packets++;
    return this.#link.publish(subject, pieces(this.receiver.node, this.#packets, packet, maxPacket));
  }
}

const nothing: NodeRoom = { follows: 0, last: 0, sentAt: 0, size: 0, names: [] };
