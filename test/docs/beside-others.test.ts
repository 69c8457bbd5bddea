/** Runs the commands of docs/beside-others.md, in their order, with the servers that the page mentions. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { startServer } from '../interop/protocols/servers/server.ts';
import { startAiosmtpd } from '../interop/protocols/servers/smtp.ts';
import { commandsIn, shownPattern } from '../support/console-sessions.ts';
import { temporaryFolder } from '../support/files.ts';
import { shell } from '../support/shell.ts';
import { testWith } from '../support/tools.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/beside-others.md'), 'utf8');
/** The part of the page with a heading. */
const partOf = (heading: string) => page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';

/** Runs what a part of the page shows. @param ports those of the servers, by the ports on the page */
async function runPart(part: string, folder: string, ports: Record<string, number>): Promise<void> {
  for (const [, name = '', text = ''] of part.matchAll(/<!-- (\S+) -->\n```\w*\n([\s\S]*?)```/g))
    writeFileSync(join(folder, name), text);
  const commands = [...part.matchAll(/```console\n([\s\S]*?)```/g)].flatMap(([, session = '']) => commandsIn(session));
  expect(commands.length).toBeGreaterThan(1);
  for (const { command, shown } of commands) {
    const line = command.replace(/\b(?:2525|2526|8080)\b/, (port) => String(ports[port]));
    const { stdout, stderr } = await shell(line, { cwd: folder });
    expect(`${stdout}${stderr}`.replaceAll('\r\n', '\n'), command).toMatch(shownPattern(shown));
  }
}

const withExpect = testWith(
  ['expect', '/usr/bin/aiosmtpd', 'nc'],
  'apt-get install expect python3-aiosmtpd netcat-openbsd',
);
withExpect('expect and a transcript, with a server that sends one line less, and with one line more', async () => {
  const [right, wrong] = await Promise.all([startAiosmtpd('--smtputf8'), startAiosmtpd()]);
  await runPart(partOf('expect'), temporaryFolder(), { 2525: right, 2526: wrong });
});

const withNginx = testWith('/usr/sbin/nginx', 'apt-get install nginx');
withNginx('a transcript of the requests of a hurl file, beside nginx', async () => {
  const folder = temporaryFolder();
  const [, configuration = ''] = /<!-- users.conf -->\n```nginx\n([\s\S]*?)```/.exec(page) ?? [];
  const { port } = await startServer((free) => {
    writeFileSync(join(folder, 'running.conf'), configuration.replace('8080', String(free)));
    return ['/usr/sbin/nginx', '-e', 'stderr', '-p', folder, '-c', 'running.conf'];
  });
  await runPart(partOf('hurl'), folder, { 8080: port });
});
