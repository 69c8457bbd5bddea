/** What every store of rooms must do. Each kind of store runs these tests. */
import { expect, test as plainTest } from 'vitest';
import {
  beginning,
  type NewBatch,
  type Place,
  type RoomStore,
  type StoredBatch,
  type StoreLimits,
} from '../../../src/rooms/stored/store.ts';
import { waitUntil } from '../../support/process/process.ts';

/** A kind of store. */
export interface StoreKind {
  /**
   * Starts what keeps the histories. It ends with the test.
   *
   * @param isRestarted whether it will be restarted: then everything that it acknowledges must last
   */
  start(isRestarted?: boolean): Promise<StoreUnderTest>;
  /** Several processes can share the histories. */
  readonly isShared: boolean;
  /** It cannot count messages, only batches: it keeps as many of them. */
  readonly countsBatches?: boolean;
  /** `test`, if the programs that it needs are there. */
  readonly test?: typeof plainTest.skip;
}

export interface StoreUnderTest {
  /** What one process opens. Limits that are not given are 0. Closed at the end of the test. */
  open(limits?: Partial<StoreLimits>): Promise<OpenedStore>;
  /** Lets time pass, for limits of age. */
  pass(ms: number): Promise<void>;
  /** Kills what keeps the histories, and starts it again. Undefined: it is a part of the process, or keeps nothing. */
  restart?(kind: 'with data' | 'without data'): Promise<void>;
}

/** A store in one process, and what its receiver was called with. */
export interface OpenedStore {
  readonly store: RoomStore;
  readonly stored: StoredBatch[];
  /** How often it was told that batches may have been missed. */
  readonly resumed: { readonly count: number };
  /** Follows a room: what is stored after the promise resolves is in `stored`. */
  follow(room: string): Promise<void>;
}

const unlimited: StoreLimits = { storedMessages: 0, storedAge: 0, storedBytes: 0 };

/** Opens a store that records what it passes on. */
export function recording(limits: Partial<StoreLimits>) {
  const stored: StoredBatch[] = [];
  const resumed = { count: 0 };
  const receiver = {
    ...unlimited,
    ...limits,
    stored: (batch: StoredBatch) => void stored.push(batch),
    resumed: () => void resumed.count++,
  };
  return { stored, resumed, receiver };
}

let batches = 0;

/** A new batch. Its bytes are none that a room could unpack: stores must not look into them. */
export function batchOf(room: string, content: string | Uint8Array = 'x', count = 1): NewBatch {
  const id = `${process.pid % 10_000}-${++batches}`.padStart(16, '_');
  return { room, id, count, time: 1_700_000_000_000 + batches, bytes: Buffer.from(content) };
}

/** Appends one batch after another to a room, as a room does. */
export class Appender {
  readonly #store: RoomStore;
  readonly #room: string;
  known: Place = beginning;

  constructor(store: RoomStore, room: string) {
    this.#store = store;
    this.#room = room;
  }

  async append(content: string | Uint8Array = 'x', count = 1): Promise<NewBatch> {
    const batch = batchOf(this.#room, content, count);
    this.known = await this.#store.append(batch, this.known);
    return batch;
  }
}

/** Reads a whole history, page by page. */
export async function readAll(store: RoomStore, room: string, maxBytes = 65_536): Promise<StoredBatch[]> {
  const all: StoredBatch[] = [];
  let [after, last] = [beginning, Number.POSITIVE_INFINITY];
  while (after.number < last) {
    const page = await store.read(room, { after }, maxBytes);
    last = page.last;
    const fresh = page.batches.filter(({ first }) => first > after.number);
    if (fresh.length === 0 && last > 0) throw new Error(`nothing after ${after.number}, although ${last} is the last`);
    all.push(...fresh);
    after = all.length > 0 ? endOf(all.at(-1) as StoredBatch) : beginning;
  }
  return all;
}

/** The place after its last message. */
export function endOf({ first, count, id, at }: StoredBatch): Place {
  return { number: first + count - 1, id, at };
}

/** Expects that batches are without gaps and name those before them. @returns their contents */
export function expectChain(chain: readonly StoredBatch[], start: Pick<Place, 'number' | 'id'> = beginning): string[] {
  let end = start;
  for (const batch of chain) {
    expect({ first: batch.first, previous: batch.previous.id }).toEqual({ first: end.number + 1, previous: end.id });
    end = endOf(batch);
  }
  return chain.map(contentOf);
}

export const contentOf = ({ bytes }: StoredBatch): string => Buffer.from(bytes).toString('latin1');

/** Registers the tests. */
export function testStore(kind: StoreKind): void {
  testOrder(kind);
  testReading(kind);
  testLimits(kind);
  testRestarts(kind);
}

function testOrder({ start, test = plainTest, isShared }: StoreKind): void {
  test('numbers messages without gaps, and each batch names the one before it', async () => {
    const { store, stored, follow } = await (await start()).open();
    await follow('a');
    const [a, b] = [new Appender(store, 'a'), new Appender(store, 'b')];
    const places: Place[] = [];
    const sent: NewBatch[] = [];
    for (const count of [1, 3, 2]) {
      sent.push(await a.append(`${count}`, count));
      places.push(a.known);
      await b.append();
    }
    expect(places.map(({ number }) => number)).toEqual([1, 4, 6]);
    expect(places.map(({ id }) => id)).toEqual(sent.map(({ id }) => id));
    await waitUntil('all have arrived', () => stored.filter(({ room }) => room === 'a').length === 3);
    const live = stored.filter(({ room }) => room === 'a');
    for (const chain of [live, await readAll(store, 'a')]) {
      expect(expectChain(chain)).toEqual(['1', '3', '2']);
      expect(chain.map(({ room, id, count, time }) => ({ room, id, count, time }))).toEqual(
        sent.map(({ room, id, count, time }) => ({ room, id, count, time })),
      );
    }
    expect(expectChain(await readAll(store, 'b'))).toEqual(['x', 'x', 'x']);
  });

  test('keeps any bytes, in rooms of any name', async () => {
    const { store, stored, follow } = await (await start()).open();
    const names = ['a', '>', '*', 'a.b', 'a..b', '你好', 'with space', '=20', '$&%', 'x'.repeat(128), '\u{1F600}'];
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    for (const room of names) await follow(room);
    for (const room of names) {
      const sent = [Buffer.concat([Buffer.from(room), bytes]), Buffer.alloc(0)];
      const appender = new Appender(store, room);
      for (const content of sent) await appender.append(content);
      const { batches } = await store.read(room, { after: beginning }, 1_048_576);
      expect(expectChain(batches)).toEqual(sent.map((content) => content.toString('latin1')));
      expect(batches.map((batch) => batch.room)).toEqual([room, room]);
    }
    await waitUntil('all have arrived', () => stored.length === 2 * names.length);
    expect(stored.map(({ room }) => room)).toEqual(names.flatMap((room) => [room, room]));
  });

  test('takes batches up to its limit', async () => {
    const { store, stored, follow } = await (await start()).open();
    await follow('a');
    const appender = new Appender(store, 'a');
    const sizes = [store.maxBatch - 1, store.maxBatch, 1];
    for (const size of sizes) await appender.append(Buffer.alloc(size, 'z'));
    await waitUntil('all have arrived', () => stored.length === sizes.length);
    expect(expectChain(stored).map(({ length }) => length)).toEqual(sizes);
    expect(expectChain(await readAll(store, 'a')).map(({ length }) => length)).toEqual(sizes);
  });

  if (!isShared) return;

  test('has one order for all processes that append at once', async () => {
    const shared = await start();
    const nodes = [await shared.open(), await shared.open(), await shared.open()] as const;
    for (const { follow } of nodes) await follow('a');
    const each = 100;
    await Promise.all(
      nodes.slice(0, 2).map(async ({ store }, node) => {
        const appender = new Appender(store, 'a');
        for (let number = 0; number < each; number++) await appender.append(`${node} ${number}`, 1 + (number % 3));
      }),
    );
    const kept = expectChain(await readAll(nodes[0].store, 'a', 2000));
    expect(kept).toHaveLength(2 * each);
    for (const node of [0, 1]) {
      const own = kept.filter((content) => content.startsWith(`${node} `));
      expect(own).toEqual(Array.from({ length: each }, (_, number) => `${node} ${number}`));
    }
    for (const { stored } of nodes) {
      await waitUntil('all have arrived', () => stored.length === 2 * each);
      expect(expectChain(stored)).toEqual(kept);
    }
  });
}

function testReading({ start, test = plainTest }: StoreKind): void {
  test('reads from any place, in pages, and the newest', async () => {
    const { store } = await (await start()).open();
    const appender = new Appender(store, 'a');
    const places: Place[] = [beginning];
    for (let number = 0; number < 20; number++) {
      await appender.append(`${number}`.padEnd(1000), 3);
      places.push(appender.known);
    }
    const read = async (from: Parameters<RoomStore['read']>[1], maxBytes: number) => {
      const { batches, last } = await store.read('a', from, maxBytes);
      expect(last).toBe(60);
      return batches.map(({ first }) => first);
    };
    const [, , , , fifth] = places as [Place, Place, Place, Place, Place];
    // The place is at the end of the batch with the numbers 10 to 12.
    expect((await read({ after: fifth }, 1)).slice(0, 2)).toEqual([10, 13]);
    expect((await read({ after: { ...fifth, number: 10 } }, 1)).slice(0, 2)).toEqual([10, 13]);
    expect((await read({ after: fifth }, 100_000)).slice(0, 3)).toEqual([10, 13, 16]);
    const page = await read({ after: fifth }, 5500);
    expect(page.length).toBeGreaterThanOrEqual(4);
    expect(page.length).toBeLessThanOrEqual(8);
    expect(page).toEqual([10, 13, 16, 19, 22, 25, 28, 31].slice(0, page.length));
    expect((await read({ after: places.at(-1) as Place }, 1000)).at(-1)).toBe(58);
    expect((await read({ newest: 7 }, 1)).slice(-3)).toEqual([52, 55, 58]);
    expect((await read({ newest: 1 }, 1)).at(-1)).toBe(58);
    expect((await read({ newest: 0 }, 1)).at(-1)).toBe(58);
    expect((await read({ newest: 1000 }, 1)).length).toBe(20);
    expectChain(await readAll(store, 'a', 3000));
    for (const from of [{ after: beginning }, { after: fifth }, { newest: 5 }]) {
      expect(await store.read('empty', from, 1000)).toEqual({ batches: [], last: 0 });
    }
  });

  test('reads nothing after a place that it does not have yet', async () => {
    const { store } = await (await start()).open();
    const appender = new Appender(store, 'a');
    for (let number = 0; number < 3; number++) await appender.append();
    const { last, batches } = await store.read('a', { after: { ...appender.known, number: 1000 } }, 1000);
    expect(last).toBe(3);
    // The caller sees that none of them is the one of its place.
    expect(batches.filter(({ first }) => first > 3)).toEqual([]);
  });
}

function testLimits({ start, test = plainTest, countsBatches = false }: StoreKind): void {
  test('keeps at least the given number of messages of each room, in whole batches', async () => {
    const { store } = await (await start()).open({ storedMessages: 10 });
    const [a, b] = [new Appender(store, 'a'), new Appender(store, 'b')];
    await b.append('b', 2);
    for (let number = 0; number < 30; number++) await a.append(`${number}`, 3);
    const kept = async () => await readAll(store, 'a');
    await expect.poll(async () => (await kept()).length).toBeLessThanOrEqual(countsBatches ? 10 : 5);
    const batches = await kept();
    expect(batches.length).toBeGreaterThanOrEqual(4);
    expect(contentOf(batches.at(-1) as StoredBatch)).toBe('29');
    const [oldest] = batches as [StoredBatch];
    expectChain(batches, { number: oldest.first - 1, id: oldest.previous.id });
    // A reader that was overtaken continues with what there is.
    const page = await store.read('a', { after: { number: 3, id: '_'.repeat(16), at: 0 } }, 1);
    expect(page.batches[0]?.first).toBe(oldest.first);
    expect(page.last).toBe(90);
    expect(await readAll(store, 'b')).toHaveLength(1);
  });

  test('keeps the newest of all rooms together, within its bytes', async () => {
    const { store } = await (await start()).open({ storedBytes: 200_000 });
    const rooms = ['a', 'b', 'c', 'd'].map((room) => new Appender(store, room));
    for (let number = 0; number < 20; number++) for (const room of rooms) await room.append(Buffer.alloc(10_000, 'x'));
    const kept = async () => {
      const all = await Promise.all(['a', 'b', 'c', 'd'].map((room) => readAll(store, room)));
      return all.map((batches) => batches.length);
    };
    await expect.poll(async () => (await kept()).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(20);
    for (const count of await kept()) expect(count).toBeGreaterThan(0);
    await (rooms[0] as Appender).append('still there');
    expect(contentOf((await readAll(store, 'a')).at(-1) as StoredBatch)).toBe('still there');
  });

  test('removes what is too old; a room that has lost everything begins again, or continues', async () => {
    const { open, pass } = await start();
    const { store } = await open({ storedAge: 400 });
    const [a, b] = [new Appender(store, 'a'), new Appender(store, 'b')];
    await a.append('old', 5);
    const before = a.known;
    await pass(600);
    await b.append('new');
    await expect.poll(async () => await store.read('a', { after: beginning }, 1000)).toEqual({ batches: [], last: 0 });
    const { id } = await a.append('later', 2);
    if (a.known.number === 2) expect(a.known.id).toBe(id);
    else expect(a.known).toMatchObject({ number: 7, id });
    const { batches } = await store.read('a', { after: before }, 1000);
    // It may be too old already, on a busy machine.
    for (const { first, previous } of batches) {
      expect([
        { first: 1, previous: '' },
        { first: 6, previous: before.id },
      ]).toContainEqual({ first, previous: previous.id });
    }
  });
}

function testRestarts({ start, test = plainTest }: StoreKind): void {
  const testOfRestart = (name: string, run: (under: Required<StoreUnderTest>) => Promise<void>) =>
    test(name, async ({ skip }) => {
      const under = await start(true);
      if (!under.restart) return skip('it is a part of the process');
      await run(under as Required<StoreUnderTest>);
    });

  testOfRestart(
    'continues after a restart, and says that something may have been missed',
    async ({ open, restart }) => {
      const { store, stored, resumed, follow } = await open();
      await follow('a');
      const appender = new Appender(store, 'a');
      await appender.append('1');
      // It is stored before it is passed on.
      await waitUntil('it has arrived', () => stored.length === 1);
      const before = resumed.count;
      await restart('with data');
      await waitUntil('it is back', () => store.isReady && resumed.count > before);
      await appender.append('2');
      expect(expectChain(await readAll(store, 'a'))).toEqual(['1', '2']);
      await waitUntil('it has arrived', () => stored.length === 2);
    },
  );

  testOfRestart('begins again after a restart without its data', async ({ open, restart }) => {
    const { store, resumed } = await open();
    const appender = new Appender(store, 'a');
    for (let number = 0; number < 5; number++) await appender.append();
    const [before, resumedBefore] = [appender.known, resumed.count];
    await restart('without data');
    await waitUntil('it is back', () => store.isReady && resumed.count > resumedBefore);
    expect(await store.read('a', { after: before }, 1000)).toEqual({ batches: [], last: 0 });
    for (let number = 0; number < 9; number++) await appender.append('new');
    expect(appender.known.number).toBe(9);
    // The place is in the new history, but in another batch.
    const { batches } = await store.read('a', { after: before }, 1);
    expect(batches.map(({ id }) => id)).not.toContain(before.id);
    expect(expectChain(await readAll(store, 'a'))).toHaveLength(9);
  });

  testOfRestart('killed while two processes append: each batch is there once, in order', async ({ open, restart }) => {
    const nodes = [await open(), await open()] as const;
    let isOver = false;
    const sent = nodes.map(() => 0);
    const appending = nodes.map(async ({ store }, node) => {
      const appender = new Appender(store, 'a');
      while (!isOver) await appendSurely(store, appender, `${node} ${(sent[node] as number)++}`);
    });
    for (let kill = 0; kill < 3; kill++) {
      const before = [...sent];
      await waitUntil('both append', () =>
        nodes.every((_, node) => (sent[node] as number) > (before[node] as number) + 20),
      );
      await restart('with data');
    }
    isOver = true;
    await Promise.all(appending);
    const kept = expectChain(await readAll(nodes[0].store, 'a'));
    for (const node of nodes.keys()) {
      const own = kept.filter((content) => content.startsWith(`${node} `));
      expect(own).toEqual(Array.from({ length: sent[node] as number }, (_, number) => `${node} ${number}`));
    }
  });
}

/** Appends; what is refused because the store is away was not stored, and is appended again. */
async function appendSurely(store: RoomStore, appender: Appender, content: string): Promise<void> {
  for (;;) {
    await waitUntil('the store is ready', () => store.isReady);
    try {
      return void (await appender.append(content));
    } catch (error) {
      if (!/away/.test((error as Error).message)) throw error;
    }
  }
}
