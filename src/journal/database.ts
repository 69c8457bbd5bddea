/** The file of a journal: its tables, which docs/journal.md describes, and what can be wrong with it. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { YodelError } from '../errors.ts';

/** "ydl" and a number, in the file's header: this is a journal and no other database. */
export const applicationId = 0x79_64_6c_01;
/** Of the tables below. */
export const schemaVersion = 1;

/**
 * Before it, a database in WAL mode could be damaged by two connections that write or checkpoint at once ("WAL-reset bug",
 * sqlite.org/wal.html). A journal has one writing connection, but `sqlite3` can be a second one at any time.
 */
const oldestSqlite = [3, 51, 3] as const;

/**
 * An index of messages by session would touch a page for each session with every commit: with 256 sessions it takes nine
 * tenths of the time. So messages are only ever appended, and some thousand of them are summed up together as a segment:
 * which sessions have messages in it, and how many. What is behind the last segment is looked through.
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
  error TEXT
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
  truncated INTEGER NOT NULL
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
CREATE VIEW conversations AS
  SELECT sequence, strftime('%Y-%m-%dT%H:%M:%fZ', time / 1000.0, 'unixepoch') AS at, session, peer,
    iif(direction = 0, 'in', 'out') AS way, CAST(bytes AS TEXT) AS text
  FROM messages JOIN sessions USING (session);
INSERT INTO state VALUES ('deleted', 0), ('missed', 0), ('sessions', 0);
PRAGMA application_id = ${applicationId};
PRAGMA user_version = ${schemaVersion};
`;

/** SQLite's primary result codes that mean something here (sqlite.org/rescode.html), and one extended one. */
export const resultCode = { busy: 5, ioError: 10, corrupt: 11, full: 13, cantOpen: 14, notADatabase: 26 } as const;

/** The number that SQLite gave, or undefined when the error is none of SQLite's. */
export function resultCodeOf(error: unknown): number | undefined {
  const code = (error as { readonly errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code : undefined;
}

/** The lower byte of it: what kind of failure. */
export function primaryCode(error: unknown): number {
  return (resultCodeOf(error) ?? 0) & 0xff;
}

/** @throws YodelError `YODEL_JOURNAL_UNREADABLE` when this runtime's SQLite could damage a journal */
export function checkSqlite(database: DatabaseSync): void {
  const { version } = database.prepare('SELECT sqlite_version() AS version').get() as { version: string };
  const parts = version.split('.').map(Number);
  for (const [index, oldest] of oldestSqlite.entries()) {
    const part = parts[index] ?? 0;
    if (part > oldest) return;
    if (part < oldest) {
      const runtime = process.versions.bun ? `Bun ${process.versions.bun}` : `Node.js ${process.versions.node}`;
      const text = `a journal needs SQLite ${oldestSqlite.join('.')} or newer, and ${runtime} has ${version}, which can damage a file that is also read`;
      throw new YodelError(
        'YODEL_JOURNAL_UNREADABLE',
        `${text}; upgrade to Node.js 24.21, 26.10 or newer, or to Bun 1.4`,
      );
    }
  }
}

/**
 * Makes sure that there is a file, of which others cannot read a byte, and that it may be a journal.
 *
 * @throws YodelError `YODEL_JOURNAL_UNREADABLE`
 */
export function prepareFile(file: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'a+', 0o600);
  } catch (error) {
    throw new YodelError('YODEL_JOURNAL_UNREADABLE', `cannot write the journal ${file}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  try {
    checkForm(file, descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** @throws YodelError `YODEL_JOURNAL_UNREADABLE` when there is no such file, or it cannot be a journal */
export function checkFile(file: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    throw new YodelError('YODEL_JOURNAL_UNREADABLE', `cannot read the journal ${file}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  try {
    if (checkForm(file, descriptor) === 0)
      throw new YodelError('YODEL_JOURNAL_UNREADABLE', `${file} is empty, it is no journal`);
  } finally {
    closeSync(descriptor);
  }
}

const header = 'SQLite format 3\0';

/** Looks at the file's kind and first bytes; gives its size. */
function checkForm(file: string, descriptor: number): number {
  const stat = fstatSync(descriptor);
  if (!stat.isFile())
    throw new YodelError('YODEL_JOURNAL_UNREADABLE', `${file} is not a regular file, and so no journal`);
  const first = Buffer.alloc(header.length);
  const length = readSync(descriptor, first, 0, header.length, 0);
  if (length > 0 && first.toString('latin1') !== header) {
    throw new YodelError(
      'YODEL_JOURNAL_UNREADABLE',
      `${file} is not a journal: it does not begin as an SQLite database does`,
    );
  }
  return stat.size;
}

/**
 * Checks that an open database is a journal that this version can read. False when it is empty.
 *
 * @throws YodelError `YODEL_JOURNAL_UNREADABLE`
 */
export function checkSchema(database: DatabaseSync, file: string): boolean {
  const pragma = (name: string) => Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? { value: 0 })[0]);
  const id = pragma('application_id');
  const version = pragma('user_version');
  if (id === 0 && version === 0 && pragma('page_count') <= 1) return false;
  if (id !== applicationId) {
    throw new YodelError('YODEL_JOURNAL_UNREADABLE', `${file} is an SQLite database, but not a journal of yodel`);
  }
  if (version !== schemaVersion) {
    const text = `${file} is a journal of version ${version}, and this yodel knows version ${schemaVersion}`;
    throw new YodelError('YODEL_JOURNAL_UNREADABLE', `${text}: use the yodel that made it`);
  }
  return true;
}

/** What SQLite found wrong with the file, and what to do. Other errors stay as they are. */
export function readingError(error: unknown, file: string): unknown {
  const code = primaryCode(error);
  if (code === resultCode.corrupt || code === resultCode.notADatabase) return damaged(file, reasonOf(error), error);
  if (resultCodeOf(error) === undefined) return error;
  return new YodelError('YODEL_JOURNAL_UNREADABLE', `cannot open the journal ${file}: ${reasonOf(error)}`, {
    cause: error,
  });
}

/** The error that tells how to rescue what can be rescued. */
export function damaged(file: string, reason: string, cause?: unknown): YodelError {
  const quoted = /^[\w./-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`;
  const rescue = `keep a copy of it, then rescue what is readable into a new one with: sqlite3 ${quoted} .recover | sqlite3 rescued.journal`;
  return new YodelError('YODEL_JOURNAL_UNREADABLE', `the journal ${file} is damaged (${reason}); ${rescue}`, { cause });
}

/** What an error says, of SQLite or of the operating system. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as { readonly code?: unknown; readonly message?: string };
  if (code === 'ENOENT') return 'there is no such file or folder';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  if (code === 'EISDIR') return 'it is a folder';
  if (code === 'EROFS') return 'the file system is read-only';
  return message ?? String(error);
}
