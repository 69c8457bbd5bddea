import { resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { readingError } from './database.ts';
import { checkHistories, type HistoryTotals, totalsOf } from './histories/checks.ts';
import { openToRead } from './reader.ts';

/** The number of messages to count in one step. */
const stepSize = 50_000;
/** The maximum number of problems to list. */
const maxProblems = 100;

interface SegmentRow {
  readonly segment: number;
  readonly first: number;
  readonly last: number;
}

/** Checks a journal: the pages of its file, gaps in its messages, its segments, and the histories of rooms. */
export class Verification {
  readonly problems: string[] = [];
  /** The number of further problems. */
  more = 0;
  messages = 0;
  sessions = 0;
  first = 0;
  last = 0;
  /** What rooms have stored. */
  stored: HistoryTotals = { rooms: 0, messages: 0, bytes: 0 };
  readonly #file: string;
  readonly #database: DatabaseSync;

  constructor(file: string) {
    this.#file = resolve(file);
    this.#database = openToRead(this.#file);
  }

  close(): void {
    this.#database.close();
  }

  /** Checks everything, and yields a description of each step. @throws YodelError `YODEL_JOURNAL_UNREADABLE` */
  async *run(): AsyncGenerator<string> {
    try {
      // Reads from a snapshot, because a server may be writing the file.
      this.#database.exec('BEGIN');
      yield* this.#checkPages();
      const [bounds] = this.#all<{ first: number | null; last: number | null }>(
        'SELECT (SELECT min(sequence) FROM messages) AS first, (SELECT max(sequence) FROM messages) AS last',
      );
      this.first = bounds?.first ?? 0;
      this.last = bounds?.last ?? 0;
      this.sessions = this.#all<{ n: number }>('SELECT count(*) AS n FROM sessions')[0]?.n ?? 0;
      if (this.last > 0) yield* this.#checkMessages();
      yield* this.#checkSegments();
      yield* checkHistories(this.#database, (problem) => this.#add(problem));
      this.stored = totalsOf(this.#database);
      this.#database.exec('ROLLBACK');
    } catch (error) {
      throw readingError(error, this.#file);
    }
  }

  async *#checkPages(): AsyncGenerator<string> {
    const [stored] = this.#all("SELECT 1 FROM sqlite_schema WHERE name = 'stored'");
    for (const table of [
      'state',
      'runs',
      'sessions',
      'segments',
      'activity',
      'messages',
      ...(stored ? ['stored'] : []),
    ]) {
      yield `checking the pages of ${table}`;
      await setImmediate();
      for (const row of this.#all<Record<string, string>>(`PRAGMA integrity_check(${table})`)) {
        const [text = ''] = Object.values(row);
        if (text !== 'ok') this.#add(`damaged: ${text}`);
      }
    }
  }

  async *#checkMessages(): AsyncGenerator<string> {
    const [state] = this.#all<{ deleted: number }>("SELECT value AS deleted FROM state WHERE name = 'deleted'");
    let next = (state?.deleted ?? 0) + 1;
    if (this.first !== next) this.#add(missing(next, this.first - 1));
    next = this.first;
    for (let from = this.first; from <= this.last; from += stepSize) {
      const to = Math.min(this.last, from + stepSize - 1);
      const done = Math.floor(((from - this.first) / (this.last - this.first + 1)) * 100);
      yield `counting messages: ${done} %`;
      await setImmediate();
      const [counted] = this.#all<{ n: number }>(
        'SELECT count(*) AS n FROM messages WHERE sequence BETWEEN ? AND ?',
        from,
        to,
      );
      this.messages += counted?.n ?? 0;
      if (counted?.n !== to - from + 1) this.#findGaps(from, to);
      for (const { sequence, session } of this.#all<{ sequence: number; session: number }>(
        'SELECT sequence, session FROM messages WHERE sequence BETWEEN ? AND ? AND session NOT IN (SELECT session FROM sessions) LIMIT 10',
        from,
        to,
      )) {
        this.#add(`message ${sequence} belongs to session ${session}, which is missing`);
      }
    }
  }

  #findGaps(from: number, to: number): void {
    let next = from;
    for (const { sequence } of this.#all<{ sequence: number }>(
      'SELECT sequence FROM messages WHERE sequence BETWEEN ? AND ? ORDER BY sequence',
      from,
      to,
    )) {
      if (sequence > next) this.#add(missing(next, sequence - 1));
      next = sequence + 1;
    }
    if (next <= to) this.#add(missing(next, to));
  }

  async *#checkSegments(): AsyncGenerator<string> {
    const segments = this.#all<SegmentRow>('SELECT segment, first, last FROM segments ORDER BY segment');
    for (const [index, { segment, first, last }] of segments.entries()) {
      yield `adding up segments: ${Math.floor((index / segments.length) * 100)} %`;
      if (index % 8 === 0) await setImmediate();
      const before = segments[index - 1];
      if (before && before.last + 1 !== first)
        this.#add(`segment ${segment} starts at ${first}, but the previous one ends at ${before.last}`);
      const wrong = this.#all<{ session: number }>(wrongActivity, segment, first, last);
      for (const { session } of wrong) this.#add(`segment ${segment} has wrong totals for session ${session}`);
    }
  }

  #add(problem: string): void {
    if (this.problems.length < maxProblems) this.problems.push(problem);
    else this.more++;
  }

  #all<Row>(sql: string, ...values: number[]): Row[] {
    return this.#database.prepare(sql).all(...values) as Row[];
  }
}

function missing(from: number, to: number): string {
  return from === to ? `message ${from} is missing` : `messages ${from} to ${to} are missing`;
}

const counts = `session, min(sequence), max(sequence), sum(direction = 0), sum(direction = 1),
  sum(iif(direction = 0, length(bytes), 0)), sum(iif(direction = 1, length(bytes), 0))`;
const wrongActivity = `
  SELECT DISTINCT session FROM (
    SELECT * FROM (SELECT ${counts} FROM messages WHERE sequence BETWEEN ?2 AND ?3 GROUP BY session)
    EXCEPT SELECT session, first, last, messages_in, messages_out, bytes_in, bytes_out FROM activity WHERE segment = ?1
  ) UNION SELECT session FROM activity WHERE segment = ?1
    AND session NOT IN (SELECT session FROM messages WHERE sequence BETWEEN ?2 AND ?3)`;
