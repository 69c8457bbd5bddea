/** The journal in a file: what goes in comes out, in order, whatever happens between. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TcpAddress } from '../../src/address.ts';
import type { Framing } from '../../src/framing/framing.ts';
import { lines } from '../../src/framing/lines.ts';
import { parseFraming } from '../../src/framing/notation.ts';
import type { Entry, JournalQuery, JournalReader } from '../../src/journal/journal.ts';
import { readJournal } from '../../src/journal/reader.ts';
import { frameOf } from '../../src/journal/shape.ts';
import { type JournalOptions, openJournal } from '../../src/journal/sqlite.ts';
import { Verification } from '../../src/journal/verify.ts';
import { serve } from '../../src/server/server.ts';
import type { Journaled } from '../../src/session/journaling.ts';
import { temporaryFolder } from '../support/files.ts';

let lastPort = 1000;

/** A session that only has what a journal looks at. */
function session(wire: Framing = lines(), port = ++lastPort): Journaled {
  const address = new TcpAddress('127.0.0.1', port);
  return {
    ...{ id: port, peer: address, local: new TcpAddress('127.0.0.1', 7878), wire, endedBy: 'peer', durationMs: 0 },
    ...{ messagesReceived: 0, messagesSent: 0, bytesReceived: 0, bytesSent: 0, queued: 0, unsent: 0 },
  };
}

function batchOf(wire: Framing, bytes: string | Uint8Array) {
  const limits = { maxMessageLength: 1e9, onTooLong: 'close', encoding: 'binary' } as const;
  return wire.createDecoder(limits).decode(Buffer.from(bytes));
}

async function open(options: JournalOptions = {}, file = join(temporaryFolder(), 'test.journal')) {
  const journal = await openJournal(file, options);
  onTestFinished(() => journal.close());
  const add = (one: Journaled, text: string) => journal.append(one, batchOf(one.wire, text));
  return { file, journal, add };
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const textOf = ({ bytes }: Pick<Entry, 'bytes'>) => Buffer.from(bytes).toString();

async function texts(reader: Pick<JournalReader, 'read'>, query: JournalQuery = {}): Promise<string[]> {
  return (await all(reader.read(query))).map(textOf);
}

async function problemsOf(file: string): Promise<readonly string[]> {
  const verification = new Verification(file);
  await all(verification.run());
  verification.close();
  return verification.problems;
}

test('who is answered by one commit and sends again is in the next, with those who came meanwhile', async () => {
  const { journal, add } = await open();
  const [one, two] = [session(), session()];
  const first = add(one, 'a\n');
  const second = add(two, 'b\n');
  await first;
  const third = add(one, 'c\n');
  // All that is in a commit has its promise.
  expect(third).toBe(second);
  await third;
  // Two are expected now, and only one comes.
  await add(two, 'd\n');
  expect(await texts(journal)).toEqual(['a', 'b', 'c', 'd']);
});

test('what is sent is recorded soon, also when nothing else comes', async () => {
  const { journal, add } = await open({ replies: true });
  const one = session();
  await add(one, 'question\n');
  journal.subscriber?.sent?.(one, Buffer.from('answer\n'));
  const entries = await all(journal.read({ to: 2, follow: true }));
  expect(entries.map((entry) => [textOf(entry), entry.direction])).toEqual([
    ['question', 'in'],
    ['answer', 'out'],
  ]);
});

test('and when the time for it comes while the disk is busy', async () => {
  const { file, journal, add } = await open({ replies: true });
  const one = session();
  await add(one, 'first\n');
  const other = new DatabaseSync(file);
  other.exec('BEGIN IMMEDIATE');
  const second = add(one, 'second\n');
  journal.subscriber?.sent?.(one, Buffer.from('answer\n'));
  await delay(50);
  other.exec('ROLLBACK');
  other.close();
  await second;
  expect((await all(journal.read({ to: 3, follow: true }))).map(textOf)).toEqual(['first', 'second', 'answer']);
});

test('messages come out as they went in, with whose they are and when', async () => {
  const before = Date.now();
  const { journal, add } = await open();
  const [one, two] = [session(), session()];
  await Promise.all([add(one, 'a\nb\n'), add(two, 'c\n'), add(one, 'd\n')]);
  const entries = await all(journal.read());
  expect(entries.map(textOf)).toEqual(['a', 'b', 'c', 'd']);
  expect(entries.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
  expect(entries.map(({ session }) => session)).toEqual([1, 1, 2, 1]);
  const { time, elapsed, ...rest } = entries[0] as Entry;
  expect(rest).toEqual({
    ...{ sequence: 1, session: 1, run: 1, peer: `127.0.0.1:${one.peer.scheme === 'tcp' ? one.peer.port : 0}` },
    ...{ direction: 'in', framing: 'lines', bytes: new Uint8Array([97]), shape: null, isTruncated: false },
  });
  expect(time).toBeGreaterThanOrEqual(before);
  expect(elapsed).toBeGreaterThan(0);
});

test('what waits together goes together, and in the order in which it came', async () => {
  const { journal, add, file } = await open();
  const sessions = Array.from({ length: 20 }, () => session());
  const expected: string[] = [];
  const done: Promise<void>[] = [];
  for (let round = 0; round < 50; round++) {
    for (const [index, one] of sessions.entries()) {
      expected.push(`${index}:${round}`);
      done.push(add(one, `${index}:${round}\n`));
    }
    if (round % 10 === 0) await done.at(-1);
  }
  await Promise.all(done);
  expect(await texts(journal)).toEqual(expected);
  await journal.close();
  expect(await problemsOf(file)).toEqual([]);
});

describe('frames', () => {
  const kinds = ['lines', 'delimiter:\\0', 'delimiter:END', 'length:4', 'length:2,little,offset=3', 'raw'];

  test.each(kinds)('%s: come out byte for byte, also those that are not usual', async (name) => {
    const wire = parseFraming(name);
    const { journal } = await open();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        const limits = { maxMessageLength: 1e6, onTooLong: 'discard', encoding: 'binary' } as const;
        const decoder = wire.createDecoder(limits);
        const frames: Uint8Array[] = [];
        const one = session(wire);
        for (const batch of [decoder.decode(Buffer.from(bytes)), decoder.end()]) {
          if (batch.count === 0) continue;
          for (const { frame } of batch) frames.push(Uint8Array.from(frame));
          await journal.append(one, batch);
        }
        if (frames.length === 0) return;
        const peer = `127.0.0.1:${one.peer.scheme === 'tcp' ? one.peer.port : 0}`;
        const entries = await all(journal.read({ peer }));
        expect(entries.map((entry) => Uint8Array.from(frameOf(entry)))).toEqual(frames);
      }),
      { numRuns: 40 },
    );
  });
});

describe('over many segments', () => {
  test('every question is answered as if all messages had been looked at', async () => {
    const { journal, add, file } = await open();
    const sessions = Array.from({ length: 7 }, () => session());
    const kept: { text: string; session: number }[] = [];
    let done: Promise<void> = Promise.resolve();
    for (let index = 0; kept.length < 30_000; index++) {
      // The last session has messages only now and then.
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
      const whose = sessions.findIndex(
        ({ peer }) => recorded.peer === `127.0.0.1:${peer.scheme === 'tcp' && peer.port}`,
      );
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

  test('the oldest go when it is larger than it may be, and what is left is whole', async () => {
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

  test('the oldest go when they are older than they may be', async () => {
    const { journal, add } = await open({ maxAge: 1 });
    const one = session();
    for (let index = 0; index < 100; index++) await add(one, 'x\n'.repeat(200));
    for (let more = 0; more < 40; more++) await add(one, 'y\n');
    const { deleted, last } = await journal.stats();
    expect(deleted).toBeGreaterThanOrEqual(8192);
    expect(last).toBe(20_040);
  });
});

test('a quiet journal forgets what is too old, too', async () => {
  const { journal, add } = await open({ maxAge: 200 });
  await add(session(), 'a\nb\n');
  while ((await journal.stats()).messages > 0) await delay(20);
  expect(await journal.stats()).toMatchObject({ deleted: 2, last: 0 });
  await add(session(), 'c\n');
  expect((await all(journal.read())).map(({ sequence }) => sequence)).toEqual([3]);
});

test('what is opened again goes on where it stopped', async () => {
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

test('following shows what is recorded from then on', async () => {
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

test('replies are recorded where they are asked for', async () => {
  const { file, journal, add } = await open({ replies: true });
  const one = session();
  await add(one, 'a\n');
  journal.subscriber.sent?.(one, Buffer.from('A'));
  journal.subscriber.sent?.(one, Buffer.from('A\nB'));
  journal.subscriber.closed?.(one, undefined);
  await journal.close();
  const reader = readJournal(file);
  const entries = await all(reader.read());
  expect(entries.map((entry) => [entry.direction, Buffer.from(frameOf(entry)).toString()])).toEqual([
    ['in', 'a\n'],
    ['out', 'AA\n'],
    ['out', 'B'],
  ]);
  expect(await all(reader.sessions())).toMatchObject([
    { messagesIn: 1, messagesOut: 2, bytesIn: 1, bytesOut: 3, endedBy: 'peer' },
  ]);
  await reader.close();
});

test('of long messages only the beginning is kept where that is wished, and it says so', async () => {
  const { journal, add } = await open({ maxMessage: 4 });
  await add(session(), 'long text\nabcd\n');
  const entries = await all(journal.read());
  expect(entries.map((entry) => [textOf(entry), entry.isTruncated])).toEqual([
    ['long', true],
    ['abcd', false],
  ]);
});

test.each(['full', 'normal', 'off'] as const)('durability %s records all the same', async (durability) => {
  const { journal, add, file } = await open({ durability });
  for (let index = 0; index < 100; index++) await add(session(), `${index}\n`);
  await journal.close();
  const reader = readJournal(file);
  expect(await texts(reader)).toEqual(Array.from({ length: 100 }, (_, index) => String(index)));
  await reader.close();
});

test('nobody else can read the file', async () => {
  const { file, add } = await open();
  await add(session(), 'a\n');
  for (const path of [file, `${file}-wal`, `${file}-lock`]) expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a second writer is refused, and told who the first is', async () => {
  const { file } = await open({ name: 'the first' });
  await expect(openJournal(file)).rejects.toMatchObject({
    code: 'YODEL_JOURNAL_IN_USE',
    message: expect.stringMatching(new RegExp(`in use by process ${process.pid} \\(the first, since 20`)),
  });
});

test('a second writer is refused also by another name of the file', async () => {
  const { file } = await open();
  const link = join(temporaryFolder(), 'link.journal');
  symlinkSync(file, link);
  await expect(openJournal(link)).rejects.toMatchObject({ code: 'YODEL_JOURNAL_IN_USE' });
});

test.each(['', '-wal'])('nothing is said to be recorded once the file%s was removed', async (end) => {
  const { file, journal, add } = await open();
  await add(session(), 'a\n');
  rmSync(`${file}${end}`);
  await expect(add(session(), 'b\n')).rejects.toMatchObject({
    code: 'YODEL_JOURNAL_FAILED',
    message: expect.stringMatching(/it was removed/),
  });
  expect((await journal.failed).code).toBe('YODEL_JOURNAL_FAILED');
});

test('once it is closed nothing waits for it', async () => {
  const { journal, add, file } = await open();
  await add(session(), 'a\n');
  const following = all(journal.read({ follow: true }));
  await delay(1);
  await journal.close();
  await journal.close();
  expect((await following).map(textOf)).toEqual(['a']);
  await expect(add(session(), 'b\n')).rejects.toMatchObject({
    code: 'YODEL_JOURNAL_FAILED',
    message: expect.stringMatching(/is closed/),
  });
  const reader = readJournal(file);
  await reader.close();
  await reader.close();
  await expect(all(reader.read())).rejects.toMatchObject({ code: 'YODEL_JOURNAL_UNREADABLE' });
});

test('a query that can mean nothing is refused', async () => {
  const { journal, add } = await open();
  await add(session(), 'a\n');
  for (const query of [{ from: 'a' }, { from: Number.NaN }, { since: new Date() }, { direction: 'both' }]) {
    await expect(all(journal.read(query as unknown as JournalQuery))).rejects.toMatchObject({
      code: 'YODEL_INVALID_OPTION',
    });
  }
});

test('a server takes no longer messages than its journal', async () => {
  const { journal } = await open();
  const serving = serve({ listen: 'tcp://127.0.0.1:0', journal, maxMessageLength: 1_073_741_824 });
  await expect(serving).rejects.toMatchObject({
    code: 'YODEL_INVALID_OPTION',
    message: expect.stringMatching(/at most 999999000/),
  });
});

test('the number of a session is never given again, and none stays that has no message', async () => {
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

test('a few long messages do not take more than is allowed either', async () => {
  const maxSize = 4_000_000;
  const { journal, add } = await open({ maxSize });
  const one = session();
  for (let index = 0; index < 30; index++) await add(one, `${'x'.repeat(900_000)}\n`);
  const { used, messages } = await journal.stats();
  expect(used).toBeLessThan(maxSize * 1.5);
  expect(messages).toBeGreaterThan(1);
});

test('a copy without what is not in the file yet is told from a journal', async () => {
  const { file, add } = await open();
  await add(session(), 'a\n');
  const copy = join(temporaryFolder(), 'copy.journal');
  copyFileSync(file, copy);
  expect(() => readJournal(copy)).toThrow(/it has no tables, as a copy without its -wal file/);
});

describe('a file that is no journal is refused, and stays as it is', () => {
  const cases: readonly (readonly [string, (file: string) => void, RegExp])[] = [
    ['text', (file) => writeFileSync(file, 'hello, this is a text\n'), /is not a journal: it does not begin as/],
    [
      'another database',
      (file) => new DatabaseSync(file).exec('CREATE TABLE t (a)'),
      /is an SQLite database, but not a journal of yodel/,
    ],
    [
      'a newer one',
      (file) =>
        new DatabaseSync(file).exec('CREATE TABLE t (a); PRAGMA application_id = 2036624385; PRAGMA user_version = 99'),
      /is a journal of version 99, and this yodel knows version 1/,
    ],
  ];

  test.each(cases)('%s', async (_name, make, reason) => {
    const file = join(temporaryFolder(), 'other');
    make(file);
    const before = readFileSync(file);
    await expect(openJournal(file)).rejects.toMatchObject({
      code: 'YODEL_JOURNAL_UNREADABLE',
      message: expect.stringMatching(reason),
    });
    expect(() => readJournal(file)).toThrow(reason);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('a folder, and what is not there', async () => {
    const folder = temporaryFolder();
    await expect(openJournal(folder)).rejects.toThrow(/it is a folder/);
    await expect(openJournal(join(folder, 'no', 'where'))).rejects.toThrow(/there is no such file or folder/);
    expect(() => readJournal(join(folder, 'nothing'))).toThrow(/there is no such file/);
    expect(existsSync(join(folder, 'nothing'))).toBe(false);
  });

  test('a read-only file, for those who are not root', async () => {
    const { file, journal } = await open();
    await journal.close();
    chmodSync(file, 0o400);
    if (process.getuid?.() === 0) return;
    await expect(openJournal(file)).rejects.toThrow(/permission denied/);
  });
});

test('a damaged file is refused or found by verifying, with the way to rescue it', async () => {
  const { file, journal, add } = await open();
  const one = session();
  for (let index = 0; index < 30; index++) await add(one, `${'x'.repeat(50)}\n`.repeat(1000));
  await journal.close();
  const bytes = readFileSync(file);
  // Pages in the middle: 30,000 messages are in them.
  bytes.fill(0xee, 40 * 4096, 140 * 4096);
  writeFileSync(file, bytes);
  const reader = readJournal(file);
  const reading = all(reader.read());
  await expect(reading).rejects.toMatchObject({
    code: 'YODEL_JOURNAL_UNREADABLE',
    message: expect.stringMatching(/is damaged .*sqlite3 \S+ \.recover \| sqlite3 rescued\.journal/),
  });
  await reader.close();
  const problems = await problemsOf(file).catch((error: Error) => [error.message]);
  expect(problems.join('\n')).toMatch(/damaged/);
});

test('missing messages and wrong sums are found', async () => {
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
    'segment 1 does not say of session 1 what is there',
  ]);
});
