import { join } from 'node:path';
import { temporaryFolder } from '../../../support/files.ts';
import { testWith } from '../../../support/tools.ts';
import { type ProtocolProgram, printed, startServer } from './server.ts';

const statements = `select 1, 'zwölf', null;
create table test.t(a int, b text); insert into test.t values (1, 'x'), (2, repeat('y', 300)); select * from test.t; drop table test.t;
`;

/** MariaDB's server and client. */
export const mysql: ProtocolProgram = {
  name: 'mariadbd and mariadb',
  test: testWith(
    ['/usr/sbin/mariadbd', 'mariadb', 'mariadb-install-db'],
    'apt-get install mariadb-server-core mariadb-client-core',
  ),
  async start() {
    const folder = temporaryFolder();
    const data = `--datadir=${join(folder, 'data')}`;
    const normal = ['--user=root', '--auth-root-authentication-method=normal'];
    await printed(['mariadb-install-db', '--no-defaults', data, ...normal]);
    const { port } = await startServer(
      (free) => [
        ...(['/usr/sbin/mariadbd', '--no-defaults', '--user=root', data] as const),
        ...[`--socket=${join(folder, 'socket')}`, `--port=${free}`, '--bind-address=127.0.0.1'],
      ],
      { ready: /ready for connections/ },
    );
    return port;
  },
  ask: (port) => printed(['mariadb', '--no-defaults', '-h127.0.0.1', `-P${port}`, '-uroot', '-N'], statements),
  answer: /^1\tzwölf\tNULL\n1\tx\n2\ty{300}\n$/,
};
