/** How sessions join rooms, and what they receive of their histories. */
import type { Message } from '../framing/message.ts';

/** How to join a room. */
export interface JoinOptions {
  /** The name that {@link Room.names} has for the member, of 1 to 128 bytes without control characters. Default: none. */
  readonly as?: string | undefined;
  /**
   * Joins only if the room has no member, in any process of the server: for what only one may have, such as a nickname or the
   * number of a device. All who join such a room say so. If sessions of several processes join within a moment, before these
   * have told each other, the first one keeps the room, and the others lose it: see {@link HandlerCallbacks.taken}. Such a room has
   * no history. Default: no.
   */
  readonly alone?: boolean | undefined;
}

/** Which stored messages of a room to receive. Either of them. */
export type HistoryOptions =
  | {
      /** All after this position: those that a client has missed since it has received this one. */
      readonly since: string;
      /** The last messages instead, at most this number, if it is not known what comes after the position. Default: none. */
      readonly history?: number | undefined;
    }
  | {
      readonly since?: undefined;
      /** The last messages, at most this number, and of a broker at most about 8 MiB. */
      readonly history: number;
    };

/** All options of `Session.join`. */
export interface AnyJoinOptions extends JoinOptions {
  readonly since?: string | undefined;
  readonly history?: number | undefined;
}

/** What came of {@link HistoryOptions}. */
export interface Recovery {
  /**
   * Whether nothing is missing after the position `since`. False if messages after it are removed already, because of their age or
   * number; if the store has lost its data; if the session has left, or ended, before it became a member; and without `since`.
   */
  readonly recovered: boolean;
  /** How many messages of the history there were. */
  readonly messages: number;
  /** The position after the last one of them. */
  readonly position: string;
}

/** A message in the history of a room. */
export interface StoredMessage {
  readonly message: Message;
  /** The place of this message in the history. */
  readonly position: string;
  /** When it was stored, in milliseconds since 1970, by the clock of the machine that did. */
  readonly time: number;
}

/** A part of the history of a room. */
export interface StoredMessages extends Pick<Recovery, 'recovered' | 'position'> {
  /** The oldest first. */
  readonly messages: readonly StoredMessage[];
  /** Whether there are more after these. */
  readonly hasMore: boolean;
}

/** Whom a message reaches; see {@link Room.send}. */
export type RoomReach = 'all' | 'local';

/** What a client asks for; see {@link HandlerCallbacks.authorize}. */
export type RoomAction = 'join' | 'send' | 'history';
