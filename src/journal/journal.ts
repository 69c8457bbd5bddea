/**
 * The contract of a journal: the durable, ordered record of messages.
 *
 * A server hands it every message before the handler gets it, and waits: so a reply means that its message is recorded.
 * `sqlite.ts` keeps it in one file; whatever keeps it elsewhere gives the same.
 */
import type { YodelError } from '../errors.ts';
import type { Batch } from '../framing/message.ts';
import type { Journaled, SessionJournal } from '../session/journaling.ts';
import type { EndedBy, Subscriber } from '../telemetry/telemetry.ts';

/**
 * What a reply means.
 *
 * | Word     | A message is handled when                        | What can be lost of what was answered                     |
 * |----------|--------------------------------------------------|-----------------------------------------------------------|
 * | `full`   | the disk has it (fsync)                          | nothing, as long as the disk tells the truth               |
 * | `normal` | the operating system has it                      | the last moments, when the machine loses its power or its kernel stops; nothing when only the server is killed |
 * | `off`    | the server has it, and is about to write it      | the last moments, also when only the server is killed      |
 */
export type Durability = 'full' | 'normal' | 'off';

/** Which way a message went: `in` from the client to the server, `out` back. */
export type Direction = 'in' | 'out';

/** Which messages are meant. All that is given must hold. */
export interface JournalQuery {
  /** From this sequence number on. */
  readonly from?: number | undefined;
  /** Up to this sequence number, which belongs to it. */
  readonly to?: number | undefined;
  /** Recorded at this time or later, in milliseconds since 1970. */
  readonly since?: number | undefined;
  /** Recorded before this time. */
  readonly until?: number | undefined;
  /** Of this session of the journal. */
  readonly session?: number | undefined;
  /** Of sessions with this peer: an address with a port, or without one. */
  readonly peer?: string | undefined;
  readonly direction?: Direction | undefined;
  /** Whether to go on with what is recorded from now on, until the iteration is left or `signal` ends it. */
  readonly follow?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One message, as it was recorded. */
export interface Entry {
  /** From 1, in the order in which messages were recorded, without gaps. */
  readonly sequence: number;
  /** When it was received or sent, in milliseconds since 1970, by the clock of the machine: which may be set back. */
  readonly time: number;
  /** The same in milliseconds since the server began, by a clock that only goes on. */
  readonly elapsed: number;
  readonly session: number;
  /** Which start of a server it was, from 1. */
  readonly run: number;
  readonly peer: string;
  readonly direction: Direction;
  /** As in {@link RecordedSession}. */
  readonly framing: string;
  /** The message, without delimiter or length field. */
  readonly bytes: Uint8Array;
  /** What is unusual about its frame: see `unusualShape()` in shape.ts. */
  readonly shape: Uint8Array | null;
  /** Whether bytes are missing at its end. */
  readonly isTruncated: boolean;
}

/** One conversation of the journal. Its number is one of the journal, over all runs of the server. */
export interface RecordedSession {
  readonly session: number;
  readonly peer: string;
  /** Where the server listened. */
  readonly local: string;
  /** The framing of its connection; `websocket` for those that keep messages apart by themselves. */
  readonly framing: string;
  /** When it began, in milliseconds since 1970. */
  readonly began: number;
  /** When it ended; null while it goes on, or when the server ended before it could say so. */
  readonly ended: number | null;
  /** Who was the first to end it; null as long as it has not ended. */
  readonly endedBy: EndedBy | null;
  /** Why it ended, when it was not as both sides wished: an error's code. */
  readonly error: string | null;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Sequence numbers of its first and last message. */
  readonly first: number;
  readonly last: number;
}

/** What a journal holds, in numbers. */
export interface JournalStats {
  readonly messages: number;
  readonly sessions: number;
  /** Sequence numbers; 0 when it is empty. */
  readonly first: number;
  readonly last: number;
  /** When the first and the last were recorded, in milliseconds since 1970; null when it is empty. */
  readonly from: number | null;
  readonly to: number | null;
  /** Bytes that it takes on the disk. */
  readonly size: number;
  /** Bytes of them that hold something. */
  readonly used: number;
  /** How many messages were deleted because of age or size. */
  readonly deleted: number;
  /** How many messages that were sent are missing, because there was no room for them: see `journalReplies`. */
  readonly missed: number;
}

/** A journal that can be read. */
export interface JournalReader {
  /** Messages in the order in which they were recorded. */
  read(query?: JournalQuery): AsyncIterable<Entry>;
  /** Sessions in the order of their first messages. */
  sessions(query?: Pick<JournalQuery, 'since' | 'until' | 'peer' | 'session'>): AsyncIterable<RecordedSession>;
  stats(): Promise<JournalStats>;
  close(): Promise<void>;
}

/** A journal that a server writes to, and that can be read meanwhile. */
export interface Journal extends SessionJournal, JournalReader {
  readonly durability: Durability;
  /** See {@link SessionJournal}. */
  append(session: Journaled, batch: Batch): Promise<void>;
  readonly subscriber: Subscriber;
  /** Bytes that wait for the disk. */
  readonly pendingBytes: number;
  /** Whether messages are refused at the moment: the last attempt to write found the disk full, or the file locked. */
  readonly isRefusing: boolean;
  /** Why nothing can be recorded any more; undefined as long as that has not happened. */
  readonly failure: YodelError | undefined;
  /** Writes what waits, and closes the file. */
  close(): Promise<void>;
}
