/**
 * The contract of a store: it keeps the messages that rooms were told to store, each room's in one order for all processes, and passes
 * them on to all who follow the room.
 *
 * What a process stores in a room in one turn is a batch. A store numbers the messages of each room from 1 without gaps, and each
 * batch names the one before it, so that every reader can see whether two batches follow each other, even if the store has lost
 * data, was restored from a backup, or has begun again from 1.
 */

/** What one process stores in a room at once. */
export interface NewBatch {
  readonly room: string;
  /** Random: no other batch has it. 16 characters of `A-Z a-z 0-9 _ -`. */
  readonly id: string;
  /** The number of its messages, at least 1. */
  readonly count: number;
  /** When it was sent, in milliseconds since 1970. */
  readonly time: number;
  /** The messages; see `packed-messages.ts`. They are not changed until the batch is appended, or cannot be. */
  readonly bytes: Uint8Array;
}

/** A batch in a store. */
export interface StoredBatch extends NewBatch {
  /** The number of its first message in the history of the room, from 1. */
  readonly first: number;
  /** The batch before it; {@link beginning} if the history begins with it. */
  readonly previous: BatchName;
  /** Where the store has it, or a place before that. 0 in stores that find batches by the numbers of their messages. */
  readonly at: number;
}

/** Which batch of a room. */
export interface BatchName {
  readonly id: string;
  /** See {@link StoredBatch.at}. */
  readonly at: number;
}

/** A place in the history of a room: after one of its messages, or at its beginning. */
export interface Place extends BatchName {
  /** The number of the message. 0: before the first one. */
  readonly number: number;
}

/** Before the first message of a history. */
export const beginning: Place = { number: 0, id: '', at: 0 };

/** A part of the history of a room. */
export interface StoredRange {
  /** In order, without gaps between them unless messages are removed from the store meanwhile. */
  readonly batches: readonly StoredBatch[];
  /** The number of the last message in the store when it was read. 0: it has none. */
  readonly last: number;
}

/** How much a store keeps. Whatever exceeds it is removed, the oldest first, in whole batches. 0: not limited. */
export interface StoreLimits {
  /** How many messages of each room at least, unless age or bytes exceed their limits. */
  readonly storedMessages: number;
  /** In milliseconds. */
  readonly storedAge: number;
  /** Bytes of all rooms together, as the store counts them. */
  readonly storedBytes: number;
}

/** See the top of the file. */
export interface RoomStore {
  /** Whether it can be reached. If not, `append` and `read` reject at once. */
  readonly isReady: boolean;
  /** The longest batch, in bytes of messages. A message that is longer cannot be stored. */
  readonly maxBatch: number;
  /** Called once, before all else. */
  start(receiver: StoreReceiver): void;
  /**
   * Resolves when the store passes on what is stored in the rooms that this process follows so far: what is read later has all that
   * was stored before.
   *
   * @throws YodelError `YODEL_BUS_UNAVAILABLE`
   */
  followed(): Promise<void>;
  /**
   * Appends a batch to the history of its room. There is only one at a time for each room in this process. Resolves when the store
   * has taken it; {@link StoreReceiver.stored} is called before or after that.
   *
   * @param known the last place of the history, as far as this process knows: stores need not use it
   * @returns the place after its last message
   * @throws YodelError `YODEL_BUS_UNAVAILABLE` if it is not stored, or it is not known whether it is
   */
  append(batch: NewBatch, known: Place): Promise<Place>;
  /**
   * Reads a part of a history: about `maxBytes`, but at least one batch if there is one.
   *
   * @param from `after`: from the batch with that place's message on, or, if it is not there, the oldest one after it. The batch with
   *   the place does not count: at least one more follows it, if there is one, so that readers advance
   *   `newest`: the last batches, with at least that many messages, and always the last one. It is one read, also if they have more
   *   than `maxBytes`
   * @throws YodelError `YODEL_BUS_UNAVAILABLE`
   */
  read(
    room: string,
    from: { readonly after: Place } | { readonly newest: number },
    maxBytes: number,
  ): Promise<StoredRange>;
  /** Stops, after what is being appended is stored, or cannot be. */
  close(): Promise<void>;
}

/** What keeps histories besides other things: a journal. */
export interface StoreOwner {
  /** A store for one server. Servers that get theirs from the same owner have the same histories. */
  openStore?(): RoomStore;
}

/** Receives what is stored in rooms that this process follows. */
export interface StoreReceiver extends StoreLimits {
  /** In the order of the history, unless some are missing. Its bytes last. */
  stored(batch: StoredBatch): void;
  /** Batches may have been missed. It can be reached again. */
  resumed(): void;
  /** What the histories of all rooms take now, in bytes. Called only by stores that are a part of this process. */
  kept?(bytes: number): void;
}
