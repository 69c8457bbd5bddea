/** A store that several processes share, in memory: each of them opens a part of it. */
import { YodelError } from '../../src/errors.ts';
import { MemoryStore } from '../../src/rooms/stored/memory-store.ts';
import type { RoomStore, StoredBatch, StoreReceiver } from '../../src/rooms/stored/store.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';

export class SharedStore {
  readonly #store = new MemoryStore(new FakeClock());
  readonly #receivers = new Set<StoreReceiver>();
  /** Whether it can be reached. */
  isReady = true;

  constructor() {
    this.#store.start({
      storedMessages: 0,
      storedAge: 0,
      storedBytes: 0,
      stored: (batch: StoredBatch) => {
        for (const one of this.#receivers) one.stored(batch);
      },
      resumed: () => undefined,
    });
  }

  /** What one process has of it. */
  open(): RoomStore {
    const [shared, store] = [this, this.#store];
    const reachable = <Value>(run: () => Promise<Value>) =>
      shared.isReady ? run() : Promise.reject(new YodelError('YODEL_BUS_UNAVAILABLE', 'the store is away'));
    return {
      get isReady() {
        return shared.isReady;
      },
      maxBatch: store.maxBatch,
      start: (receiver) => void shared.#receivers.add(receiver),
      followed: () => store.followed(),
      append: (batch, known) => reachable(() => store.append(batch, known)),
      read: (...request) => reachable(() => store.read(...request)),
      close: async () => undefined,
    };
  }
}
