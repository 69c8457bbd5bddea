/** What rooms are sent is recorded once, however many members there are. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { Message } from '../../src/framing/message.ts';
import { openJournal } from '../../src/journal/sqlite.ts';
import { planOf } from '../../src/replay/from-journal.ts';
import { serve } from '../../src/server/server.ts';
import { temporaryFolder } from '../support/files.ts';

async function recorded() {
  const file = join(temporaryFolder(), 'rooms.journal');
  const journal = await openJournal(file, { replies: true });
  const server = await serve({
    listen: 'tcp://127.0.0.1:0',
    journal,
    handler: {
      open: (session) => session.join('lobby'),
      message: (message, session) => {
        session.server.room('lobby').send(message);
        return 'sent';
      },
    },
  });
  const clients = await Promise.all([1, 2, 3].map(() => connect(String(server.addresses[0]))));
  await expect.poll(() => server.room('lobby').size).toBe(3);
  await clients[0]?.send('hello');
  for (const client of clients) for await (const { text } of client) if (text === 'hello') break;
  server.room('lobby').send(Message.of('with a header', { header: Buffer.from([7]) }));
  server.broadcast('to all');
  for (const client of clients) for await (const { text } of client) if (text === 'to all') break;
  await Promise.all(clients.map((client) => client.close()));
  await server.close();
  await journal.close();
  return { file };
}

test('a message that a room was sent is one entry, with the number of members', async () => {
  const { file } = await recorded();
  const journal = await openJournal(file);
  onTestFinished(() => journal.close());
  const entries: unknown[] = [];
  for await (const { peer, direction, bytes, header, members } of journal.read()) {
    const who = peer.startsWith('room:') ? peer : 'a client';
    entries.push([who, direction, Buffer.from(bytes).toString(), header.length, members]);
  }
  expect(entries.sort()).toEqual(
    [
      ['a client', 'in', 'hello', 0, null],
      ['a client', 'out', 'sent', 0, null],
      ['room:', 'out', 'to all', 0, 3],
      ['room:lobby', 'out', 'hello', 0, 3],
      ['room:lobby', 'out', 'with a header', 1, 3],
    ].sort(),
  );
  const rooms: unknown[] = [];
  for await (const { peer, ended, messagesOut } of journal.sessions({ peer: 'room:lobby' })) {
    rooms.push([peer, ended !== null, messagesOut]);
  }
  expect(rooms).toEqual([['room:lobby', true, 2]]);
  // A replay has only the clients.
  expect(await planOf(journal, {})).toMatchObject({ sessions: 1, sends: 1, expects: 1 });
});

test('a journal of version 2 is continued', async () => {
  const file = join(temporaryFolder(), 'old.journal');
  await (await openJournal(file)).close();
  const old = new DatabaseSync(file);
  old.exec('ALTER TABLE messages DROP COLUMN members; PRAGMA user_version = 2');
  old.close();
  const journal = await openJournal(file, { replies: true });
  onTestFinished(() => journal.close());
  journal.subscriber?.published?.('a', [{ message: 'hello' }], 5);
  const entries: (number | null)[] = [];
  for await (const { members } of journal.read({ to: 1, follow: true })) entries.push(members);
  expect(entries).toEqual([5]);
});
