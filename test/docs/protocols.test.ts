/** Runs the commands of docs/protocols.md against the real servers. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { memcached } from '../interop/protocols/servers/memcached.ts';
import { modbus } from '../interop/protocols/servers/modbus.ts';
import { mosquitto } from '../interop/protocols/servers/mosquitto.ts';
import { postgres } from '../interop/protocols/servers/postgres.ts';
import { redis } from '../interop/protocols/servers/redis.ts';
import type { ProtocolProgram } from '../interop/protocols/servers/server.ts';
import { smtp } from '../interop/protocols/servers/smtp.ts';
import { commandsIn, shownPattern } from '../support/console-sessions.ts';
import { temporaryFolder } from '../support/files.ts';
import { freePort } from '../support/ports.ts';
import { start } from '../support/process/command.ts';
import { folderWithYodel, shell } from '../support/shell.ts';

const page = readFileSync(new URL('../../docs/protocols.md', import.meta.url), 'utf8');

/** The servers, and the ports at which the page expects them. */
const servers: Readonly<Record<string, readonly [ProtocolProgram, port: string]>> = {
  redis: [redis, '6379'],
  smtp: [smtp, '25'],
  memcached: [memcached, '11211'],
  postgres: [postgres, '5432'],
  mqtt: [mosquitto, '1883'],
  modbus: [modbus, '502'],
};

const files = [...page.matchAll(/<!-- (\S+\.transcript) -->\n```\n([\s\S]*?)```/g)];
const sessions = [...page.matchAll(/<!-- server: (\w+) -->\n```console\n([\s\S]*?)```/g)];

for (const [, name = '', session = ''] of sessions) {
  const [program, port] = servers[name] ?? [];
  program?.test(`${name}: ${session.slice(2).split('\n', 1)}`, { timeout: 60_000 }, async () => {
    const [actual, own] = [String(await program.start()), String(await freePort())];
    const cwd = temporaryFolder();
    for (const [, file = '', text = ''] of files) writeFileSync(join(cwd, file), text);
    const here = (command: string) => command.replaceAll(`:${port}`, `:${actual}`).replaceAll('7000', own);
    // A variable that one command sets is for all that follow.
    let variables = '';
    for (const { command, shown } of commandsIn(session)) {
      if (command.endsWith(' &')) {
        const line = here(command.slice(0, -2).replace('yodel', `exec '${join(folderWithYodel(), 'yodel')}'`));
        await start(['bash', '-c', line], { cwd }).saw(/listening on \S+/);
      } else if (/^\w+="/.test(command)) variables += `${command}\n`;
      else {
        const print = async () => {
          const { stdout, stderr } = await shell(variables + here(command), { cwd });
          // A slow machine's times are in the recordings.
          const printed = stdout
            .toString('latin1')
            .replaceAll('\r\n', '\n')
            .replace(/^#\+ .*\n/gm, '');
          return printed + stderr;
        };
        const due = expect.stringMatching(shownPattern(shown)) as string;
        // A recording is complete a moment after the client has ended.
        if (/^(?:cat|grep) /.test(command)) await expect.poll(print, { timeout: 20_000 }).toEqual(due);
        else expect(await print(), command).toEqual(due);
      }
    }
  });
}

test('every command and file of the page is run', () => {
  const commands = page.match(/^```console$/gm)?.length ?? 0;
  // Only the last one names a file that a reader writes.
  expect(sessions).toHaveLength(commands - 1);
  for (const [, name = ''] of sessions) expect(servers[name], name).toBeDefined();
  for (const [, file = ''] of files)
    expect(
      sessions.some(([, , session = '']) => session.includes(file)),
      file,
    ).toBe(true);
});
