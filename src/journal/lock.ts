/**
 * The lock of a journal, which has one writer at a time. It is an SQLite lock on a small database beside the journal. The
 * operating system releases it when the process ends for any reason, and the database names the holder.
 */
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { YodelError } from '../errors.ts';
import { prepareFile, primaryCode, resultCode } from './database.ts';

interface Holder {
  readonly pid: number;
  readonly since: string;
  readonly name: string;
}

/**
 * Locks a journal until the returned connection is closed.
 *
 * @param name identifies this writer to others, such as the address it listens on
 * @throws YodelError `YODEL_JOURNAL_IN_USE`, naming the holder
 */
export function lockJournal(file: string, name: string): DatabaseSync {
  const path = `${file}-lock`;
  prepareFile(path);
  const lock = new DatabaseSync(path);
  try {
    lock.exec('PRAGMA synchronous = OFF; CREATE TABLE IF NOT EXISTS holder (pid INTEGER, since TEXT, name TEXT)');
    lock.exec('BEGIN IMMEDIATE; DELETE FROM holder');
    lock.prepare('INSERT INTO holder VALUES (?, ?, ?)').run(process.pid, new Date().toISOString(), name);
    // From here on, other processes can read the holder but cannot write.
    lock.exec('COMMIT; BEGIN IMMEDIATE');
    return lock;
  } catch (error) {
    const holder = primaryCode(error) === resultCode.busy ? holderOf(lock) : undefined;
    lock.close();
    if (primaryCode(error) !== resultCode.busy) throw error;
    const user = holder ? `process ${holder.pid} (${holder.name}, since ${holder.since})` : 'another process';
    const text = `the journal ${file} is in use by ${user}: a journal has one writer; stop that process or use another file`;
    throw new YodelError('YODEL_JOURNAL_IN_USE', text);
  }
}

/**
 * A lock belongs to a name, and so does SQLite's own log: under a second name of the file (a hard link), a second writer would
 * see neither.
 *
 * @throws YodelError `YODEL_JOURNAL_IN_USE`
 */
export function refuseHardLinks(file: string): void {
  const { nlink } = statSync(file);
  if (nlink < 2) return;
  const text = `the journal ${file} has ${nlink} names (hard links): another process may use it under another one, which would damage it`;
  throw new YodelError('YODEL_JOURNAL_IN_USE', `${text}; keep one name, or copy the file`);
}

function holderOf(lock: DatabaseSync): Holder | undefined {
  try {
    return lock.prepare('SELECT pid, since, name FROM holder').get() as Holder | undefined;
  } catch {
    // The holder is writing its name right now.
    return undefined;
  }
}
