/** Reading a journal: queries, following, verification. */
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import type { JournalQuery } from '../../src/journal/journal.ts';
import type { Journaled } from '../../src/session/journaling.ts';
import { all, open, problemsOf, session, textOf, texts } from './open.ts';

test('queries over many segments find what a scan of all messages would', async () => {
  const { journal, add, file } = await open();
  const sessions = Array.from({ length: 7 }, () => session());
  const kept: { text: string; session: number }[] = [];
  let done: Promise<void> = Promise.resolve();
  for (let index = 0; kept.length < 30_000; index++) {
    // The last session has only a few messages.
    const whose = index % 1000 === 0 ? 6 : (index * 7919) % 6;
    const count = 1 + (index % 13);
    const own = Array.from({ length: count }, (_, nth) => `${index}.${nth}`);
    for (const text of own) kept.push({ text, session: whose });
    done = add(sessions[whose] as Journaled, own.map((text) => `${text}\n`).join(''));
    if (index % 100 === 0) await done;
  }
  await done;
  expect(await texts(journal)).toEqual(kept.map(({ text }) => text));
  const numbers = new Map<number, number>();
  for (const recorded of await all(journal.sessions())) {
    const whose = sessions.findIndex(({ peer }) => recorded.peer === `127.0.0.1:${peer.scheme === 'tcp' && peer.port}`);
    numbers.set(whose, recorded.session);
    const own = kept.filter(({ session }) => session === whose);
    expect(recorded.messagesIn).toBe(own.length);
    expect(recorded.bytesIn).toBe(own.reduce((sum, { text }) => sum + text.length, 0));
    expect(recorded.first).toBe(kept.findIndex(({ session }) => session === whose) + 1);
    expect(recorded.last).toBe(kept.findLastIndex(({ session }) => session === whose) + 1);
  }
  for (const whose of [0, 6]) {
    const own = kept.filter(({ session }) => session === whose).map(({ text }) => text);
    expect(await texts(journal, { session: numbers.get(whose) })).toEqual(own);
  }
  expect(await texts(journal, { from: 8190, to: 8200 })).toEqual(kept.slice(8189, 8200).map(({ text }) => text));
  expect(await texts(journal, { peer: '127.0.0.1', from: 29_990, to: 29_999 })).toHaveLength(10);
  expect(await texts(journal, { peer: '127.0.0' })).toEqual([]);
  const [entry] = await all(journal.read({ from: 20_000, to: 20_000 }));
  const time = entry?.time as number;
  const times = await all(journal.read());
  expect(await texts(journal, { since: time })).toEqual(times.filter((one) => one.time >= time).map(textOf));
  expect(await texts(journal, { until: time })).toEqual(times.filter((one) => one.time < time).map(textOf));
  expect(await journal.stats()).toMatchObject({ messages: kept.length, sessions: 7, first: 1, last: kept.length });
  await journal.close();
  expect(await problemsOf(file)).toEqual([]);
});

test('a reopened journal continues its numbers', async () => {
  const { journal, add, file } = await open();
  await add(session(), 'a\nb\n');
  await journal.close();
  const { journal: again, add: addMore } = await open({}, file);
  await addMore(session(), 'c\n');
  const entries = await all(again.read());
  expect(entries.map(({ sequence, session, bytes }) => [sequence, session, textOf({ bytes })])).toEqual([
    [1, 1, 'a'],
    [2, 1, 'b'],
    [3, 2, 'c'],
  ]);
});

test('following yields messages as they are recorded', async () => {
  const { journal, add } = await open();
  const one = session();
  await add(one, 'a\n');
  const seen: string[] = [];
  const stop = new AbortController();
  const following = (async () => {
    for await (const entry of journal.read({ follow: true, signal: stop.signal })) {
      seen.push(textOf(entry));
      if (seen.length === 3) stop.abort();
    }
  })();
  await add(one, 'b\n');
  await add(session(), 'c\n');
  await following;
  expect(seen).toEqual(['a', 'b', 'c']);
});

test('a query with values of the wrong type is refused', async () => {
  const { journal, add } = await open();
  await add(session(), 'a\n');
  for (const query of [{ from: 'a' }, { from: Number.NaN }, { since: new Date() }, { direction: 'both' }]) {
    await expect(all(journal.read(query as unknown as JournalQuery))).rejects.toMatchObject({
      code: 'YODEL_INVALID_OPTION',
    });
  }
});

test('verification finds missing messages and wrong totals', async () => {
  const { file, journal, add } = await open();
  await add(session(), 'x\n'.repeat(9000));
  await add(session(), 'y\n');
  await journal.close();
  const database = new DatabaseSync(file);
  database.exec('DELETE FROM messages WHERE sequence IN (17, 18, 5000); UPDATE activity SET bytes_in = 1');
  database.close();
  expect(await problemsOf(file)).toEqual([
    'messages 17 to 18 are missing',
    'message 5000 is missing',
    'segment 1 has wrong totals for session 1',
  ]);
});
