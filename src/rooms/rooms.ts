/**
 * The rooms of a server.
 *
 * ```
 * room.send ─▶ LocalRoom.pending ─(end of the turn)─▶ Segment: encoded once for each kind of connection
 *                                                        ├─▶ members that read: one write each, of the same bytes
 *                                                        └─▶ Ring, if members are behind: they continue from there
 * ```
 */
import type { Clock } from '../clock.ts';
import { YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import type { ServerLimits, SessionLimits } from '../options.ts';
import type { Room, RoomReach, RoomSendOptions, Session } from '../session/handler.ts';
import type { Participant, RoomSession, SessionRooms } from '../session/membership.ts';
import { RateLimit } from '../session/rate-limit.ts';
import { LocalRoom, type Member, type RoomContext } from './local-room.ts';
import { checkRoomName } from './name.ts';

/** The settings of the rooms of a server. */
export interface RoomsContext extends RoomContext {
  readonly clock: Clock;
  limits: ServerLimits;
  sessionLimits: Pick<SessionLimits, 'maxRoomsPerSession' | 'joinRate'>;
  readonly sessions: () => ReadonlySet<RoomSession>;
}

/** The room of all sessions. No other has this name: it is not valid. */
const everyone = '\0everyone';

/** See the top of the file. */
export class Rooms implements SessionRooms {
  readonly #context: RoomsContext;
  readonly #rooms = new Map<string, LocalRoom>();
  /** Rooms that were sent something in this turn. */
  readonly #sent = new Set<LocalRoom>();
  #isDeliveryDue = false;
  readonly #joins = new WeakMap<Participant, RateLimit>();

  constructor(context: RoomsContext) {
    this.#context = context;
  }

  /** Changes the limits. */
  reload(limits: ServerLimits, sessionLimits: SessionLimits): void {
    this.#context.limits = limits;
    this.#context.sessionLimits = sessionLimits;
  }

  /** @throws YodelError `YODEL_INVALID_ROOM` */
  room(name: string): Room {
    checkRoomName(name);
    return this.#handleOf(name);
  }

  /** Sends to all sessions. */
  broadcast(message: string | Uint8Array | Message, options: RoomSendOptions = {}): RoomReach {
    if (!this.#rooms.has(everyone)) {
      // From now on every session is a member: see `opened`.
      const room = this.#create(everyone);
      for (const { participant } of this.#context.sessions()) this.#add(room, participant);
    }
    return this.#send(everyone, message, options);
  }

  join(participant: Participant, name: string): void {
    checkRoomName(name);
    if (participant.hasEnded || participant.memberships.has(name)) return;
    this.#checkLimits(participant);
    const { telemetry } = this.#context;
    this.#add(this.#rooms.get(name) ?? this.#create(name), participant);
    participant.joined++;
    telemetry.counters.roomMembers++;
    if (telemetry.watched) telemetry.emit('roomJoined', participant.session, name);
  }

  leave(participant: Participant, name: string): boolean {
    const member = participant.memberships.get(name) as Member | undefined;
    if (!member || name === everyone) return false;
    this.#remove(member, false);
    return true;
  }

  leaveAll({ memberships }: Participant, isGone: boolean): void {
    for (const member of memberships.values()) this.#remove(member as Member, isGone);
  }

  peerRead({ memberships }: Participant): void {
    for (const member of memberships.values()) (member as Member).room.catchUp(member as Member);
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

  #checkLimits(participant: Participant): void {
    const { sessionLimits, clock } = this.#context;
    const { maxRoomsPerSession, joinRate } = sessionLimits;
    if (maxRoomsPerSession > 0 && this.namesOf(participant).size >= maxRoomsPerSession) {
      const text = `this connection is in ${maxRoomsPerSession} rooms, and cannot join another`;
      throw new YodelError('YODEL_TOO_MANY_ROOMS', text);
    }
    if (joinRate === 0) return;
    let rate = this.#joins.get(participant);
    if (!rate) {
      rate = new RateLimit(joinRate, Math.max(1, joinRate), clock.now());
      this.#joins.set(participant, rate);
    }
    if (rate.admit(1, clock.now()) === 0)
      throw new YodelError('YODEL_JOIN_RATE', `this connection joins more than ${joinRate} rooms per second`);
  }

  /** @throws YodelError `YODEL_TOO_MANY_ROOMS` */
  #create(name: string): LocalRoom {
    const { limits, telemetry } = this.#context;
    if (limits.maxRooms > 0 && this.#rooms.size >= limits.maxRooms)
      throw new YodelError('YODEL_TOO_MANY_ROOMS', `the server has ${limits.maxRooms} rooms, and takes no more`);
    const room = new LocalRoom(name, this.#context);
    this.#rooms.set(name, room);
    if (name !== everyone) telemetry.counters.rooms++;
    return room;
  }

  #add(room: LocalRoom, participant: Participant): void {
    participant.memberships.set(room.name, room.add(participant));
  }

  #remove(member: Member, isGone: boolean): void {
    const { participant, room } = member;
    const { telemetry } = this.#context;
    participant.memberships.delete(room.name);
    room.remove(member, isGone);
    if (room.name === everyone) return;
    telemetry.counters.roomMembers--;
    if (telemetry.watched) telemetry.emit('roomLeft', participant.session, room.name);
    this.#dropIfEmpty(room);
  }

  #dropIfEmpty(room: LocalRoom): void {
    if (room.size > 0 || room.name === everyone || this.#sent.has(room)) return;
    this.#rooms.delete(room.name);
    this.#context.telemetry.counters.rooms--;
  }

  #send(name: string, message: string | Uint8Array | Message, options: RoomSendOptions): RoomReach {
    const room = this.#rooms.get(name);
    this.#context.telemetry.counters.roomMessages++;
    if (!room) return 'all';
    room.send(message, options);
    this.#sent.add(room);
    if (this.#isDeliveryDue) return 'all';
    this.#isDeliveryDue = true;
    this.#context.clock.soon(() => this.#deliver());
    return 'all';
  }

  #deliver(): void {
    this.#isDeliveryDue = false;
    const { telemetry } = this.#context;
    for (const room of this.#sent) {
      this.#sent.delete(room);
      if (telemetry.watched) telemetry.emit('published', publicName(room), room.pending, room.size);
      room.deliver();
      this.#dropIfEmpty(room);
    }
  }

  #handleOf(name: string): Room {
    const room = () => this.#rooms.get(name);
    return {
      name,
      get size() {
        const found = room();
        return found ? found.size + found.remoteSize : 0;
      },
      get members() {
        return (room()?.participants ?? []).map(({ session }) => session);
      },
      send: (message, options = {}) => this.#send(name, message, options),
      history: () => room()?.lastMessages ?? [],
      evict: (session) => this.#evict(name, session),
      drained: () => room()?.drained() ?? Promise.resolve(),
    };
  }

  #evict(name: string, session: Session | undefined): number {
    const all = this.#rooms.get(name)?.participants ?? [];
    const evicted = session ? all.filter((one) => one.session === session) : all;
    for (const participant of evicted) this.leave(participant, name);
    return evicted.length;
  }
}

/** The room of all sessions has no name. */
function publicName({ name }: LocalRoom): string {
  return name === everyone ? '' : name;
}
