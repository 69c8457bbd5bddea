/** A journal with three recorded sessions, for the tests of `yodel journal` and `yodel replay`. */
import { join } from 'node:path';
import { expect } from 'vitest';
import { readJournal } from '../../../src/journal/reader.ts';
import { eventually } from '../../support/eventually.ts';
import { temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { type RunningServer, serve } from '../../support/process/command.ts';

/** Records three clients, one after another. The server still runs and writes to the journal. */
export async function recorded(...flags: string[]): Promise<{ file: string; server: RunningServer }> {
  const file = join(temporaryFolder(), 'test.journal');
  const server = await serve(['--quiet', '--encoding', 'binary', '--journal', file, ...flags]);
  for (const input of ['hello\nworld\r\n', Buffer.from('\x1b[31mred\n\xff\xfe\n', 'latin1'), 'no end']) {
    const client = await dial(server.port);
    await client.send(input);
    client.end();
    await client.ended;
  }
  // Replies are recorded a moment after they were sent.
  const reader = readJournal(file);
  const messages = flags.includes('--journal-replies') ? 10 : 5;
  await eventually(async () => expect((await reader.stats()).messages).toBe(messages));
  await reader.close();
  return { file, server };
}
