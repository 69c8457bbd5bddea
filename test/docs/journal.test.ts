/** Runs the commands of docs/journal.md, in order, in a folder of their own. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { schema } from '../../src/journal/database.ts';
import { temporaryFolder } from '../support/files.ts';
import { serve } from '../support/process/command.ts';
import { shell } from '../support/shell.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/journal.md'), 'utf8');
const commands = [...page.matchAll(/```console\n(.*?)```/gs)].flatMap(([, block = '']) =>
  block.split(/^\$ /m).slice(1),
);

test('every command of the page prints what the page shows', async () => {
  const folder = temporaryFolder();
  const [first = '', ...others] = commands;
  const [start = ''] = first.split('\n');
  expect(start).toMatch(/^yodel serve .* &$/);
  const flags = start.replace('--listen 7001 ', '').split(' ').slice(2, -1);
  const server = await serve(flags.map((flag) => (flag.endsWith('.journal') ? join(folder, flag) : flag)));
  expect(others.length).toBeGreaterThan(5);
  for (const part of others) {
    const [command = '', ...shown] = part.split('\n');
    const { stdout, stderr } = await shell(`cd ${folder}; ${command.replace(':7001', server.address)}`);
    // An … matches anything within a line. A busy machine takes seconds.
    const expected = shown
      .join('\n')
      .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
      .replaceAll('… ms', '.* m?s')
      .replaceAll('…', '.*');
    expect(`${stdout}${stderr}`, command).toMatch(new RegExp(`^${expected}$`));
  }
});

test('the page names every table and column', () => {
  const names = [...schema.matchAll(/CREATE (?:TABLE|VIEW) (\w+)/g)].map(([, name]) => name as string);
  expect(names.length).toBeGreaterThan(5);
  for (const name of names.filter((one) => one !== 'state')) expect(page).toContain(`\`${name}\``);
  const [, columns = ''] = /CREATE TABLE messages \(\n(.*?)\n\)/s.exec(schema) ?? [];
  for (const [, column] of columns.matchAll(/^ {2}(\w+)/gm)) expect(page).toContain(`\`${column}\``);
});
