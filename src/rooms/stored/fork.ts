/**
 * Where a reader goes on if the history is another one: the store has lost data, and continues from an earlier place, or from the
 * beginning.
 */
import { continueAt, endOf, endOfAll, pageSize, placeBefore } from './chain.ts';
import { beginning, type Place, type RoomStore, type StoredBatch } from './store.ts';

/** How many batches are remembered. */
const remembered = 256;
/** What was sent this long after the last batch is not older than that, though clocks differ: a store takes longer to start again. */
const restartMs = 100;

/** The batches that a reader has received last. */
export class Received {
  #ids = new Set<string>();
  /** When the last of them was sent. */
  #time = 0;

  add(batch: StoredBatch): void {
    this.beginAt(batch);
    this.#ids.add(batch.id);
    const [oldest] = this.#ids;
    if (this.#ids.size > remembered) this.#ids.delete(oldest as string);
  }

  /** It begins with, or after, a batch: what was sent before that is not new. */
  beginAt({ time }: StoredBatch): void {
    this.#time = Math.max(this.#time, time);
  }

  /** Adds what another one has received before, or as well. */
  addOlder(other: Received): void {
    this.#time = Math.max(this.#time, other.#time);
    this.#ids = new Set([...other.#ids, ...this.#ids].slice(-remembered));
  }

  has({ id }: StoredBatch): boolean {
    return this.#ids.has(id);
  }

  /** Whether a batch that is not known must be a new one, by the clocks of the senders. */
  isBefore({ time }: StoredBatch): boolean {
    return time > this.#time + restartMs;
  }
}

/**
 * The place after the last batch of a history that the reader has received. If there is none: before the first one that was sent after
 * all that it has received, or the end.
 */
export async function findFork(read: RoomStore['read'], room: string, received: Received): Promise<Place> {
  let known: Place | undefined;
  let later: Place | undefined;
  let place = beginning;
  for (let isComplete = false; !isComplete; ) {
    const next = continueAt(place, await read(room, { after: place }, pageSize));
    for (const batch of next.batches) {
      if (received.has(batch)) known = endOf(batch);
      else if (received.isBefore(batch)) later ??= placeBefore(batch);
    }
    place = endOfAll(next.batches, place);
    isComplete = next.isComplete;
  }
  return known ?? later ?? place;
}
