/** A server with a journal whose disk is full, fails, or loses power. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { readJournal } from '../../src/journal/reader.ts';
import { temporaryFolder } from '../support/files.ts';
import { mounted, testWithMounts, unmount } from '../support/mounts.ts';
import { dial } from '../support/peer.ts';
import { commandPath, serve, start, yodel } from '../support/process/command.ts';
import { waitUntil } from '../support/process/process.ts';
import { testWith } from '../support/tools.ts';
import { missingOf, type Sent, startClient, startServer } from './crash.ts';

async function recorded(file: string): Promise<string[]> {
  const reader = readJournal(file);
  const texts: string[] = [];
  for await (const { bytes } of reader.read()) texts.push(Buffer.from(bytes).toString());
  await reader.close();
  return texts;
}

testWithMounts(
  'on a full disk clients get errors and no message is answered falsely; with space it continues',
  async () => {
    const folder = mounted('-t', 'tmpfs', '-o', 'size=4m', 'tmpfs');
    const file = join(folder, 'full.journal');
    const filler = join(folder, 'filler');
    writeFileSync(filler, Buffer.alloc(2_000_000));
    const server = await serve(['--quiet', '--journal', file, '--metrics', ':0']);
    const [, health = ''] = await server.saw(/metrics at (http:\S+)\/metrics/);
    const isReady = async () => (await fetch(`${health}/readyz`)).status === 200;
    const client = await dial(server.port);
    const answered: string[] = [];
    const ask = async (number: number) => {
      const text = `${number} ${'x'.repeat(1000)}`;
      const reply = await client.ask(text);
      if (reply === text) answered.push(text);
      else expect(reply).toBe('error: the message was not recorded, and not handled; try again later');
      return reply === text;
    };
    expect(await isReady()).toBe(true);
    let number = 0;
    while (await ask(number++)) expect(number).toBeLessThan(10_000);
    expect(answered.length).toBeGreaterThan(100);
    await server.saw(/the disk of the journal \S+ is full: messages are refused until this is resolved/);
    expect(await isReady()).toBe(false);
    for (let more = 0; more < 20; more++) expect(await ask(number++)).toBe(false);
    // A full disk does not prevent reading.
    expect(await recorded(file)).toEqual(answered);

    rmSync(filler);
    // Even without clients: a load balancer sends none to a server that is not ready.
    await server.saw(/accepts messages again/);
    expect(await isReady()).toBe(true);
    for (let more = 0; more < 20; more++) expect(await ask(number++)).toBe(true);
    client.end();
    await client.ended;
    const { status } = await server.stop();
    expect(status).toBe(0);
    expect(await recorded(file)).toEqual(answered);
  },
);

testWith('sqlite3', 'apt-get install sqlite3')(
  'waits for a program that locks the journal, then reports it to the clients',
  async () => {
    const file = join(temporaryFolder(), 'locked.journal');
    const server = await serve(['--quiet', '--journal', file]);
    const client = await dial(server.port);
    expect(await client.ask('before')).toBe('before');
    const shell = start(['sqlite3', file]);
    shell.process.stdin?.write("BEGIN IMMEDIATE; SELECT 'locked';\n");
    await shell.saw(/locked/);
    expect(await client.ask('meanwhile')).toBe('error: the message was not recorded, and not handled; try again later');
    shell.process.stdin?.write("ROLLBACK; SELECT 'free';\n");
    await shell.saw(/free/);
    expect(await client.ask('after')).toBe('after');
    await server.saw(/is locked by another program: messages are refused until this is resolved/);
    await server.saw(/accepts messages again/);
    expect(await recorded(file)).toEqual(['before', 'after']);
  },
);

testWithMounts('a read-only journal is refused by the server, and can still be read', async () => {
  const folder = mounted('-t', 'tmpfs', '-o', 'size=4m', 'tmpfs');
  const file = join(folder, 'read-only.journal');
  const server = await serve(['--quiet', '--journal', file]);
  await (await dial(server.port)).ask('hello');
  await server.stop();
  expect(spawnSync('mount', ['-o', 'remount,ro', folder]).status).toBe(0);
  const refused = await yodel(['serve', '--listen', '127.0.0.1:0', '--journal', file]);
  expect(refused.stderr).toBe(`yodel: cannot write the journal ${file}: the file system is read-only\n`);
  expect(refused.status).toBe(1);
  expect(await recorded(file)).toEqual(['hello']);
});

const traced = testWith('strace', 'apt-get install strace');

traced('after a failed fsync nothing more is answered, and the server exits with status 1', async () => {
  const file = join(temporaryFolder(), 'fsync.journal');
  const inject = ['-e', 'trace=fsync,fdatasync', '-e', 'inject=fsync,fdatasync:error=EIO:when=40+'];
  const yodel = [process.execPath, commandPath, 'serve', '--quiet', '--listen', '127.0.0.1:0', '--journal', file];
  const server = start(['strace', '-f', '-qq', '-o', '/dev/null', ...inject, ...yodel], { hasChildren: true });
  const [, port] = await server.saw(/listening on \S+:(\d+)/);
  const client = startClient(Number(port), 'c', 1);
  await client.done;
  const { status, stderr } = await server.ended;
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /shutting down, because messages can no longer be recorded: the journal \S+ cannot be written: disk I\/O error/,
  );
  expect(client.answered).toBeGreaterThan(5);
  expect(await missingOf(file, [client])).toEqual([]);
});

const cuts = Number(process.env.YODEL_TEST_POWER_CUTS ?? 2);
const withLoop = spawnSync('losetup', ['-f']).status === 0 ? testWithMounts : testWithMounts.skip;

/** A file system on a loop device. A copy of its file has what is on the disk, not what is only in memory. */
withLoop(
  `after ${cuts} power cuts every answered message is on the disk`,
  { timeout: 30_000 + cuts * 4000 },
  async () => {
    const place = existsSync('/dev/shm') ? '/dev/shm' : temporaryFolder();
    const image = join(place, `yodel-${process.pid}.img`);
    const copy = `${image}.copy`;
    try {
      for (let round = 0; round < cuts; round++) await cutPower(image, copy);
    } finally {
      rmSync(image, { force: true });
      rmSync(copy, { force: true });
    }
  },
);

async function cutPower(image: string, copy: string): Promise<void> {
  writeFileSync(image, '');
  truncateSync(image, 64 * 1024 * 1024);
  expect(spawnSync('mkfs.ext4', ['-q', '-F', image]).status).toBe(0);
  const disk = mounted('-o', 'loop', image);
  const server = await startServer(join(disk, 'cut.journal'));
  const clients: Sent[] = [1, 1, 4, 64].map((window, index) => startClient(server.port, `c${index}`, window));
  await waitUntil('a client has more than ten replies', () => clients.some(({ answered }) => answered > 10));
  await delay(Math.random() * 400);
  // Between the stop and the copy no reply is sent; those in flight still arrive.
  server.process.kill('SIGSTOP');
  copyFileSync(image, copy);
  await delay(50);
  const answered = clients.map(({ name, answered }) => ({ name, answered }));
  const gone = new Promise((resolve) => server.process.on('exit', resolve));
  server.process.kill('SIGKILL');
  await gone;
  unmount(disk);
  const after = mounted('-o', 'loop', copy);
  expect(statfsSync(after).type).toBeGreaterThan(0);
  expect(answered.some((client) => client.answered > 10)).toBe(true);
  expect(await missingOf(join(after, 'cut.journal'), answered)).toEqual([]);
  unmount(after);
}
