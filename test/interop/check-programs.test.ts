/** `yodel check` against programs of others that it starts itself: STARTTLS, data connections, stdin and stdout. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { temporaryFile, temporaryFolder } from '../support/files.ts';
import { yodel } from '../support/process/command.ts';
import { testWith, testWithPython } from '../support/tools.ts';

const withAiosmtpd = testWith(['/usr/bin/aiosmtpd', 'openssl'], 'apt-get install python3-aiosmtpd openssl');
const withPyftpdlib = testWithPython(['pyftpdlib'], [], 'apt-get install python3-pyftpdlib');
const withPylsp = testWith('pylsp', 'apt-get install python3-pylsp');

withAiosmtpd('a mail server with STARTTLS', async () => {
  const { certificate, key } = makeCertificate();
  const file = temporaryFile(
    'mail.transcript',
    `@protocol smtp
< /^220 /
> EHLO client.example
< /STARTTLS/
> STARTTLS
< /^220 /
@starttls cacert=${certificate} servername=localhost
> EHLO client.example
< /^250-[^]*^250 /m
> MAIL FROM:<a@client.example>
< /^250 /
> RCPT TO:<b@server.example>
< /^250 /
> DATA
< /^354 /
>\\ Subject: x\\r\\n\\r\\nhello
< /^250 /
> QUIT
< /^221 /
@closed
`,
  );
  const server = '/usr/bin/aiosmtpd --nosetuid --class aiosmtpd.handlers.Sink --listen 127.0.0.1:{port}';
  const { stdout, status } = await yodel([
    'check',
    file,
    '--start',
    `${server} --tlscert ${certificate} --tlskey ${key}`,
  ]);
  expect(stdout.toString()).toMatch(/^ok /);
  expect(status).toBe(0);
});

withPyftpdlib('a file server with its data connections', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'a.txt'), 'hello\nworld\n');
  const file = temporaryFile(
    'files.transcript',
    `@protocol ftp
< /^220/
> USER anonymous
< /^331/
> PASS a@client.example
< /^230/
> TYPE I
< /^200/
> PASV
< 227 Entering passive mode ({data}).
@connect down {data}
> RETR a.txt
down< hello
down< world
@closed down
< /^125/
< /^226/
> EPSV
< 229 Entering extended passive mode (|||{port}|).
@connect up 127.0.0.1:{port} framing=raw
> STOR b.txt
up>\\ some bytes
@close up
< /^125/
< /^226/
> QUIT
< /^221/
@closed
`,
  );
  const server = `/usr/bin/python3 -m pyftpdlib -w -i 127.0.0.1 -p {port} -d '${folder}'`;
  const { stdout, status } = await yodel(['check', file, '--start', server]);
  expect(stdout.toString()).toMatch(/^ok /);
  expect(status).toBe(0);
  expect(readFileSync(join(folder, 'b.txt'), 'utf8')).toBe('some bytes');
});

withPylsp('a language server on stdin and stdout', async () => {
  const file = temporaryFile(
    'language.transcript',
    `@protocol lsp
@ignore $.result
>j {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"processId":null,"rootUri":null,"capabilities":{}}}
<j {"jsonrpc":"2.0","id":1}
>j {"jsonrpc":"2.0","method":"initialized","params":{}}
<*
>j {"jsonrpc":"2.0","id":2,"method":"shutdown"}
<j {"jsonrpc":"2.0","id":2}
>j {"jsonrpc":"2.0","method":"exit"}
@closed
`,
  );
  const { stdout, status } = await yodel(['check', file, 'exec:pylsp', '--timeout', '30s']);
  expect(stdout.toString()).toMatch(/^ok /);
  expect(status).toBe(0);
});
