/** Runs the commands of docs/load-tests.md, in order and in one folder, against a server on a free port. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/files.ts';
import { serve } from '../support/process/command.ts';
import { shell } from '../support/shell.ts';

const page = readFileSync(new URL('../../docs/load-tests.md', import.meta.url), 'utf8');
const commands = [...page.matchAll(/^\$ (yodel bench .*)$/gm)].map(([, command = '']) => command);

test('every command of the page measures a server without an error', async () => {
  expect(commands.length).toBeGreaterThan(8);
  const folder = temporaryFolder();
  const [, session] = /^```\n(> login [\s\S]*?)^```$/m.exec(page) ?? [];
  writeFileSync(join(folder, 'session.transcript'), session ?? '');
  const lines = await serve(['--quiet']);
  const lengths = await serve(['--quiet', '--framing', 'length:4']);
  for (const command of commands) {
    const { address } = command.includes('--framing length:4') ? lengths : lines;
    // By default a test takes ten seconds; a fraction of a second shows the same.
    const end = command.includes(' --count ') ? '' : ' --duration 300ms';
    const line = command.replace(/ --duration \S+/, '').replace(':7878', `${address}${end}`);
    const { status, stderr } = await shell(line, { cwd: folder });
    expect({ command, status, stderr }).toEqual({ command, status: 0, stderr: '' });
  }
  for (const file of ['old.json', 'report.html', 'report.hdr']) expect(existsSync(join(folder, file)), file).toBe(true);
});
