/**
 * The thread that writes a journal's file: it gets a group of messages, commits them, says so, and gets the next. So a slow
 * disk delays replies, and neither reading nor timers nor other sessions.
 */
import { realpathSync, statSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { type ErrorCode, YodelError } from '../errors.ts';
import {
  checkSchema,
  checkSqlite,
  damaged,
  prepareFile,
  primaryCode,
  readingError,
  reasonOf,
  resultCode,
  schema,
} from './database.ts';
import { type GroupData, placeFields, runFields } from './group.ts';
import type { Durability } from './journal.ts';
import { lockJournal } from './lock.ts';
import { Retention, type RetentionLimits } from './retention.ts';
import { openSegment, Segment, SegmentTable } from './segment.ts';

/** What the thread is given. */
export interface WriterSettings {
  readonly file: string;
  readonly name: string;
  readonly durability: Durability;
  /** In bytes and milliseconds; 0: no limit. */
  readonly maxSize: number;
  readonly maxAge: number;
  readonly port: MessagePort;
}

/** What it is told, by the port that comes with the settings. */
export type WriterOrder = { readonly commit: GroupData } | { readonly probe: true } | { readonly close: true };

/** Why a group was not written, and whether that can pass. */
export interface WriterFault {
  readonly kind: 'passing' | 'fatal';
  readonly code: ErrorCode;
  readonly message: string;
}

/** What it answers. A number is how many groups it is about: each is answered once, in order. */
export type WriterAnswer =
  | { readonly opened: { readonly nextSession: number } }
  | { readonly refused: { readonly code: ErrorCode; readonly message: string } }
  | { readonly committed: number }
  | { readonly fault: WriterFault; readonly groups: number }
  | { readonly closed: WriterFault | undefined };

/** So long a program is waited for that has locked the file, as `sqlite3` can: meanwhile all replies wait. */
const lockedAtMostMs = 2000;
/** So many pages of the write-ahead log are copied into the file at a time: SQLite's own default. */
const checkpointPages = 1000;
/** SQLite's default, in bytes. */
const pageSize = 4096;
/** A commit writes so many at least. */
const fewestPages = 2;

/** No more go into one commit, so that none takes long. */
const mostGroups = 256;

/** How often a quiet journal looks for messages that are too old. */
const trimEveryMs = 10_000;
/** From so many messages on it is worth it to have SQLite take them apart. */
const fewestTogether = 4;
/** Place and length of a message in one number: both are below this, or the messages are inserted one by one. */
const placeBase = 16_777_216;

/** SQLite's words for the durabilities. */
const synchronous: Readonly<Record<Durability, string>> = { full: 'FULL', normal: 'NORMAL', off: 'OFF' };

class Writer {
  readonly #file: string;
  readonly #lock: DatabaseSync;
  readonly #database: DatabaseSync;
  readonly #limits: RetentionLimits;
  readonly #retention: Retention;
  readonly #segments: SegmentTable;
  readonly #run: number;
  readonly nextSession: number;
  /** What is committed behind the last segment. */
  #segment: Segment;
  readonly #insert: StatementSync;
  /** Inserts the usual messages of one run: SQLite itself takes them apart, which takes half the time. */
  readonly #insertTogether: StatementSync;
  readonly #beginTransaction: StatementSync;
  readonly #commitTransaction: StatementSync;
  readonly #begin: StatementSync;
  readonly #end: StatementSync;
  readonly #addMissed: StatementSync;
  /** Which files it writes to. */
  readonly #identity: string;
  /** Asks how many pages the write-ahead log has. */
  readonly #logSize: StatementSync;
  /** About so many bytes were written to the log since it was asked. */
  #unlooked = 0;

  constructor(settings: WriterSettings) {
    const { file, name, durability } = settings;
    this.#limits = settings;
    this.#file = file;
    prepareFile(file);
    // The same file by another name has the same lock.
    this.#lock = lockJournal(realpathSync(file), name);
    try {
      const database = new DatabaseSync(file);
      database.exec(`PRAGMA busy_timeout = ${lockedAtMostMs}`);
      this.#database = database;
      checkSqlite(database);
      const isNew = !checkSchema(database, file);
      // Checkpoints are done below, where their failures are seen.
      database.exec(
        `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous[durability]}; PRAGMA wal_autocheckpoint = 0`,
      );
      if (isNew) database.exec(`BEGIN; ${schema}; COMMIT`);
      const newest = database
        .prepare(
          "SELECT max((SELECT value FROM state WHERE name = 'sessions'), ifnull(max(session), 0)) AS newest FROM sessions",
        )
        .get() as { newest: number | null };
      this.nextSession = (newest.newest ?? 0) + 1;
      const run = database.prepare('INSERT INTO runs (began, pid) VALUES (?, ?)');
      this.#run = Number(run.run(Date.now(), process.pid).lastInsertRowid);
      this.#segment = openSegment(database, settings);
      this.#segments = new SegmentTable(database);
      this.#retention = new Retention(database, settings, this.#run);
      this.#insert = database.prepare('INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
      this.#insertTogether = database.prepare(
        `INSERT INTO messages SELECT ?1 + key, ?2, ?3, ?4, ?5, substr(?6, value / ${placeBase}, value % ${placeBase}), NULL, 0
          FROM json_each(?7)`,
      );
      this.#beginTransaction = database.prepare('BEGIN IMMEDIATE');
      this.#commitTransaction = database.prepare('COMMIT');
      this.#begin = database.prepare(
        'INSERT INTO sessions (session, run, peer, local, framing, began) VALUES (?, ?, ?, ?, ?, ?)',
      );
      this.#end = database.prepare('UPDATE sessions SET ended = ?, ended_by = ?, error = ? WHERE session = ?');
      this.#addMissed = database.prepare("UPDATE state SET value = value + ? WHERE name = 'missed'");
      this.#identity = this.#look();
      this.#logSize = database.prepare('PRAGMA wal_checkpoint(NOOP)');
    } catch (error) {
      this.#lock.close();
      throw error;
    }
  }

  /** Writes groups, and returns when all of them are as durable as they should be. */
  commit(groups: readonly GroupData[]): void {
    const database = this.#database;
    const next = new Segment(this.#segment.last + 1, this.#limits);
    const { isFull } = this.#segment;
    this.#beginTransaction.run();
    try {
      if (isFull) this.#segments.insert(this.#segment);
      for (const group of groups) this.#write(group, next);
      this.#retention.trim(
        next.last - next.first + 1,
        (session) => next.has(session) || (!isFull && this.#segment.has(session)),
      );
      for (const { session } of groups.flatMap(({ ended }) => ended)) {
        if (!next.has(session) && (isFull || !this.#segment.has(session))) this.#retention.forget(session);
      }
      this.#commitTransaction.run();
    } catch (error) {
      // SQLite has done it already where the disk is full.
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
    if (this.#look() !== this.#identity) throw new Error('it was removed, or another file has taken its place');
    if (isFull) this.#segment = next;
    else this.#segment.join(next);
    for (const { bytes } of groups) this.#unlooked += bytes.length;
    this.#unlooked += fewestPages * pageSize;
  }

  /** What was written to a file that has no name any more is lost. */
  #look(): string {
    const number = (path: string) => statSync(path, { throwIfNoEntry: false })?.ino;
    return `${number(this.#file)} ${number(`${this.#file}-wal`)}`;
  }

  /** Whether there is room again, and no lock. @throws what SQLite says */
  probe(): void {
    this.#database.exec("UPDATE state SET value = value WHERE name = 'missed'");
  }

  /** Copies the write-ahead log into the file when it is long enough. A full disk is no failure, nor a lock: it is tried again. */
  checkpoint(): void {
    if (this.#unlooked < (checkpointPages * pageSize) / 8) return;
    this.#unlooked = 0;
    const { log } = this.#logSize.get() as { readonly log: number };
    if (log < checkpointPages) return;
    try {
      this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } catch (error) {
      const code = primaryCode(error);
      if (code !== resultCode.full && code !== resultCode.busy) throw error;
    }
  }

  close(): void {
    this.#database.close();
    this.#lock.close();
  }

  #write(group: GroupData, segment: Segment): void {
    for (const { session, peer, local, framing, began } of group.begun) {
      this.#begin.run(session, this.#run, peer, local, framing, began);
    }
    this.#insertAll(group, segment);
    for (const { session, ended, endedBy, error } of group.ended) this.#end.run(ended, endedBy, error, session);
    if (group.missed > 0) this.#addMissed.run(group.missed);
  }

  #insertAll({ bytes, runs, places, shapes }: GroupData, segment: Segment): void {
    let from = 0;
    for (let at = 0; at < runs.length; at += runFields) {
      const [session, direction, time, elapsed, count] = runs.subarray(at, at + runFields) as unknown as RunFields;
      const run = places.subarray(from, from + count * placeFields);
      from += run.length;
      const common = [session, direction, time, elapsed] as const;
      const together = count >= fewestTogether ? placesTogether(run) : undefined;
      if (together === undefined) this.#insertEach(segment.last + 1, common, bytes, run, shapes);
      else {
        const content = bytes.subarray(run[0], run[run.length - placeFields + 1]);
        this.#insertTogether.run(segment.last + 1, ...common, content, together);
      }
      segment.add(session, direction, time, count, sizeOf(run));
    }
  }

  #insertEach(
    first: number,
    common: readonly [session: number, direction: number, time: number, elapsed: number],
    bytes: Uint8Array,
    run: Uint32Array,
    shapes: readonly Uint8Array[],
  ): void {
    for (let at = 0, sequence = first; at < run.length; at += placeFields) {
      const [start, end, shape = 0, truncated = 0] = run.subarray(at, at + placeFields);
      this.#insert.run(sequence++, ...common, bytes.subarray(start, end), shapes[shape - 1] ?? null, truncated);
    }
  }
}

type RunFields = [session: number, direction: 0 | 1, time: number, elapsed: number, count: number];

/** Bytes of all messages of a run. */
function sizeOf(run: Uint32Array): number {
  let size = 0;
  for (let at = 0; at < run.length; at += placeFields) size += (run[at + 1] as number) - (run[at] as number);
  return size;
}

/** Where usual messages stand in the bytes of their run, as JSON; undefined when one of them is not usual. */
function placesTogether(run: Uint32Array): string | undefined {
  const first = run[0] as number;
  if ((run[run.length - placeFields + 1] as number) - first >= placeBase) return undefined;
  let json = '';
  for (let at = 0; at < run.length; at += placeFields) {
    if (run[at + 2] !== 0 || run[at + 3] !== 0) return undefined;
    const start = run[at] as number;
    const length = (run[at + 1] as number) - start;
    // SQLite counts from 1.
    json += `${json === '' ? '[' : ','}${(start - first + 1) * placeBase + length}`;
  }
  return `${json}]`;
}

function faultOf(error: unknown, { file }: WriterSettings): WriterFault {
  const code = primaryCode(error);
  const reason = reasonOf(error);
  const passing = {
    [resultCode.full]: `the disk of the journal ${file} is full`,
    [resultCode.busy]: `the journal ${file} is locked by another program`,
  }[code];
  if (passing !== undefined) return { kind: 'passing', code: 'YODEL_NOT_RECORDED', message: passing };
  const message =
    code === resultCode.corrupt ? damaged(file, reason).message : `the journal ${file} cannot be written: ${reason}`;
  return { kind: 'fatal', code: 'YODEL_JOURNAL_FAILED', message };
}

function work(settings: WriterSettings): void {
  const say = (answer: WriterAnswer) => parentPort?.postMessage(answer);
  let writer: Writer;
  try {
    writer = new Writer(settings);
  } catch (error) {
    const known = readingError(error, settings.file);
    if (!(known instanceof YodelError)) throw known;
    say({ refused: { code: known.code, message: known.message } });
    return;
  }
  say({ opened: { nextSession: writer.nextSession } });
  let hasFailed = false;
  const attempt = (run: () => void): WriterFault | undefined => {
    try {
      run();
      return undefined;
    } catch (error) {
      const fault = faultOf(error, settings);
      hasFailed ||= fault.kind === 'fatal';
      return fault;
    }
  };
  const { port } = settings;
  // What is too old or too much goes also when nothing comes.
  const trim = () => {
    const fault = hasFailed ? undefined : attempt(() => writer.commit([]));
    if (fault) say({ fault, groups: 0 });
  };
  if (settings.maxAge > 0 || settings.maxSize > 0) {
    setInterval(trim, Math.min(trimEveryMs, settings.maxAge || trimEveryMs)).unref();
  }
  const close = () => {
    say({ closed: attempt(() => writer.close()) });
    port.close();
  };
  // Whatever came while the last commit ran goes into the next one.
  port.on('message', (first: WriterOrder) => {
    const groups: GroupData[] = [];
    let isClosing = false;
    let isProbing = false;
    for (let order: WriterOrder | undefined = first; order; order = nextOf(port, groups.length)) {
      if ('close' in order) isClosing = true;
      else if ('probe' in order) isProbing = true;
      else groups.push(order.commit);
    }
    if (groups.length > 0 && !hasFailed) {
      const fault = attempt(() => writer.commit(groups));
      say(fault ? { fault, groups: groups.length } : { committed: groups.length });
      const late = fault ? undefined : attempt(() => writer.checkpoint());
      if (late) say({ fault: late, groups: 0 });
    }
    if (isProbing && !hasFailed) {
      const fault = attempt(() => writer.probe());
      say(fault ? { fault, groups: 0 } : { committed: 0 });
    }
    if (isClosing) close();
  });
}

function nextOf(port: MessagePort, taken: number): WriterOrder | undefined {
  return taken < mostGroups ? (receiveMessageOnPort(port)?.message as WriterOrder | undefined) : undefined;
}

work(workerData as WriterSettings);
