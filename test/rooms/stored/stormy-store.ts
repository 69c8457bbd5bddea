/** A store for several processes that is slow, loses what it passes on, trims, and loses its data. */
import { YodelError } from '../../../src/errors.ts';
import { endOf } from '../../../src/rooms/stored/chain.ts';
import type {
  NewBatch,
  Place,
  RoomStore,
  StoredBatch,
  StoredRange,
  StoreReceiver,
} from '../../../src/rooms/stored/store.ts';

/** A random number below a limit. */
export type Random = (limit: number) => number;

/** Always the same numbers for a seed: mulberry32. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/** One room, for all processes. */
export class StormyStore {
  batches: StoredBatch[] = [];
  /** Of 100 batches, how many a process does not get. */
  losses = 0;
  isAway = false;
  readonly #random: Random;
  readonly #receivers = new Set<StoreReceiver>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** The store, as one process sees it. */
  open(): RoomStore {
    let receiver: StoreReceiver;
    let passing: Promise<void> = Promise.resolve();
    const pass = (batch: StoredBatch) => {
      if (this.#random(100) < this.losses) return;
      passing = passing.then(() => this.#pause()).then(() => receiver.stored(batch));
    };
    this.#passes.add(pass);
    const isAway = () => this.isAway;
    return {
      get isReady() {
        return !isAway();
      },
      maxBatch: 1_000_000,
      start: (given) => {
        receiver = given;
        this.#receivers.add(given);
      },
      followed: () => this.#turn(),
      append: (batch) => this.#append(batch),
      read: (_room, from, maxBytes) => this.#read(from, maxBytes),
      close: async () => undefined,
    };
  }

  readonly #passes = new Set<(batch: StoredBatch) => void>();

  /** It can be reached again. */
  resume(): void {
    this.isAway = false;
    for (const receiver of this.#receivers) receiver.resumed();
  }

  async #append(batch: NewBatch): Promise<Place> {
    await this.#turn();
    const last = this.batches.at(-1);
    const stored = {
      ...batch,
      first: last ? last.first + last.count : 1,
      previous: { id: last?.id ?? '', at: 0 },
      at: 0,
    };
    this.batches.push(stored);
    for (const pass of this.#passes) pass(stored);
    await this.#pause();
    return endOf(stored);
  }

  async #read(from: { readonly after: Place } | { readonly newest: number }, maxBytes: number): Promise<StoredRange> {
    await this.#turn();
    const range = this.#rangeFrom(from, maxBytes);
    await this.#pause();
    return range;
  }

  #rangeFrom(from: { readonly after: Place } | { readonly newest: number }, maxBytes: number): StoredRange {
    const { batches } = this;
    const last = batches.at(-1);
    if (!last) return { batches: [], last: 0 };
    if ('newest' in from) return { batches: batches.slice(-Math.max(1, from.newest)), last: endOf(last).number };
    const start = batches.findIndex((batch) => endOf(batch).number >= from.after.number);
    // Short pages, so that there are many.
    const count = 2 + (maxBytes > 0 ? this.#random(3) : 0);
    return { batches: start < 0 ? [] : batches.slice(start, start + count), last: endOf(last).number };
  }

  async #turn(): Promise<void> {
    await this.#pause();
    if (this.isAway) throw new YodelError('YODEL_BUS_UNAVAILABLE', 'the store is away');
  }

  async #pause(): Promise<void> {
    for (let round = this.#random(4); round > 0; round--) await new Promise((resolve) => setImmediate(resolve));
  }
}
