/** Totals of the histories of rooms in a journal, and what may be wrong with them. */
import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { type StoredRow, sizeInSql, sumOf } from './table.ts';

/** The number of batches to check in one step. */
const stepSize = 256;

/** What all histories have together. */
export interface HistoryTotals {
  readonly rooms: number;
  readonly messages: number;
  /** As the limits count them. */
  readonly bytes: number;
}

const empty: HistoryTotals = { rooms: 0, messages: 0, bytes: 0 };

/** Whether the file has histories: those of older programs have none. */
function hasHistories(database: DatabaseSync): boolean {
  return database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'stored'").get() !== undefined;
}

export function totalsOf(database: DatabaseSync): HistoryTotals {
  if (!hasHistories(database)) return empty;
  const sql = `SELECT count(DISTINCT room) AS rooms, ifnull(sum(count), 0) AS messages, ifnull(sum(${sizeInSql}), 0) AS bytes FROM stored`;
  return { ...empty, ...database.prepare(sql).get() };
}

interface RoomRow extends StoredRow {
  readonly room: string;
}

/** Checks each batch, and that those of a room follow one another. Yields a description of each step. */
export async function* checkHistories(
  database: DatabaseSync,
  report: (problem: string) => void,
): AsyncGenerator<string> {
  if (!hasHistories(database)) return;
  yield 'checking what rooms have stored';
  const page = database.prepare(
    `SELECT room, first, count, id, previous, time, sum, bytes FROM stored WHERE (room, first) > (?, ?)
      ORDER BY room, first LIMIT ${stepSize}`,
  );
  let last: RoomRow | undefined;
  for (;;) {
    const rows = page.all(last?.room ?? '', last?.first ?? 0) as unknown as RoomRow[];
    for (const row of rows) {
      const problem = problemOf(row, last);
      if (problem) report(problem);
      last = row;
    }
    if (rows.length < stepSize) break;
    yield `checking what rooms have stored: ${rows.at(-1)?.room}`;
    await setImmediate();
  }
  const counted = database.prepare("SELECT value FROM state WHERE name = 'stored'").get()?.value;
  if (counted !== totalsOf(database).bytes) report('the size of what rooms have stored is not the recorded one');
}

function problemOf(row: RoomRow, before: RoomRow | undefined): string | undefined {
  const { room, first, count } = row;
  const name = `room ${JSON.stringify(room)}`;
  if (sumOf(row, room) !== row.sum)
    return `messages ${first} to ${first + count - 1} of ${name} are not as they were stored`;
  if (before?.room !== room || (before.first + before.count === first && before.id === row.previous)) return undefined;
  return `messages of ${name} are missing or doubled between ${before.first + before.count - 1} and ${first}`;
}
