/** The database of a journal: its schema, which docs/journal.md describes, checks and errors. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { fileErrorReason, YodelError } from '../errors.ts';

/** "ydl" and a number in the file's header identify a journal. */
const applicationId = 0x79_64_6c_01;
/** The version of the schema below. Version 1 had no headers, kinds, reply framings and protocols, version 2 no messages of rooms. */
const schemaVersion = 3;

/**
 * In older versions, two connections that write or checkpoint at the same time can damage a database in WAL mode ("WAL-reset
 * bug", sqlite.org/wal.html). A journal has one writing connection, but `sqlite3` can be a second one at any time.
 */
const minSqlite = [3, 51, 3] as const;

const view = `CREATE VIEW conversations AS
  SELECT sequence, strftime('%Y-%m-%dT%H:%M:%fZ', time / 1000.0, 'unixepoch') AS at, session, peer,
    iif(direction = 0, 'in', 'out') AS way, CAST(bytes AS TEXT) AS text, hex(header) AS header
  FROM messages JOIN sessions USING (session);`;

const toVersion3 = `
ALTER TABLE messages ADD COLUMN members INTEGER;
PRAGMA user_version = ${schemaVersion};
`;

/** Change a file of an older version to the schema below. Take no time: old rows stay as they are (see version-1.ts). */
export const migrations: Readonly<Record<number, string>> = {
  1: `
ALTER TABLE messages ADD COLUMN header BLOB;
ALTER TABLE messages ADD COLUMN kind INTEGER;
ALTER TABLE sessions ADD COLUMN reply_framing TEXT;
ALTER TABLE sessions ADD COLUMN protocol TEXT;
DROP VIEW conversations;
${view}
${toVersion3}`,
  2: toVersion3,
};

/**
 * An index of messages by session would touch a page for each session in every commit, which takes nine tenths of the time
 * with 256 sessions. So messages are only appended. Every few thousand of them are summarized as a segment, which records
 * the sessions with messages in it, and their counts. Messages after the last segment are scanned.
 */
export const schema = `
CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE runs (run INTEGER PRIMARY KEY, began INTEGER NOT NULL, pid INTEGER NOT NULL) STRICT;
CREATE TABLE sessions (
  session INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  peer TEXT NOT NULL,
  local TEXT NOT NULL,
  framing TEXT NOT NULL,
  began INTEGER NOT NULL,
  ended INTEGER,
  ended_by TEXT,
  error TEXT,
  reply_framing TEXT,
  protocol TEXT
) STRICT;
CREATE INDEX sessions_by_peer ON sessions (peer);
CREATE TABLE messages (
  sequence INTEGER PRIMARY KEY,
  session INTEGER NOT NULL,
  direction INTEGER NOT NULL,
  time INTEGER NOT NULL,
  elapsed INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  shape BLOB,
  truncated INTEGER NOT NULL,
  header BLOB,
  kind INTEGER,
  members INTEGER
) STRICT;
CREATE TABLE segments (
  segment INTEGER PRIMARY KEY,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  earliest INTEGER NOT NULL,
  latest INTEGER NOT NULL
) STRICT;
CREATE TABLE activity (
  segment INTEGER NOT NULL,
  session INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  messages_in INTEGER NOT NULL,
  messages_out INTEGER NOT NULL,
  bytes_in INTEGER NOT NULL,
  bytes_out INTEGER NOT NULL,
  PRIMARY KEY (segment, session)
) STRICT, WITHOUT ROWID;
CREATE INDEX activity_by_session ON activity (session);
${view}
INSERT INTO state VALUES ('deleted', 0), ('missed', 0), ('sessions', 0);
PRAGMA application_id = ${applicationId};
PRAGMA user_version = ${schemaVersion};
`;

/** The primary result codes of SQLite that the journal handles (sqlite.org/rescode.html). */
export const resultCode = { busy: 5, ioError: 10, corrupt: 11, full: 13, cantOpen: 14, notADatabase: 26 } as const;

/** The result code of an SQLite error; undefined for other errors. */
function resultCodeOf(error: unknown): number | undefined {
  const code = (error as { readonly errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code : undefined;
}

/** The primary result code: the lower byte. 0 for other errors. */
export function primaryCode(error: unknown): number {
  return (resultCodeOf(error) ?? 0) & 0xff;
}

/** @throws YodelError `YODEL_JOURNAL_UNREADABLE` when this runtime's SQLite could damage a journal */
export function checkSqlite(database: DatabaseSync): void {
  const { version } = database.prepare('SELECT sqlite_version() AS version').get() as { version: string };
  const parts = version.split('.').map(Number);
  for (const [index, least] of minSqlite.entries()) {
    const part = parts[index] ?? 0;
    if (part > least) return;
    if (part < least) {
      const runtime = process.versions.bun ? `Bun ${process.versions.bun}` : `Node.js ${process.versions.node}`;
      const text = `a journal needs SQLite ${minSqlite.join('.')} or newer; ${runtime} has ${version}, which can damage a file that is read at the same time`;
      throw new YodelError(
        'YODEL_JOURNAL_UNREADABLE',
        `${text}; upgrade to Node.js 22.22.3, 24.15, 26.0 or newer, or to Bun 1.4`,
      );
    }
  }
}

/**
 * Creates the file if there is none, readable by its owner only, and checks that it may be a journal.
 *
 * @throws YodelError `YODEL_JOURNAL_UNREADABLE`
 */
export function prepareFile(file: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'a+', 0o600);
  } catch (error) {
    throw new YodelError('YODEL_JOURNAL_UNREADABLE', `cannot write the journal ${file}: ${fileErrorReason(error)}`, {
      cause: error,
    });
  }
  try {
    checkForm(file, descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Checks that a file exists and may be a journal. @throws YodelError `YODEL_JOURNAL_UNREADABLE` */
export function checkFile(file: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    throw new YodelError('YODEL_JOURNAL_UNREADABLE', `cannot read the journal ${file}: ${fileErrorReason(error)}`, {
      cause: error,
    });
  }
  try {
    if (checkForm(file, descriptor) === 0)
      throw new YodelError('YODEL_JOURNAL_UNREADABLE', `${file} is empty, so it is not a journal`);
  } finally {
    closeSync(descriptor);
  }
}

const header = 'SQLite format 3\0';

/** Checks the type of a file and its first bytes. Returns its size. */
function checkForm(file: string, descriptor: number): number {
  const stat = fstatSync(descriptor);
  if (!stat.isFile())
    throw new YodelError('YODEL_JOURNAL_UNREADABLE', `${file} is not a regular file, so it is not a journal`);
  const first = Buffer.alloc(header.length);
  const length = readSync(descriptor, first, 0, header.length, 0);
  if (length > 0 && first.toString('latin1') !== header) {
    throw new YodelError('YODEL_JOURNAL_UNREADABLE', `${file} is not a journal: it is not an SQLite database`);
  }
  return stat.size;
}

/**
 * Checks that an open database is a journal that this yodel can read. Returns the version of its schema, 0 when it is empty.
 *
 * @throws YodelError `YODEL_JOURNAL_UNREADABLE`
 */
export function checkSchema(database: DatabaseSync, file: string): number {
  const pragma = (name: string) => Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? { value: 0 })[0]);
  const id = pragma('application_id');
  const version = pragma('user_version');
  if (id === 0 && version === 0 && pragma('page_count') <= 1) return 0;
  if (id !== applicationId) {
    throw new YodelError('YODEL_JOURNAL_UNREADABLE', `${file} is an SQLite database, but not a journal of yodel`);
  }
  if (version < 1 || version > schemaVersion) {
    const text = `${file} is a journal of version ${version}; this yodel reads versions 1 to ${schemaVersion}`;
    throw new YodelError('YODEL_JOURNAL_UNREADABLE', `${text}: use the version of yodel that created it`);
  }
  return version;
}

/** Converts an SQLite error to one that explains it. Returns other errors unchanged. */
export function readingError(error: unknown, file: string): unknown {
  const code = primaryCode(error);
  if (code === resultCode.corrupt || code === resultCode.notADatabase)
    return damaged(file, fileErrorReason(error), error);
  if (resultCodeOf(error) === undefined) return error;
  return new YodelError('YODEL_JOURNAL_UNREADABLE', `cannot open the journal ${file}: ${fileErrorReason(error)}`, {
    cause: error,
  });
}

/** The error for a damaged journal, with the command that recovers what is readable. */
export function damaged(file: string, reason: string, cause?: unknown): YodelError {
  const quoted = /^[\w./-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`;
  const rescue = `keep a copy of it, then recover what is readable into a new file with: sqlite3 ${quoted} .recover | sqlite3 rescued.journal`;
  return new YodelError('YODEL_JOURNAL_UNREADABLE', `the journal ${file} is damaged (${reason}); ${rescue}`, { cause });
}
