/** SMTP traffic recorded in front of aiosmtpd by `yodel serve proxy:`, replayed. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { temporaryFolder } from '../support/files.ts';
import { freePort } from '../support/ports.ts';
import { run, serve, start, yodel } from '../support/process/command.ts';
import { testWith } from '../support/tools.ts';

const smtp = testWith(['aiosmtpd', 'python3'], 'apt-get install python3-aiosmtpd python3');

/** Greets, sends two mails, gets an error for a command, and quits. */
const client = `
import smtplib, sys
with smtplib.SMTP('127.0.0.1', int(sys.argv[1]), local_hostname='client.example') as smtp:
    for subject in ('first', 'second'):
        smtp.sendmail('a@client.example', ['b@server.example', 'c@server.example'],
                      'Subject: ' + subject + '\\r\\n\\r\\n.a dot at the beginning\\r\\nlast line\\r\\n')
    assert smtp.docmd('NOSUCH')[0] == 500
`;

async function startServer(): Promise<number> {
  const port = await freePort();
  const server = start(['aiosmtpd', '--nosetuid', '--listen', `127.0.0.1:${port}`, '--debug']);
  await server.saw(/Starting asyncio loop|serving|Server is listening/i);
  return port;
}

smtp('a protocol in which several lines have one reply is replayed without differences', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'smtp.journal');
  const script = join(folder, 'client.py');
  writeFileSync(script, client);
  const proxy = await serve([
    ...[`proxy:127.0.0.1:${await startServer()}`, '--quiet'],
    ...['--journal', file, '--journal-replies'],
  ]);
  const sent = await run(['python3', script, String(proxy.port)]);
  expect(sent).toMatchObject({ status: 0, stderr: '' });
  await proxy.stop();

  const replayed = await yodel(['replay', file, `127.0.0.1:${await startServer()}`, '--speed', 'max']);
  expect(replayed.stdout.toString()).toMatch(/(\d+) of \1 replies as recorded/);
  expect(replayed.status).toBe(0);
});
