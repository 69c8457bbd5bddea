/** A room, as programs see it. */
import type { AnyCodec } from '../codec/codec.ts';
import { encodeValue } from '../codec/values.ts';
import { checkMessage } from '../framing/framing.ts';
import { isMessage, type Message } from '../framing/message.ts';
import type { HistoryOptions, RoomReach, StoredMessages } from '../session/joining.ts';
import type { Participant } from '../session/membership.ts';
import type { Room, RoomSendOptions, Session } from '../session/public-session.ts';
import type { LocalRoom, Membership } from './local-room.ts';
import { participantOf } from './member.ts';
import type { StoredRooms } from './stored/stored-rooms.ts';

/** The rooms of a server, as their handles see them. */
export interface HandledRooms {
  readonly stored: StoredRooms;
  readonly codec: AnyCodec | undefined;
  localRoom(name: string): LocalRoom | undefined;
  sizeOf(name: string): number;
  allNamesOf(name: string, limit: number): string[];
  send(name: string, message: string | Uint8Array | Message, options: RoomSendOptions): RoomReach;
  leave(participant: Participant, name: string): boolean;
}

/**
 * What a room is sent for a value or message.
 *
 * @throws YodelError `YODEL_UNENCODABLE_MESSAGE` if the codec cannot express the value
 * @throws TypeError without a codec, if it is no message
 */
export function payloadOf(codec: AnyCodec | undefined, message: unknown): string | Uint8Array | Message {
  const payload = codec ? encodeValue(codec, message) : message;
  if (!isMessage(payload)) checkMessage(payload);
  return payload as string | Uint8Array | Message;
}

/** Has nothing but a name, for a room exists only while it has members. */
export class RoomHandle implements Room {
  readonly name: string;
  readonly #rooms: HandledRooms;

  constructor(name: string, rooms: HandledRooms) {
    this.name = name;
    this.#rooms = rooms;
  }

  get size(): number {
    return this.#rooms.sizeOf(this.name);
  }

  get members(): readonly Session[] {
    return (this.#rooms.localRoom(this.name)?.participants ?? []).map(({ session }) => session);
  }

  names(limit = 100): string[] {
    return this.#rooms.allNamesOf(this.name, limit);
  }

  send(message: string | Uint8Array | Message, options: RoomSendOptions = {}): RoomReach {
    return this.#rooms.send(this.name, message, options);
  }

  async store(message: string | Uint8Array | Message): Promise<string> {
    return this.#rooms.stored.add(this.name, payloadOf(this.#rooms.codec, message));
  }

  async read(options: HistoryOptions): Promise<StoredMessages> {
    return this.#rooms.stored.read(this.name, options);
  }

  history(): readonly Message[] {
    return this.#rooms.localRoom(this.name)?.lastMessages ?? [];
  }

  evict(session?: Session): number {
    const room = this.#rooms.localRoom(this.name);
    const participant = session && participantOf(session);
    // The session of another server may be in a room of the same name.
    const member = participant?.memberships.get(this.name) as Membership | undefined;
    if (participant) return member?.room === room && this.#rooms.leave(participant, this.name) ? 1 : 0;
    const all = room?.participants ?? [];
    const evicted = session ? all.filter((one) => one.session.id === session.id) : all;
    for (const one of evicted) this.#rooms.leave(one, this.name);
    return evicted.length;
  }

  drained(): Promise<void> {
    return this.#rooms.localRoom(this.name)?.drained() ?? Promise.resolve();
  }
}
