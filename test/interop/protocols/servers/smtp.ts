import { testWith } from '../../../support/tools.ts';
import { type ProtocolProgram, python, startServer } from './server.ts';

const client = `
import smtplib, sys
with smtplib.SMTP('127.0.0.1', int(sys.argv[1]), local_hostname='client.example') as smtp:
    print(smtp.ehlo())
    for subject in ('first', 'second'):
        print(smtp.sendmail('a@client.example', ['b@server.example', 'c@server.example'],
              'Subject: ' + subject + '\\r\\n\\r\\n.a dot at the beginning\\r\\n\\r\\n220 not a reply\\r\\nDATA\\r\\n'))
    print(smtp.docmd('NOSUCH'))
`;

/** Starts aiosmtpd on a free port, which it resolves with. It drops its mails. @param flags more of its flags */
export async function startAiosmtpd(...flags: string[]): Promise<number> {
  const { port } = await startServer((free) => [
    ...(['/usr/bin/aiosmtpd', '--nosetuid', '--listen', `127.0.0.1:${free}`] as const),
    ...['--class', 'aiosmtpd.handlers.Sink', ...flags],
  ]);
  return port;
}

/** aiosmtpd and Python's smtplib. */
export const smtp: ProtocolProgram = {
  name: 'aiosmtpd and smtplib',
  test: testWith(['/usr/bin/aiosmtpd', '/usr/bin/python3'], 'apt-get install python3-aiosmtpd python3'),
  start: () => startAiosmtpd(),
  ask: (port) => python(client, port),
  answer: /^\(250, b'.*\{\}\n\{\}\n\(500, b'Error: command "NOSUCH" not recognized'\)\n$/s,
};
