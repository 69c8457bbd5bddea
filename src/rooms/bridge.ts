/**
 * Between the rooms of this process and a bus, which connects them with the rooms of other processes.
 *
 * ```
 * Rooms ─ publish ─▶ numbered, in batches of at most 256 KiB ─▶ Bus ─▶ other nodes
 * Rooms ◀─ received, missed ─ numbers compared with the last ones ◀─ Bus ◀─ other nodes
 * ```
 */
import type { Clock, Timer } from '../clock.ts';
import type { Participant } from '../session/membership.ts';
import type { MemoryLimit } from '../session/memory-limit.ts';
import type { BusEvent } from '../telemetry/telemetry.ts';
import type { Loss } from './behind/ring.ts';
import { Senders } from './behind/senders.ts';
import type { Bus, BusBatch, BusBeat, BusReceiver, BusState, MemberName, RoomState } from './bus.ts';
import { BusMemory } from './bus-memory.ts';
import { Gaps } from './gaps.ts';
import { everyone, isName, mostNames } from './name.ts';
import { packMessages, unpackMessages } from './packed-messages.ts';
import type { RoomMessage } from './segment.ts';

/** The rooms of this process, as their bridge sees them. */
export interface BridgedRooms {
  readonly clock: Clock;
  /** See the option. */
  readonly busBuffer: number;
  readonly memoryLimit: MemoryLimit;
  /** See `RoomsContext`. */
  readonly publishesAlways?: boolean | undefined;
  /** The number of a room's members in this process. */
  sizeOf(room: string): number;
  /** The names of a room's members in this process: those that others are told. */
  namesOf(room: string): readonly MemberName[];
  /** A room has got its first member in other processes, or has lost the last one there. */
  resized(room: string): void;
  /** Another node has named members in a room. */
  named(room: string, names: readonly MemberName[], node: string): void;
  /** A room was sent messages in another process. */
  received(room: string, messages: readonly RoomMessage[]): void;
  /** Messages that another process sent to a room were lost on the way. */
  lost(room: string, loss: Loss): void;
  reported(event: BusEvent, reason: string): void;
}

/** What is known of another node. */
interface Node {
  /** The number of the last message that it sent to each room followed here. Absent: not known yet where the sequence begins. */
  readonly last: Map<string, number>;
  /** What is missing of those of which it is not known yet where they begin. */
  readonly gaps: Map<string, Gaps>;
  /** How many members its rooms have. */
  readonly sizes: Map<string, number>;
  /** The names that members of these rooms have. */
  readonly names: Map<string, readonly MemberName[]>;
}

/** Brokers take messages of up to 1 MB; a batch stays well below, unless one message is longer. */
const maxBatch = 262_144;
/** A lost tail shows after this time. */
const beatMs = 1000;
/** Members that come and go within this time are told together. */
const sizesMs = 100;

const nothingSent = { last: 0, sentAt: 0 };

/** See the top of the file. */
export class Bridge implements BusReceiver {
  readonly node = crypto.randomUUID();
  readonly keeper: BusMemory;
  readonly #bus: Bus;
  readonly #rooms: BridgedRooms;
  readonly #nodes = new Map<string, Node>();
  /** The members that each room has in other processes. */
  readonly #sizes = new Map<string, number>();
  /** The number of the last message of each room that another node follows. */
  readonly #numbers = new Map<string, typeof nothingSent>();
  /** Above what any sequence that has ended had: what comes late of such a one is never taken for a part of another. */
  #floor = 0;
  /** Rooms that were sent something since the last beat, and rooms where members came or went. */
  #active = new Set<string>();
  #resized = new Set<string>();
  /** Rooms of which the others know names. */
  readonly #named = new Set<string>();
  #beat: { readonly timer: Timer; readonly at: number } | undefined;
  #isClosed = false;
  /** Those that wait for space. */
  readonly #senders = new Senders();

  constructor(bus: Bus, rooms: BridgedRooms) {
    this.#bus = bus;
    this.#rooms = rooms;
    this.keeper = new BusMemory(rooms.memoryLimit);
  }

  get busBuffer(): number {
    return this.#rooms.busBuffer;
  }

  get state(): BusState {
    return this.#bus.state;
  }

  start(): Promise<void> {
    return this.#bus.start(this);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#beat?.timer.cancel();
    this.#beat = undefined;
    await this.#bus.close();
    this.drained();
  }

  follow(room: string): void {
    this.#bus.follow(room);
  }

  unfollow(room: string): void {
    this.#bus.unfollow(room);
    for (const { last, gaps } of this.#nodes.values()) {
      last.delete(room);
      gaps.delete(room);
    }
  }

  isFollowed(room: string): boolean {
    return this.#rooms.publishesAlways === true || this.#bus.isFollowed(room);
  }

  /** The number of members in other processes, as far as they have told it. */
  remoteSizeOf(room: string): number {
    return this.#sizes.get(room) ?? 0;
  }

  /** The names of members in all processes, as far as they have told them: in the same order everywhere, the oldest first. */
  namesWith(room: string, own: readonly MemberName[]): readonly MemberName[] {
    const lists = new Map<string, readonly MemberName[]>([[this.node, own]]);
    for (const [node, { names }] of this.#nodes) lists.set(node, names.get(room) ?? []);
    const nodes = [...lists.keys()].sort();
    return nodes.flatMap((node) => lists.get(node) ?? []).sort((one, two) => one.since - two.since);
  }

  /** Whether a member of another process has joined the room alone. */
  isTaken(room: string): boolean {
    for (const { names } of this.#nodes.values()) if (names.get(room)?.some(({ alone }) => alone)) return true;
    return false;
  }

  /** A member came or went, or has another name. @param isUrgent whether others wait for it */
  resized(room: string, isUrgent = false): void {
    this.#resized.add(room);
    this.#beatWithin(isUrgent ? 0 : sizesMs);
  }

  /** Sends what a room was sent in this turn to the other processes; what came from them is left out. */
  publish(room: string, messages: readonly RoomMessage[]): void {
    // A node that follows it later learns its first number.
    if (!this.isFollowed(room)) return;
    const own = messages.some(({ isRemote }) => isRemote) ? messages.filter(({ isRemote }) => !isRemote) : messages;
    const time = Date.now();
    for (const { count, bytes } of packMessages(own, maxBatch)) this.#publish(room, time, count, bytes);
  }

  /** The session's messages wait until the bus has space again. */
  hold(participant: Participant): void {
    this.#senders.hold(participant);
  }

  // The bus calls these.

  stateOf(room: string): RoomState {
    return { ...(this.#numbers.get(room) ?? nothingSent), size: this.#rooms.sizeOf(room) };
  }

  startOf(room: string): Required<Pick<RoomState, 'last' | 'sentAt'>> {
    let start = this.#numbers.get(room);
    if (!start) {
      start = { last: this.#floor, sentAt: 0 };
      this.#numbers.set(room, start);
    }
    return start;
  }

  namesOf(room: string): readonly MemberName[] {
    return this.#rooms.namesOf(room);
  }

  accepts(room: string, names: readonly MemberName[]): boolean {
    if (names.length > mostNames || !(room === everyone || isName(room))) return false;
    // One that is alone in its room may have none.
    return names.every(({ name }) => name === '' || isName(name));
  }

  received({ node, room, first, count, timeBefore, bytes }: BusBatch): boolean {
    const known = this.#nodeOf(node);
    const last = known.last.get(room);
    const end = first + count - 1;
    if (last !== undefined && end <= last) return true;
    const messages = read(bytes, count);
    if (!messages) return false;
    known.last.set(room, end);
    this.#compare(known, room, last, first - 1, timeBefore);
    const repeated = last === undefined ? 0 : Math.max(0, last + 1 - first);
    this.#rooms.received(room, repeated > 0 ? messages.slice(repeated) : messages);
    return true;
  }

  followed(node: string, room: string, last: number, sentAt?: number): void {
    const known = this.#nodeOf(node);
    const [before, gaps] = [known.last.get(room), known.gaps.get(room)];
    known.last.set(room, gaps ? Math.max(before ?? 0, last) : last);
    known.gaps.delete(room);
    if (gaps) for (const gap of gaps.after(last)) this.#lost(room, gap.messages, gap.sentAt);
    else if (before !== undefined && last > before) this.#lost(room, last - before, sentAt);
  }

  started(node: string, room: string, last: number): void {
    const known = this.#nodeOf(node);
    if (known.gaps.has(room) || !known.last.has(room)) this.followed(node, room, last);
  }

  unknownStarts(node: string): Iterable<string> {
    return this.#nodes.get(node)?.gaps.keys() ?? [];
  }

  unfollowed(room: string): void {
    this.#floor = Math.max(this.#floor, this.#numbers.get(room)?.last ?? 0);
    this.#numbers.delete(room);
    this.#active.delete(room);
  }

  beaten({ node, last, sentAt, sizes, names }: BusBeat): void {
    const known = this.#nodeOf(node);
    for (const [room, list] of names) {
      if (list.length > 0) known.names.set(room, list);
      else known.names.delete(room);
      // The number of members may follow in another beat. Who loses a room now must see that it is another's.
      if (list.length > (known.sizes.get(room) ?? 0)) this.#resize(known, room, list.length);
      this.#rooms.named(room, list, node);
    }
    for (const [room, size] of sizes) this.#resize(known, room, size);
    for (const [room, number] of last) {
      const before = known.last.get(room);
      known.last.set(room, number);
      // A lower number: nobody followed the room for a moment, and the sequence has begun again.
      this.#compare(known, room, before, number, sentAt?.get(room));
    }
  }

  gone(node: string): void {
    const known = this.#nodes.get(node);
    if (!known) return;
    known.names.clear();
    for (const room of known.sizes.keys()) this.#resize(known, room, 0);
  }

  forgotten(node: string): void {
    this.#nodes.delete(node);
  }

  *numbered(): Iterable<string> {
    for (const [room, { sentAt }] of this.#numbers) if (sentAt > 0) yield room;
  }

  reported(event: BusEvent, reason: string): void {
    this.#rooms.reported(event, reason);
  }

  waiting(bytes: number): void {
    this.keeper.report(bytes);
  }

  drained(): void {
    this.#senders.wake();
  }

  #publish(room: string, time: number, count: number, bytes: Uint8Array): void {
    const { last, sentAt: timeBefore } = this.startOf(room);
    const first = last + 1;
    // If the bus is away its nodes miss this, which the next beat or batch tells them.
    this.#bus.publish({ node: this.node, room, first, count, time, timeBefore, bytes });
    // Only now: the bus may tell before the batch where the sequence is.
    this.#numbers.set(room, { last: first + count - 1, sentAt: time });
    this.#active.add(room);
    this.#beatWithin(beatMs);
  }

  /**
   * The node has sent everything up to `end`.
   *
   * @param last what was known to have come or to be lost. Undefined: nothing
   * @param sentAt when that with the number `end` was sent. 0 or absent: not known
   */
  #compare(known: Node, room: string, last: number | undefined, end: number, sentAt?: number): void {
    if (last === undefined) known.gaps.set(room, new Gaps());
    const [gaps, before] = [known.gaps.get(room), last ?? 0];
    if (gaps) gaps.add(before + 1, end, sentAt ?? 0);
    else if (end > before) this.#lost(room, end - before, sentAt);
  }

  /** @param sentAt when the last of them was sent. 0 or absent: not known */
  #lost(room: string, messages: number, sentAt?: number): void {
    this.#rooms.lost(room, { messages, until: sentAt || Number.POSITIVE_INFINITY });
  }

  #nodeOf(name: string): Node {
    let node = this.#nodes.get(name);
    if (!node) {
      node = { last: new Map(), gaps: new Map(), sizes: new Map(), names: new Map() };
      this.#nodes.set(name, node);
    }
    return node;
  }

  #resize({ sizes }: Node, room: string, size: number): void {
    const before = this.remoteSizeOf(room);
    const total = before + size - (sizes.get(room) ?? 0);
    if (size > 0) sizes.set(room, size);
    else sizes.delete(room);
    if (total > 0) this.#sizes.set(room, total);
    else this.#sizes.delete(room);
    if (before > 0 !== total > 0) this.#rooms.resized(room);
  }

  #beatWithin(ms: number): void {
    const at = this.#rooms.clock.now() + ms;
    // What handlers send when the last sessions end is delivered a turn later.
    if (this.#isClosed) return;
    if (this.#beat && this.#beat.at <= at) return;
    this.#beat?.timer.cancel();
    this.#beat = { timer: this.#rooms.clock.after(ms, () => this.#tell()), at };
  }

  #tell(): void {
    this.#beat = undefined;
    const [active, resized] = [this.#active, this.#resized];
    this.#active = new Set();
    this.#resized = new Set();
    const { last, sentAt } = this.#sentTo([...active]);
    const sizes = new Map([...resized].map((room) => [room, this.#rooms.sizeOf(room)]));
    this.#bus.beat({ node: this.node, last, sentAt, sizes, names: this.#namesIn(resized) });
  }

  /** What this node has sent last to these rooms, and when. */
  #sentTo(rooms: readonly string[]): Pick<BusBeat, 'last' | 'sentAt'> {
    const states = rooms.map((room) => [room, this.#numbers.get(room) ?? nothingSent] as const);
    return {
      last: new Map(states.map(([room, { last }]) => [room, last])),
      sentAt: new Map(states.map(([room, { sentAt }]) => [room, sentAt])),
    };
  }

  /** The names in these rooms, where there are some, or the others know of some. */
  #namesIn(rooms: ReadonlySet<string>): Map<string, readonly MemberName[]> {
    const changed = new Map<string, readonly MemberName[]>();
    for (const room of rooms) {
      const names = this.namesOf(room);
      if (names.length > 0) this.#named.add(room);
      else if (!this.#named.delete(room)) continue;
      changed.set(room, names);
    }
    return changed;
  }
}

function read(bytes: Uint8Array, count: number): RoomMessage[] | undefined {
  try {
    return unpackMessages(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), count);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined;
  }
}
