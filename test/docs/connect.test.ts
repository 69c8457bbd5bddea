/** Types the input of docs/connect.md, and compares the output. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { helpLines } from '../../src/cli/connect/interactive/commands.ts';
import { temporaryFolder } from '../support/files.ts';
import { freePort } from '../support/ports.ts';
import { serve } from '../support/process/command.ts';
import { connectTo } from '../support/talk.ts';
import { Terminal } from '../support/terminal.ts';
import { testWith } from '../support/tools.ts';

const page = readFileSync(new URL('../../docs/connect.md', import.meta.url), 'utf8');
const screens = [...page.matchAll(/```console\n\$ yodel connect[^\n]*\n(.*?)```/gs)].map(([, screen = '']) => screen);
const tmux = testWith('tmux', 'apt-get install tmux');

test('the page shows what :help shows', () => {
  expect(page).toContain(`<!-- :help -->\n\`\`\`text\n${helpLines('').join('\n')}\n\`\`\`\n`);
});

/** A screen without its times and ports, which differ from run to run. */
function shape(screen: string): string {
  return screen
    .replaceAll(/\d+(\.\d+)? (ms|s)\b/g, '# $2')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:#')
    .replaceAll(/ +$/gm, '')
    .trimEnd();
}

tmux('the first screen of the page is what a terminal shows', async () => {
  const [screen = ''] = screens;
  const server = await serve();
  const terminal = new Terminal();
  terminal.enter(`cd ${temporaryFolder()}`);
  await connectTo(server.address, terminal);
  // Lines that were typed follow a prompt; `> 6 B` is the output of :send.
  for (const [, line = ''] of screen.matchAll(/^> ((?!\d+ B).*)$/gm)) {
    terminal.enter(line);
    await terminal.sees(/\n>$/);
    if (!line.startsWith(':')) await terminal.sees(/ ms\n>$/);
    if (line.startsWith(':send')) await terminal.sees(/\n< 6 B .*\n.*\n>$/);
  }
  await terminal.sees(/written to talk\.txt\n>$/);
  expect(shape(terminal.lines())).toBe(`${shape(screen)}\n>`);
});

tmux('the screen with a lost connection is what a terminal shows', async () => {
  const [, screen = ''] = screens;
  const port = await freePort();
  const terminal = new Terminal();
  terminal.enter(`clear; yodel connect :${port} --reconnect`);
  await terminal.sees(/not connected>$/);
  terminal.enter('hello');
  await terminal.sees(/when connected\nnot connected> hello$/);
  await serve(['--listen', `127.0.0.1:${port}`]);
  await terminal.sees(/\n> hello$/);
  terminal.press('Enter');
  await terminal.sees(/ ms\n>$/);
  const expected = shape(screen).replace(/^not connected> hello\n/m, '');
  expect(shape(terminal.lines())).toBe(`${expected}\n>`);
});
