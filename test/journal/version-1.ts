/** A journal as yodel 0.1.0 wrote it. */
import { DatabaseSync } from 'node:sqlite';

const schema = `
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
PRAGMA application_id = 2036624385;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
`;

/** A message of version 1: the sequence number, its session, direction (0 in, 1 out), bytes and shape. */
export type OldMessage = readonly [
  sequence: number,
  session: number,
  direction: 0 | 1,
  bytes: string,
  shape: Uint8Array | null,
];

/** Writes a journal of version 1, with a session for each framing, numbered from 1. */
export function writeVersion1(file: string, framings: readonly string[], messages: readonly OldMessage[]): void {
  const database = new DatabaseSync(file);
  database.exec(schema);
  database.exec('INSERT INTO runs VALUES (1, 1000, 1)');
  const addSession = database.prepare('INSERT INTO sessions VALUES (?, 1, ?, ?, ?, 1000, 2000, ?, NULL)');
  for (const [index, framing] of framings.entries())
    addSession.run(index + 1, `127.0.0.1:${5000 + index}`, 'tcp://127.0.0.1:7878', framing, 'peer');
  const addMessage = database.prepare('INSERT INTO messages VALUES (?, ?, ?, 1500, 500, ?, ?, 0)');
  for (const [sequence, session, direction, bytes, shape] of messages)
    addMessage.run(sequence, session, direction, Buffer.from(bytes), shape);
  database.close();
}
