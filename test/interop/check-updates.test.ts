/** `yodel check --update` after servers of others have gained, lost and changed lines. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { temporaryFile, temporaryFolder } from '../support/files.ts';
import { freePort } from '../support/ports.ts';
import { run, start, yodel } from '../support/process/command.ts';
import { testWith, testWithPython } from '../support/tools.ts';

const withAiosmtpd = testWith(['/usr/bin/aiosmtpd', 'openssl'], 'apt-get install python3-aiosmtpd openssl');
const withPyftpdlib = testWithPython(['pyftpdlib'], [], 'apt-get install python3-pyftpdlib');
const withRedis = testWith(['redis-server', 'redis-cli'], 'apt-get install redis-server');

/** @param server its address, or the command that starts it */
async function check(file: string, server: string, ...flags: string[]) {
  const where = server.startsWith('127.0.0.1:') ? [server] : ['--start', server];
  const { stdout, stderr, status } = await yodel(['check', file, '--timeout', '2s', ...where, ...flags]);
  return { output: `${stdout}${stderr}`, status };
}

/**
 * Updates a file of one server against another. Afterwards the file is as it is with a second update, as expected with the
 * other server, and not with the first one.
 */
async function updated(text: string, before: string, after: string): Promise<string> {
  const file = temporaryFile('talk.transcript', text);
  expect(await check(file, before, '--update')).toMatchObject({ status: 0 });
  expect(readFileSync(file, 'utf8')).toBe(text);
  expect(await check(file, after, '--update')).toMatchObject({ status: 0 });
  const once = readFileSync(file, 'utf8');
  expect(await check(file, after, '--update')).toMatchObject({ status: 0 });
  expect(readFileSync(file, 'utf8')).toBe(once);
  expect(await check(file, after)).toMatchObject({ status: 0 });
  expect(await check(file, before)).toMatchObject({ status: 3 });
  return once;
}

withAiosmtpd('a mail server that offers something else', async () => {
  const { certificate, key } = makeCertificate();
  const plain = '/usr/bin/aiosmtpd --nosetuid --class aiosmtpd.handlers.Sink --listen 127.0.0.1:{port}';
  const secure = `${plain} --tlscert ${certificate} --tlskey ${key} --size 1000`;
  const lines = (offers: string, sender: string) => `# Each line of the reply is a message.
@framing lines
@ending crlf
< 220 {banner}
> EHLO {me=client.example}
< 250-{host}
${offers}
# The sender.
> MAIL FROM:<a@client.example>
< ${sender}
> NOOP
< /^250/
> QUIT
< 221 Bye
@closed
`;
  const [few, many] = [
    '< 250-8BITMIME\n<? 250-DSN\n< 250 HELP',
    '< 250-SIZE 1000\n< 250-8BITMIME\n< 250-STARTTLS\n<? 250-DSN\n< 250 HELP',
  ];
  const before = lines(few, '250 OK');
  const after = lines(many, '530 Must issue a STARTTLS command first');
  expect(await updated(before, plain, secure)).toBe(after);
});

withPyftpdlib('a folder that has gained, lost and changed files', async () => {
  const folder = temporaryFolder();
  for (const [name, files] of Object.entries({ before: 'abcd', after: 'acxdyz' })) {
    mkdirSync(join(folder, name));
    for (const file of files) writeFileSync(join(folder, name, file), file);
  }
  const server = (name: string) => `/usr/bin/python3 -m pyftpdlib -i 127.0.0.1 -p {port} -d '${join(folder, name)}'`;
  const text = (listing: string) => `@protocol ftp
< 220 {banner}
> USER anonymous
< 331 {prompt}
> PASS {password=x}
< /^230/
> PASV
< 227 Entering passive mode ({data}).
@connect data {data} framing=lines
# The listing:
> NLST
< 125 {opening}
${listing}
@closed data
< 226 Transfer complete.
> QUIT
< 221 {bye}
@closed
`;
  const before = text('data< a\ndata< b\n# the third\ndata< c\ndata< d');
  // It lists them in order.
  const after = text('data< a\n# the third\ndata< c\ndata< d\ndata< x\ndata< y\ndata< z');
  expect(await updated(before, server('before'), server('after'))).toBe(after);
});

withRedis('a redis with other data', async () => {
  const server = async (members: readonly string[]) => {
    const port = String(await freePort());
    const bind = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--dir', temporaryFolder()];
    await start(['redis-server', ...bind]).saw(/Ready to accept connections/);
    expect(await run(['redis-cli', '-p', port, 'RPUSH', 'list', ...members])).toMatchObject({ status: 0 });
    return `127.0.0.1:${port}`;
  };
  const text = (length: number, members: readonly string[]) => `@framing lines
@ending crlf
@expect-ending crlf
> LRANGE list 0 -1
< *${length}
${members.flatMap((member) => [`< $${member.length}`, `< ${member}`]).join('\n')}
# What never changes:
> PING
< +PONG
> LLEN list
< :${length}
`;
  const [before, after] = [
    ['one', 'two', 'three'],
    ['one', '2', 'three', 'four', 'five'],
  ];
  const [first, second] = [await server(before), await server(after)];
  expect(await updated(text(3, before), first, second)).toBe(text(5, after));
});
