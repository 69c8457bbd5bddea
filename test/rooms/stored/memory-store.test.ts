import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../../../src/rooms/stored/memory-store.ts';
import { beginning, type Place, type StoredBatch, type StoreLimits } from '../../../src/rooms/stored/store.ts';
import { FakeClock } from '../../../src/testing/fake-clock.ts';
import { batchOf, recording, testStore } from './conformance.ts';

const unlimited: StoreLimits = { storedMessages: 0, storedAge: 0, storedBytes: 0 };
const everything = { after: beginning };

describe('a store in memory', () =>
  testStore({
    isShared: false,
    async start() {
      const clock = new FakeClock();
      return {
        async open(limits = {}) {
          const store = new MemoryStore(clock);
          const { receiver, ...rest } = recording(limits);
          store.start(receiver);
          return { store, ...rest, follow: () => store.followed() };
        },
        pass: (ms) => clock.advance(ms),
      };
    },
  }));

function opened(limits: Partial<StoreLimits> = {}) {
  const clock = new FakeClock();
  const store = new MemoryStore(clock);
  const stored: StoredBatch[] = [];
  store.start({ ...unlimited, ...limits, stored: (batch) => stored.push(batch), resumed: () => undefined });
  let batches = 0;
  const append = (room: string, count = 1, known: Place = beginning, bytes: Uint8Array = Buffer.alloc(10)) =>
    store.append({ room, id: String(++batches).padStart(16, '0'), count, time: 0, bytes }, known);
  const numbers = async (room: string) => (await store.read(room, everything, 1e6)).batches.map(({ first }) => first);
  return { clock, store, stored, append, numbers };
}

test('passes on what is stored before the call returns', () => {
  const { stored, append } = opened();
  append('a').catch(() => undefined);
  expect(stored.map(({ room, first, previous }) => [room, first, previous.id])).toEqual([['a', 1, '']]);
});

test('keeps whole batches, with at least that many messages', async () => {
  const { append, numbers } = opened({ storedMessages: 4 });
  await append('a', 3);
  await append('a', 2);
  expect(await numbers('a')).toEqual([1, 4]);
  await append('a', 2);
  expect(await numbers('a')).toEqual([4, 6]);
  await append('b', 1);
  expect(await numbers('a')).toEqual([4, 6]);
});

test('never returns what is too old, and frees the memory of rooms that nobody uses any more', async () => {
  const { clock, store, append, numbers } = opened({ storedAge: 60_000 });
  for (const room of ['a', 'b', 'c']) await append(room);
  const last = await append('a');
  await clock.advance(59_999);
  expect(await numbers('a')).toEqual([1, 2]);
  await append('c');
  await clock.advance(1);
  expect(await numbers('a')).toEqual([]);
  expect(await numbers('c')).toEqual([2]);
  await clock.advance(61_000);
  expect(store.bytes).toBe(0);
  // Who had read all of it has missed nothing.
  await append('a', 1, last);
  const { batches } = await store.read('a', { after: last }, 1e6);
  expect(batches.map(({ first, previous }) => [first, previous.id])).toEqual([[3, last.id]]);
  await store.close();
  expect(clock.waiting).toBe(0);
});

test('removes the oldest batches of all rooms when together they take too much', async () => {
  const { store, append, numbers } = opened({ storedBytes: 100_000 });
  await append('old', 1, beginning, Buffer.alloc(30_000));
  await append('new', 1, beginning, Buffer.alloc(30_000));
  await append('old', 1, beginning, Buffer.alloc(30_000));
  await append('new', 1, beginning, Buffer.alloc(30_000));
  expect(await numbers('old')).toEqual([2]);
  expect(await numbers('new')).toEqual([1, 2]);
  await append('huge', 1, beginning, Buffer.alloc(200_000));
  expect(store.bytes).toBe(0);
});

test('takes a bounded amount of memory for any number of rooms', async () => {
  const { store, append } = opened({ storedBytes: 100_000 });
  for (let room = 0; room < 10_000; room++) await append(`room ${room}`);
  expect(store.bytes).toBeGreaterThan(50_000);
  expect(store.bytes).toBeLessThanOrEqual(100_000);
  expect((await store.read('room 0', everything, 1e6)).last).toBe(0);
  expect((await store.read('room 9999', everything, 1e6)).last).toBe(1);
});

test('tells what it keeps', async () => {
  const clock = new FakeClock();
  const store = new MemoryStore(clock);
  const told: number[] = [];
  store.start({ ...recording({ storedAge: 1000 }).receiver, kept: (bytes) => told.push(bytes) });
  await store.append(batchOf('a'), beginning);
  expect(told).toEqual([store.bytes]);
  await clock.advance(3000);
  expect(told.at(-1)).toBe(0);
  await store.close();
});

test('keeps its own copy of the bytes, and nothing else', async () => {
  const { stored, append } = opened();
  const chunk = Buffer.alloc(65_536, 'x');
  await append('a', 1, beginning, chunk.subarray(10, 20));
  chunk.fill('y');
  const [batch] = stored as [StoredBatch];
  expect(String(batch.bytes)).toBe('xxxxxxxxxx');
  expect(batch.bytes.buffer.byteLength).toBe(10);
});

test('refuses everything once it is closed', async () => {
  const { store, append } = opened();
  await append('a');
  await store.close();
  expect([store.isReady, store.bytes]).toEqual([false, 0]);
  await expect(append('a')).rejects.toMatchObject({ code: 'YODEL_BUS_UNAVAILABLE' });
  await expect(store.read('a', everything, 1)).rejects.toMatchObject({ code: 'YODEL_BUS_UNAVAILABLE' });
});
