/** Real clients of mocks, with a verdict. */
import { expect } from 'vitest';
import { temporaryFile } from '../support/files.ts';
import { run, serve } from '../support/process/command.ts';
import { testWith } from '../support/tools.ts';

const curl = testWith('curl', 'apt-get install curl');

/** What a client prints, and the verdict on it. */
async function play(text: string, client: (port: number) => Promise<{ readonly stdout: Buffer }>) {
  const server = await serve([temporaryFile('talk.transcript', text), '--once', '--quiet']);
  const { stdout } = await client(server.port);
  const { status, stderr } = await server.ended;
  return { printed: stdout.toString(), status, verdict: stderr.split('\n').at(-2) ?? '' };
}

const completed = { status: 0, verdict: expect.stringMatching(/talk\.transcript: completed$/) };

testWith('redis-cli', 'apt-get install redis-tools')('redis-cli, with a loop', async () => {
  const text = String.raw`@protocol redis
>? /COMMAND/
<?\ *0\r\n
>\ *3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n
<\ +OK\r\n
@repeat
>\ *2\r\n$4\r\nINCR\r\n$1\r\na\r\n
<\ :2\r\n
@end
`;
  const ask = (input: string) => play(text, (port) => run(['redis-cli', '-p', String(port)], { input }));
  expect(await ask('SET a 1\nINCR a\nINCR a\n')).toEqual({ printed: 'OK\n2\n2\n', ...completed });
  expect(await ask('SET b 1\n')).toMatchObject({ status: 3 });
});

const get = String.raw`@framing raw
>\ GET /items HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n\r\n
<\ HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]
`;

curl('curl, HTTP', async () => {
  const ask = (path: string) => play(get, (port) => run(['curl', '-s', `http://127.0.0.1:${port}${path}`]));
  expect(await ask('/items')).toEqual({ printed: '[]', ...completed });
  expect(await ask('/other')).toMatchObject({ status: 3 });
});

const mail = String.raw`@protocol smtp
< 220 mock ESMTP
> EHLO {host}
<\ 250-mock\r\n250 8BITMIME
> /^MAIL FROM:<ada@example.org>/
< 250 ok
> RCPT TO:<bob@example.org>
< 250 ok
> DATA
< 354 go ahead
> /^Subject: hi\r\n\r\nHello/
< 250 queued as {id=42}
> QUIT
< 221 bye
`;

curl('curl, SMTP', async () => {
  const message = temporaryFile('mail.txt', 'Subject: hi\n\nHello Bob\n');
  const send = (to: string) =>
    play(mail, (port) =>
      run([
        ...(['curl', '-s', `smtp://127.0.0.1:${port}`, '--mail-from', 'ada@example.org'] as const),
        ...['--mail-rcpt', to, '--crlf', '--upload-file', message],
      ]),
    );
  expect(await send('bob@example.org')).toEqual({ printed: '', ...completed });
  const other = await send('eve@example.org');
  expect(other.status).toBe(3);
});

const securedMail = mail.replace(
  String.raw`<\ 250-mock\r\n250 8BITMIME`,
  String.raw`<\ 250-mock\r\n250 STARTTLS
> STARTTLS
< 220 go ahead
@starttls
> EHLO {host}
< 250 mock`,
);

curl('curl, SMTP over STARTTLS', async () => {
  const message = temporaryFile('mail.txt', 'Subject: hi\n\nHello Bob\n');
  const send = (...flags: string[]) =>
    play(securedMail, (port) =>
      run([
        ...(['curl', '-s', `smtp://127.0.0.1:${port}`, '--mail-from', 'ada@example.org', ...flags] as const),
        ...['--mail-rcpt', 'bob@example.org', '--crlf', '--upload-file', message],
      ]),
    );
  expect(await send('--ssl-reqd', '--insecure')).toEqual({ printed: '', ...completed });
  expect(await send()).toMatchObject({ status: 3 });
});

testWith('openssl', 'apt-get install openssl')('openssl s_client, over STARTTLS', async () => {
  const answer = await play(securedMail.replace(/^> \/\^MAIL[\s\S]*/m, '> QUIT\n< 221 bye\n'), (port) =>
    run(
      ['openssl', 's_client', '-starttls', 'smtp', '-quiet', '-crlf', '-name', 'here', '-connect', `127.0.0.1:${port}`],
      {
        input: 'EHLO here\nQUIT\n',
      },
    ),
  );
  expect(answer.status).toBe(0);
  expect(answer.printed).toContain('221 bye');
});
