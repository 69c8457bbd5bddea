import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type GroupData, type MessageForm, placeFields, runFields } from './group.ts';
import type { Segment } from './segment.ts';

/** A run of at least this many messages is passed to SQLite as one value, which SQLite splits. */
const minTogether = 4;
/** Combines the place and length of a message in one number. A run that is not smaller is inserted one by one. */
const placeBase = 16_777_216;

type RunFields = [session: number, direction: 0 | 1, time: number, elapsed: number, count: number, members: number];
/** What all messages of a run have. */
type Common = readonly [session: number, direction: number, time: number, elapsed: number, members: number | null];

/** A form with nothing unusual. */
const usual: MessageForm = { kind: 0, ending: null };

/** Inserts the messages of groups. */
export class Insertion {
  readonly #insert: StatementSync;
  /**
   * Inserts the messages of a run that have the same form: SQLite splits them, which takes half the time. A part of no bytes is
   * NULL for SQLite, not an empty value.
   */
  readonly #insertTogether: StatementSync;

  constructor(database: DatabaseSync) {
    const columns = 'sequence, session, direction, time, elapsed, members, bytes, header, kind, shape, truncated';
    this.#insert = database.prepare(`INSERT INTO messages (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#insertTogether = database.prepare(
      `INSERT INTO messages (${columns})
        SELECT ?1 + key, ?2, ?3, ?4, ?5, ?6, ifnull(substr(?7, value / ${placeBase} + ?9, value % ${placeBase}), x''),
          iif(?9 = 0, NULL, substr(?7, value / ${placeBase}, ?9)), ?10, ?11, 0
        FROM json_each(?8)`,
    );
  }

  /** Inserts all messages of a group after the last one of `segment`, and adds them to it. */
  insert({ bytes, runs, places, forms }: GroupData, segment: Segment): void {
    let from = 0;
    let start = 0;
    for (let at = 0; at < runs.length; at += runFields) {
      const fields = runs.subarray(at, at + runFields) as unknown as RunFields;
      const [session, direction, time, elapsed, count, members] = fields;
      const run = places.subarray(from, from + count * placeFields);
      from += run.length;
      const common: Common = [session, direction, time, elapsed, members || null];
      const { payloads, size } = sizesOf(run);
      const content = bytes.subarray(start, start + size);
      start += size;
      const together = count >= minTogether && size < placeBase ? placesTogether(run) : undefined;
      if (together === undefined) this.#insertEach(segment.last + 1, common, content, run, forms);
      else {
        const [header = 0, , form = 0] = run;
        const { kind, ending } = forms[form - 1] ?? usual;
        this.#insertTogether.run(segment.last + 1, ...common, content, together, header, kind || null, ending);
      }
      segment.add(session, direction, time, count, payloads);
    }
  }

  #insertEach(
    first: number,
    common: Common,
    content: Uint8Array,
    run: Uint32Array,
    forms: readonly MessageForm[],
  ): void {
    let start = 0;
    for (let at = 0, sequence = first; at < run.length; at += placeFields) {
      const [headerSize = 0, size = 0, form = 0, truncated = 0] = run.subarray(at, at + placeFields);
      const { kind, ending } = forms[form - 1] ?? usual;
      const header = headerSize > 0 ? content.subarray(start, start + headerSize) : null;
      start += headerSize;
      const bytes = content.subarray(start, start + size);
      start += size;
      this.#insert.run(sequence++, ...common, bytes, header, kind || null, ending, truncated);
    }
  }
}

/** The number of bytes of all payloads of a run, and with their headers. */
function sizesOf(run: Uint32Array): { readonly payloads: number; readonly size: number } {
  let payloads = 0;
  let headers = 0;
  for (let at = 0; at < run.length; at += placeFields) {
    headers += run[at] as number;
    payloads += run[at + 1] as number;
  }
  return { payloads, size: headers + payloads };
}

/** The places of messages in the bytes of their run, as JSON; undefined when they differ in form or the size of their headers. */
function placesTogether(run: Uint32Array): string | undefined {
  const [header = 0, , form] = run;
  let json = '';
  // SQLite counts from 1.
  let start = 1;
  for (let at = 0; at < run.length; at += placeFields) {
    if (run[at] !== header || run[at + 2] !== form || run[at + 3] !== 0) return undefined;
    const size = run[at + 1] as number;
    json += `${json === '' ? '[' : ','}${start * placeBase + size}`;
    start += header + size;
  }
  return `${json}]`;
}
