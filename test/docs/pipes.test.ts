/** Runs each command of docs/pipes.md, with the servers that the page mentions. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { formatLetters } from '../../src/cli/connect/message-format.ts';
import { temporaryFile } from '../support/files.ts';
import { serve } from '../support/process/command.ts';
import { shell } from '../support/shell.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/pipes.md'), 'utf8');
const commands = [...page.matchAll(/```console\n(.*?)```/gs)].flatMap(([, block = '']) =>
  block.split(/^\$ /m).slice(1),
);

test('every command of the page prints what the page shows', async () => {
  expect(commands.length).toBeGreaterThan(8);
  const echo = await serve(['--quiet']);
  const script = '> a\n< a!\n> b\n< b!\n> c\n@closed\n';
  const two = await serve([temporaryFile('two-of-them.transcript', script), '--quiet']);
  for (const part of commands) {
    const [command = '', ...shown] = part.split('\n');
    const line = command
      .replace('localhost 7001', two.address)
      .replace(':7878', echo.address)
      .replace(/yodel connect(?! tcp)/, `yodel connect ${echo.address}`);
    const { stdout, stderr } = await shell(line);
    expect({ command, said: `${stdout}${stderr}` }).toEqual({ command, said: shown.join('\n') });
  }
});

test('the page lists every specifier of --format', () => {
  for (const letter of Object.keys(formatLetters)) expect(page).toContain(`\`%${letter}\``);
});
