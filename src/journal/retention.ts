/** Keeps a journal within its size and age: the oldest segments go first, a few with each commit. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** How many commits pass between two looks, as long as nothing is left to be deleted. */
const lookEvery = 16;
/** So many segments go with one commit at the most, so that it stays short. */
const mostAtOnce = 8;

/** What is allowed: bytes and milliseconds; 0: no limit. */
export interface RetentionLimits {
  readonly maxSize: number;
  readonly maxAge: number;
}

interface OldestSegment {
  readonly segment: number;
  readonly last: number;
  readonly latest: number;
}

/** Deletes what is too old or too much. */
export class Retention {
  readonly #limits: RetentionLimits;
  readonly #run: number;
  readonly #used: StatementSync;
  readonly #oldest: StatementSync;
  readonly #deleteMessages: StatementSync;
  readonly #sessionsOf: StatementSync;
  readonly #deleteActivity: StatementSync;
  readonly #deleteSegment: StatementSync;
  readonly #deleteSession: StatementSync;
  readonly #setDeleted: StatementSync;
  /** So that no number is given twice. */
  readonly #setSessions: StatementSync;
  #commits = 0;
  /** The last look found something to be deleted: so may the next one. */
  #isBehind = true;

  /** @param run the number of this run: its sessions may go on, all others have ended */
  constructor(database: DatabaseSync, limits: RetentionLimits, run: number) {
    this.#limits = limits;
    this.#run = run;
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
   * Within a transaction.
   *
   * @param added how many messages the transaction adds
   * @param isUsed whether a session has messages that no segment has yet
   */
  trim(added: number, isUsed: (session: number) => boolean): void {
    const { maxSize, maxAge } = this.#limits;
    if (maxSize === 0 && maxAge === 0) return;
    // The size is looked at with each commit, for one commit may bring much; the age now and then.
    if (maxSize === 0 && !this.#isBehind && added > 0 && ++this.#commits % lookEvery !== 0) return;
    this.#isBehind = true;
    for (let segments = 0; this.#isBehind && segments < mostAtOnce; segments++) {
      const oldest = this.#oldest.get() as OldestSegment | undefined;
      const isTooOld = oldest !== undefined && maxAge > 0 && oldest.latest < Date.now() - maxAge;
      this.#isBehind = oldest !== undefined && (isTooOld || this.#isTooLarge);
      if (oldest && this.#isBehind) this.#delete(oldest, isUsed);
    }
  }

  /** Deletes a session that has ended and of which no message is left. */
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
