/** Connections that begin in plain text and are encrypted after a request, through a proxy that knows the protocol. */

import { expect, onTestFinished } from 'vitest';
import { formatBytes } from '../../../src/framing/escapes.ts';
import type { ProtocolName } from '../../../src/framing/protocols/protocols.ts';
import { proxy, serve } from '../../../src/index.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { mysql, startMariadb } from './servers/mysql.ts';
import { pop3, startDovecot } from './servers/pop3.ts';
import { postgres, startPostgres } from './servers/postgres.ts';
import { printed, python } from './servers/server.ts';
import { smtp, startAiosmtpd } from './servers/smtp.ts';

/** A proxy to the port, and the first five bytes of each message that the client sent. */
async function proxied(port: number, protocol: ProtocolName): Promise<{ port: number; sent: string[] }> {
  const sent: string[] = [];
  const handler = proxy(port, {
    observe: () => ({
      sent(batch) {
        for (const { bytes } of batch) sent.push(formatBytes(bytes.subarray(0, 5)));
      },
    }),
  });
  const server = await serve({ listen: 'tcp://127.0.0.1:0', protocol, handler });
  onTestFinished(() => server.close());
  const [address] = server.addresses;
  return { sent, port: address && 'port' in address ? address.port : 0 };
}

/** The first record of TLS: a handshake. */
const handshake = expect.stringMatching(/^\\x16\\x03\\x01/);

postgres.test('psql with sslmode=require', async () => {
  const between = await proxied(await startPostgres(makeCertificate()), 'postgres');
  const where = `host=127.0.0.1 port=${between.port} user=postgres dbname=postgres sslmode=require`;
  const query = "select ssl from pg_stat_ssl where pid = pg_backend_pid(); select length(repeat('x', 100000))";
  expect(await printed(['psql', '-AtX', where, '-c', query])).toBe('t\n100000\n');
  expect(between.sent[0]).toBe('\\x04\\xd2\\x16/');
  expect(between.sent[1]).toEqual(handshake);
});

smtp.test('smtplib with STARTTLS', async () => {
  const { certificate, key } = makeCertificate();
  const between = await proxied(await startAiosmtpd('--tlscert', certificate, '--tlskey', key), 'smtp');
  const client = `
import smtplib, ssl, sys
context = ssl.create_default_context(cafile='${certificate}')
with smtplib.SMTP('localhost', int(sys.argv[1]), local_hostname='client.example') as smtp:
    smtp.starttls(context=context)
    print(smtp.sendmail('a@client.example', ['b@server.example'], 'Subject: x\\r\\n\\r\\n' + '.line\\r\\n' * 10000))
`;
  expect(await python(client, between.port)).toBe('{}\n');
  expect(between.sent.slice(0, 2)).toEqual(['ehlo\\x20', 'START']);
  expect(between.sent[2]).toEqual(handshake);
});

mysql.test('mariadb with TLS, and with compression', async () => {
  const between = await proxied(await startMariadb(makeCertificate()), 'mysql');
  const ask = (...flags: string[]) =>
    printed([
      ...(['mariadb', '--no-defaults', '-h127.0.0.1', `-P${between.port}`, '-uroot', '-N', ...flags] as const),
      ...[
        '-e',
        "select length(repeat('x', 100000)); select variable_value <> '' from information_schema.session_status where variable_name = 'Ssl_cipher'",
      ],
    ]);
  expect(await ask('--ssl', '--skip-ssl-verify-server-cert')).toBe('100000\n1\n');
  expect(between.sent[1]).toEqual(handshake);
  expect(await ask('--skip-ssl', '--compress')).toBe('100000\n0\n');
});

pop3.test('poplib with STLS', async () => {
  const tls = makeCertificate();
  const between = await proxied(await startDovecot(tls), 'pop3');
  const client = `
import poplib, ssl, sys
pop = poplib.POP3('localhost', int(sys.argv[1]))
print(pop.stls(ssl.create_default_context(cafile='${tls.certificate}')))
pop.user('me'); pop.pass_('secret'); print(len(pop.retr(1)[1])); pop.quit()
`;
  expect(await python(client, between.port)).toMatch(/^b'\+OK .*'\n6\n$/);
  expect(between.sent.slice(0, 2)).toEqual(['CAPA', 'STLS']);
  expect(between.sent[2]).toEqual(handshake);
});
