/**
 * The histories of rooms in this process: what is stored, and who receives it.
 *
 * ```
 * room.store ─▶ Appends ─ batches ─▶ RoomStore ─ stored ─▶ Feed, one per room ─▶ LocalRoom ─▶ members
 * session.join with a history ─▶ CatchUp ─ reads pages, then continues with the feed ─▶ member
 * ```
 */
import type { Clock } from '../../clock.ts';
import { isMessage, Message } from '../../framing/message.ts';
import type { HandlerCallbacks } from '../../session/handler.ts';
import type { HistoryOptions, Recovery, StoredMessage, StoredMessages } from '../../session/joining.ts';
import type { Participant } from '../../session/membership.ts';
import type { MemoryLimit } from '../../session/memory-limit.ts';
import { Slots } from '../../slots.ts';
import type { Counters } from '../../telemetry/telemetry.ts';
import type { Loss } from '../behind/ring.ts';
import { BusMemory } from '../bus-memory.ts';
import { unpackMessages } from '../packed-messages.ts';
import type { RoomMessage } from '../segment.ts';
import { Appends } from './appends.ts';
import { CatchUp, type Recipient } from './catch-up.ts';
import { continueAt, endOfAll, newestOf } from './chain.ts';
import { Feed } from './feed.ts';
import { checkHistoryCount } from './history-count.ts';
import { placeOf, positionOf } from './position.ts';
import {
  beginning,
  type Place,
  type RoomStore,
  type StoredBatch,
  type StoreLimits,
  type StoreReceiver,
} from './store.ts';

/** The rooms of this process, as their histories see them. */
export interface StoringRooms {
  readonly clock: Clock;
  readonly memoryLimit: MemoryLimit;
  readonly limits: StoreLimits & { readonly busBuffer: number };
  /** What the handler makes of stored messages. */
  readonly handler: Pick<HandlerCallbacks, 'stored'>;
  /** Whether this process follows the room. */
  isFollowed(room: string): boolean;
  /** Follows a room, or no longer, though it has no members here yet. */
  keep(room: string): void;
  release(room: string): void;
  received(room: string, messages: readonly RoomMessage[]): void;
  lost(room: string, loss: Loss): void;
  readonly counters: Pick<Counters, 'roomMessagesStored' | 'roomStoredBytes'>;
  /** A history has something that cannot be read, or that the handler cannot show. */
  unreadable(room: string, reason: string): void;
}

/** How many pages of histories are read at a time, for those who join. Each may be sent to one that reads slowly. */
const readers = 16;
/** How much {@link StoredRooms.read} returns, in bytes. */
const readSize = 262_144;

/** See the top of the file. */
export class StoredRooms implements StoreReceiver {
  readonly store: RoomStore;
  readonly #rooms: StoringRooms;
  readonly #appends: Appends;
  readonly #feeds = new Map<string, Feed>();
  /** Who is catching up, by room. */
  readonly #joining = new Map<Participant, Map<string, Joining>>();
  readonly #readers = new Slots(readers);

  constructor(store: RoomStore, rooms: StoringRooms) {
    this.store = store;
    this.#rooms = rooms;
    const memory = new BusMemory(rooms.memoryLimit);
    this.#appends = new Appends({
      store,
      clock: rooms.clock,
      get busBuffer() {
        return rooms.limits.busBuffer;
      },
      waiting: (bytes) => memory.report(bytes),
      lastOf: (room) => this.#feeds.get(room)?.last,
      stored: (messages) => {
        rooms.counters.roomMessagesStored += messages;
      },
    });
    store.start(this);
  }

  get storedMessages(): number {
    return this.#rooms.limits.storedMessages;
  }

  get storedAge(): number {
    return this.#rooms.limits.storedAge;
  }

  get storedBytes(): number {
    return this.#rooms.limits.storedBytes;
  }

  async close(): Promise<void> {
    await this.#appends.close();
    for (const room of [...this.#feeds.keys()]) this.unfollowed(room);
    await this.store.close();
  }

  /** Stores a message. Resolves to its position. @throws YodelError as `Room.store` */
  add(room: string, message: string | Uint8Array | Message): Promise<string> {
    return this.#appends.add(room, message);
  }

  /** @throws YodelError as `Room.read` */
  async read(room: string, { since, history = 0 }: HistoryOptions): Promise<StoredMessages> {
    checkHistoryCount(history);
    if (since !== undefined) {
      const place = placeOf(since);
      const range = await this.store.read(room, { after: place }, readSize);
      const next = continueAt(place, range);
      if (next.isIntact) return this.#partOf(next, place, { recovered: true, hasMore: !next.isComplete });
    }
    const { batches } = await this.store.read(room, { newest: history }, readSize);
    const newest = history > 0 ? newestOf(batches, history) : { batches: [], seen: 0 };
    return this.#partOf(newest, endOfAll(batches, beginning), { recovered: false, hasMore: false });
  }

  /**
   * A session receives the history of a room, and then becomes a member. A call for the same room, or {@link cancel}, ends an earlier one.
   *
   * @param arrived makes it a member
   * @throws YodelError as `Session.join`
   */
  async join(
    participant: Participant,
    room: string,
    { since, history = 0 }: HistoryOptions,
    arrived: () => void,
  ): Promise<Recovery> {
    checkHistoryCount(history);
    const wanted = { since: since === undefined ? undefined : placeOf(since), history };
    this.cancel(participant, room);
    const joining = new Joining(participant, (batch, seen) => this.#send(participant, batch, seen), arrived);
    const rooms = this.#joining.get(participant) ?? new Map<string, Joining>();
    this.#joining.set(participant, rooms.set(room, joining));
    this.#rooms.keep(room);
    try {
      await this.store.followed();
      return await new CatchUp(this.#feedOf(room), this.#readInTurn, joining, wanted).run();
    } finally {
      if (rooms.get(room) === joining) rooms.delete(room);
      if (rooms.size === 0) this.#joining.delete(participant);
      this.#rooms.release(room);
    }
  }

  /** A session has left, or has become a member otherwise: it is sent no history any more. */
  cancel(participant: Participant, room: string): void {
    this.#joining.get(participant)?.get(room)?.cancel();
  }

  /** A session leaves all rooms. */
  cancelAll(participant: Participant): void {
    for (const joining of this.#joining.get(participant)?.values() ?? []) joining.cancel();
  }

  /** The room is not followed any more. */
  unfollowed(room: string): void {
    this.#feeds.get(room)?.close();
    this.#feeds.delete(room);
  }

  // The store calls these.

  stored(batch: StoredBatch): void {
    if (this.#rooms.isFollowed(batch.room)) this.#feedOf(batch.room).arrived(batch);
  }

  kept(bytes: number): void {
    this.#rooms.counters.roomStoredBytes = bytes;
  }

  resumed(): void {
    for (const feed of this.#feeds.values()) feed.read();
  }

  #feedOf(room: string): Feed {
    let feed = this.#feeds.get(room);
    if (!feed) {
      const { clock } = this.#rooms;
      feed = new Feed(room, {
        store: this.store,
        clock,
        passed: (batch, seen) => this.#passed(batch, seen),
        lost: (name, messages, until) => this.#rooms.lost(name, { messages, until }),
      });
      this.#feeds.set(room, feed);
    }
    return feed;
  }

  #passed(batch: StoredBatch, seen: number): void {
    const messages = this.#shown(batch, seen);
    this.#rooms.received(batch.room, messages);
    const lost = batch.count - seen - messages.length;
    if (lost > 0) this.#rooms.lost(batch.room, { messages: lost, until: batch.time });
  }

  #send(participant: Participant, batch: StoredBatch, seen: number): number {
    const messages = this.#shown(batch, seen);
    for (const { message } of messages) {
      const sent = participant.send(message);
      if (typeof sent === 'object') participant.session.undelivered(sent);
    }
    return messages.length;
  }

  /** What members receive of a batch. */
  #shown(batch: StoredBatch, seen: number): readonly RoomMessage[] {
    const messages = this.#unpack(batch);
    if (!this.#rooms.handler.stored) return seen > 0 ? messages.slice(seen) : messages;
    return messages.flatMap((message, index) => (index < seen ? [] : this.#show(batch, index, message)));
  }

  #show(batch: StoredBatch, index: number, message: RoomMessage): RoomMessage | readonly [] {
    try {
      const shown = this.#rooms.handler.stored?.(storedMessage(batch, index, message), batch.room);
      return shown === undefined ? message : { ...message, message: shown, size: sizeOf(shown) };
    } catch (error) {
      this.#rooms.unreadable(batch.room, `the handler's "stored" has thrown ${(error as Error)?.stack ?? error}`);
      return [];
    }
  }

  /** Anyone with write access to the store can put anything there. */
  #unpack(batch: StoredBatch): readonly RoomMessage[] {
    const { bytes, count, room } = batch;
    try {
      return unpackMessages(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), count);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#rooms.unreadable(room, error.message);
      return [];
    }
  }

  #partOf(
    { batches, seen }: { readonly batches: readonly StoredBatch[]; readonly seen: number },
    start: Place,
    rest: Pick<StoredMessages, 'recovered' | 'hasMore'>,
  ): StoredMessages {
    const messages = batches.flatMap((batch, index) => {
      const all = this.#unpack(batch).map((message, at) => storedMessage(batch, at, message));
      return index === 0 ? all.slice(seen) : all;
    });
    return { messages, position: positionOf(endOfAll(batches, start)), ...rest };
  }

  /** Reads a page once one of the readers is free. */
  readonly #readInTurn: RoomStore['read'] = (...request) => this.#readers.run(() => this.store.read(...request));
}

/** A session that is sent a history. */
class Joining implements Recipient {
  readonly receive: Recipient['receive'];
  readonly #participant: Participant;
  readonly #arrived: () => void;
  #isCancelled = false;

  constructor(participant: Participant, receive: Recipient['receive'], arrived: () => void) {
    this.#participant = participant;
    this.receive = receive;
    this.#arrived = arrived;
  }

  get isOver(): boolean {
    return this.#isCancelled || this.#participant.hasEnded;
  }

  drained(): Promise<void> {
    return this.#participant.session.drained();
  }

  arrived(): void {
    if (!this.isOver) this.#arrived();
  }

  cancel(): void {
    this.#isCancelled = true;
  }
}

function storedMessage({ first, id, at, time }: StoredBatch, index: number, { message }: RoomMessage): StoredMessage {
  return {
    message: isMessage(message) ? message : Message.of(message),
    position: positionOf({ number: first + index, id, at }),
    time,
  };
}

function sizeOf(message: string | Uint8Array | Message): number {
  return isMessage(message) ? message.size : message.length;
}
