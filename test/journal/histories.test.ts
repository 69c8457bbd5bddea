/** The histories of rooms in a journal. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type JournalOptions, openJournal } from '../../src/journal/sqlite.ts';
import { beginning, type RoomStore, type StoreLimits } from '../../src/rooms/stored/store.ts';
import { Appender, batchOf, expectChain, readAll, recording, testStore } from '../rooms/stored/conformance.ts';
import { mounted, testWithMounts } from '../support/mounts.ts';
import { open, problemsOf, session, texts } from './open.ts';

describe('a journal as a store', () =>
  testStore({
    isShared: true,
    async start() {
      const { journal } = await open({ durability: 'normal' });
      return {
        async open(limits = {}) {
          const store = journal.openStore();
          const { receiver, ...rest } = recording(limits);
          store.start(receiver);
          onTestFinished(() => store.close());
          return { store, ...rest, follow: () => Promise.resolve() };
        },
        pass: (ms) => delay(ms),
      };
    },
  }));

/** A journal, and a store of it. */
async function opened(options: JournalOptions = {}, limits: Partial<StoreLimits> = {}, file?: string) {
  const under = await open(options, file);
  const store = under.journal.openStore();
  store.start(recording(limits).receiver);
  return { ...under, store };
}

/** Changes the file as another program could. */
function tamper(file: string, sql: string): void {
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

const all = { after: beginning };

async function numbersOf(store: RoomStore, room: string): Promise<number[]> {
  return (await store.read(room, all, 1e9)).batches.map(({ first }) => first);
}

test('a history continues after a restart, with the same numbers and ids', async () => {
  const first = await opened();
  const appender = new Appender(first.store, 'a');
  for (const content of ['1', '2', '3']) await appender.append(content, 2);
  await first.store.close();
  await first.journal.close();
  const { store, file } = await opened({}, {}, first.file);
  // The new process knows nothing.
  const place = await store.append(batchOf('a', '4'), beginning);
  expect(place.number).toBe(7);
  const batches = await readAll(store, 'a');
  expect(expectChain(batches)).toEqual(['1', '2', '3', '4']);
  const { batches: missed } = await store.read('a', { after: appender.known }, 1e6);
  expect(missed.map(({ id }) => id)).toEqual([appender.known.id, place.id]);
  expect(await problemsOf(file)).toEqual([]);
});

test('what rooms store is committed together with messages', async () => {
  const { store, add, file } = await opened({ durability: 'normal' });
  const one = session();
  await add(one, 'before\n');
  const before = commitsIn(file);
  // The first one is committed at once, and what comes meanwhile after it.
  const appending = [add(one, 'a\n'), store.append(batchOf('a'), beginning), add(one, 'b\n')];
  appending.push(store.append(batchOf('b'), beginning), add(one, 'c\n'));
  await Promise.all(appending);
  expect(commitsIn(file) - before).toBe(2);
});

/** The number of transactions in the log. */
function commitsIn(file: string): number {
  const log = readFileSync(`${file}-wal`);
  let commits = 0;
  for (let frame = 32; frame < log.length; frame += 24 + 4096) if (log.readUInt32BE(frame + 4) > 0) commits++;
  return commits;
}

test('all servers that share a journal receive what one of them stores, and another one continues', async () => {
  const { journal } = await open();
  const [one, other] = [recording({}), recording({})];
  const [store, second] = [journal.openStore(), journal.openStore()];
  store.start(one.receiver);
  second.start(other.receiver);
  await new Appender(store, 'a').append('1');
  await store.close();
  expect(store.isReady).toBe(false);
  await expect(store.append(batchOf('a'), beginning)).rejects.toMatchObject({ code: 'YODEL_BUS_UNAVAILABLE' });
  await new Appender(second, 'a').append('2');
  expect(expectChain(other.stored)).toEqual(['1', '2']);
  expect(expectChain(one.stored)).toEqual(['1']);
  await second.close();
  const third = journal.openStore();
  third.start(recording({}).receiver);
  expect(expectChain(await readAll(third, 'a'))).toEqual(['1', '2']);
  await journal.close();
  await expect(third.append(batchOf('a'), beginning)).rejects.toMatchObject({ code: 'YODEL_JOURNAL_FAILED' });
  await expect(third.read('a', all, 1)).rejects.toMatchObject({ code: 'YODEL_JOURNAL_FAILED' });
});

test('closing waits for what is being appended', async () => {
  const { store, journal } = await opened();
  const appended = Promise.all(['a', 'b', 'c'].map((room) => store.append(batchOf(room), beginning)));
  await Promise.all([store.close(), journal.close()]);
  expect((await appended).map(({ number }) => number)).toEqual([1, 1, 1]);
});

describe('damage', () => {
  const changes: readonly (readonly [what: string, sql: string])[] = [
    ['a byte of a message', "UPDATE stored SET bytes = CAST('y' AS BLOB) WHERE first = 2"],
    ['the number of messages', 'UPDATE stored SET count = 2 WHERE first = 2'],
    ['the room', "UPDATE stored SET room = 'a' WHERE room = 'b'"],
    ['the batch before it', "UPDATE stored SET previous = '' WHERE first = 2"],
  ];
  test.each(changes)('a batch is refused if something of it was changed: %s', async (_what, sql) => {
    const { store, file } = await opened();
    const a = new Appender(store, 'a');
    for (const content of ['x', 'x']) await a.append(content);
    // So that its number follows those of the other one.
    await store.append(batchOf('b'), a.known);
    expect(await problemsOf(file)).toEqual([]);
    tamper(file, sql);
    await expect(store.read('a', all, 1e6)).rejects.toMatchObject({
      code: 'YODEL_JOURNAL_UNREADABLE',
      message: expect.stringMatching(/of room "a" are not as they were stored/),
    });
    expect(await problemsOf(file)).toContainEqual(expect.stringMatching(/of room "a" are not as they were stored/));
    // Others are not affected.
    await store.append(batchOf('c'), beginning);
    expect(await numbersOf(store, 'c')).toEqual([1]);
  });

  test('verify finds what is missing, and a wrong total', async () => {
    const { store, file } = await opened();
    const appender = new Appender(store, 'a');
    for (let number = 0; number < 3; number++) await appender.append();
    tamper(file, 'DELETE FROM stored WHERE first = 2');
    expect(await problemsOf(file)).toEqual([
      'messages of room "a" are missing or doubled between 1 and 3',
      'the size of what rooms have stored is not the recorded one',
    ]);
  });
});

describe('limits', () => {
  test('lower ones apply after a restart, also to rooms that nobody uses any more', async () => {
    const first = await opened({ durability: 'normal' });
    const appender = new Appender(first.store, 'a');
    for (let number = 0; number < 50; number++) await appender.append('x'.repeat(1000));
    await first.journal.close();
    const { store, journal, file } = await opened({}, { storedBytes: 10_000 }, first.file);
    await expect.poll(async () => (await numbersOf(store, 'a')).length).toBeLessThan(10);
    expect((await numbersOf(store, 'a')).at(-1)).toBe(50);
    await journal.close();
    const third = await opened({}, { storedAge: 1 }, file);
    expect(await numbersOf(third.store, 'a')).toEqual([]);
    await expect.poll(async () => (await third.journal.stats()).stored.messages).toBe(0);
    expect(await problemsOf(file)).toEqual([]);
  });

  test('histories are kept no longer than messages', async () => {
    const { store, journal } = await opened({ maxAge: 200 }, { storedAge: 1_000_000 });
    await new Appender(store, 'a').append();
    await expect.poll(async () => (await journal.stats()).stored.messages).toBe(0);
    expect(await numbersOf(store, 'a')).toEqual([]);
  });

  test('messages and histories together stay within maxSize, of which histories take at most half', async () => {
    const maxSize = 500_000;
    const { store, journal, add, file } = await opened({ maxSize, durability: 'normal' });
    const one = session();
    const room = new Appender(store, 'a');
    const text = `${'x'.repeat(99)}\n`.repeat(50);
    const sizes: number[] = [];
    for (let round = 0; round < 200; round++) {
      await Promise.all([add(one, text), room.append('y'.repeat(5000))]);
      if (round % 20 === 0) sizes.push((await journal.stats()).used);
    }
    const { used, stored, deleted, messages } = await journal.stats();
    expect(Math.max(...sizes, used)).toBeLessThan(1.3 * maxSize);
    expect(deleted).toBeGreaterThan(2000);
    expect(messages).toBeGreaterThan(500);
    expect(stored.bytes).toBeLessThan(0.7 * maxSize);
    expect(stored.messages).toBeGreaterThan(10);
    expect((await numbersOf(store, 'a')).at(-1)).toBe(200);
    expect(await problemsOf(file)).toEqual([]);
  });

  test('histories alone stay within maxSize, whatever their own limits', async () => {
    const maxSize = 1_000_000;
    const { store, journal } = await opened({ maxSize, durability: 'normal' });
    const room = new Appender(store, 'a');
    for (let round = 0; round < 300; round++) await room.append('y'.repeat(10_000));
    const { used, stored } = await journal.stats();
    expect(used).toBeLessThan(1.3 * maxSize);
    expect(stored.messages).toBeGreaterThan(20);
    expect((await numbersOf(store, 'a')).at(-1)).toBe(300);
  });

  test('rooms that were used once take no space for ever', async () => {
    const { store, journal } = await opened({ durability: 'off' }, { storedBytes: 100_000 });
    await Promise.all(Array.from({ length: 5000 }, (_, room) => store.append(batchOf(`room ${room}`), beginning)));
    const { stored } = await journal.stats();
    expect(stored.bytes).toBeLessThanOrEqual(100_000);
    expect(stored.rooms).toBeGreaterThan(500);
    expect(await numbersOf(store, 'room 4999')).toEqual([1]);
  });
});

testWithMounts(
  'on a full disk appending is refused, without a gap; reading works, and with space it continues',
  async () => {
    const folder = mounted('-t', 'tmpfs', '-o', 'size=4m', 'tmpfs');
    const filler = join(folder, 'filler');
    writeFileSync(filler, Buffer.alloc(2_000_000));
    const { store, journal } = await opened({}, {}, join(folder, 'full.journal'));
    const appender = new Appender(store, 'a');
    const appendAll = async () => {
      for (let number = 0; number < 100; number++) await appender.append('x'.repeat(50_000));
    };
    await expect(appendAll()).rejects.toMatchObject({
      code: 'YODEL_NOT_RECORDED',
      message: expect.stringMatching(/^the disk of the journal \S+ is full$/),
    });
    const { number } = appender.known;
    expect(number).toBeGreaterThan(5);
    await expect(appender.append('x'.repeat(50_000))).rejects.toMatchObject({ code: 'YODEL_NOT_RECORDED' });
    expect([store.isReady, journal.isRefusing]).toEqual([true, true]);
    expect(await numbersOf(store, 'a')).toHaveLength(number);
    rmSync(filler);
    await appender.append('with space');
    expect(appender.known.number).toBe(number + 1);
    expect(expectChain(await readAll(store, 'a')).at(-1)).toBe('with space');
  },
);

test('tells servers what it keeps, also from before', async () => {
  const sizes = async (file?: string) => {
    const { journal, ...under } = await open({}, file);
    const told: number[] = [];
    const store = journal.openStore();
    store.start({ ...recording({}).receiver, kept: (bytes) => told.push(bytes) });
    return { journal, store, told, ...under };
  };
  const first = await sizes();
  await first.store.append(batchOf('a', 'x'.repeat(1000)), beginning);
  await expect.poll(() => first.told).toEqual([0, 1102]);
  await first.journal.close();
  const { told } = await sizes(first.file);
  await expect.poll(() => told.at(-1)).toBe(1102);
});

test('reading leaves no old state open, which would keep the log from being shortened', async () => {
  const { store, file } = await opened({ durability: 'normal' });
  const appender = new Appender(store, 'a');
  for (let number = 0; number < 20; number++) await appender.append('x'.repeat(1000));
  for (const from of [all, { after: appender.known }, { newest: 3 }]) await store.read('a', from, 3000);
  await appender.append();
  const other = new DatabaseSync(file);
  expect(other.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()).toMatchObject({ busy: 0, log: 0 });
  other.close();
});

test('programs that know no histories read and continue the file, and one that they wrote gets histories', async () => {
  const first = await opened();
  await first.add(session(), 'a\n');
  await first.journal.close();
  tamper(first.file, "DROP TABLE stored; DELETE FROM state WHERE name = 'stored'");
  expect(await problemsOf(first.file)).toEqual([]);
  const journal = await openJournal(first.file);
  onTestFinished(() => journal.close());
  expect(await texts(journal)).toEqual(['a']);
  expect((await journal.stats()).stored).toEqual({ rooms: 0, messages: 0, bytes: 0 });
  const store = journal.openStore();
  store.start(recording({}).receiver);
  await new Appender(store, 'a').append();
  expect((await journal.stats()).stored).toEqual({ rooms: 1, messages: 1, bytes: 103 });
});
