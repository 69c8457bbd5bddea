/** What rooms need of a session, and a session of its rooms. */

import type { YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import type { AnyJoinOptions, Recovery } from './joining.ts';
import type { Session } from './public-session.ts';
import type { Wire } from './wire.ts';

/** The rooms of a server, as its sessions see them. */
export interface SessionRooms {
  /** A promise only with a history. */
  join(participant: Participant, name: string, options?: AnyJoinOptions): Promise<Recovery> | undefined;
  leave(participant: Participant, name: string): boolean;
  /** The session sends no more. @param isGone whether nothing can be delivered any more */
  leaveAll(participant: Participant, isGone: boolean): void;
  /** The session's peer has read what it was sent. */
  peerRead(participant: Participant): void;
  namesOf(participant: Participant): ReadonlySet<string>;
  /** A session began. */
  opened(session: RoomSession): void;
}

/** A session that can be in rooms. */
export interface RoomSession extends Session {
  readonly participant: Participant;
}

/** A session, as rooms see it. */
export interface Participant {
  readonly session: Session;
  /** Its memberships, by the names of the rooms. Only `rooms/` reads and writes them. */
  readonly memberships: Map<string, unknown>;
  /** Those that are behind, in the order of their turns. Only `rooms/` reads it. */
  readonly behind: ReadonlySet<unknown>;
  /** How many rooms it has joined. */
  joined: number;
  /** What its frames look like; undefined if they depend on what was said before. */
  readonly wire: Wire | undefined;
  /** Whether it sends no more. */
  readonly hasEnded: boolean;
  /** Whether more than the high-water mark is pending. */
  readonly isBehind: boolean;
  /** Sends a message that needs no codec. See `Session.send`. */
  send(message: string | Uint8Array | Message): boolean | YodelError;
  /** Writes frames, which several sessions may share. Returns whether the operating system has taken them. */
  deliver(frames: Buffer, messages: number): boolean;
  /** Writes what was appended, which precedes what rooms have for it. */
  flush(): void;
  /** It missed messages: calls the handler's `missed`, before more is delivered. Returns false if the handler has none. */
  missed(room: string, messages: number): boolean;
  /** It has lost a room that it had joined alone: calls the handler's `taken`. Returns false if the handler has none. */
  taken(room: string): boolean;
  /** A membership is behind. If it was already, its next turn comes after those of the others. */
  fellBehind(membership: unknown): void;
  caughtUp(membership: unknown): void;
  /** Its messages are not handled until all holders have released it. */
  hold(holder: Holder): void;
  release(holder: Holder): void;
  /** The session is over, and waits for nobody. */
  releaseAll(): void;
}

/** What sessions wait for that send to a room. */
export interface Holder {
  release(participant: Participant): void;
}
