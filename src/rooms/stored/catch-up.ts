/**
 * How a session receives the history of a room and becomes a member, without a gap and without a message twice.
 *
 * ```
 * 1  the room is followed: what is stored from now on comes to its feed
 * 2  the history is read, a page at a time, and sent, as fast as the peer reads
 * 3  after the last page: what the feed has passed meanwhile is sent, and in the same turn the session becomes a member
 * ```
 */
import type { Recovery } from '../../session/joining.ts';
import { continueAt, endOfAll, isAnother, newestOf, pageSize, placeBefore } from './chain.ts';
import type { Feed, Tail } from './feed.ts';
import { findFork, Received } from './fork.ts';
import { positionOf } from './position.ts';
import { beginning, type Place, type RoomStore, type StoredBatch, type StoredRange } from './store.ts';

/** Which messages. */
export interface Wanted {
  /** Those after this place. Undefined: only the last ones. */
  readonly since: Place | undefined;
  /** Otherwise the last ones: at most this number. */
  readonly history: number;
}

/** Who receives a history. */
export interface Recipient {
  /** Whether it wants nothing more: it has ended, or left. */
  readonly isOver: boolean;
  /** Sends the messages of a batch, without the first ones. @param seen how many of them. Returns how many it has sent */
  receive(batch: StoredBatch, seen: number): number;
  /** Resolves when it can receive more. */
  drained(): Promise<void>;
  /** It is up to date: it becomes a member, and receives what comes next. */
  arrived(): void;
}

/** How many of the last messages are looked for from the end of the history. */
const fewMessages = 1000;

/** See the top of the file. */
export class CatchUp {
  readonly #feed: Feed;
  readonly #read: RoomStore['read'];
  readonly #recipient: Recipient;
  readonly #wanted: Wanted;
  #place: Place = beginning;
  readonly #received = new Received();
  #recovered = false;
  #messages = 0;
  #isMember = false;

  /** @param read reads the store, when it is its turn */
  constructor(feed: Feed, read: RoomStore['read'], recipient: Recipient, wanted: Wanted) {
    this.#feed = feed;
    this.#read = read;
    this.#recipient = recipient;
    this.#wanted = wanted;
  }

  /** @throws YodelError `YODEL_BUS_UNAVAILABLE` */
  async run(): Promise<Recovery> {
    await this.#feed.settled();
    await this.#begin();
    while (!this.#recipient.isOver && !(await this.#step())) await this.#recipient.drained();
    return {
      recovered: this.#recovered && this.#isMember,
      messages: this.#messages,
      position: positionOf(this.#place),
    };
  }

  /** Finds the place from which on it is sent what there is. */
  async #begin(): Promise<void> {
    const { since, history } = this.#wanted;
    if (since) {
      const range = await this.#read(this.#feed.room, { after: since }, 0);
      const { isIntact } = continueAt(since, range);
      const [first] = range.batches;
      if (first) this.#received.beginAt(first);
      this.#place = since;
      this.#recovered = isIntact;
      if (isIntact) return;
    }
    this.#place = await this.#placeOfLast(history);
  }

  /** The place before the last messages. They are read from there on, for they may be many. */
  async #placeOfLast(messages: number): Promise<Place> {
    const { room } = this.#feed;
    const few = messages <= fewMessages ? messages : 0;
    const { batches, last } = await this.#read(room, { newest: few }, pageSize);
    for (const batch of batches) this.#received.beginAt(batch);
    if (messages === 0) return endOfAll(batches, beginning);
    const number = Math.max(0, last - messages);
    if (few > 0) return placeIn(newestOf(batches, messages).batches, number);
    const range = await this.#read(room, { after: { number, id: '', at: 0 } }, pageSize);
    return placeIn(range.batches, number);
  }

  /** Sends a page. Returns whether that was all. */
  async #step(): Promise<boolean> {
    const tail = this.#feed.tail();
    const { last } = this.#feed;
    try {
      const range = await this.#read(this.#feed.room, { after: this.#place }, pageSize);
      if (this.#recipient.isOver) return true;
      // Everything is removed: it continues where the feed does.
      if (range.last === 0 && last) this.#place = last;
      if (isAnother(range, this.#place)) return this.#goOn();
      return this.#sendPage(range) && (await this.#join(tail));
    } finally {
      tail.stop();
    }
  }

  /** It is another history, which may have a part of what was sent. */
  async #goOn(): Promise<boolean> {
    this.#recovered = false;
    this.#place = await findFork(this.#read, this.#feed.room, this.#received);
    return false;
  }

  #sendPage(range: StoredRange): boolean {
    if (range.batches.length === 0) return true;
    const next = continueAt(this.#place, range);
    // Messages were removed before they could be read.
    if (!next.isIntact) this.#recovered = false;
    this.#send(next);
    return next.isComplete;
  }

  #send({ batches, seen }: { readonly batches: readonly StoredBatch[]; readonly seen: number }): void {
    if (this.#recipient.isOver) return;
    for (const [index, batch] of batches.entries()) {
      this.#messages += this.#recipient.receive(batch, index === 0 ? seen : 0);
      this.#received.add(batch);
    }
    this.#place = endOfAll(batches, this.#place);
  }

  /** Everything that was in the store is sent. Returns whether the feed is at the same place, or has what comes after it. */
  async #join(tail: Tail): Promise<boolean> {
    // It may have read something that is yet to come to the feed.
    if (!tail.after(this.#place)) await this.#feed.passed(tail);
    const batches = tail.after(this.#place);
    if (this.#recipient.isOver) return true;
    if (!batches) return false;
    this.#send({ batches, seen: 0 });
    this.#feed.joined(this.#received);
    this.#recipient.arrived();
    this.#isMember = true;
    return true;
  }
}

/** The place after the message with this number, or before the first of these batches. */
function placeIn([first]: readonly StoredBatch[], number: number): Place {
  if (!first) return beginning;
  return number < first.first ? placeBefore(first) : { number, id: first.id, at: first.at };
}
