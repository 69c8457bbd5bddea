/** Runs each command of docs/rooms.md, and the example that has no end. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { serverOptions, sessionOptions } from '../../src/options.ts';
import { serve, start } from '../support/process/command.ts';

const root = new URL('../../', import.meta.url).pathname;
const page = readFileSync(`${root}docs/rooms.md`, 'utf8');
const commands = [...page.matchAll(/^\$ yodel serve (.*)$/gm)].map(([, words = '']) => words);

test('every command of the page listens, and exits with status 0', async () => {
  expect(commands).toHaveLength(3);
  await Promise.all(
    commands.map(async (command) => {
      const server = await serve(command.split(' '), { cwd: root });
      expect((await server.stop()).status, command).toBe(0);
    }),
  );
});

test('the prices of the example arrive', async () => {
  const server = await serve([`${root}examples/prices.ts`]);
  const [host = '', port = ''] = server.address.replace('tcp://', '').split(':');
  const client = start(['nc.openbsd', host, port]);
  await client.saw(/^gold \d+\.\d\d\nsilver \d+\.\d\d\ngold /m);
});

test('the page has the default of each limit', () => {
  const { maxRooms, roomBuffer, maxHistoryBytes } = serverOptions;
  const { maxRoomsPerSession, joinRate } = sessionOptions;
  expect(page).toContain(`| \`maxRoomsPerSession\` | ${maxRoomsPerSession.default} |`);
  expect(page).toContain(`| \`joinRate\` | ${joinRate.default}/s |`);
  expect(page).toContain(`| \`maxRooms\` | ${maxRooms.default.toLocaleString('en')} |`);
  expect(page).toContain(`| \`roomBuffer\` | ${roomBuffer.default / 2 ** 20} MiB per room |`);
  expect(page).toContain(`| \`maxHistoryBytes\` | ${maxHistoryBytes.default / 2 ** 20} MiB |`);
});
