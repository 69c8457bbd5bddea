import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { RetentionLimits } from './retention.ts';

/** A segment is full with this many messages or bytes, so that scanning it takes milliseconds. */
const maxMessages = 8192;
const maxBytes = 8_388_608;
/** A segment is also full with this share of the size or age limit, because only whole segments are deleted. */
const maxShare = 1 / 8;

/** The messages of one session in a segment. Pairs are by direction: in, out. */
export interface Activity {
  first: number;
  last: number;
  messages: [number, number];
  bytes: [number, number];
}

/** Consecutive messages, summarized by session. A journal's last segment is kept in memory until it is full. */
export class Segment {
  readonly first: number;
  readonly #limits: RetentionLimits;
  #last: number;
  #bytes = 0;
  #earliest = Number.POSITIVE_INFINITY;
  #latest = 0;
  readonly #sessions = new Map<number, Activity>();

  /** @param first the sequence number of its first message */
  constructor(first: number, limits: RetentionLimits) {
    this.first = first;
    this.#limits = limits;
    this.#last = first - 1;
  }

  get last(): number {
    return this.#last;
  }

  get isFull(): boolean {
    const count = this.#last - this.first + 1;
    if (count === 0) return false;
    const { maxSize, maxAge } = this.#limits;
    const isOld = maxAge > 0 && this.#earliest < Date.now() - maxAge * maxShare;
    const isLarge = this.#bytes >= maxBytes || (maxSize > 0 && this.#bytes >= maxSize * maxShare);
    return count >= maxMessages || isLarge || isOld;
  }

  has(session: number): boolean {
    return this.#sessions.has(session);
  }

  /** Adds the next messages, all of one session and direction. */
  add(session: number, direction: 0 | 1, time: number, count: number, bytes: number): void {
    const first = this.#last + 1;
    this.#last += count;
    this.#bytes += bytes;
    this.#earliest = Math.min(this.#earliest, time);
    this.#latest = Math.max(this.#latest, time);
    const activity = this.#sessions.get(session) ?? { first, last: first, messages: [0, 0], bytes: [0, 0] };
    activity.last = this.#last;
    activity.messages[direction] += count;
    activity.bytes[direction] += bytes;
    this.#sessions.set(session, activity);
  }

  /** Adds a segment that starts where this one ends. */
  join(next: Segment): void {
    this.#last = next.#last;
    this.#bytes += next.#bytes;
    this.#earliest = Math.min(this.#earliest, next.#earliest);
    this.#latest = Math.max(this.#latest, next.#latest);
    for (const [session, activity] of next.#sessions) {
      const known = this.#sessions.get(session);
      if (!known) this.#sessions.set(session, activity);
      else {
        known.last = activity.last;
        for (const direction of [0, 1] as const) {
          known.messages[direction] += activity.messages[direction];
          known.bytes[direction] += activity.bytes[direction];
        }
      }
    }
  }

  /** The row for the table `segments`. */
  get totals(): { readonly first: number; readonly last: number; readonly earliest: number; readonly latest: number } {
    return { first: this.first, last: this.#last, earliest: this.#earliest, latest: this.#latest };
  }

  get sessions(): ReadonlyMap<number, Activity> {
    return this.#sessions;
  }
}

/** Writes segments to the tables `segments` and `activity`. */
export class SegmentTable {
  readonly #segment: StatementSync;
  readonly #activity: StatementSync;

  constructor(database: DatabaseSync) {
    this.#segment = database.prepare('INSERT INTO segments (first, last, earliest, latest) VALUES (?, ?, ?, ?)');
    this.#activity = database.prepare('INSERT INTO activity VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
  }

  insert({ totals, sessions }: Segment): void {
    const { first, last, earliest, latest } = totals;
    const { lastInsertRowid } = this.#segment.run(first, last, earliest, latest);
    for (const [session, { first, last, messages, bytes }] of sessions) {
      this.#activity.run(lastInsertRowid, session, first, last, messages[0], messages[1], bytes[0], bytes[1]);
    }
  }
}

/** Summarizes the messages after the last segment. This is the only recovery that a crash requires. */
export function openSegment(database: DatabaseSync, limits: RetentionLimits): Segment {
  const number = (sql: string) => Number((database.prepare(sql).get() as { n: number | null }).n ?? 0);
  const summed = Math.max(
    number('SELECT max(last) AS n FROM segments'),
    number("SELECT value AS n FROM state WHERE name = 'deleted'"),
  );
  const segment = new Segment(summed + 1, limits);
  const rows = database.prepare(
    'SELECT session, direction, time, length(bytes) AS size FROM messages WHERE sequence > ? ORDER BY sequence',
  );
  for (const row of rows.iterate(summed)) {
    const { session, direction, time, size } = row as Record<'session' | 'time' | 'size', number> & {
      direction: 0 | 1;
    };
    segment.add(session, direction, time, 1, size);
  }
  return segment;
}
