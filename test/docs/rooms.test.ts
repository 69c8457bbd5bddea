/** Runs each command of docs/rooms.md, and the examples that have no end. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { serverOptions, sessionOptions } from '../../src/options.ts';
import { dial } from '../support/peer.ts';
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
  const { maxRooms, roomBuffer, maxHistoryBytes, storedMessages, storedAge, storedBytes } = serverOptions;
  const { maxRoomsPerSession, joinRate } = sessionOptions;
  expect(page).toContain(`| \`maxRoomsPerSession\` | ${maxRoomsPerSession.default} |`);
  expect(page).toContain(`| \`joinRate\` | ${joinRate.default}/s |`);
  expect(page).toContain(`| \`maxRooms\` | ${maxRooms.default.toLocaleString('en')} |`);
  expect(page).toContain(`| \`roomBuffer\` | ${roomBuffer.default / 2 ** 20} MiB per room |`);
  expect(page).toContain(`| \`storedMessages\` | ${storedMessages.default.toLocaleString('en')} |`);
  expect(page).toContain(`| \`storedAge\` | ${storedAge.default / 86_400_000} day |`);
  expect(page).toContain(`| \`storedBytes\` | ${storedBytes.default / 2 ** 20} MiB |`);
  expect(page).toContain(`| \`maxHistoryBytes\` | ${maxHistoryBytes.default / 2 ** 20} MiB |`);
});

test('clients of the example come back with their position, and receive what was stored meanwhile', async () => {
  const { port } = await serve([`${root}examples/come-back.ts`]);
  const ana = await dial(port);
  await ana.send('hello\nfrom 0\n');
  const [, since] = (await ana.saw(/stored\n(\S+) hello\ncomplete up to \1\n/)) ?? [];
  ana.socket.destroy();
  const ben = await dial(port);
  await ben.send('are you there?\n');
  await ben.saw(/stored\n/);
  const back = await dial(port);
  await back.send(`from ${since}\n`);
  await back.saw(/^\S+ are you there\?\ncomplete up to \S+\n$/);
  await ben.send('yes\n');
  await back.saw(/\n\S+ yes\n$/);
  await back.send('from nowhere\n');
  await back.saw(/\nerror: not a position/);
});
