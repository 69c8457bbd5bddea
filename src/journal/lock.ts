/**
 * One server at a time writes to a journal. Its lock is SQLite's, on a small database beside the journal, so that the
 * operating system releases it when the process is gone, however it went; and it says who holds it.
 */
import { DatabaseSync } from 'node:sqlite';
import { YodelError } from '../errors.ts';
import { prepareFile, primaryCode, resultCode } from './database.ts';

interface MemoryUser {
  readonly pid: number;
  readonly since: string;
  readonly name: string;
}

/**
 * Takes the lock of a journal, and holds it until the connection is closed.
 *
 * @param name what others are told: where this server listens, say
 * @throws YodelError `YODEL_JOURNAL_IN_USE`, naming who has it
 */
export function lockJournal(file: string, name: string): DatabaseSync {
  const path = `${file}-lock`;
  prepareFile(path);
  const lock = new DatabaseSync(path);
  try {
    lock.exec('PRAGMA synchronous = OFF; CREATE TABLE IF NOT EXISTS holder (pid INTEGER, since TEXT, name TEXT)');
    lock.exec('BEGIN IMMEDIATE; DELETE FROM holder');
    lock.prepare('INSERT INTO holder VALUES (?, ?, ?)').run(process.pid, new Date().toISOString(), name);
    // Others can read who it is, and cannot begin to write.
    lock.exec('COMMIT; BEGIN IMMEDIATE');
    return lock;
  } catch (error) {
    const holder = primaryCode(error) === resultCode.busy ? holderOf(lock) : undefined;
    lock.close();
    if (primaryCode(error) !== resultCode.busy) throw error;
    const who = holder ? `process ${holder.pid} (${holder.name}, since ${holder.since})` : 'another process';
    const text = `the journal ${file} is in use by ${who}: a journal has one writer; stop that one, or take another file`;
    throw new YodelError('YODEL_JOURNAL_IN_USE', text);
  }
}

function holderOf(lock: DatabaseSync): MemoryUser | undefined {
  try {
    return lock.prepare('SELECT pid, since, name FROM holder').get() as MemoryUser | undefined;
  } catch {
    // It is about to write its name.
    return undefined;
  }
}
