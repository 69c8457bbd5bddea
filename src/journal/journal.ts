/**
 * The contract of a journal: the durable, ordered record of messages.
 *
 * A server passes every message to the journal, and waits for it, before the handler receives the message. So a reply means
 * that its message is recorded. `sqlite.ts` implements the journal as one file.
 */
import type { YodelError } from '../errors.ts';
import type { Batch } from '../framing/message.ts';
import type { MessageKind } from '../framing/message-parts.ts';
import type { RoomStore, StoreOwner } from '../rooms/stored/store.ts';
import type { Journaled, SessionJournal } from '../session/journaling.ts';
import type { EndedBy, Subscriber } from '../telemetry/telemetry.ts';
import type { HistoryTotals } from './histories/checks.ts';

/**
 * What a reply guarantees.
 *
 * | Value    | A message is handled when                        | Answered messages that can be lost                         |
 * |----------|--------------------------------------------------|-----------------------------------------------------------|
 * | `full`   | it is on the disk (fsync)                        | none, unless the disk lies about it                        |
 * | `normal` | the operating system has it                      | the last moments before a power failure or kernel crash; none if only the server is killed |
 * | `off`    | the server is about to write it                  | the last moments, even if only the server is killed         |
 */
export type Durability = 'full' | 'normal' | 'off';

/** The direction of a message: `in` from the client to the server, `out` back. */
export type Direction = 'in' | 'out';

/** Selects messages. All given conditions must hold. */
export interface JournalQuery {
  /** The first sequence number. */
  readonly from?: number | undefined;
  /** The last sequence number, inclusive. */
  readonly to?: number | undefined;
  /** Recorded at this time or later; milliseconds since 1970. */
  readonly since?: number | undefined;
  /** Recorded before this time. */
  readonly until?: number | undefined;
  /** The number of the session in the journal. */
  readonly session?: number | undefined;
  /** The peer of the session: an address with or without a port. */
  readonly peer?: string | undefined;
  readonly direction?: Direction | undefined;
  /** Whether to continue with messages recorded from now on, until the caller ends the iteration or `signal` is aborted. */
  readonly follow?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A room is recorded as a session whose `peer` is this and the name of the room. Its messages are those that it was sent. */
export const roomPrefix = 'room:';

/** A recorded message. */
export interface Entry {
  /** From 1, in the order of recording, without gaps. */
  readonly sequence: number;
  /** When it was received or sent, in milliseconds since 1970, by the machine's clock, which may be set back. */
  readonly time: number;
  /** The same in milliseconds since the server started, by a monotonic clock. */
  readonly elapsed: number;
  readonly session: number;
  /** The number of the server run, from 1. */
  readonly run: number;
  readonly peer: string;
  readonly direction: Direction;
  /** The framing of its direction, as in {@link RecordedSession}. */
  readonly framing: string;
  /** The payload: the message without header, delimiter or length field. */
  readonly bytes: Uint8Array;
  /** Bytes outside the payload that carry meaning, such as a type or an id. Empty for most framings. */
  readonly header: Uint8Array;
  /** Of a WebSocket. Null for other messages. */
  readonly kind: MessageKind | null;
  /** The bytes that ended it, if not those that the framing itself writes; empty if the end of the input ended it. */
  readonly ending: Uint8Array | null;
  /** Whether only its first bytes were recorded. */
  readonly isTruncated: boolean;
  /**
   * How many members the room had that was sent it, including one that was excepted; `peer` is then the room, as {@link roomPrefix}
   * and its name. Null for other messages.
   */
  readonly members: number | null;
}

/** A recorded session. Its number is unique in the journal, over all runs of the server. */
export interface RecordedSession {
  readonly session: number;
  readonly peer: string;
  /** Where the server listened. */
  readonly local: string;
  /** The framing of what it received; `websocket` for a WebSocket. */
  readonly framing: string;
  /** The framing of what it sent. */
  readonly replyFraming: string;
  /** The name of both framings, such as `smtp`; null if they have none. */
  readonly protocol: string | null;
  /** When it started, in milliseconds since 1970. */
  readonly began: number;
  /** When it ended; null while it is open, or if the server was killed first. */
  readonly ended: number | null;
  /** Which side ended it first; null while it has not ended. */
  readonly endedBy: EndedBy | null;
  /** The code of the error that ended it, if any. */
  readonly error: string | null;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Sequence numbers of its first and last message. */
  readonly first: number;
  readonly last: number;
}

/** Statistics of a journal. */
export interface JournalStats {
  readonly messages: number;
  readonly sessions: number;
  /** Sequence numbers; 0 when it is empty. */
  readonly first: number;
  readonly last: number;
  /** When the first and last messages were recorded, in milliseconds since 1970; null when it is empty. */
  readonly from: number | null;
  readonly to: number | null;
  /** Bytes on the disk. */
  readonly size: number;
  /** Bytes of them in use. */
  readonly used: number;
  /** Messages deleted because of age or size. */
  readonly deleted: number;
  /** Replies not recorded because the disk was too slow or full. See the option `replies` of `openJournal()`. */
  readonly missed: number;
  /** The histories of rooms: see the option `storedMessages` and its like. They are no part of the other numbers. */
  readonly stored: HistoryTotals;
}

/** A journal opened for reading. */
export interface JournalReader {
  /** Messages in the order of recording. */
  read(query?: JournalQuery): AsyncIterable<Entry>;
  /** Sessions in the order of their first messages. */
  sessions(query?: Pick<JournalQuery, 'since' | 'until' | 'peer' | 'session'>): AsyncIterable<RecordedSession>;
  stats(): Promise<JournalStats>;
  close(): Promise<void>;
}

/** A journal that a server writes to. It can be read at the same time. */
export interface Journal extends SessionJournal, StoreOwner, JournalReader {
  readonly durability: Durability;
  /** See {@link SessionJournal}. */
  append(session: Journaled, batch: Batch): Promise<void>;
  readonly subscriber: Subscriber;
  /** The histories of rooms that a server with this journal stores: they are as durable as its messages. Servers call it. */
  openStore(): RoomStore;
  /** Bytes not written yet. */
  readonly pendingBytes: number;
  /** Whether messages are currently refused, because the last attempt to write found the disk full or the file locked. */
  readonly isRefusing: boolean;
  /** The reason why nothing can be recorded any longer; undefined while the journal works. */
  readonly failure: YodelError | undefined;
  /** Writes what is pending, and closes the file. */
  close(): Promise<void>;
}
