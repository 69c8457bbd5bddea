/** Other programs as clients of a TLS listener. */
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { selfSignedCertificate } from '../../src/cli/serve/tls/self-signed.ts';
import { type Certificate, makeCertificate } from '../support/certificate.ts';
import { temporaryFolder } from '../support/files.ts';
import { run, serve, start, yodel } from '../support/process/command.ts';
import { testWith } from '../support/tools.ts';

const openssl = testWith('openssl', 'apt-get install openssl');
const ncat = testWith(['ncat', 'openssl'], 'apt-get install ncat openssl');
const socat = testWith(['socat', 'openssl'], 'apt-get install socat openssl');
const sslscan = testWith(['sslscan', 'openssl'], 'apt-get install sslscan openssl');

const text = Array.from({ length: 5000 }, (_, line) => `line ${line} of many, grüezi 你好`).join('\n');
const listen = ['--listen', 'tls://127.0.0.1:0'];

function flags({ certificate, key }: Certificate): string[] {
  return ['--cert', certificate, '--key', key];
}

/** Runs `openssl s_client` with one line of input, until the reply has arrived. */
async function sClient(port: number, ...args: string[]): Promise<{ shown: string; status: number | null }> {
  const client = start(['openssl', 's_client', '-connect', `127.0.0.1:${port}`, '-quiet', '-no_ign_eof', ...args]);
  client.process.stdin?.write('hello\n');
  await client.saw(/^hello$|alert |errno=|:error:/m).catch(() => undefined);
  client.process.stdin?.end();
  const { stdout, stderr, status } = await client.ended;
  return { shown: `${stdout}${stderr}`, status };
}

openssl('openssl s_client talks to the server, and prints the certificate', async () => {
  const certificate = makeCertificate();
  const { port } = await serve([...flags(certificate), ...listen]);
  const { shown } = await sClient(port, '-CAfile', certificate.certificate, '-verify_return_error');
  expect(shown).toMatch(/^hello$/m);
  expect(shown).not.toContain('error');
});

openssl('TLS below 1.2 is refused, and the log says so', async () => {
  const server = await serve([...flags(makeCertificate()), ...listen]);
  const { shown } = await sClient(server.port, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0');
  expect(shown).toMatch(/alert|error/);
  await server.saw(/refused: the TLS handshake with the client failed: it does not support TLS 1.2 or newer/);
  expect((await sClient(server.port)).shown).toMatch(/^hello$/m);
});

openssl('with --client-ca a client needs a valid certificate, and the session has its subject', async () => {
  const [own, ada, other] = [makeCertificate(), makeCertificate(), makeCertificate()];
  const folder = temporaryFolder();
  const handler = join(folder, 'who.mjs');
  writeFileSync(
    handler,
    'export default (_message, session) => `${session.security.subject} ${session.security.protocol}`;\n',
  );
  const server = await serve([handler, ...flags(own), '--client-ca', ada.certificate, ...listen]);
  const withIt = ['-cert', ada.certificate, '-key', ada.key];
  const client = start(['openssl', 's_client', '-connect', `127.0.0.1:${server.port}`, '-quiet', ...withIt]);
  client.process.stdin?.write('who?\n');
  await client.saw(/^CN=localhost TLSv1\.3$/m);
  expect((await sClient(server.port)).shown).not.toMatch(/^hello$/m);
  await server.saw(/refused: the TLS handshake with the client failed: it sent no certificate/);
  await sClient(server.port, '-cert', other.certificate, '-key', other.key);
  await server.saw(
    /refused: the TLS handshake with the client failed: its certificate is not signed by a trusted authority/,
  );
});

openssl('--sni selects the certificate by name, and --alpn negotiates a protocol', async () => {
  const [main, other] = [makeCertificate(), makeCertificate(3)];
  const sni = ['--sni', `*.example.org=${other.certificate},${other.key}`];
  const { port } = await serve([...flags(main), ...sni, '--alpn', 'chat/2,chat/1', ...listen]);
  const shown = async (...args: string[]) => {
    const client = ['openssl', 's_client', '-connect', `127.0.0.1:${port}`, ...args] as [string, ...string[]];
    const { stdout, stderr } = await run(client, { input: '' });
    return `${stdout}${stderr}`;
  };
  const pem = (file: string) => readFileSync(file, 'utf8').trim();
  expect(await shown('-servername', 'a.example.org')).toContain(pem(other.certificate));
  expect(await shown('-servername', 'a.b.example.org')).toContain(pem(main.certificate));
  expect(await shown('-noservername')).toContain(pem(main.certificate));
  expect(await shown('-alpn', 'chat/1,chat/2')).toContain('ALPN protocol: chat/2');
  expect(await shown('-alpn', 'h2')).toContain('no application protocol');
});

/** Replaces files as certbot does: written under another name, then renamed. */
function replace(old: Certificate, next: Certificate): void {
  for (const name of ['certificate', 'key'] as const) {
    copyFileSync(next[name], `${old[name]}.new`);
    chmodSync(`${old[name]}.new`, 0o600);
    renameSync(`${old[name]}.new`, old[name]);
  }
}

openssl.each([
  ['one process', []],
  ['several', ['--workers', '2']],
])('%s: changing the certificates under load drops no session and loses no message', async (_, workers) => {
  const own = makeCertificate();
  const others = [makeCertificate(), makeCertificate()];
  const server = await serve(['--quiet', ...workers, ...flags(own), ...listen]);
  const load = ['--connections', '8', '--duration', '4s', '--insecure', '--assert', 'errors == 0', '--json'];
  const bench = yodel(['bench', server.address, ...load]);
  for (let change = 1; change <= 5; change++) {
    replace(own, others[change % 2] as Certificate);
    await server.saw(new RegExp(`(yodel: reloaded[\\s\\S]*){${change}}`));
  }
  const { status, stdout } = await bench;
  expect(status).toBe(0);
  const report = JSON.parse(stdout.toString().trim().split('\n').at(-1) as string) as { messages: object };
  expect(report).toMatchObject({ messages: { unanswered: 0 } });
  expect((await server.stop()).status).toBe(0);
});

openssl('new clients get a new certificate from the disk, and no session is dropped', async () => {
  const [old, next] = [makeCertificate(), makeCertificate(3)];
  const server = await serve([...flags(old), ...listen]);
  const client = start(['openssl', 's_client', '-connect', `127.0.0.1:${server.port}`, '-quiet']);
  client.process.stdin?.write('before\n');
  await client.saw(/^before$/m);
  replace(old, next);
  await server.saw(/reloaded/);
  const seen = await run(['openssl', 's_client', '-connect', `127.0.0.1:${server.port}`], { input: '' });
  expect(seen.stdout.toString()).toContain(readFileSync(next.certificate, 'utf8').trim());
  client.process.stdin?.write('after\n');
  await client.saw(/^after$/m);
});

test('a certificate behind a link to a folder is followed, and an expired one warned of', async () => {
  const folder = temporaryFolder();
  const write = (release: string, validMs: number) => {
    mkdirSync(join(folder, release));
    const { cert, key } = selfSignedCertificate(['localhost'], validMs);
    writeFileSync(join(folder, release, 'both.pem'), key + cert, { mode: 0o600 });
  };
  write('1', 86_400_000);
  write('2', -60_000);
  symlinkSync('1', join(folder, 'current'));
  const metrics = ['--metrics', '127.0.0.1:0'];
  const server = await serve(['--cert', join(folder, 'current', 'both.pem'), ...metrics, ...listen]);
  symlinkSync('2', join(folder, 'next'));
  renameSync(join(folder, 'next'), join(folder, 'current'));
  await server.saw(/yodel: reloaded/);
  await server.saw(/yodel: the certificate CN=localhost \(--cert\) expired on [-\d]+ [:\d]+ UTC: clients refuse it/);
  const [, url] = await server.saw(/metrics at (\S+)\/metrics/);
  const [, expiry] =
    /^yodel_certificate_expiry_timestamp_seconds (\d+)$/m.exec(await (await fetch(`${url}/metrics`)).text()) ?? [];
  expect(Number(expiry) * 1000).toBeCloseTo(Date.now() - 60_000, -6);
  const client = await yodel(['connect', `tls://localhost:${server.port}`, '--cacert', join(folder, '2', 'both.pem')], {
    input: 'hello\n',
  });
  expect(client.stderr).toContain('its certificate has expired');
});

openssl('SIGHUP reloads the certificates; invalid ones are reported, and the old ones stay in use', async () => {
  const [own, other] = [makeCertificate(), makeCertificate()];
  const server = await serve([...flags(own), ...listen]);
  server.process.kill('SIGHUP');
  await server.saw(/reloaded/);
  copyFileSync(other.key, own.key);
  await server.saw(/not reloaded, the old settings remain in effect: the certificate cannot be used with its key/);
  expect((await sClient(server.port)).shown).toMatch(/^hello$/m);
});

openssl('--tls-self-signed creates a certificate, and prints the fingerprint that clients see', async () => {
  const server = await serve(['--tls-self-signed', ...listen]);
  const [, printed] = await server.saw(/SHA-256 fingerprint: ([0-9A-F:]{95})/);
  const shown = `openssl s_client -connect 127.0.0.1:${server.port} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256`;
  const { stdout } = await run(['sh', '-c', shown]);
  expect(stdout.toString()).toContain(String(printed));
  const client = await yodel(['connect', `tls://localhost:${server.port}`, '--insecure'], { input: 'hello\n' });
  expect(client.stdout.toString()).toBe('hello\n');
});

openssl('a key that others can read is refused', async () => {
  const { certificate, key } = makeCertificate();
  chmodSync(key, 0o644);
  const outcome = await yodel(['serve', '--cert', certificate, '--key', key, ...listen]);
  expect(outcome.stderr).toBe(`yodel: others can read the private key ${key} (mode 0644): chmod 600 ${key}\n`);
  expect(outcome.status).toBe(2);
});

openssl('a client stuck in the handshake is closed after --handshake-timeout, and delays no other', async () => {
  const server = await serve([...flags(makeCertificate()), '--handshake-timeout', '2s', ...listen]);
  const stuck = connectSocket(server.port, '127.0.0.1').on('error', () => undefined);
  const gone = once(stuck, 'close');
  const { shown } = await sClient(server.port);
  expect(shown).toMatch(/^hello$/m);
  await gone;
  await server.saw(/refused: the handshakes took longer than 2000 ms/);
});

ncat('ncat --ssl sends a file and gets it back', async () => {
  const certificate = makeCertificate();
  const { port } = await serve([
    '--quiet',
    '--ssl-cert',
    certificate.certificate,
    '--ssl-key',
    certificate.key,
    ...listen,
  ]);
  const { stdout, status } = await run(['ncat', '--ssl', '127.0.0.1', String(port)], { input: text });
  expect(stdout.toString()).toBe(text);
  expect(status).toBe(0);
});

ncat('ncat --ssl with a client certificate, and without', async () => {
  const [own, ada] = [makeCertificate(), makeCertificate()];
  const server = await serve(['--quiet', ...flags(own), '--client-ca', ada.certificate, ...listen]);
  const at = ['127.0.0.1', String(server.port)];
  const withIt = await run(['ncat', '--ssl', '--ssl-cert', ada.certificate, '--ssl-key', ada.key, ...at], {
    input: text,
  });
  expect(withIt.stdout.toString()).toBe(text);
  expect((await run(['ncat', '--ssl', ...at], { input: 'hello\n' })).stdout.toString()).toBe('');
});

socat('socat verifies the certificate, sends a file, and gets it back', async () => {
  const certificate = makeCertificate();
  const { port } = await serve(['--quiet', ...flags(certificate), ...listen]);
  const address = `OPENSSL:127.0.0.1:${port},cafile=${certificate.certificate},commonname=localhost`;
  const { stdout, stderr, status } = await run(['socat', '-t', '10', '-', address], { input: text });
  expect({ output: stdout.toString(), stderr, status }).toEqual({ output: text, stderr: '', status: 0 });
});

sslscan('sslscan finds no obsolete protocol or cipher', async () => {
  const { port } = await serve(['--quiet', ...flags(makeCertificate()), ...listen]);
  const { stdout } = await run(['sslscan', '--no-colour', `127.0.0.1:${port}`]);
  const report = stdout.toString();
  for (const old of ['SSLv2', 'SSLv3', 'TLSv1.0', 'TLSv1.1']) expect(report).toMatch(new RegExp(`${old} +disabled`));
  for (const good of ['TLSv1.2', 'TLSv1.3']) expect(report).toMatch(new RegExp(`${good} +enabled`));
  expect(report).toContain('not vulnerable to heartbleed');
  expect(report).not.toContain('Compression enabled');
  const ciphers = report.match(/^(Preferred|Accepted) .*$/gm) ?? [];
  expect(ciphers.length).toBeGreaterThan(4);
  for (const cipher of ciphers) expect(cipher).toMatch(/ TLS_\S+(GCM|POLY1305)| ECDHE-\S+-(GCM-SHA\d+|POLY1305) /);
});

openssl('yodel connect presents a client certificate, and reports when the server requires one', async () => {
  const own = makeCertificate();
  const server = await serve([...flags(own), '--client-ca', own.certificate, ...listen]);
  const trust = ['--insecure'];
  const good = await yodel(['connect', server.address, ...trust, '--cert', own.certificate, '--key', own.key], {
    input: 'hello\n',
  });
  expect(good.stdout.toString()).toBe('hello\n');
  expect(good.status).toBe(0);
  const netcats = ['--ssl', '--insecure', '--ssl-cert', own.certificate, '--ssl-key', own.key];
  const alias = await yodel(['connect', `127.0.0.1:${server.port}`, ...netcats], { input: 'hello\n' });
  expect(alias.stdout.toString()).toBe('hello\n');
  const without = await yodel(['connect', server.address, ...trust], { input: 'hello\n' });
  expect(without.status).toBe(1);
  const keyless = await yodel(['connect', server.address, ...trust, '--cert', own.certificate], { input: '' });
  expect(keyless.stderr).toContain('the certificate cannot be used with its key');
});
