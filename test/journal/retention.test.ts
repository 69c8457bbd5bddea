/** Limits of size and age. */
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { YodelError } from '../../src/errors.ts';
import { waitUntil } from '../support/process/process.ts';
import { all, open, problemsOf, session } from './open.ts';

test('beyond maxSize the oldest messages are deleted, and the rest is consistent', async () => {
  const maxSize = 1_000_000;
  const { journal, add, file } = await open({ maxSize });
  const long = session();
  const text = `${'x'.repeat(99)}\n`.repeat(100);
  for (let index = 0; index < 400; index++) {
    const one = index % 10 === 0 ? long : session();
    await add(one, text);
    if (one !== long) journal.subscriber.closed?.(one, undefined);
  }
  for (let more = 0; more < 40; more++) await add(long, 'x\n');
  const { messages, first, last, deleted, used, sessions } = await journal.stats();
  expect(last).toBe(40_040);
  expect(deleted).toBe(first - 1);
  expect(messages).toBe(last - deleted);
  expect(used).toBeLessThan(2 * maxSize);
  expect(sessions).toBeLessThan(300);
  expect((await all(journal.sessions())).some(({ session }) => session === 1)).toBe(true);
  await journal.close();
  expect(statSync(file).size).toBeLessThan(4 * maxSize);
  expect(await problemsOf(file)).toEqual([]);
  const { journal: again, add: addMore } = await open({}, file);
  await addMore(session(), 'next\n');
  expect((await again.stats()).last).toBe(40_041);
});

test('messages older than maxAge are deleted', async () => {
  const { journal, add } = await open({ maxAge: 1 });
  const one = session();
  for (let index = 0; index < 100; index++) await add(one, 'x\n'.repeat(200));
  for (let more = 0; more < 40; more++) await add(one, 'y\n');
  const { deleted, last } = await journal.stats();
  expect(deleted).toBeGreaterThanOrEqual(8192);
  // On a busy machine all of them may be old enough.
  expect(last === 0 ? deleted : last).toBe(20_040);
});

test('an idle journal deletes old messages too', async () => {
  const { journal, add } = await open({ maxAge: 200 });
  await add(session(), 'a\nb\n');
  while ((await journal.stats()).messages > 0) await delay(20);
  expect(await journal.stats()).toMatchObject({ deleted: 2, last: 0 });
  await add(session(), 'c\n');
  expect((await all(journal.read())).map(({ sequence }) => sequence)).toEqual([3]);
});

test('session numbers are never used twice, and ended sessions without messages are deleted', async () => {
  const { journal, add, file } = await open({ maxAge: 200 });
  const three = [session(), session(), session()];
  for (const one of three) await add(one, 'a\n');
  while ((await journal.stats()).messages > 0) await delay(20);
  for (const one of three) journal.subscriber.closed?.(one, undefined);
  while ((await journal.stats()).sessions > 0) await delay(20);
  await journal.close();
  const { journal: again, add: addMore } = await open({}, file);
  await addMore(session(), 'b\n');
  expect((await all(again.read())).map(({ session, run }) => [session, run])).toEqual([[4, 2]]);
});

test('maxSize also limits a few long messages', async () => {
  const maxSize = 4_000_000;
  const { journal, add } = await open({ maxSize });
  const one = session();
  for (let index = 0; index < 30; index++) await add(one, `${'x'.repeat(900_000)}\n`);
  const { used, messages } = await journal.stats();
  expect(used).toBeLessThan(maxSize * 1.5);
  expect(messages).toBeGreaterThan(1);
});

test('beside a reader of an old state, the log stays within its limit: messages are refused until it has gone', async () => {
  const states: (string | undefined)[] = [];
  const onRefusing = (error: Error | undefined) => states.push(error?.message);
  const { journal, add, file } = await open({ maxSize: 8_388_608, onRefusing });
  const one = session();
  const text = `${'x'.repeat(999)}\n`.repeat(1000);
  await add(one, text);
  const reader = new DatabaseSync(file, { readOnly: true });
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM messages').get();
  let written = 0;
  const refused = async (): Promise<YodelError> => {
    for (; written < 40; written++) {
      try {
        await add(one, text);
      } catch (error) {
        return error as YodelError;
      }
    }
    throw new Error(`the log grew to ${statSync(`${file}-wal`).size} bytes`);
  };
  expect(await refused()).toMatchObject({ code: 'YODEL_NOT_RECORDED' });
  expect(statSync(`${file}-wal`).size).toBeLessThan(2 * 8_388_608);
  expect(journal.isRefusing).toBe(true);
  reader.exec('COMMIT');
  reader.close();
  await waitUntil('messages are taken again', () => !journal.isRefusing);
  await add(one, text);
  expect(states).toEqual([expect.stringContaining('another program reads an old state of the journal'), undefined]);
  await waitUntil('the log is short', () => statSync(`${file}-wal`).size <= 8_388_608);
  await journal.close();
  expect(await problemsOf(file)).toEqual([]);
});
