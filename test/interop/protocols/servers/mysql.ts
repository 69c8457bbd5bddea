import { temporaryFolder } from '../../../support/files.ts';
import { testWith } from '../../../support/tools.ts';
import { type ProtocolProgram, printed, startServer } from './server.ts';

const statements = `create database test; select 1, 'zwölf', null;
create table test.t(a int, b text); insert into test.t values (1, 'x'), (2, repeat('y', 300)); select * from test.t; drop database test;
`;

/** Starts MariaDB's server. Returns its port. */
export async function startMariadb(tls?: { readonly certificate: string; readonly key: string }): Promise<number> {
  const folder = temporaryFolder();
  // Without tables of users, whose creation takes longer than the rest, anybody may log in.
  const small = ['--skip-grant-tables', '--innodb-buffer-pool-size=8M', '--innodb-log-file-size=4M'];
  const encryption = tls ? [`--ssl-cert=${tls.certificate}`, `--ssl-key=${tls.key}`] : [];
  const { port } = await startServer(
    (free) => [
      ...(['/usr/sbin/mariadbd', '--no-defaults', '--user=root', `--datadir=${folder}`, ...small] as const),
      ...[...encryption, `--socket=${folder}/socket`, `--port=${free}`, '--bind-address=127.0.0.1'],
    ],
    { ready: /ready for connections/ },
  );
  return port;
}

/** MariaDB's server and client. */
export const mysql: ProtocolProgram = {
  name: 'mariadbd and mariadb',
  test: testWith(['/usr/sbin/mariadbd', 'mariadb'], 'apt-get install mariadb-server-core mariadb-client-core'),
  start: () => startMariadb(),
  ask: (port) => printed(['mariadb', '--no-defaults', '-h127.0.0.1', `-P${port}`, '-uroot', '-N'], statements),
  answer: /^1\tzwölf\tNULL\n1\tx\n2\ty{300}\n$/,
};
