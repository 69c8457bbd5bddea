// Records each message on disk before its reply, then reads the journal.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, openJournal, serve } from 'yodel';

const directory = mkdtempSync(join(tmpdir(), 'journal-'));
const journal = await openJournal(join(directory, 'messages.journal'), { durability: 'full', replies: true });
const server = await serve({ listen: 0, journal });

const client = await connect(server.addresses[0]);
await client.request('one');
await client.request('two');
await client.close();
await server.close();

for await (const { sequence, direction, bytes } of journal.read({ direction: 'in' })) {
  process.stdout.write(`${sequence} ${direction} ${Buffer.from(bytes).toString()}\n`);
}
await journal.close();
rmSync(directory, { recursive: true });
