import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Certificate } from '../../../support/certificate.ts';
import { temporaryFolder } from '../../../support/files.ts';
import { testWith } from '../../../support/tools.ts';
import { type ProtocolProgram, python, startServer } from './server.ts';

const mail = 'From: a@example\r\nSubject: hi\r\n\r\n.dot line\r\n-ERR not a reply\r\n+OK\r\n';

/** Its processes run as one user that owns nothing else, so it must be started by root. */
function configuration(folder: string, port: number, tls?: Pick<Certificate, 'certificate' | 'key'>): string {
  return `base_dir = ${folder}/run
log_path = /dev/stderr
protocols = pop3
${tls ? `ssl = yes\nssl_cert = <${tls.certificate}\nssl_key = <${tls.key}` : 'ssl = no'}
disable_plaintext_auth = no
mail_location = maildir:${folder}/mail
first_valid_uid = 1
listen = 127.0.0.1
default_internal_user = nobody
default_login_user = nobody
default_internal_group = nogroup
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=${folder}
}
service pop3-login {
  inet_listener pop3 {
    port = ${port}
  }
}
`;
}

const client = `
import poplib, sys
pop = poplib.POP3('127.0.0.1', int(sys.argv[1]))
print(pop.capa()); print(pop.user('me')); print(pop.pass_('secret')); print(pop.stat()); print(pop.list()); print(pop.list(1))
print(pop.retr(1)); print(pop.top(1, 0))
try: pop.retr(9)
except poplib.error_proto as error: print(error)
print(pop.quit())
`;

/** Starts Dovecot on a free port, which it resolves with. @param tls files of its certificate */
export async function startDovecot(tls?: Pick<Certificate, 'certificate' | 'key'>): Promise<number> {
  const folder = temporaryFolder();
  for (const part of ['mail', 'mail/new', 'mail/cur', 'mail/tmp', 'run']) mkdirSync(join(folder, part));
  for (const part of ['', 'mail', 'mail/new', 'mail/cur', 'mail/tmp']) chmodSync(join(folder, part), 0o777);
  writeFileSync(join(folder, 'mail/new/1.a'), mail);
  const { port } = await startServer(
    (free) => {
      const file = join(folder, 'dovecot.conf');
      writeFileSync(file, configuration(folder, free, tls));
      return ['/usr/sbin/dovecot', '-F', '-c', file];
    },
    { hasChildren: true },
  );
  return port;
}

/** Dovecot and Python's poplib. */
export const pop3: ProtocolProgram = {
  name: 'Dovecot and poplib',
  test: testWith(['/usr/sbin/dovecot', '/usr/bin/python3'], 'apt-get install dovecot-pop3d python3 (and run as root)', {
    unless: process.getuid?.() === 0 ? undefined : 'root',
  }),
  start: () => startDovecot(),
  ask: (port) => python(client, port),
  answer: /b'\.dot line', b'-ERR not a reply'.*There's no message 9.*\+OK Logging out/s,
};
