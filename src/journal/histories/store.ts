/** The histories of rooms in a journal, as stores for servers. */
import { YodelError } from '../../errors.ts';
import { ownCopy } from '../../framing/slices.ts';
import type {
  NewBatch,
  Place,
  RoomStore,
  StoredBatch,
  StoredRange,
  StoreLimits,
  StoreReceiver,
} from '../../rooms/stored/store.ts';
import type { HistoryReader } from './reader.ts';
import { type HistoryBatch, type HistoryPlace, limitsWithin } from './table.ts';

/** As long as a page of messages of a journal. */
const maxBatch = 8_388_608;

/** The journal that keeps them. */
export interface HistoryKeeper {
  readonly file: string;
  /** Histories are kept no longer than messages; 0: as long as they want. */
  readonly maxAge: number;
  /** Why nothing can be stored any more; undefined while it can. */
  readonly ended: YodelError | undefined;
  /** Resolves when it is as durable as the journal promises. */
  store(batch: HistoryBatch): Promise<HistoryPlace>;
  limit(limits: StoreLimits): void;
}

/** The stores of the servers that share a journal: each of them receives what any of them stores. */
export class JournalStores {
  readonly #keeper: HistoryKeeper;
  readonly #stores = new Set<JournalStore>();
  #reader: Promise<HistoryReader> | undefined;
  /** What all histories take. */
  bytes = 0;

  constructor(keeper: HistoryKeeper) {
    this.#keeper = keeper;
  }

  open(): RoomStore {
    const store = new JournalStore(this.#keeper, this);
    this.#stores.add(store);
    return store;
  }

  /** The thread has told what all histories take now. */
  kept(bytes: number): void {
    this.bytes = bytes;
    for (const store of this.#stores) store.receiver?.kept?.(bytes);
  }

  /** @internal */
  passOn(batch: StoredBatch): void {
    for (const store of this.#stores) store.receiver?.stored(batch);
  }

  /** @internal */
  async reader(): Promise<HistoryReader> {
    // Loaded late, because it loads SQLite.
    this.#reader ??= import('./reader.ts').then(({ HistoryReader }) => new HistoryReader(this.#keeper.file));
    try {
      return await this.#reader;
    } catch (error) {
      this.#reader = undefined;
      throw error;
    }
  }

  /** @internal */
  closed(store: JournalStore): void {
    this.#stores.delete(store);
    if (this.#stores.size === 0) this.close();
  }

  /** Nothing is read any more, until it is opened again. */
  close(): void {
    void this.#reader?.then((reader) => reader.close()).catch(() => undefined);
    this.#reader = undefined;
  }
}

/** See {@link JournalStores}. */
class JournalStore implements RoomStore {
  readonly maxBatch: number = maxBatch;
  receiver: StoreReceiver | undefined;
  readonly #keeper: HistoryKeeper;
  readonly #all: JournalStores;
  readonly #appending = new Set<Promise<unknown>>();
  #limits: StoreLimits | undefined;
  #isClosed = false;

  constructor(keeper: HistoryKeeper, all: JournalStores) {
    this.#keeper = keeper;
    this.#all = all;
  }

  get isReady(): boolean {
    return this.#ended === undefined;
  }

  start(receiver: StoreReceiver): void {
    this.receiver = receiver;
    this.#limit();
    receiver.kept?.(this.#all.bytes);
  }

  async followed(): Promise<void> {
    this.#check();
  }

  async append(batch: NewBatch, known: Place): Promise<Place> {
    this.#check();
    this.#limit();
    const { room, id, count, bytes } = batch;
    if (bytes.length > maxBatch)
      throw new YodelError('YODEL_MESSAGE_TOO_LONG', `a journal stores at most ${maxBatch} bytes at once`);
    const own = { room, id, count, time: Math.round(batch.time), bytes: ownCopy(bytes) };
    const stored = this.#keeper.store({ ...own, known: { number: known.number, id: known.id } });
    this.#appending.add(stored);
    try {
      const { first, previous } = await stored;
      this.#all.passOn({ ...own, first, previous: { id: previous, at: 0 }, at: 0 });
      return { number: first + count - 1, id, at: 0 };
    } finally {
      this.#appending.delete(stored);
    }
  }

  async read(room: string, from: Parameters<RoomStore['read']>[1], maxBytes: number): Promise<StoredRange> {
    this.#check();
    const reader = await this.#all.reader();
    this.#check();
    const storedAge = this.#limits?.storedAge ?? 0;
    return reader.read(room, from, maxBytes, storedAge > 0 ? Date.now() - storedAge : 0);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#appending);
    this.#all.closed(this);
  }

  get #ended(): YodelError | undefined {
    if (!this.#isClosed) return this.#keeper.ended;
    return new YodelError('YODEL_BUS_UNAVAILABLE', 'the server is closing: nothing is stored in rooms any more');
  }

  /** @throws YodelError if it can neither store nor read */
  #check(): void {
    const ended = this.#ended;
    if (ended) throw ended;
  }

  /** Passes on the limits if they have changed. */
  #limit(): void {
    const { receiver } = this;
    if (!receiver) return;
    const { storedMessages, storedBytes, storedAge } = limitsWithin(receiver, this.#keeper.maxAge);
    const known = this.#limits;
    if (known?.storedMessages === storedMessages && known.storedBytes === storedBytes && known.storedAge === storedAge)
      return;
    this.#limits = { storedMessages, storedAge, storedBytes };
    this.#keeper.limit(this.#limits);
  }
}
