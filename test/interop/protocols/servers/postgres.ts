import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Certificate } from '../../../support/certificate.ts';
import { temporaryFolder } from '../../../support/files.ts';
import { testWith } from '../../../support/tools.ts';
import { type ProtocolProgram, printed, startServer } from './server.ts';

const versions = '/usr/lib/postgresql';
const [newest = '15'] = existsSync(versions) ? readdirSync(versions).sort().reverse() : [];
const bin = join(versions, newest, 'bin');

/** The server refuses to run as root. */
const asUser = process.getuid?.() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups'] : [];

const statements = `
select 1 as one, 'hällo' as two, null as three;
create table t(a int, b text);
copy t from stdin;
1\tx
2\ty
\\.
select * from nosuch;
select repeat('x', 300), * from t;
drop table t;
`;

/** Starts PostgreSQL on a free port, which it resolves with. @param tls files of its certificate */
export async function startPostgres(tls?: Pick<Certificate, 'certificate' | 'key'>): Promise<number> {
  const folder = temporaryFolder();
  const data = join(folder, 'data');
  if (asUser.length > 0) spawnSync('chown', ['postgres', folder]);
  await printed(words(...asUser, join(bin, 'initdb'), '-D', data, '-A', 'trust', '-U', 'postgres', '-N'));
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'fsync=off',
    ...(tls ? tlsSettings(folder, tls) : []),
  ];
  const { port, running } = await startServer(
    (free) =>
      words(...asUser, join(bin, 'postgres'), '-D', data, '-p', String(free), ...settings.flatMap((it) => ['-c', it])),
    { ready: /ready to accept connections/ },
  );
  // It ends its children, which are no longer in its process group.
  onTestFinished(async () => void (await running.stop('SIGQUIT')));
  return port;
}

/** The server must own its key, and nobody else may read it. */
function tlsSettings(folder: string, { certificate, key }: Pick<Certificate, 'certificate' | 'key'>): string[] {
  const files = [certificate, key].map((file) => {
    const own = join(folder, basename(file));
    copyFileSync(file, own);
    chmodSync(own, 0o600);
    if (asUser.length > 0) spawnSync('chown', ['postgres', own]);
    return own;
  });
  return ['ssl=on', `ssl_cert_file=${files[0]}`, `ssl_key_file=${files[1]}`];
}

/** PostgreSQL and psql. psql asks for TLS first, which the server declines. */
export const postgres: ProtocolProgram = {
  name: 'PostgreSQL and psql',
  test: testWith(['psql', 'setpriv', join(bin, 'initdb')], 'apt-get install postgresql'),
  start: () => startPostgres(),
  ask: (port) => printed(['psql', '-AtX', `host=127.0.0.1 port=${port} user=postgres dbname=postgres`], statements),
  answer: /^1\|hällo\|\nCREATE TABLE\nCOPY 2\nx{300}\|1\|x\nx{300}\|2\|y\nDROP TABLE\n$/,
};

function words(...all: string[]): [string, ...string[]] {
  const [first = '', ...others] = all;
  return [first, ...others];
}
