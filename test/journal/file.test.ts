/** The file of a journal: permissions, locks, damage. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { readJournal } from '../../src/journal/reader.ts';
import { openJournal } from '../../src/journal/sqlite.ts';
import { temporaryFolder } from '../support/files.ts';
import { all, open, problemsOf, session, textOf } from './open.ts';

test('only the owner can read the files', async () => {
  const { file, add } = await open();
  await add(session(), 'a\n');
  for (const path of [file, `${file}-wal`, `${file}-lock`]) expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a second writer is refused with the name of the first', async () => {
  const { file } = await open({ name: 'the first' });
  await expect(openJournal(file)).rejects.toMatchObject({
    code: 'YODEL_JOURNAL_IN_USE',
    message: expect.stringMatching(new RegExp(`in use by process ${process.pid} \\(the first, since 20`)),
  });
});

test('a second writer is refused through a hard link, and so is a first one', async () => {
  const { file, journal } = await open();
  const link = `${file}.link`;
  linkSync(file, link);
  const inUse = { code: 'YODEL_JOURNAL_IN_USE', message: expect.stringContaining('has 2 names (hard links)') };
  await expect(openJournal(link)).rejects.toMatchObject(inUse);
  await journal.close();
  await expect(openJournal(file)).rejects.toMatchObject(inUse);
  rmSync(link);
  await (await openJournal(file)).close();
});

test('a second writer is refused under another name of the file', async () => {
  const { file } = await open();
  const link = join(temporaryFolder(), 'link.journal');
  symlinkSync(file, link);
  await expect(openJournal(link)).rejects.toMatchObject({ code: 'YODEL_JOURNAL_IN_USE' });
});

test.each(['', '-wal'])('messages are refused once the file%s was removed', async (end) => {
  const { file, journal, add } = await open();
  await add(session(), 'a\n');
  rmSync(`${file}${end}`);
  await expect(add(session(), 'b\n')).rejects.toMatchObject({
    code: 'YODEL_JOURNAL_FAILED',
    message: expect.stringMatching(/the file was removed/),
  });
  expect((await journal.failed).code).toBe('YODEL_JOURNAL_FAILED');
});

test('closing ends everything that waits for the journal', async () => {
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

test('a copy without the write-ahead log is refused', async () => {
  const { file, add } = await open();
  await add(session(), 'a\n');
  const copy = join(temporaryFolder(), 'copy.journal');
  copyFileSync(file, copy);
  expect(() => readJournal(copy)).toThrow(/it has no tables, like a copy without its -wal file/);
});

describe('a file that is not a journal is refused and left unchanged', () => {
  const cases: readonly (readonly [string, (file: string) => void, RegExp])[] = [
    [
      'text',
      (file) => writeFileSync(file, 'hello, this is a text\n'),
      /is not a journal: it is not an SQLite database/,
    ],
    [
      'another database',
      (file) => new DatabaseSync(file).exec('CREATE TABLE t (a)'),
      /is an SQLite database, but not a journal of yodel/,
    ],
    [
      'a newer journal',
      (file) =>
        new DatabaseSync(file).exec('CREATE TABLE t (a); PRAGMA application_id = 2036624385; PRAGMA user_version = 99'),
      /is a journal of version 99; this yodel reads versions 1 to 3/,
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

  test('a directory, and a missing file', async () => {
    const folder = temporaryFolder();
    await expect(openJournal(folder)).rejects.toThrow(/it is a directory/);
    await expect(openJournal(join(folder, 'no', 'where'))).rejects.toThrow(/no such file or directory/);
    expect(() => readJournal(join(folder, 'nothing'))).toThrow(/no such file/);
    expect(existsSync(join(folder, 'nothing'))).toBe(false);
  });

  test('a read-only file, except for root', async () => {
    const { file, journal } = await open();
    await journal.close();
    chmodSync(file, 0o400);
    if (process.getuid?.() === 0) return;
    await expect(openJournal(file)).rejects.toThrow(/permission denied/);
  });
});

test('a damaged file is detected, with the command to recover it', async () => {
  const { file, journal, add } = await open();
  const one = session();
  for (let index = 0; index < 30; index++) await add(one, `${'x'.repeat(50)}\n`.repeat(1000));
  await journal.close();
  const bytes = readFileSync(file);
  // Pages in the middle of 30,000 messages.
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
