import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type GroupData, placeFields, runFields } from './group.ts';
import type { Segment } from './segment.ts';

/** A run of at least this many messages is passed to SQLite as one value, which SQLite splits. */
const minTogether = 4;
/** Combines the place and length of a message in one number. If one is not below this, messages are inserted one by one. */
const placeBase = 16_777_216;

type RunFields = [session: number, direction: 0 | 1, time: number, elapsed: number, count: number];

/** Inserts the messages of groups. */
export class Insertion {
  readonly #insert: StatementSync;
  /** Inserts the messages of a run with the usual shape: SQLite splits them, which takes half the time. */
  readonly #insertTogether: StatementSync;

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare('INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    this.#insertTogether = database.prepare(
      `INSERT INTO messages SELECT ?1 + key, ?2, ?3, ?4, ?5, substr(?6, value / ${placeBase}, value % ${placeBase}), NULL, 0
        FROM json_each(?7)`,
    );
  }

  /** Inserts all messages of a group after the last one of `segment`, and adds them to it. */
  insert({ bytes, runs, places, shapes }: GroupData, segment: Segment): void {
    let from = 0;
    for (let at = 0; at < runs.length; at += runFields) {
      const [session, direction, time, elapsed, count] = runs.subarray(at, at + runFields) as unknown as RunFields;
      const run = places.subarray(from, from + count * placeFields);
      from += run.length;
      const common = [session, direction, time, elapsed] as const;
      const together = count >= minTogether ? placesTogether(run) : undefined;
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

/** The number of bytes of all messages of a run. */
function sizeOf(run: Uint32Array): number {
  let size = 0;
  for (let at = 0; at < run.length; at += placeFields) size += (run[at + 1] as number) - (run[at] as number);
  return size;
}

/** The places of messages in the bytes of their run, as JSON; undefined when one is too far away or has an unusual shape. */
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
