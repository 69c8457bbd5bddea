/**
 * The rooms of a server.
 *
 * ```
 * room.send ─▶ LocalRoom.pending ─(end of the turn)─▶ Segment: encoded once for each kind of connection
 *                                                        ├─▶ members that read: one write each, of the same bytes
 *                                                        └─▶ Ring, if members are behind: they continue from there
 * ```
 */

import type { AnyCodec } from '../codec/codec.ts';
import { YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import { checkShapes } from '../option-shapes.ts';
import type { AnyJoinOptions, HistoryOptions, JoinOptions, Recovery, RoomReach } from '../session/joining.ts';
import type { Participant, RoomSession, SessionRooms } from '../session/membership.ts';
import type { Room, RoomSendOptions } from '../session/public-session.ts';
import type { BusEvent } from '../telemetry/telemetry.ts';
import type { Loss } from './behind/ring.ts';
import { Bridge } from './bridge.ts';
import type { MemberName } from './bus.ts';
import type { RoomsContext } from './context.ts';
import { Deliveries } from './deliveries.ts';
import { payloadOf, RoomHandle } from './handle.ts';
import { Histories } from './history.ts';
import { JoinLimits } from './join-limits.ts';
import { LocalRoom, type Membership } from './local-room.ts';
import { canReceive, participantOf } from './member.ts';
import { checkMemberName, checkRoomName, everyone, publicNameOf } from './name.ts';
import { Presence } from './presence.ts';
import type { RoomMessage } from './segment.ts';
import { StoredRooms, type StoringRooms } from './stored/stored-rooms.ts';

/**
 * How many segments a session receives at a time when its peer has read something. They have up to 64 KiB, so that a peer that
 * reads fast keeps the others waiting for a millisecond or two at most.
 */
const segmentsAtOnce = 16;

/** See the top of the file. */
export class Rooms implements SessionRooms {
  readonly #context: RoomsContext;
  readonly #rooms = new Map<string, LocalRoom>();
  readonly #deliveries: Deliveries;
  readonly #histories: Histories;
  readonly #presence = new Presence();
  readonly #joins: JoinLimits;
  readonly #bridge: Bridge | undefined;
  readonly #stored: StoredRooms | undefined;

  constructor(context: RoomsContext) {
    this.#context = context;
    this.#joins = new JoinLimits(context.clock);
    this.#deliveries = new Deliveries(context.clock, {
      deliver: (room) => this.#deliver(room),
      delivered: (room) => this.#dropIfEmpty(room),
      continue: (participant) => this.peerRead(participant),
    });
    this.#histories = new Histories(context.telemetry.counters);
    context.telemetry.counters.bus = context.bus?.counters;
    this.#bridge = context.bus && new Bridge(context.bus, this.#bridged());
    this.#stored = context.store && new StoredRooms(context.store, this.#storing(context));
  }

  /** Connects with the other processes, if there are any. */
  async start(): Promise<void> {
    await this.#bridge?.start();
    this.#bridge?.follow(everyone);
  }

  async close(): Promise<void> {
    // What handlers have sent as the last sessions ended.
    this.#deliveries.now();
    await this.#stored?.close();
    await this.#bridge?.close();
  }

  /** Changes the limits. */
  reload({ limits, ...changes }: Pick<RoomsContext, 'limits' | 'sessionLimits' | 'handler' | 'codec'>): void {
    Object.assign(this.#context, { limits, ...changes });
    this.#histories.shrink(limits.maxHistoryBytes);
  }

  get codec(): AnyCodec | undefined {
    return this.#context.codec;
  }

  /** The room in this process, if it is there. */
  localRoom(name: string): LocalRoom | undefined {
    return this.#rooms.get(name);
  }

  /** @throws YodelError `YODEL_INVALID_ROOM` */
  room(name: string): Room {
    checkRoomName(name);
    return new RoomHandle(name, this);
  }

  /** Sends to all sessions. */
  broadcast(message: string | Uint8Array | Message, options: RoomSendOptions = {}): RoomReach {
    this.#everyone();
    return this.send(everyone, message, options);
  }

  join(participant: Participant, name: string, options: AnyJoinOptions = {}): Promise<Recovery> | undefined {
    checkShapes(options, { as: 'text', alone: 'boolean', since: 'other', history: 'other' }, 'join()');
    if (options.since !== undefined || options.history !== undefined)
      return this.#joinFrom(participant, name, options as HistoryOptions & JoinOptions);
    this.#joinNow(participant, name, options);
  }

  /** It receives the history first. */
  async #joinFrom(participant: Participant, name: string, options: HistoryOptions & JoinOptions): Promise<Recovery> {
    checkRoomName(name);
    this.leave(participant, name);
    return this.stored.join(participant, name, options, () => this.#joinNow(participant, name, options));
  }

  #joinNow(participant: Participant, name: string, { as, alone = false }: JoinOptions): void {
    checkRoomName(name);
    if (as !== undefined) checkMemberName(as);
    if (participant.hasEnded) return;
    this.#stored?.cancel(participant, name);
    const isMember = participant.memberships.has(name);
    if (!isMember) this.#join(participant, name, alone);
    if (as === undefined && (isMember || !alone)) return;
    this.#presence.set(name, participant, as ?? '', alone);
    this.#bridge?.resized(name, alone);
  }

  #join(participant: Participant, name: string, isAlone: boolean): void {
    if (isAlone && this.sizeOf(name) > 0)
      throw new YodelError('YODEL_ROOM_TAKEN', `room ${JSON.stringify(name)} has another member`);
    this.#joins.check(participant, this.#context.sessionLimits);
    const { telemetry } = this.#context;
    const room = this.#rooms.get(name) ?? this.#createWithin(name);
    if (isAlone) room.keepNoHistory();
    this.#add(room, participant);
    participant.joined++;
    telemetry.counters.roomMembers++;
    if (telemetry.watched) telemetry.emit('roomJoined', participant.session, name);
  }

  leave(participant: Participant, name: string): boolean {
    this.#stored?.cancel(participant, name);
    const member = participant.memberships.get(name) as Membership | undefined;
    if (!member || name === everyone) return false;
    this.#remove(member, false);
    return true;
  }

  leaveAll(participant: Participant, isGone: boolean): void {
    this.#stored?.cancelAll(participant);
    for (const member of participant.memberships.values()) this.#remove(member as Membership, isGone);
    participant.releaseAll();
  }

  /** Its rooms take turns, each with one segment, so that a busy one delays the others only by that. */
  peerRead(participant: Participant): void {
    if (this.#deliveries.isDelivering) return this.#deliveries.continueSoon(participant);
    for (let segments = 0; ; segments++) {
      const [member] = participant.behind as ReadonlySet<Membership>;
      if (!member || !canReceive(participant)) return;
      if (segments === segmentsAtOnce) return this.#deliveries.continueSoon(participant);
      participant.fellBehind(member);
      member.room.continue(member);
    }
  }

  namesOf({ memberships }: Participant): ReadonlySet<string> {
    const names = new Set(memberships.keys());
    names.delete(everyone);
    return names;
  }

  opened(session: RoomSession): void {
    const room = this.#rooms.get(everyone);
    if (room) this.#add(room, session.participant);
  }

  /** @throws YodelError `YODEL_TOO_MANY_ROOMS` */
  #createWithin(name: string): LocalRoom {
    const { maxRooms } = this.#context.limits;
    if (maxRooms > 0 && this.#rooms.size >= maxRooms)
      throw new YodelError('YODEL_TOO_MANY_ROOMS', `the server has ${maxRooms} rooms, and takes no more`);
    return this.#create(name);
  }

  /** The room of all sessions. Once it exists, every session is a member: see `opened`. */
  #everyone(): LocalRoom {
    let room = this.#rooms.get(everyone);
    if (room) return room;
    room = this.#create(everyone);
    for (const { participant } of this.#context.sessions()) this.#add(room, participant);
    return room;
  }

  #create(name: string): LocalRoom {
    const { telemetry } = this.#context;
    const room = new LocalRoom(name, this.#context, name === everyone ? undefined : this.#histories);
    this.#rooms.set(name, room);
    if (name !== everyone) telemetry.counters.rooms++;
    return room;
  }

  #add(room: LocalRoom, participant: Participant): void {
    participant.memberships.set(room.name, room.add(participant));
    if (!this.#bridge || room.name === everyone) return;
    this.#follow(room);
    this.#bridge.resized(room.name);
  }

  /**
   * Follows a room, or no longer: while it has members here, or, with a history, members anywhere. So those who will join here see
   * what was said elsewhere.
   */
  #follow(room: LocalRoom): void {
    if (!this.#bridge || !this.#isCurrent(room)) return;
    const follows = room.size > 0 || room.waiting > 0 || this.#keepsHistoryOf(room.name);
    if (follows === room.isFollowed) return;
    room.isFollowed = follows;
    if (follows) return this.#bridge.follow(room.name);
    this.#bridge.unfollow(room.name);
    this.#stored?.unfollowed(room.name);
  }

  #keepsHistoryOf(name: string): boolean {
    const bridge = this.#bridge;
    return !!bridge && this.#context.limits.roomHistory > 0 && bridge.remoteSizeOf(name) > 0 && !bridge.isTaken(name);
  }

  /** A room has got its first member in other processes, or has lost the last one there. */
  #resizedElsewhere(name: string): void {
    const { maxRooms } = this.#context.limits;
    const hasSpace = maxRooms === 0 || this.#rooms.size < maxRooms;
    const room = this.#rooms.get(name) ?? (hasSpace && this.#keepsHistoryOf(name) ? this.#create(name) : undefined);
    if (!room) return;
    this.#follow(room);
    this.#dropIfEmpty(room);
  }

  #remove(member: Membership, isGone: boolean): void {
    const { participant, room } = member;
    const { telemetry } = this.#context;
    participant.memberships.delete(room.name);
    room.remove(member, isGone);
    if (room.name === everyone) return;
    const wasAlone = this.#presence.delete(room.name, participant);
    telemetry.counters.roomMembers--;
    if (telemetry.watched) telemetry.emit('roomLeft', participant.session, room.name);
    this.#follow(room);
    this.#bridge?.resized(room.name, wasAlone);
    this.#dropIfEmpty(room);
  }

  #dropIfEmpty(room: LocalRoom): void {
    const isNeeded =
      room.size > 0 || room.waiting > 0 || room.isFollowed || room.name === everyone || this.#deliveries.has(room);
    if (isNeeded || !this.#isCurrent(room)) return;
    this.#rooms.delete(room.name);
    this.#stored?.unfollowed(room.name);
    room.close();
    this.#context.telemetry.counters.rooms--;
  }

  /** Whether it is not dropped: there may be another one of the same name meanwhile. */
  #isCurrent(room: LocalRoom): boolean {
    return this.#rooms.get(room.name) === room;
  }

  /** See `Room.send`. */
  send(name: string, value: string | Uint8Array | Message, options: RoomSendOptions): RoomReach {
    const message = payloadOf(this.codec, value);
    this.#context.telemetry.counters.roomMessages++;
    const bridge = this.#bridge;
    const room = this.#rooms.get(name) ?? (bridge?.isFollowed(name) ? this.#create(name) : undefined);
    if (room) {
      room.send(message, options);
      this.#deliveries.add(room);
    }
    if (!bridge) return 'all';
    // Whatever `roomBehind` says: what one sends too fast for the other processes would be at the expense of all other rooms.
    const sender = bridge.state === 'full' && options.from && participantOf(options.from);
    if (sender) bridge.hold(sender);
    return bridge.state === 'away' ? 'local' : 'all';
  }

  /** What the bridge of these rooms sees of them. */
  #bridged() {
    const context = this.#context;
    const roomOf = (name: string) => (name === everyone ? this.#everyone() : this.#rooms.get(name));
    return {
      clock: context.clock,
      get busBuffer() {
        return context.limits.busBuffer;
      },
      memoryLimit: context.memoryLimit,
      publishesAlways: context.publishesAlways,
      sizeOf: (name: string) => this.#rooms.get(name)?.size ?? 0,
      resized: (name: string) => this.#resizedElsewhere(name),
      namesOf: (name: string) => this.#presence.namesIn(name),
      named: (name: string, names: readonly MemberName[], node: string) => this.#named(name, names, node),
      received: (name: string, messages: readonly RoomMessage[]) => this.#receive(roomOf(name), messages),
      lost: (name: string, loss: Loss) => this.#lost(roomOf(name), loss),
      reported: (event: BusEvent, reason: string) => this.#reported(event, reason),
    };
  }

  /** What the histories of these rooms see of them. */
  #storing({ clock, memoryLimit, telemetry }: RoomsContext): StoringRooms {
    const context = this.#context;
    return {
      clock,
      memoryLimit,
      get limits() {
        return context.limits;
      },
      get handler() {
        return context.handler;
      },
      isFollowed: (name) => this.#rooms.has(name),
      keep: (name) => {
        const room = this.#rooms.get(name) ?? this.#createWithin(name);
        room.waiting++;
        this.#follow(room);
      },
      release: (name) => {
        const room = this.#rooms.get(name) as LocalRoom;
        room.waiting--;
        this.#follow(room);
        this.#dropIfEmpty(room);
      },
      received: (name, messages) => this.#receive(this.#rooms.get(name), messages),
      lost: (name, loss) => this.#lost(this.#rooms.get(name), loss),
      counters: telemetry.counters,
      unreadable: (name, reason) => this.#reported('refused', `the history of room ${JSON.stringify(name)}: ${reason}`),
    };
  }

  #receive(room: LocalRoom | undefined, messages: readonly RoomMessage[]): void {
    if (!room) return;
    room.receive(messages);
    this.#deliveries.add(room);
  }

  #reported(event: BusEvent, reason: string): void {
    const { telemetry } = this.#context;
    if (telemetry.watched) telemetry.emit('bus', event, reason);
  }

  /** The histories. @throws YodelError `YODEL_BUS_UNAVAILABLE` if there are none */
  get stored(): StoredRooms {
    if (this.#stored) return this.#stored;
    throw new YodelError(
      'YODEL_BUS_UNAVAILABLE',
      'rooms of several processes store messages only with a bus: NATS or Redis',
    );
  }

  /** Another process has members in a room. One of this process that had joined it alone, but later, loses it. */
  #named(name: string, names: readonly MemberName[], node: string): void {
    const beaten = this.#presence.beaten(name, names, node < (this.#bridge as Bridge).node);
    if (!beaten) return;
    this.leave(beaten, name);
    if (beaten.taken(name)) return;
    const text = `room ${JSON.stringify(name)} has a member that was there before`;
    beaten.session.close(new YodelError('YODEL_ROOM_TAKEN', text));
  }

  /** The number of members in all processes. */
  sizeOf(name: string): number {
    return (this.#rooms.get(name)?.size ?? 0) + (this.#bridge?.remoteSizeOf(name) ?? 0);
  }

  /** The names of members in all processes. */
  allNamesOf(name: string, limit: number): string[] {
    const own = this.#presence.namesIn(name, limit);
    const all = this.#bridge?.namesWith(name, own) ?? own;
    return all.flatMap((member) => member.name || []).slice(0, limit);
  }

  #lost(room: LocalRoom | undefined, loss: Loss): void {
    if (!room) return;
    const { telemetry } = this.#context;
    telemetry.counters.roomMessagesLost += loss.messages;
    if (telemetry.watched) telemetry.emit('roomLost', publicNameOf(room.name), loss.messages, room.size);
    // What was sent before arrives first.
    if (room.hasPending) this.#deliveries.deliver(room);
    room.lost(loss);
  }

  #deliver(room: LocalRoom): void {
    const { telemetry } = this.#context;
    room.deliver((messages) => {
      if (telemetry.watched) telemetry.emit('published', publicNameOf(room.name), messages, room.size);
      this.#bridge?.publish(room.name, messages);
    });
  }
}
