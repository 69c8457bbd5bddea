import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { HistoryTable } from './histories/table.ts';

/** The age is checked in every 16th commit, unless there is more to delete. */
const checkEvery = 16;
/** The maximum number of segments to delete in one commit, so that it stays short. */
const maxAtOnce = 8;

/** The histories of rooms may take this share of the size. What is above it is removed before messages are. */
const historiesShare = 1 / 2;
/** When histories must be smaller, this share of the size is removed at once, as of messages. */
const historiesAtOnce = 1 / 8;

/** Limits in bytes and milliseconds; 0: no limit. */
export interface RetentionLimits {
  readonly maxSize: number;
  readonly maxAge: number;
}

interface OldestSegment {
  readonly segment: number;
  readonly last: number;
  readonly latest: number;
}

/** Keeps a journal within its limits: deletes the oldest segments first, a few with each commit. */
export class Retention {
  readonly #limits: RetentionLimits;
  readonly #run: number;
  readonly #histories: HistoryTable;
  readonly #used: StatementSync;
  readonly #oldest: StatementSync;
  readonly #deleteMessages: StatementSync;
  readonly #sessionsOf: StatementSync;
  readonly #deleteActivity: StatementSync;
  readonly #deleteSegment: StatementSync;
  readonly #deleteSession: StatementSync;
  readonly #setDeleted: StatementSync;
  /** Remembers the highest deleted session, so that no number is used twice. */
  readonly #setSessions: StatementSync;
  #commits = 0;
  /** Whether the last check found something to delete, so that the next one may too. */
  #isBehind = true;

  /** @param run the number of this run: only its sessions can be open */
  constructor(database: DatabaseSync, limits: RetentionLimits, run: number, histories: HistoryTable) {
    this.#limits = limits;
    this.#run = run;
    this.#histories = histories;
    this.#used = database.prepare(
      'SELECT (page_count - freelist_count) * page_size AS used FROM pragma_page_count, pragma_freelist_count, pragma_page_size',
    );
    this.#oldest = database.prepare('SELECT segment, last, latest FROM segments ORDER BY segment LIMIT 1');
    this.#deleteMessages = database.prepare('DELETE FROM messages WHERE sequence <= ?');
    this.#sessionsOf = database.prepare('SELECT session FROM activity WHERE segment = ?');
    this.#deleteActivity = database.prepare('DELETE FROM activity WHERE segment = ?');
    this.#deleteSegment = database.prepare('DELETE FROM segments WHERE segment = ?');
    this.#deleteSession = database.prepare(
      `DELETE FROM sessions WHERE session = ? AND (ended IS NOT NULL OR run <> ?)
        AND NOT EXISTS (SELECT 1 FROM activity WHERE activity.session = sessions.session)`,
    );
    this.#setSessions = database.prepare("UPDATE state SET value = ? WHERE name = 'sessions' AND value < ?");
    this.#setDeleted = database.prepare("UPDATE state SET value = ? WHERE name = 'deleted'");
  }

  /**
   * Deletes segments beyond the limits. Call it within a transaction.
   *
   * @param added the number of messages that the transaction adds
   * @param isUsed whether a session has messages after the last segment
   */
  trim(added: number, isUsed: (session: number) => boolean): void {
    const { maxSize, maxAge } = this.#limits;
    if (maxSize === 0 && maxAge === 0) return;
    // The size is checked in each commit, because one commit may add a lot. The age is checked only in some commits.
    if (maxSize === 0 && !this.#isBehind && added > 0 && ++this.#commits % checkEvery !== 0) return;
    this.#isBehind = true;
    for (let segments = 0; this.#isBehind && segments < maxAtOnce; segments++) {
      const oldest = this.#oldest.get() as OldestSegment | undefined;
      const isTooOld = oldest !== undefined && maxAge > 0 && oldest.latest < Date.now() - maxAge;
      const isTooLarge = this.#isTooLarge;
      if (isTooLarge && (!oldest || this.#histories.bytes > maxSize * historiesShare))
        this.#isBehind = this.#histories.removeOldest(maxSize * historiesAtOnce);
      else {
        this.#isBehind = oldest !== undefined && (isTooOld || isTooLarge);
        if (oldest && this.#isBehind) this.#delete(oldest, isUsed);
      }
    }
  }

  /** Deletes a session if it has ended and has no messages left. */
  forget(session: number): void {
    const { changes } = this.#deleteSession.run(session, this.#run);
    if (changes) this.#setSessions.run(session, session);
  }

  get #isTooLarge(): boolean {
    const { maxSize } = this.#limits;
    return maxSize > 0 && (this.#used.get() as { readonly used: number }).used > maxSize;
  }

  #delete({ segment, last }: OldestSegment, isUsed: (session: number) => boolean): void {
    const sessions = this.#sessionsOf.all(segment) as unknown as { readonly session: number }[];
    this.#deleteMessages.run(last);
    this.#deleteActivity.run(segment);
    this.#deleteSegment.run(segment);
    this.#setDeleted.run(last);
    for (const { session } of sessions) if (!isUsed(session)) this.forget(session);
  }
}
