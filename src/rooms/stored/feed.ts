/**
 * What a room is sent from its history, as it grows, for the members in this process: every batch once, in order.
 *
 * ```
 * store ─ stored ─▶ follows the last one? ─ yes ─▶ members
 *                     │ no
 *                     ▼
 *                   read from the last one on: what was missed, and then what has come meanwhile
 * ```
 */
import type { Clock, Timer } from '../../clock.ts';
import { type Continuation, continueAt, endOf, endOfAll, follows, isAnother, pageSize, placeBefore } from './chain.ts';
import { findFork, Received } from './fork.ts';
import { beginning, type Place, type RoomStore, type StoredBatch } from './store.ts';

/** What the feeds of all rooms share. */
export interface FeedOwner {
  readonly store: RoomStore;
  readonly clock: Clock;
  /** The members receive a batch without its first messages. @param seen how many of them */
  passed(batch: StoredBatch, seen: number): void;
  /** Messages were removed from the history before the members could receive them. @param until when the last of them was stored */
  lost(room: string, messages: number, until: number): void;
}

/** What arrives while the feed reads, in bytes: the rest is read, too. */
const waitingSize = 1_048_576;
/** The pause before another attempt to read, if the store does not say that it can be reached again. */
const retryMs = 1000;
/** How long something in the store may take to arrive, before the feed reads it. */
const lateMs = 500;

/** See the top of the file. */
export class Feed {
  readonly room: string;
  readonly #owner: FeedOwner;
  #last: Place | undefined;
  /** False if the history was empty: then it may go on with any number. */
  #hasBegun = false;
  readonly #received = new Received();
  readonly #tails = new Set<Tail>();
  /** What has come while the feed reads. */
  #waiting: StoredBatch[] = [];
  #waitingBytes = 0;
  #reading: Promise<void> | undefined;
  #mustRead = false;
  #retry: Timer | undefined;
  /** Why it could not read. */
  #failure: unknown;
  #isClosed = false;

  constructor(room: string, owner: FeedOwner) {
    this.room = room;
    this.#owner = owner;
  }

  /** The place after what the members have received. Undefined: not known yet. */
  get last(): Place | undefined {
    return this.#last;
  }

  /** The store has passed on a batch. The first one begins the feed, unless {@link settled} has. */
  arrived(batch: StoredBatch): void {
    if (this.#reading) this.#keep(batch);
    else if (!this.#last || follows(this.#last, batch)) this.#pass(batch, 0);
    else if (!this.#received.has(batch)) this.read();
  }

  /** Resolves when the feed knows where it is, and has read what it missed. Rejects if the store cannot be read. */
  async settled(): Promise<void> {
    if (!this.#last && !this.#reading) this.read();
    await this.#reading;
    if (!this.#last || this.#retry) throw this.#failure;
  }

  /** Reads what it may have missed. */
  read(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#mustRead = true;
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = undefined;
    });
  }

  async #readAgain(): Promise<void> {
    this.read();
    await this.#reading;
  }

  /** A session becomes a member, and has received these. */
  joined(received: Received): void {
    this.#received.addOlder(received);
  }

  /** Collects what is passed from now on. */
  tail(): Tail {
    const tail: Tail = new Tail(
      () => this.#last,
      () => this.#tails.delete(tail),
    );
    this.#tails.add(tail);
    return tail;
  }

  /** Resolves when it has passed something to a tail. After a while it reads whether it has missed something. */
  async passed(tail: Tail): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = this.#owner.clock.after(lateMs, late.resolve);
    await Promise.race([tail.added(), late.promise.then(() => this.#readAgain())]);
    timer.cancel();
  }

  close(): void {
    this.#isClosed = true;
    this.#retry?.cancel();
    for (const tail of this.#tails) tail.stop();
  }

  async #readAll(): Promise<void> {
    try {
      while (this.#mustRead && !this.#isClosed) {
        this.#mustRead = false;
        if (!this.#last) await this.#begin();
        while (!(await this.#readOn())) if (this.#isClosed) return;
        this.#passWaiting();
      }
    } catch (error) {
      this.#failure = error;
      if (!this.#isClosed) this.#retry = this.#owner.clock.after(retryMs, () => this.read());
    }
  }

  /** Finds the place where it begins: before what has come first, or the end of the history. */
  async #begin(): Promise<void> {
    const { store } = this.#owner;
    const { batches } = await store.read(this.room, { newest: 0 }, pageSize);
    // What is in the store, and still on its way to members that are here already, arrives before that.
    await store.followed();
    const [first] = this.#waiting;
    const last = batches.at(-1);
    this.#last = first ? placeBefore(first) : endOfAll(batches, beginning);
    this.#hasBegun = first !== undefined || last !== undefined;
    if (last && !first) this.#received.add(last);
  }

  /** Reads a page. Returns whether it was the last one. */
  async #readOn(): Promise<boolean> {
    const last = this.#last as Place;
    const range = await this.#owner.store.read(this.room, { after: last }, pageSize);
    const next = continueAt(last, range);
    if (this.#isClosed) return true;
    // Everything is removed. What is stored next arrives, or is read.
    if (range.last === 0) return true;
    if (isAnother(range, last)) {
      this.#last = await findFork(this.#owner.store.read.bind(this.#owner.store), this.room, this.#received);
      return false;
    }
    // Some were removed before they could be read.
    const [first] = next.batches;
    if (first && !next.isIntact && this.#hasBegun)
      this.#owner.lost(this.room, first.first - last.number - 1, first.time);
    this.#passAll(next);
    return next.isComplete;
  }

  #passAll({ batches, seen }: Continuation): void {
    for (const [index, batch] of batches.entries()) this.#pass(batch, index === 0 ? seen : 0);
  }

  /** Passes on what has come while it read, as far as it follows. */
  #passWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const batch of waiting) {
      if (follows(this.#last as Place, batch)) this.#pass(batch, 0);
      // It is in the store: it is read.
      else if (!this.#received.has(batch)) this.#mustRead = true;
    }
  }

  #keep(batch: StoredBatch): void {
    // The first one tells where a new feed begins.
    if (this.#waiting.length > 0 && this.#waitingBytes + batch.bytes.length > waitingSize) this.#mustRead = true;
    else {
      this.#waiting.push(batch);
      this.#waitingBytes += batch.bytes.length;
    }
  }

  #pass(batch: StoredBatch, seen: number): void {
    this.#last = endOf(batch);
    this.#hasBegun = true;
    // One that the store has lost since may still be on its way.
    if (this.#received.has(batch)) return;
    this.#received.add(batch);
    for (const tail of this.#tails) tail.add(batch);
    this.#owner.passed(batch, seen);
  }
}

/** What a feed has passed since a moment. */
export class Tail {
  readonly #last: () => Place | undefined;
  readonly #stop: () => void;
  #batches: StoredBatch[] = [];
  #bytes = 0;
  #isStopped = false;
  #next: PromiseWithResolvers<void> | undefined;

  /** @param last the last place of the feed */
  constructor(last: () => Place | undefined, stop: () => void) {
    this.#last = last;
    this.#stop = stop;
  }

  /** @internal The feed calls it. */
  add(batch: StoredBatch): void {
    this.#bytes += batch.bytes.length;
    if (this.#bytes > waitingSize) this.#batches = [];
    else this.#batches.push(batch);
    this.#next?.resolve();
    this.#next = undefined;
  }

  /** Resolves when the feed has passed something, or is closed. */
  added(): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    this.#next ??= Promise.withResolvers<void>();
    return this.#next.promise;
  }

  /** What was passed after a place. Undefined: not known, or the feed is not there yet. */
  after(place: Place): readonly StoredBatch[] | undefined {
    const last = this.#last();
    if (last && isSame(place, last)) return [];
    const index = this.#batches.findIndex((batch) => follows(place, batch));
    return index < 0 ? undefined : this.#batches.slice(index);
  }

  stop(): void {
    this.#isStopped = true;
    this.#stop();
    this.#next?.resolve();
  }
}

function isSame(one: Place, other: Place): boolean {
  return one.number === other.number && one.id === other.id;
}
