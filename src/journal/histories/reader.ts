/** Reads the histories of rooms in the file of a journal, beside the thread that appends to them. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { RoomStore, StoredBatch, StoredRange } from '../../rooms/stored/store.ts';
import { damaged, readingError } from '../database.ts';
import { openToRead } from '../reader.ts';
import { type StoredRow, sumOf } from './table.ts';

/** The newest batches are read at once. This many bytes of them are enough, whatever was asked for. */
const mostBytes = 33_554_432;

/** See the top of the file. */
export class HistoryReader {
  readonly #file: string;
  readonly #database: DatabaseSync;
  readonly #after: StatementSync;
  readonly #newest: StatementSync;
  readonly #last: StatementSync;

  /** @throws YodelError `YODEL_JOURNAL_UNREADABLE` */
  constructor(file: string) {
    this.#file = file;
    try {
      this.#database = openToRead(file);
      const columns = 'first, count, id, previous, time, sum, bytes';
      // A batch whose removal is due is not there any more.
      const ofRoom = 'FROM stored WHERE room = ?1 AND arrived > ?2';
      this.#after = this.#database.prepare(
        `SELECT ${columns} ${ofRoom} AND first + count > ?3
          AND first >= ifnull((SELECT max(first) FROM stored WHERE room = ?1 AND first <= ?3), 0) ORDER BY first`,
      );
      this.#newest = this.#database.prepare(`SELECT ${columns} ${ofRoom} ORDER BY first DESC`);
      this.#last = this.#database.prepare(`SELECT first + count - 1 AS number ${ofRoom} ORDER BY first DESC LIMIT 1`);
    } catch (error) {
      throw readingError(error, file);
    }
  }

  /**
   * See {@link RoomStore.read}.
   *
   * @param since batches that arrived until then are too old; milliseconds since 1970
   * @throws YodelError `YODEL_JOURNAL_UNREADABLE`, also if something was changed by others
   */
  read(room: string, from: Parameters<RoomStore['read']>[1], maxBytes: number, since: number): StoredRange {
    try {
      // One state of the file for both.
      this.#database.exec('BEGIN');
      try {
        const { number = 0 } = (this.#last.get(room, since) as { number?: number } | undefined) ?? {};
        const batches =
          'after' in from
            ? this.#readAfter(room, from.after.number, maxBytes, since)
            : this.#readNewest(room, from.newest, since);
        return { batches, last: number };
      } finally {
        this.#database.exec('COMMIT');
      }
    } catch (error) {
      throw readingError(error, this.#file);
    }
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #readAfter(room: string, number: number, maxBytes: number, since: number): StoredBatch[] {
    const batches: StoredBatch[] = [];
    let bytes = 0;
    for (const row of this.#after.iterate(room, since, number) as Iterable<unknown> as Iterable<StoredRow>) {
      // The batch with the place does not count, so that readers advance.
      if (row.first > number) {
        if (bytes > 0 && bytes + row.bytes.length > maxBytes) break;
        bytes += row.bytes.length;
      }
      batches.push(this.#batchOf(room, row));
    }
    return batches;
  }

  #readNewest(room: string, count: number, since: number): StoredBatch[] {
    const batches: StoredBatch[] = [];
    let [missing, bytes] = [count, 0];
    for (const row of this.#newest.iterate(room, since) as Iterable<unknown> as Iterable<StoredRow>) {
      batches.push(this.#batchOf(room, row));
      missing -= row.count;
      bytes += row.bytes.length;
      if (missing <= 0 || bytes > mostBytes) break;
    }
    return batches.reverse();
  }

  #batchOf(room: string, { sum, ...row }: StoredRow): StoredBatch {
    if (sumOf(row, room) !== sum) {
      const messages = `the messages ${row.first} to ${row.first + row.count - 1} of room ${JSON.stringify(room)}`;
      throw damaged(this.#file, `${messages} are not as they were stored`);
    }
    const { previous, ...rest } = row;
    return { ...rest, room, previous: { id: previous, at: 0 }, at: 0 };
  }
}
