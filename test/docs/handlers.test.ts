/** Runs each command of docs/handlers.md, on free ports. */
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/files.ts';
import { commandPath, start } from '../support/process/command.ts';

const root = new URL('../../', import.meta.url).pathname;
const page = readFileSync(`${root}docs/handlers.md`, 'utf8');
const commands = [...page.matchAll(/^\$ yodel serve (.*)$/gm)].map(([, words = '']) => words);

test('every command of the page listens, and exits with status 0', { timeout: 90_000 }, async () => {
  expect(commands.length).toBeGreaterThan(12);
  const cwd = temporaryFolder();
  symlinkSync(join(root, 'examples'), join(cwd, 'examples'));
  writeFileSync(join(cwd, 'ca.pem'), '');
  const runs = async (command: string) => {
    const words = command
      .replaceAll(/ --listen (?!ws:)\S+/g, '')
      .replace(/ws:\S+:\d+(?!\S)/, 'ws://127.0.0.1:0')
      .replace(/--control \S+/, '--control 127.0.0.1:0');
    const line = `exec '${process.execPath}' '${commandPath}' serve ${words} --listen 127.0.0.1:0`;
    const server = start(['bash', '-c', line], { cwd });
    await server.saw(/listening on \S+/);
    expect((await server.stop()).status, command).toBe(0);
  };
  // A few at a time, to save time.
  for (let at = 0; at < commands.length; at += 4) await Promise.all(commands.slice(at, at + 4).map(runs));
});

test('the page names every handler and every flag of the handlers', async () => {
  const { handlersByName } = await import('../../src/handlers/handlers.ts');
  for (const name of Object.keys(handlersByName)) expect(page).toContain(`\`${name}\``);
  const { addHandlerFlags } = await import('../../src/cli/serve/handler/flags.ts');
  const { Command } = await import('commander');
  const command = new Command();
  addHandlerFlags(command);
  for (const { long } of command.options) expect(page, String(long)).toContain(String(long));
});
