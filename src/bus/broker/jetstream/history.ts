/**
 * The histories of rooms in NATS JetStream.
 *
 * A node appends a batch with the number that follows the last one, on condition that the last one is still where the node knows it
 * to be. If it is not, because another node was faster, the node reads what is there now and tries again. So numbers have no gaps,
 * and none is used twice.
 */
import { realClock } from '../../../clock.ts';
import {
  beginning,
  type NewBatch,
  type Place,
  type StoredBatch,
  type StoredRange,
} from '../../../rooms/stored/store.ts';
import { type BrokerHistory, RefusedError } from '../broker.ts';
import { storedHead, storedMiddle } from '../stored-packets.ts';
import { NoReplyError } from './requests.ts';
import { type NatsStream, notEnabled } from './stream.ts';
import type { NatsTurns } from './turns.ts';

/** How often others may be faster before an append is refused. A node has its turn long before. */
const maxLosses = 100;
/** How often it looks whether the stream is still the same, while it appends. */
const lookEveryMs = 1000;
/** Rooms whose last places are known to be in this stream. More are forgotten, and read again. */
const maxCertain = 10_000;
/** So many batches are read one by one, which is faster for few. */
const fewBatches = 4;
/** The longest part of a history that is read at once because of the number of its messages, in bytes: as with Redis. */
const maxNewest = 8_388_608;
const pageBytes = 1_048_576;

/** See the top of the file. */
export class NatsHistory implements BrokerHistory {
  readonly #stream: NatsStream;
  readonly #turns: NatsTurns;
  readonly #longest: () => number;
  /** Rooms that were appended to or read since the stream was last seen to be another one. */
  readonly #certain = new Set<string>();
  #lookedAt = realClock.now();
  #looking: Promise<void> | undefined;

  /**
   * @param stream open
   * @param longest the longest packet that the server takes now
   */
  constructor(stream: NatsStream, turns: NatsTurns, longest: () => number) {
    this.#stream = stream;
    this.#turns = turns;
    this.#longest = longest;
  }

  async append(batch: NewBatch, known: Place, isRepeated: boolean): Promise<StoredBatch> {
    const { room } = batch;
    await this.#turns.wait(room);
    /** The end of the history; and a place after which the batch may already be. */
    let end = isRepeated ? undefined : await this.#trusted(room, known);
    let looked = isRepeated ? known : undefined;
    for (let losses = 0; ; losses++) {
      const readAt = realClock.now();
      if (!end) {
        const { batch: last, tail } = await this.#safely(() => this.#stream.last(room));
        const own = looked && last && (await this.#find(batch, looked, last));
        if (own) return own;
        end = { place: last ? endOf(last) : beginning, tail };
        if (looked) looked = end.place;
      }
      const stored = await this.#appendAfter(end, batch);
      if (stored) return stored;
      end = undefined;
      if (losses >= maxLosses) throw new RefusedError('others store too often in this room');
      this.#turns.lost(room, losses, (realClock.now() - readAt) / 2);
    }
  }

  async read(
    room: string,
    from: { readonly after: Place } | { readonly newest: number },
    maxBytes: number,
  ): Promise<StoredRange> {
    return await this.#safely(async () => {
      const { batch: last } = await this.#stream.last(room);
      if (!last) return { batches: [], last: 0 };
      const batches =
        'after' in from ? await this.#after(from.after, last, maxBytes) : await this.#newest(from.newest, last);
      return { batches, last: numberOf(last) };
    });
  }

  /** @returns undefined if something else was appended */
  async #appendAfter({ place, tail }: End, batch: NewBatch): Promise<StoredBatch | undefined> {
    const first = place.number + 1;
    const packet = Buffer.concat([storedHead(batch), storedMiddle(first, place), batch.bytes]);
    if (packet.length > this.#longest()) throw new RefusedError('the batch is longer than NATS takes');
    const at = await this.#safely(() => this.#stream.append(batch.room, packet, tail));
    if (at === undefined) return undefined;
    if (this.#certain.size >= maxCertain) this.#certain.clear();
    this.#certain.add(batch.room);
    return { ...batch, first, previous: { id: place.id, at: place.at }, at };
  }

  /** If the stream was deleted, creates it and tries again. */
  async #safely<Result>(run: () => Promise<Result>): Promise<Result> {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof NoReplyError)) throw error;
    }
    await this.#look();
    try {
      return await run();
    } catch (error) {
      throw error instanceof NoReplyError ? new RefusedError(notEnabled) : error;
    }
  }

  /**
   * A place whose sequence can be relied on. A stream that was deleted, or lost data, uses sequences again: then another batch could
   * be at the one of this place.
   */
  async #trusted(room: string, known: Place): Promise<End | undefined> {
    if (known.at === 0 || !this.#certain.has(room)) return undefined;
    if (realClock.now() > this.#lookedAt + lookEveryMs) await this.#look();
    return this.#certain.has(room) ? { place: known, tail: known.at } : undefined;
  }

  /** Looks whether the stream is still the same; creates it if there is none. */
  async #look(): Promise<void> {
    this.#looking ??= this.#stream.open().then((isSame) => {
      this.#lookedAt = realClock.now();
      if (!isSame) this.#certain.clear();
    });
    try {
      await this.#looking;
    } finally {
      this.#looking = undefined;
    }
  }

  /** Looks for a batch that may have been appended, after a place at which it was not. */
  async #find({ id }: NewBatch, after: Place, last: StoredBatch): Promise<StoredBatch | undefined> {
    if (last.id === id) return last;
    if (last.id === after.id) return undefined;
    let [from, isStart] = [await this.#start(after, last), true];
    // If the place is gone, the history may be another one, with lower numbers.
    if (from?.id !== after.id) from = await this.#stream.next(last.room, 1);
    while (from) {
      const page = await this.#forward(from, last, pageBytes, isStart);
      const own = page.find((batch) => batch.id === id);
      if (own || page.at(-1)?.at === last.at) return own;
      const next: StoredBatch | undefined = await this.#stream.next(last.room, (page.at(-1)?.at ?? from.at) + 1);
      [from, isStart] = [next && next.at <= last.at ? next : undefined, false];
    }
    return undefined;
  }

  async #after(place: Place, last: StoredBatch, maxBytes: number): Promise<StoredBatch[]> {
    if (place.number >= numberOf(last)) return [last];
    const start = await this.#start(place, last);
    return start ? await this.#forward(start, last, maxBytes, place.number >= start.first) : [];
  }

  /** The batch with the message of a place, or else the oldest one after it. */
  async #start(place: Place, last: StoredBatch): Promise<StoredBatch | undefined> {
    if (place.at > 0 && place.at <= last.at) {
      const found = await this.#stream.next(last.room, place.at);
      if (found?.id === place.id && hasNumber(found, place.number)) return found;
    }
    return await this.#search(place.number, last);
  }

  /** The oldest batch that ends with this number or a higher one: numbers grow with sequences. */
  async #search(number: number, last: StoredBatch): Promise<StoredBatch | undefined> {
    const oldest = await this.#stream.next(last.room, 1);
    if (!oldest || numberOf(oldest) >= number) return oldest;
    let [low, high, best] = [oldest.at + 1, last.at, last];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const found = await this.#stream.next(last.room, middle);
      if (!found || numberOf(found) >= number) [high, best] = [middle, found ?? best];
      else low = found.at + 1;
    }
    return best;
  }

  /** Reads about `maxBytes`. @param isCounted whether the first one does not count, so that another one follows it */
  async #forward(start: StoredBatch, last: StoredBatch, maxBytes: number, isFree: boolean): Promise<StoredBatch[]> {
    const range = new Range(start, isFree);
    for (let read = 0; read < fewBatches; read++) {
      if (range.bytes >= maxBytes || range.at >= last.at) return range.batches;
      const next = await this.#stream.next(last.room, range.at + 1);
      if (!next || next.at > last.at) return range.batches;
      range.add(next);
    }
    if (range.bytes < maxBytes && range.at < last.at) {
      const more = await this.#stream.range(last.room, range.at + 1, last.at, maxBytes - range.bytes);
      for (const batch of more) range.add(batch);
    }
    return range.batches;
  }

  /** The last batches, with at least `count` messages, but not much more than `maxNewest` bytes. */
  async #newest(count: number, last: StoredBatch): Promise<StoredBatch[]> {
    const from = numberOf(last) - count + 1;
    const batches = [last];
    let bytes = last.bytes.length;
    for (let [oldest] = batches as [StoredBatch]; oldest.first > from && oldest.previous.at > 0; ) {
      // Small batches are read in the other direction, many at once.
      if (batches.length > fewBatches && bytes / batches.length < pageBytes / 16) return await this.#since(from, last);
      const previous = await this.#stream.at(last.room, oldest.previous.at);
      if (previous?.id !== oldest.previous.id || bytes + previous.bytes.length > maxNewest) break;
      batches.unshift(previous);
      bytes += previous.bytes.length;
      oldest = previous;
    }
    return batches;
  }

  /** From the batch with a number to the last one. */
  async #since(number: number, last: StoredBatch): Promise<StoredBatch[]> {
    const batches: StoredBatch[] = [];
    let bytes = 0;
    let next = await this.#search(Math.max(number, 1), last);
    while (next && next.at <= last.at) {
      const page: StoredBatch[] = await this.#forward(next, last, pageBytes, false);
      for (const batch of page) bytes += batches[batches.push(batch) - 1]?.bytes.length ?? 0;
      while (bytes > maxNewest && batches.length > 1) bytes -= batches.shift()?.bytes.length ?? 0;
      next = await this.#stream.next(last.room, (page.at(-1) as StoredBatch).at + 1);
    }
    return batches;
  }
}

/** The end of a history: its last place, and the sequence of whatever is the last on its subject. */
interface End {
  readonly place: Place;
  readonly tail: number;
}

/** Batches in order. */
class Range {
  readonly batches: StoredBatch[];
  bytes: number;
  /** Where the last one was, also of those that were none. */
  at: number;

  constructor(start: StoredBatch, isFree: boolean) {
    this.batches = [start];
    this.bytes = isFree ? 0 : start.bytes.length;
    this.at = start.at;
  }

  add(batch: StoredBatch): void {
    this.at = batch.at;
    // Strangers may write anything; it shows as a gap.
    if (batch.first <= numberOf(this.batches.at(-1) as StoredBatch)) return;
    this.batches.push(batch);
    this.bytes += batch.bytes.length;
  }
}

function endOf(batch: StoredBatch): Place {
  return { number: numberOf(batch), id: batch.id, at: batch.at };
}

/** The number of its last message. */
function numberOf({ first, count }: StoredBatch): number {
  return first + count - 1;
}

function hasNumber(batch: StoredBatch, number: number): boolean {
  return batch.first <= number && number <= numberOf(batch);
}
