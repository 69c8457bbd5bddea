/** A store in the memory of one process, for servers without a bus and without a journal. A restart forgets everything. */
import type { Clock, Timer } from '../../clock.ts';
import { YodelError } from '../../errors.ts';
import { ownCopy } from '../../framing/slices.ts';
import { LinkedMember, LinkedSet } from '../../linked-set.ts';
import { longestDuration } from '../../options.ts';
import { Queue } from '../../queue.ts';
import type { BatchName, NewBatch, Place, RoomStore, StoredBatch, StoredRange, StoreReceiver } from './store.ts';

/** As long as a page of a journal. */
const maxBatch = 8_388_608;
/** What a batch and a room take besides bytes and names: measured on both runtimes, and rounded up. */
const batchCost = 512;
const roomCost = 512;
/** Batches that are too old are removed in groups, this often. Reading never returns them. */
const sweepEveryMs = 1000;

/**
 * Keeps the histories of rooms in memory, at most `storedBytes` of it together: each batch in memory of its own, so that it keeps
 * nothing else. A room that has lost all its batches takes no memory; its messages are then numbered from the last place that
 * the appending process knows, or from 1.
 */
export class MemoryStore implements RoomStore {
  readonly maxBatch: number = maxBatch;
  readonly #clock: Clock;
  readonly #rooms = new Map<string, StoredRoom>();
  /** Those of all rooms in the order in which they were appended, so that the oldest is found without a search. */
  readonly #batches = new LinkedSet<KeptBatch>();
  #receiver: StoreReceiver | undefined;
  #bytes = 0;
  #sweep: Timer | undefined;
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isReady(): boolean {
    return !this.#isClosed;
  }

  /** The memory that all histories take, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  start(receiver: StoreReceiver): void {
    this.#receiver = receiver;
  }

  async followed(): Promise<void> {
    if (this.#isClosed) throw unavailable();
  }

  /** Calls {@link StoreReceiver.stored} before it returns. */
  async append(batch: NewBatch, known: Place): Promise<Place> {
    const receiver = this.#receiver;
    if (this.#isClosed || !receiver) throw unavailable();
    this.#removeOld();
    const room = this.#rooms.get(batch.room) ?? this.#create(batch.room, known);
    const kept = room.append(batch, this.#clock.now());
    this.#batches.add(kept);
    this.#bytes += kept.cost;
    receiver.stored(kept);
    this.#limit(room);
    receiver.kept?.(this.#bytes);
    return { number: room.last, id: kept.id, at: 0 };
  }

  async read(name: string, from: ReadFrom, maxBytes: number): Promise<StoredRange> {
    if (this.#isClosed) throw unavailable();
    this.#removeOld();
    const room = this.#rooms.get(name);
    if (!room) return { batches: [], last: 0 };
    const batches = 'after' in from ? room.after(from.after.number, maxBytes) : room.newest(from.newest);
    return { batches, last: room.last };
  }

  /** Forgets everything. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#sweep?.cancel();
    this.#rooms.clear();
    for (const batch of this.#batches) this.#batches.delete(batch);
    this.#bytes = 0;
  }

  #create(name: string, { number, id }: Place): StoredRoom {
    // The name may be a part of a longer text, which it would keep.
    const own = Buffer.from(name).toString();
    const room = new StoredRoom(own, number, id);
    this.#rooms.set(own, room);
    this.#bytes += room.cost;
    return room;
  }

  /** After a batch was appended to `room`. */
  #limit(room: StoredRoom): void {
    const { storedMessages, storedBytes } = this.#receiver as StoreReceiver;
    while (storedMessages > 0 && room.size - (room.oldest?.count ?? room.size) >= storedMessages)
      this.#removeFrom(room);
    while (storedBytes > 0 && this.#bytes > storedBytes && this.#batches.first)
      this.#removeFrom(this.#batches.first.owner);
    this.#sweepLater();
  }

  #removeOld(): void {
    const storedAge = this.#receiver?.storedAge ?? 0;
    if (storedAge === 0) return;
    const before = this.#clock.now() - storedAge;
    const bytes = this.#bytes;
    for (let { first } = this.#batches; first && first.arrived <= before; { first } = this.#batches)
      this.#removeFrom(first.owner);
    if (this.#bytes < bytes) this.#receiver?.kept?.(this.#bytes);
  }

  /** Removes the oldest batch of a room. */
  #removeFrom(room: StoredRoom): void {
    const batch = room.shift();
    if (!batch) return;
    this.#batches.delete(batch);
    this.#bytes -= batch.cost;
    if (room.oldest) return;
    this.#rooms.delete(room.name);
    this.#bytes -= room.cost;
  }

  /** One timer for all rooms: also those that nobody uses any more lose what is too old. */
  #sweepLater(): void {
    const storedAge = this.#receiver?.storedAge ?? 0;
    const { first } = this.#batches;
    if (this.#sweep || storedAge === 0 || !first) return;
    const delay = Math.max(first.arrived + storedAge - this.#clock.now(), Math.min(storedAge, sweepEveryMs));
    this.#sweep = this.#clock.after(Math.min(delay, longestDuration), () => {
      this.#sweep = undefined;
      this.#removeOld();
      this.#sweepLater();
    });
  }
}

type ReadFrom = Parameters<RoomStore['read']>[1];

/** The history of one room: never empty, except before its first batch. */
class StoredRoom {
  readonly name: string;
  /** In bytes. */
  readonly cost: number;
  /** The number of the last message. */
  last: number;
  /** How many messages there are. */
  size = 0;
  #lastId: string;
  readonly #batches = new Queue<KeptBatch>();

  constructor(name: string, last: number, lastId: string) {
    this.name = name;
    this.cost = roomCost + 2 * name.length;
    this.last = last;
    this.#lastId = lastId;
  }

  get oldest(): KeptBatch | undefined {
    return this.#batches.first;
  }

  append(batch: NewBatch, arrived: number): KeptBatch {
    const kept = new KeptBatch(batch, this, this.last + 1, this.#lastId, arrived);
    this.#batches.push(kept);
    this.size += kept.count;
    this.last += kept.count;
    this.#lastId = kept.id;
    return kept;
  }

  shift(): KeptBatch | undefined {
    const batch = this.#batches.shift();
    if (batch) this.size -= batch.count;
    return batch;
  }

  /** From the batch with the message of this number on; see {@link RoomStore.read}. */
  after(number: number, maxBytes: number): KeptBatch[] {
    const found: KeptBatch[] = [];
    let bytes = 0;
    for (let index = this.#indexOf(number); index < this.#batches.length; index++) {
      const batch = this.#batches.at(index) as KeptBatch;
      // The one with that message does not count, so that readers advance.
      if (batch.first > number) {
        if (bytes > 0 && bytes + batch.bytes.length > maxBytes) break;
        bytes += batch.bytes.length;
      }
      found.push(batch);
    }
    return found;
  }

  /** The last batches, with at least that many messages, and always the last one. */
  newest(count: number): KeptBatch[] {
    const found: KeptBatch[] = [];
    let missing = Math.max(count, 1);
    for (let index = this.#batches.length - 1; index >= 0 && missing > 0; index--) {
      const batch = this.#batches.at(index) as KeptBatch;
      found.push(batch);
      missing -= batch.count;
    }
    return found.reverse();
  }

  /** The index of the first batch that ends with this message or a later one. */
  #indexOf(number: number): number {
    let [low, high] = [0, this.#batches.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const batch = this.#batches.at(middle) as KeptBatch;
      if (batch.first + batch.count > number) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** A batch in memory of its own. */
class KeptBatch extends LinkedMember<KeptBatch> implements StoredBatch {
  readonly owner: StoredRoom;
  readonly id: string;
  readonly count: number;
  readonly time: number;
  readonly bytes: Uint8Array;
  readonly first: number;
  readonly at = 0;
  /** When it was appended, by the clock of the store: `time` is that of a clock that may be set. */
  readonly arrived: number;
  readonly #previousId: string;

  constructor(
    { id, count, time, bytes }: NewBatch,
    owner: StoredRoom,
    first: number,
    previousId: string,
    arrived: number,
  ) {
    super();
    this.owner = owner;
    this.id = id;
    this.count = count;
    this.time = time;
    this.bytes = ownCopy(bytes);
    this.first = first;
    this.arrived = arrived;
    this.#previousId = previousId;
  }

  get room(): string {
    return this.owner.name;
  }

  /** Not the batch itself, which would keep all before it in memory. */
  get previous(): BatchName {
    return { id: this.#previousId, at: 0 };
  }

  /** In bytes. */
  get cost(): number {
    return batchCost + this.bytes.length;
  }
}

function unavailable(): YodelError {
  return new YodelError('YODEL_BUS_UNAVAILABLE', 'the server is closing: nothing is stored in rooms any more');
}
