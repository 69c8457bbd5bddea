/** Reads a journal, even while a server writes to it. It never writes, and keeps no snapshot between pages. */
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { YodelError } from '../errors.ts';
import type { MessageKind } from '../framing/message-parts.ts';
import { checkFile, checkSchema, primaryCode, readingError, resultCode } from './database.ts';
import { kindCodes } from './group.ts';
import { totalsOf } from './histories/checks.ts';
import type { Entry, JournalQuery, JournalReader, JournalStats, RecordedSession } from './journal.ts';
import { checkQuery, isSelected, type SessionQuery } from './query.ts';
import { framingOfVersion1, partsOfVersion1 } from './version-1.ts';

/** The number of messages or sessions per page. */
const pageSize = 256;
/** A page of messages ends after this many bytes. */
const pageBytes = 8_388_608;
/** The interval at which to look for new messages. */
const followEveryMs = 100;
/** How long to wait for a lock of another process, such as a recovery after a crash. */
const busyTimeoutMs = 5000;

interface Row {
  readonly sequence: number;
  readonly session: number;
  readonly direction: number;
  readonly time: number;
  readonly elapsed: number;
  readonly bytes: Uint8Array;
  readonly header: Uint8Array | null;
  readonly kind: number | null;
  readonly shape: Uint8Array | null;
  readonly truncated: number;
  readonly members: number | null;
  readonly run: number;
  readonly peer: string;
  readonly framing: string;
  /** Null in sessions of version 1. */
  readonly replyFraming: string | null;
}

interface SessionRow extends Omit<RecordedSession, 'replyFraming'> {
  readonly replyFraming: string | null;
}

/** What the tables of each version have, in SQL. */
const messageColumns = [
  '',
  'NULL AS header, NULL AS kind, NULL AS members',
  'header, kind, NULL AS members',
  'header, kind, members',
] as const;
const sessionColumns = [
  '',
  'NULL AS replyFraming, NULL AS protocol',
  'reply_framing AS replyFraming, protocol',
  'reply_framing AS replyFraming, protocol',
] as const;

/** Sequence numbers, both inclusive. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/** The contents of the journal at one moment. */
interface Extent {
  readonly first: number;
  readonly last: number;
  /** The newest segment, and the last message in it; 0 if there is none. */
  readonly segment: number;
  readonly summed: number;
}

/** Selects sessions in SQL: by number, by peer with or without port, or all. */
const bySession = `(?1 IS NULL OR sessions.session = ?1)
  AND (?2 IS NULL OR peer = ?2 OR (peer >= ?2 || ':' AND peer < ?2 || ';'))`;

/**
 * Opens a journal for reading.
 *
 * @throws YodelError `YODEL_JOURNAL_UNREADABLE`
 */
export function readJournal(file: string): SqliteReader {
  checkFile(file);
  // A resolved path, so that ":memory:" and "file:…" are ordinary names.
  const path = resolve(file);
  let database: DatabaseSync | undefined;
  try {
    database = openToRead(path);
    const version = checkSchema(database, file);
    if (version === 0) {
      const reason = 'it has no tables, like a copy without its -wal file; copy it with: sqlite3 FILE ".backup COPY"';
      throw new YodelError('YODEL_JOURNAL_UNREADABLE', `cannot read the journal ${file}: ${reason}`);
    }
    return new SqliteReader(path, database, version);
  } catch (error) {
    database?.close();
    throw readingError(error, file);
  }
}

/** Opens a database read-only. @throws errors of SQLite */
export function openToRead(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}; PRAGMA user_version`);
    return database;
  } catch (error) {
    database.close();
    const log = statSync(`${file}-wal`, { throwIfNoEntry: false });
    if (primaryCode(error) !== resultCode.cantOpen || (log && log.size > 0)) throw error;
  }
  // No file can be created beside it, as on a read-only disk, so no other process writes to it either.
  const url = pathToFileURL(file);
  url.searchParams.set('immutable', '1');
  return new DatabaseSync(url, { readOnly: true });
}

/** A journal opened for reading. */
export class SqliteReader implements JournalReader {
  readonly #file: string;
  readonly #database: DatabaseSync;
  /** Of the schema. */
  readonly #version: number;
  readonly #statements = new Map<string, StatementSync>();

  constructor(file: string, database: DatabaseSync, version: number) {
    this.#file = file;
    this.#database = database;
    this.#version = version;
  }

  async *read(given: JournalQuery = {}): AsyncGenerator<Entry> {
    const query = checkQuery(given);
    const { to = Number.MAX_SAFE_INTEGER, signal } = query;
    for (let { from = 1 } = query; ; ) {
      const extent = this.#extent();
      for (const range of this.#rangesOf(query, { from, to }, extent)) {
        for await (const row of this.#rows(query, range)) {
          if (signal?.aborted) return;
          if (isSelected(row, query)) yield entryOf(row);
        }
      }
      from = Math.max(from, extent.last + 1);
      if (!query.follow || from > to || signal?.aborted) return;
      await setTimeout(followEveryMs, undefined, { signal }).catch(() => undefined);
      if (signal?.aborted) return;
    }
  }

  async *sessions(given: SessionQuery = {}): AsyncGenerator<RecordedSession> {
    const query = checkQuery(given);
    const extent = this.#extent();
    const tail = this.#tailOf(extent);
    const { from, to } = this.#timeRange(query, extent);
    for (let after = 0; ; ) {
      const page = this.#all<SessionRow>(sessionsSql(sessionColumns[this.#version] ?? ''), [
        query.session ?? null,
        query.peer ?? null,
        after,
        extent.segment,
      ]);
      for (const row of page) {
        const session = withTail(sessionOf(row), tail.get(row.session));
        if (session.last >= from && session.first <= to && this.#isWithin(session, query)) yield session;
      }
      const last = page.at(-1);
      if (!last) return;
      after = last.session;
      await setImmediate();
    }
  }

  async stats(): Promise<JournalStats> {
    const { first, last } = this.#extent();
    const number = (sql: string, ...values: number[]) =>
      Number(this.#all<{ n: number | null }>(sql, values)[0]?.n ?? 0);
    const timeOf = (sequence: number) => number('SELECT time AS n FROM messages WHERE sequence = ?', sequence);
    const state = (name: string) => number(`SELECT value AS n FROM state WHERE name = '${name}'`);
    const pages = number('SELECT page_count - freelist_count AS n FROM pragma_page_count, pragma_freelist_count');
    const logFile = `${this.#file}-wal`;
    return {
      messages: last === 0 ? 0 : last - first + 1,
      sessions: number('SELECT count(*) AS n FROM sessions'),
      first,
      last,
      from: last === 0 ? null : timeOf(first),
      to: last === 0 ? null : timeOf(last),
      size: statSync(this.#file).size + (existsSync(logFile) ? statSync(logFile).size : 0),
      used: pages * number('SELECT page_size AS n FROM pragma_page_size'),
      deleted: state('deleted'),
      missed: state('missed'),
      stored: totalsOf(this.#database),
    };
  }

  async close(): Promise<void> {
    if (this.#database.isOpen) this.#database.close();
  }

  #extent(): Extent {
    const sql = `SELECT (SELECT min(sequence) FROM messages) AS first, (SELECT max(sequence) FROM messages) AS last,
      (SELECT max(segment) FROM segments) AS segment, (SELECT max(last) FROM segments) AS summed`;
    const [extent] = this.#all<{ [Name in keyof Extent]: number | null }>(sql, []);
    return {
      first: extent?.first ?? 0,
      last: extent?.last ?? 0,
      segment: extent?.segment ?? 0,
      summed: extent?.summed ?? 0,
    };
  }

  /** The sequence numbers that can be within a time range. All messages after the last segment can. */
  #timeRange({ since, until }: Pick<JournalQuery, 'since' | 'until'>, { summed, last }: Extent): Range {
    const bound = (sql: string, time: number) => this.#all<{ n: number | null }>(sql, [time])[0]?.n;
    const from = since === undefined ? 1 : bound('SELECT min(first) AS n FROM segments WHERE latest >= ?', since);
    const to =
      until === undefined || last > summed
        ? last
        : bound('SELECT max(last) AS n FROM segments WHERE earliest < ?', until);
    return { from: from ?? summed + 1, to: to ?? 0 };
  }

  /** The ranges that can contain selected messages, in order. */
  #rangesOf({ session, peer, since, until }: JournalQuery, requested: Range, extent: Extent): Range[] {
    const times = this.#timeRange({ since, until }, extent);
    const from = Math.max(requested.from, times.from, extent.first);
    const to = Math.min(requested.to, times.to, extent.last);
    if (session === undefined && peer === undefined) return from <= to ? [{ from, to }] : [];
    const places = this.#all<Range>(
      `SELECT activity.first AS "from", activity.last AS "to" FROM sessions JOIN activity USING (session)
        WHERE ${bySession} AND segment <= ?3 AND activity.last >= ?4 AND activity.first <= ?5 ORDER BY 1`,
      [session ?? null, peer ?? null, extent.segment, from, to],
    );
    const ranges = merge([...places, { from: extent.summed + 1, to: extent.last }]);
    return ranges
      .map((range) => ({ from: Math.max(range.from, from), to: Math.min(range.to, to) }))
      .filter((range) => range.from <= range.to);
  }

  async *#rows({ session, peer }: JournalQuery, { from, to }: Range): AsyncGenerator<Row> {
    // CROSS JOIN makes SQLite scan messages first.
    const sql = `SELECT sequence, messages.session, direction, time, elapsed, bytes, shape, truncated, run, peer, framing,
        ${messageColumns[this.#version]}, ${sessionColumns[this.#version]}
      FROM messages CROSS JOIN sessions ON sessions.session = messages.session
      WHERE sequence BETWEEN ?3 AND ?4 AND ${bySession} ORDER BY sequence LIMIT ${pageSize}`;
    for (let next = from; next <= to; ) {
      const page = this.#page(sql, [session ?? null, peer ?? null, next, to]);
      yield* page;
      const last = page.at(-1);
      if (!last) return;
      next = last.sequence + 1;
      await setImmediate();
    }
  }

  /** Whether the times of a session's first and last messages overlap the range. */
  #isWithin({ first, last }: RecordedSession, { since, until }: Pick<JournalQuery, 'since' | 'until'>): boolean {
    const timeOf = (sequence: number) =>
      this.#all<{ time: number }>('SELECT time FROM messages WHERE sequence = ?', [sequence])[0]?.time ?? 0;
    return (since === undefined || timeOf(last) >= since) && (until === undefined || timeOf(first) < until);
  }

  /** Totals of the sessions after the last segment. */
  #tailOf({ summed, last }: Extent): ReadonlyMap<number, Tail> {
    const rows = this.#all<Tail & { readonly session: number }>(
      `SELECT session, min(sequence) AS first, max(sequence) AS last,
        count(*) FILTER (WHERE direction = 0) AS messagesIn, count(*) FILTER (WHERE direction = 1) AS messagesOut,
        total(length(bytes)) FILTER (WHERE direction = 0) AS bytesIn,
        total(length(bytes)) FILTER (WHERE direction = 1) AS bytesOut
      FROM messages WHERE sequence BETWEEN ? AND ? GROUP BY session`,
      [summed + 1, last],
    );
    return new Map(rows.map((row) => [row.session, row]));
  }

  /** One page of rows: at most a few megabytes, unless a single message is larger. */
  #page(sql: string, values: readonly (number | string | null)[]): Row[] {
    const page: Row[] = [];
    let size = 0;
    try {
      for (const row of this.#statement(sql).iterate(...values)) {
        page.push(row as unknown as Row);
        size += (row as unknown as Row).bytes.length;
        if (size > pageBytes) break;
      }
    } catch (error) {
      throw readingError(error, this.#file);
    }
    return page;
  }

  #statement(sql: string): StatementSync {
    if (!this.#database.isOpen) throw new YodelError('YODEL_JOURNAL_UNREADABLE', `the journal ${this.#file} is closed`);
    const statement = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #all<Result>(sql: string, values: readonly (number | string | null)[]): Result[] {
    try {
      return this.#statement(sql).all(...values) as Result[];
    } catch (error) {
      throw readingError(error, this.#file);
    }
  }
}

function entryOf({ direction, elapsed, truncated, header, kind, shape, framing, replyFraming, ...row }: Row): Entry {
  const isOld = replyFraming === null;
  const parts = isOld ? partsOfVersion1(framing, shape) : { header, kind: kindOf(kind), ending: shape };
  const own = isOld ? framingOfVersion1(framing) : direction === 0 ? framing : replyFraming;
  return {
    sequence: row.sequence,
    time: row.time,
    elapsed: elapsed / 1000,
    session: row.session,
    run: row.run,
    peer: row.peer,
    direction: direction === 0 ? 'in' : 'out',
    framing: own,
    bytes: row.bytes,
    ...parts,
    header: parts.header ?? none,
    isTruncated: truncated === 1,
    members: row.members,
  };
}

const none = new Uint8Array();

function kindOf(code: number | null): MessageKind | null {
  return code === kindCodes.text ? 'text' : code === kindCodes.binary ? 'binary' : null;
}

function sessionOf({ framing, replyFraming, ...row }: SessionRow): RecordedSession {
  if (replyFraming !== null) return { ...row, framing, replyFraming };
  const own = framingOfVersion1(framing);
  return { ...row, framing: own, replyFraming: own };
}

type Tail = Pick<RecordedSession, 'first' | 'last' | 'messagesIn' | 'messagesOut' | 'bytesIn' | 'bytesOut'>;

const sessionsSql = (columns: string) => `
  SELECT sessions.session, peer, local, framing, ${columns}, began, ended, ended_by AS endedBy, error,
    coalesce(sum(messages_in), 0) AS messagesIn, coalesce(sum(messages_out), 0) AS messagesOut,
    coalesce(sum(bytes_in), 0) AS bytesIn, coalesce(sum(bytes_out), 0) AS bytesOut,
    coalesce(min(first), 0) AS first, coalesce(max(last), 0) AS last
  FROM sessions LEFT JOIN activity ON activity.session = sessions.session AND segment <= ?4
  WHERE sessions.session > ?3 AND ${bySession}
  GROUP BY sessions.session ORDER BY sessions.session LIMIT ${pageSize}`;

function withTail(session: RecordedSession, tail: Tail | undefined): RecordedSession {
  if (!tail) return { ...session };
  return {
    ...session,
    messagesIn: session.messagesIn + tail.messagesIn,
    messagesOut: session.messagesOut + tail.messagesOut,
    bytesIn: session.bytesIn + tail.bytesIn,
    bytesOut: session.bytesOut + tail.bytesOut,
    first: session.first || tail.first,
    last: tail.last,
  };
}

/** Merges ranges, given in order, that touch or overlap. */
function merge(ranges: readonly Range[]): Range[] {
  const result: { from: number; to: number }[] = [];
  for (const { from, to } of ranges) {
    const last = result.at(-1);
    if (last && from <= last.to + 1) last.to = Math.max(last.to, to);
    else result.push({ from, to });
  }
  return result;
}
