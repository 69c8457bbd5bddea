import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../../../support/files.ts';
import { testWithPython } from '../../../support/tools.ts';
import { type ProtocolProgram, python, startServer } from './server.ts';

const client = `
import ftplib, sys
ftp = ftplib.FTP(); ftp.connect('127.0.0.1', int(sys.argv[1])); print(ftp.login())
print(ftp.sendcmd('FEAT')); print(ftp.sendcmd('HELP')); print(ftp.cwd('/')); print(ftp.sendcmd('TYPE I')); print(ftp.size('a.txt'))
try: ftp.cwd('nosuch')
except ftplib.error_perm as error: print(error)
print(ftp.quit())
`;

/** pyftpdlib and Python's ftplib, on the control connection. */
export const ftp: ProtocolProgram = {
  name: 'pyftpdlib and ftplib',
  test: testWithPython(['pyftpdlib'], [], 'apt-get install python3-pyftpdlib'),
  async start() {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a.txt'), 'hello\n');
    const { port } = await startServer((free) => [
      ...(['/usr/bin/python3', '-m', 'pyftpdlib', '-i', '127.0.0.1'] as const),
      ...['-p', String(free), '-d', folder],
    ]);
    return port;
  },
  ask: (port) => python(client, port),
  answer: /^230 .*\n211-Features supported:\n.*\n214 .*\n6\n550 .*\n221 Goodbye\.\n$/s,
};
