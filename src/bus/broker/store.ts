/**
 * The histories of rooms, kept by the broker that connects the nodes.
 *
 * What is appended arrives like everything that is published: in the order of the history, at this node too. When a connection is lost
 * before the broker has said that a batch is stored, the batch is appended again over the next connection, unless it is there.
 */
import type { Clock } from '../../clock.ts';
import { YodelError } from '../../errors.ts';
import { ownCopy } from '../../framing/slices.ts';
import type { NewBatch, Place, RoomStore, StoredBatch, StoredRange, StoreReceiver } from '../../rooms/stored/store.ts';
import { type BrokerHistory, RefusedError } from './broker.ts';
import type { BrokerLink } from './link.ts';
import { storedOverhead } from './stored-packets.ts';
import type { Subjects } from './subjects.ts';

/** What belongs to the bus. */
export interface BrokerStoreOptions {
  /** The broker, in errors. */
  readonly name: string;
  readonly link: BrokerLink;
  readonly subjects: Subjects;
  readonly clock: Clock;
  /** The broker refuses something, or has something that cannot be read. */
  refused(reason: string): void;
}

/** How long a batch is appended again and again. */
const patienceMs = 10_000;
/** The pause before the next attempt, if there still is a connection. */
const pauseMs = 250;
/** The pause before histories that could not be opened are opened again. */
const reopenMs = 1000;

/** See the top of the file. */
export class BrokerStore implements RoomStore {
  readonly #options: BrokerStoreOptions;
  #receiver: StoreReceiver | undefined;
  /** The histories over the present connection, from their first use on. */
  #history: Promise<BrokerHistory> | undefined;
  /** Resolves at the next connection. */
  #next = Promise.withResolvers<void>();
  #maxBatch = 0;
  readonly #appending = new Set<Promise<unknown>>();
  readonly #closed = Promise.withResolvers<void>();
  #isClosed = false;

  constructor(options: BrokerStoreOptions) {
    this.#options = options;
  }

  get isReady(): boolean {
    return this.#options.link.isConnected && !this.#isClosed;
  }

  get maxBatch(): number {
    const { maxPacket } = this.#options.link;
    // Without a connection nothing can be appended.
    if (maxPacket > 0) this.#maxBatch = maxPacket - storedOverhead;
    return this.#maxBatch;
  }

  start(receiver: StoreReceiver): void {
    this.#receiver = receiver;
  }

  async followed(): Promise<void> {
    try {
      await this.#options.link.taken();
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  async append(batch: NewBatch, known: Place): Promise<Place> {
    if (!this.isReady) throw this.#unavailable('it is away', notStored);
    const appended = this.#append(batch, known);
    this.#appending.add(appended);
    try {
      return await appended;
    } finally {
      this.#appending.delete(appended);
    }
  }

  async read(
    room: string,
    from: { readonly after: Place } | { readonly newest: number },
    maxBytes: number,
  ): Promise<StoredRange> {
    if (!this.isReady) throw this.#unavailable('it is away');
    try {
      return await (await this.#opened()).read(room, from, maxBytes);
    } catch (error) {
      if (error instanceof RangeError)
        this.#options.refused(`the history of room ${JSON.stringify(room)}: ${error.message}`);
      throw this.#unavailable(error);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#closed.resolve();
    await Promise.allSettled(this.#appending);
  }

  // The bus calls these.

  /** There is a connection, and everything is subscribed to. */
  connected(): void {
    this.#history = undefined;
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
    if (!this.#isClosed) this.#receiver?.resumed();
  }

  /** A batch of a room that is followed has arrived. @param at see `BrokerReceiver.received` */
  received(batch: StoredBatch, at = 0): void {
    // What is read from a connection is part of a larger chunk, which the messages would keep in memory.
    if (!this.#isClosed) this.#receiver?.stored({ ...batch, at, bytes: ownCopy(batch.bytes) });
  }

  /** Appends a batch, and again if it is not known whether it is stored. */
  async #append(batch: NewBatch, known: Place): Promise<Place> {
    const late = Promise.withResolvers<never>();
    let [isSent, isOver] = [false, false];
    const timer = this.#options.clock.deadline(patienceMs, () => {
      isOver = true;
      late.reject(this.#unavailable('it has not responded', isSent ? unknown : notStored));
    });
    const attempt = async (isRepeated: boolean): Promise<Place> => {
      const history = await this.#opened();
      if (isOver) return await late.promise;
      isSent = true;
      return endOf(await history.append(batch, known, isRepeated));
    };
    try {
      for (;;) {
        const next = this.#next.promise;
        const isRepeated = isSent;
        try {
          return await Promise.race([attempt(isRepeated), late.promise]);
        } catch (error) {
          const isRefused = error instanceof RefusedError;
          if (!isSent || (isRefused && !isRepeated)) throw this.#unavailable(error, notStored);
          if (isRefused) throw this.#unavailable(error, unknown);
        }
        const again = this.isReady ? this.#pause() : next;
        await Promise.race([again, late.promise, this.#closed.promise]);
        if (this.#isClosed) throw this.#unavailable('it is away', unknown);
      }
    } finally {
      isOver = true;
      timer.cancel();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#options.clock.after(pauseMs, resolve));
  }

  /** Opens the histories. @throws Error that says why there are none; RefusedError if it is not for the connection */
  #opened(): Promise<BrokerHistory> {
    const { link, subjects, clock } = this.#options;
    if (this.#history) return this.#history;
    const opened = link.openHistory(subjects, this.#receiver as StoreReceiver);
    this.#history = opened;
    opened.catch((error: Error) => {
      if (error instanceof RefusedError) this.#options.refused(error.message);
      clock.after(reopenMs, () => {
        if (this.#history === opened) this.#history = undefined;
      });
    });
    return opened;
  }

  #unavailable(reason: unknown, outcome?: string): YodelError {
    if (reason instanceof YodelError) return reason;
    const text = reason instanceof Error ? reason.message : String(reason);
    const { name } = this.#options;
    return new YodelError(
      'YODEL_BUS_UNAVAILABLE',
      [name, text, ...(outcome === undefined ? [] : [outcome])].join(': '),
    );
  }
}

const notStored = 'the message is not stored';
const unknown = 'it is not known whether the message is stored';

function endOf({ first, count, id, at }: StoredBatch): Place {
  return { number: first + count - 1, id, at };
}
