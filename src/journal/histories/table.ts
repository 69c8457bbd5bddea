/** The table with the histories of rooms in the file of a journal. The writer thread appends to it; `reader.ts` reads it. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import type { NewBatch, StoreLimits } from '../../rooms/stored/store.ts';

/**
 * Every writer creates it if it is not there, whatever the version of the schema: older programs neither know nor touch it, and read
 * the rest as before.
 */
export const historySchema = `
CREATE TABLE IF NOT EXISTS stored (
  batch INTEGER PRIMARY KEY,
  room TEXT NOT NULL,
  first INTEGER NOT NULL,
  count INTEGER NOT NULL,
  id TEXT NOT NULL,
  previous TEXT NOT NULL,
  time INTEGER NOT NULL,
  arrived INTEGER NOT NULL,
  sum INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS stored_by_room ON stored (room, first);
INSERT OR IGNORE INTO state VALUES ('stored', 0);
`;

/** What a batch takes besides its bytes and the names of its room, which is in the index as well. */
const batchCost = 100;
/** What a batch takes, in SQL. */
export const sizeInSql = `length(bytes) + 2 * octet_length(room) + ${batchCost}`;

/** How many batches are removed in one transaction, so that it stays short, besides as many as were added. */
const maxAtOnce = 512;

/** A batch to append. */
export interface HistoryBatch extends NewBatch {
  /** The last place of the history, as far as the process knows: an empty history continues there. */
  readonly known: HistoryEnd;
}

/** The last message of a history, and its batch. */
export interface HistoryEnd {
  readonly number: number;
  readonly id: string;
}

/** Where a batch was appended. */
export interface HistoryPlace {
  /** The number of its first message. */
  readonly first: number;
  /** The id of the batch before it; empty if there is none. */
  readonly previous: string;
}

/** A batch of a room, as the table has it. */
export interface StoredRow {
  readonly first: number;
  readonly count: number;
  readonly id: string;
  readonly previous: string;
  readonly time: number;
  /** See {@link sumOf}. */
  readonly sum: number;
  readonly bytes: Uint8Array;
}

/** A checksum of everything that readers rely on. */
export function sumOf(batch: Omit<NewBatch, 'room'> & HistoryPlace, room: string): number {
  const { first, count, id, previous, time, bytes } = batch;
  return crc32(bytes, crc32(`${first} ${count} ${id} ${previous} ${time} ${room}`));
}

/** Histories obey the limits of the journal, too. */
export function limitsWithin(limits: StoreLimits, maxAge: number): StoreLimits {
  const { storedMessages, storedAge, storedBytes } = limits;
  const isEither = storedAge === 0 || maxAge === 0;
  return { storedMessages, storedAge: isEither ? storedAge + maxAge : Math.min(storedAge, maxAge), storedBytes };
}

/** See the top of the file. All calls are within transactions. */
export class HistoryTable {
  readonly #end: StatementSync;
  readonly #insert: StatementSync;
  readonly #removeBefore: StatementSync;
  readonly #oldest: StatementSync;
  readonly #remove: StatementSync;
  readonly #setBytes: StatementSync;
  #limits: StoreLimits = { storedMessages: 0, storedAge: 0, storedBytes: 0 };
  #bytes: number;
  /** As the last transaction left it. */
  #committedBytes: number;
  #added = 0;
  #isBehind = false;

  constructor(database: DatabaseSync) {
    this.#end = database.prepare(
      'SELECT first + count - 1 AS number, id FROM stored WHERE room = ? ORDER BY first DESC LIMIT 1',
    );
    this.#insert = database.prepare(
      'INSERT INTO stored (room, first, count, id, previous, time, arrived, sum, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#removeBefore = database.prepare(
      `DELETE FROM stored WHERE batch IN (
        SELECT batch FROM stored WHERE room = ?1 AND first <= ?2 AND first + count - 1 <= ?2 ORDER BY first LIMIT ${maxAtOnce}
      ) RETURNING ${sizeInSql} AS size`,
    );
    this.#oldest = database.prepare(`SELECT batch, arrived, ${sizeInSql} AS size FROM stored ORDER BY batch LIMIT 1`);
    this.#remove = database.prepare('DELETE FROM stored WHERE batch = ?');
    this.#setBytes = database.prepare("UPDATE state SET value = ? WHERE name = 'stored'");
    this.#bytes = Number(database.prepare("SELECT value FROM state WHERE name = 'stored'").get()?.value);
    this.#committedBytes = this.#bytes;
  }

  /** What all histories take, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether {@link trim} has left something that exceeds the limits. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** Changes the limits. They are applied by the next {@link trim}, and the number of messages when a room stores more. */
  limit(limits: StoreLimits): void {
    this.#limits = limits;
  }

  append(batch: HistoryBatch): HistoryPlace {
    const { room, id, count, time, bytes, known } = batch;
    const last = (this.#end.get(room) as HistoryEnd | undefined) ?? known;
    const place = { first: last.number + 1, previous: last.id };
    const sum = sumOf({ ...batch, ...place }, room);
    this.#insert.run(room, place.first, count, id, last.id, time, Date.now(), sum, bytes);
    this.#bytes += bytes.length + 2 * Buffer.byteLength(room) + batchCost;
    this.#added++;
    const excess = last.number + count - this.#limits.storedMessages;
    if (this.#limits.storedMessages > 0 && excess > 0) {
      for (const { size } of this.#removeBefore.all(room, excess) as unknown as Sized[]) this.#bytes -= size;
    }
    return place;
  }

  /** Removes the oldest batches beyond the limits of age and bytes. */
  trim(): void {
    const { storedAge, storedBytes } = this.#limits;
    const before = storedAge > 0 ? Date.now() - storedAge : 0;
    const exceeds = ({ arrived }: OldestBatch) => arrived <= before || (storedBytes > 0 && this.#bytes > storedBytes);
    const most = maxAtOnce + this.#added;
    this.#isBehind = this.#bytes > 0 && this.#removeWhile(exceeds, most) === most;
    this.#added = 0;
  }

  /** Removes the oldest batches, about so many bytes of them. Returns whether there was one. */
  removeOldest(bytes: number): boolean {
    const goal = this.#bytes - bytes;
    return this.#removeWhile(() => this.#bytes > goal, Number.POSITIVE_INFINITY) > 0;
  }

  /** The transaction is about to be committed. */
  save(): void {
    if (this.#bytes !== this.#committedBytes) this.#setBytes.run(this.#bytes);
  }

  committed(): void {
    this.#committedBytes = this.#bytes;
  }

  /** The transaction was rolled back. */
  rolledBack(): void {
    this.#bytes = this.#committedBytes;
    this.#added = 0;
  }

  /** Returns how many it has removed. */
  #removeWhile(exceeds: (oldest: OldestBatch) => boolean, most: number): number {
    for (let removed = 0; removed < most; removed++) {
      const oldest = this.#oldest.get() as OldestBatch | undefined;
      if (!oldest || !exceeds(oldest)) return removed;
      this.#remove.run(oldest.batch);
      this.#bytes -= oldest.size;
    }
    return most;
  }
}

interface Sized {
  readonly size: number;
}

interface OldestBatch extends Sized {
  readonly batch: number;
  readonly arrived: number;
}
