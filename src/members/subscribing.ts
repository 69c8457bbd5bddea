/** What programs say when they subscribe to a room, and what they receive. */
import type { Message } from '../framing/message.ts';

/** Options of {@link SharedRoom.subscribe}. */
export interface SubscribeOptions {
  /** First all stored messages after this position: those that were missed since it was received. Default: none. */
  readonly since?: string | undefined;
  /** First the last stored messages, at most this number; with `since`, only if it is not known what comes after it. Default: 0. */
  readonly history?: number | undefined;
  /** The name that {@link Room.names} has for it. Default: none. */
  readonly as?: string | undefined;
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A subscription: iterate over it. It is a member of the room from the beginning, also before the iteration, and until that ends.
 * What the program has not taken yet is at most `roomBuffer`: the history waits for it, and of the rest the newest messages are
 * missed, and counted. It goes on when the bus was away: what is stored is read from the history, and what was sent meanwhile is missed.
 */
export interface Subscription extends AsyncIterable<RoomEvent> {
  /**
   * Resolves when all that is sent from now on arrives. Rejects as the iteration does: with a YodelError, `YODEL_INVALID_POSITION`, or
   * `YODEL_BUS_UNAVAILABLE` if the history cannot be read although the bus is there.
   */
  readonly begun: Promise<void>;
  /** Where to continue after what the iteration has yielded: the position of the last stored message. Undefined: not known yet. */
  readonly position: string | undefined;
  /** Leaves the room. The iteration ends. */
  close(): void;
}

/** What comes from a room. */
export type RoomEvent =
  | {
      /** A message. */
      readonly message: Message;
      /** Its place in the history; undefined if it is not stored. */
      readonly position?: string;
      /** When it was stored, in milliseconds since 1970. */
      readonly time?: number;
      readonly missed?: undefined;
      readonly recovered?: undefined;
    }
  | {
      /**
       * How many messages are missing before the next one: the program was further behind than `roomBuffer`, they were lost on the way, or
       * they were removed from the history before they could be read.
       */
      readonly missed: number;
      readonly message?: undefined;
      readonly position?: undefined;
      readonly recovered?: undefined;
    }
  | {
      /** After the history, if one was asked for: whether nothing is missing after `since`. False without `since`. */
      readonly recovered: boolean;
      /** The position from which on everything comes. */
      readonly position: string;
      readonly message?: undefined;
      readonly missed?: undefined;
    };
