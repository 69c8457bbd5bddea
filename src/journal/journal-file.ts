import { realpathSync, statSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { YodelError } from '../errors.ts';
import type { StoreLimits } from '../rooms/stored/store.ts';
import { checkSchema, checkSqlite, migrations, prepareFile, primaryCode, resultCode, schema } from './database.ts';
import type { GroupData } from './group.ts';
import { type HistoryPlace, HistoryTable, historySchema, limitsWithin } from './histories/table.ts';
import { Insertion } from './insertion.ts';
import type { Durability } from './journal.ts';
import { lockJournal, refuseHardLinks } from './lock.ts';
import { Retention, type RetentionLimits } from './retention.ts';
import { openSegment, Segment, SegmentTable } from './segment.ts';

/** How to open a journal for writing. */
export interface JournalFileSettings extends RetentionLimits {
  readonly file: string;
  /** The name of this writer in the error that another writer gets. */
  readonly name: string;
  readonly durability: Durability;
}

/** How long to wait for a program that has locked the file, such as `sqlite3`. All replies wait during that time. */
const busyTimeoutMs = 2000;
/** Pages of the write-ahead log above which they are copied into the file: SQLite's default. */
const checkpointPages = 1000;
/** SQLite's default, in bytes. */
const pageSize = 4096;
/**
 * With a size limit, the log may take this many bytes, or half of the limit if that is more. It only grows beyond the checkpoints'
 * size while another program reads an old state of the journal.
 */
const leastLogLimit = 8_388_608;
/** A commit writes at least this many pages. */
const minPages = 2;

/** SQLite's names of the durabilities. */
const synchronous: Readonly<Record<Durability, string>> = { full: 'FULL', normal: 'NORMAL', off: 'OFF' };

/** The file of a journal, opened for writing. */
export class JournalFile {
  /** The number of the next session. */
  readonly nextSession: number;
  readonly #file: string;
  readonly #limits: RetentionLimits;
  readonly #lock: DatabaseSync;
  readonly #database: DatabaseSync;
  readonly #retention: Retention;
  readonly #segments: SegmentTable;
  readonly #insertion: Insertion;
  readonly #histories: HistoryTable;
  readonly #run: number;
  /** Messages committed after the last segment. */
  #segment: Segment;
  readonly #statements: Statements;
  /** The inodes of the files that are open. */
  readonly #identity: string;
  /** The approximate number of bytes written to the log since its size was read. */
  #writtenBytes = 0;
  /** The size of the log when it was last read. */
  #logBytes = 0;

  /** @throws YodelError `YODEL_JOURNAL_UNREADABLE`, `YODEL_JOURNAL_IN_USE`; errors of SQLite */
  constructor(settings: JournalFileSettings) {
    const { file, name, durability } = settings;
    this.#limits = settings;
    this.#file = file;
    prepareFile(file);
    refuseHardLinks(file);
    // The same file under another name has the same lock.
    this.#lock = lockJournal(realpathSync(file), name);
    try {
      const database = openDatabase(file, durability);
      this.#database = database;
      this.nextSession = newestSession(database) + 1;
      const run = database.prepare('INSERT INTO runs (began, pid) VALUES (?, ?)');
      this.#run = Number(run.run(Date.now(), process.pid).lastInsertRowid);
      this.#segment = openSegment(database, settings);
      this.#segments = new SegmentTable(database);
      this.#insertion = new Insertion(database);
      this.#histories = new HistoryTable(database);
      this.limitHistories({ storedMessages: 0, storedAge: 0, storedBytes: 0 });
      this.#retention = new Retention(database, settings, this.#run, this.#histories);
      this.#statements = prepareStatements(database);
      this.#identity = this.#readIdentity();
    } catch (error) {
      this.#lock.close();
      throw error;
    }
  }

  /** The longest log, in bytes. */
  get #logLimit(): number {
    const { maxSize } = this.#limits;
    return maxSize === 0 ? Number.POSITIVE_INFINITY : Math.max(leastLogLimit, maxSize / 2);
  }

  /** Whether the last commit has left histories that exceed their limits. */
  get hasMoreToTrim(): boolean {
    return this.#histories.isBehind;
  }

  /** What the histories of rooms take. */
  get historyBytes(): number {
    return this.#histories.bytes;
  }

  limitHistories(limits: StoreLimits): void {
    this.#histories.limit(limitsWithin(limits, this.#limits.maxAge));
  }

  /**
   * Writes groups. Returns when all of them are as durable as configured.
   *
   * @returns where it has appended what rooms store
   * @throws errors of SQLite
   */
  commit(groups: readonly GroupData[]): HistoryPlace[] {
    const places: HistoryPlace[] = [];
    const next = new Segment(this.#segment.last + 1, this.#limits);
    const { isFull } = this.#segment;
    const isUsed = (session: number) => next.has(session) || (!isFull && this.#segment.has(session));
    this.#limitLog();
    this.#statements.beginTransaction.run();
    try {
      if (isFull) this.#segments.insert(this.#segment);
      for (const group of groups) this.#write(group, next, places);
      this.#histories.trim();
      this.#retention.trim(next.last - next.first + 1, isUsed);
      for (const { session } of groups.flatMap(({ ended }) => ended)) {
        if (!isUsed(session)) this.#retention.forget(session);
      }
      this.#histories.save();
      this.#statements.commitTransaction.run();
    } catch (error) {
      // SQLite has already rolled back when the disk is full.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      this.#histories.rolledBack();
      throw error;
    }
    this.#histories.committed();
    if (this.#readIdentity() !== this.#identity) throw new Error('the file was removed or replaced');
    if (isFull) this.#segment = next;
    else this.#segment.join(next);
    for (const { bytes, stored } of groups) {
      this.#writtenBytes += bytes.length;
      for (const batch of stored) this.#writtenBytes += batch.bytes.length;
    }
    this.#writtenBytes += minPages * pageSize;
    return places;
  }

  /** Succeeds when the disk has space and the file is not locked. @throws errors of SQLite */
  probe(): void {
    this.#limitLog();
    this.#database.exec("UPDATE state SET value = value WHERE name = 'missed'");
  }

  /** Copies the write-ahead log into the file if it is long enough. Retries later if the disk is full or the file locked. */
  checkpoint(): void {
    if (this.#writtenBytes < (checkpointPages * pageSize) / 8) return;
    this.#writtenBytes = 0;
    this.#logBytes = this.#readLogSize();
    if (this.#logBytes < checkpointPages * pageSize) return;
    this.#tryCheckpoint('PASSIVE');
  }

  /**
   * Empties a log that has become too long.
   *
   * @throws YodelError `YODEL_NOT_RECORDED` when another program reads a state of the journal that the log is needed for
   */
  #limitLog(): void {
    if (this.#logBytes <= this.#logLimit) return;
    this.#database.exec('PRAGMA busy_timeout = 0');
    this.#tryCheckpoint('TRUNCATE');
    this.#database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    this.#logBytes = this.#readLogSize();
    if (this.#logBytes <= this.#logLimit) return;
    const text = `another program reads an old state of the journal ${this.#file}, so its log cannot be shortened`;
    throw new YodelError('YODEL_NOT_RECORDED', text);
  }

  #readLogSize(): number {
    return (this.#statements.readLogSize.get() as { readonly log: number }).log * pageSize;
  }

  #tryCheckpoint(mode: 'PASSIVE' | 'TRUNCATE'): void {
    try {
      this.#database.exec(`PRAGMA wal_checkpoint(${mode})`);
    } catch (error) {
      const code = primaryCode(error);
      if (code !== resultCode.full && code !== resultCode.busy) throw error;
    }
  }

  close(): void {
    this.#database.close();
    this.#lock.close();
  }

  #write(group: GroupData, segment: Segment, places: HistoryPlace[]): void {
    const { beginSession, endSession, addMissed } = this.#statements;
    for (const { session, peer, local, framing, replyFraming, protocol, began } of group.begun) {
      beginSession.run(session, this.#run, peer, local, framing, began, replyFraming, protocol);
    }
    this.#insertion.insert(group, segment);
    for (const { session, ended, endedBy, error } of group.ended) endSession.run(ended, endedBy, error, session);
    if (group.missed > 0) addMissed.run(group.missed);
    for (const batch of group.stored) places.push(this.#histories.append(batch));
  }

  /** The inodes of the file and its log. If they change, commits go to a deleted file and are lost. */
  #readIdentity(): string {
    const inode = (path: string) => statSync(path, { throwIfNoEntry: false })?.ino;
    return `${inode(this.#file)} ${inode(`${this.#file}-wal`)}`;
  }
}

/** Opens the database, and creates its tables in a new file, or changes those of an old one. */
function openDatabase(file: string, durability: Durability): DatabaseSync {
  const database = new DatabaseSync(file);
  database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
  checkSqlite(database);
  const version = checkSchema(database, file);
  // `checkpoint` makes the checkpoints, and handles their failures.
  database.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous[durability]}; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = ${leastLogLimit}`,
  );
  const change = version === 0 ? schema : (migrations[version] ?? '');
  database.exec(`BEGIN; ${change} ${historySchema} COMMIT`);
  return database;
}

/** The highest number a session has ever had. */
function newestSession(database: DatabaseSync): number {
  const { newest } = database
    .prepare(
      "SELECT max((SELECT value FROM state WHERE name = 'sessions'), ifnull(max(session), 0)) AS newest FROM sessions",
    )
    .get() as { newest: number | null };
  return newest ?? 0;
}

type Statements = ReturnType<typeof prepareStatements>;

function prepareStatements(database: DatabaseSync) {
  const statement = (sql: string): StatementSync => database.prepare(sql);
  return {
    beginTransaction: statement('BEGIN IMMEDIATE'),
    commitTransaction: statement('COMMIT'),
    beginSession: statement(
      'INSERT INTO sessions (session, run, peer, local, framing, began, reply_framing, protocol) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    endSession: statement('UPDATE sessions SET ended = ?, ended_by = ?, error = ? WHERE session = ?'),
    addMissed: statement("UPDATE state SET value = value + ? WHERE name = 'missed'"),
    readLogSize: statement('PRAGMA wal_checkpoint(NOOP)'),
  };
}
