/** What handlers and clients learn of the other side's certificate. */
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { connect } from '../../../src/client/connect.ts';
import type { AnyServeOptions } from '../../../src/server/options.ts';
import { serve } from '../../../src/server/server.ts';
import type { Session } from '../../../src/session/public-session.ts';
import { check } from '../../../src/transcript/check.ts';
import { parseTranscript } from '../../../src/transcript/parse.ts';
import { alternativeNamesIn } from '../../../src/transport/tls/certificate.ts';
import type { Certificate, Security } from '../../../src/transport/transport.ts';
import { Authority, type Identity } from '../../support/authority.ts';
import { fc } from '../../support/fast-check.ts';
import { hasTool, testWith } from '../../support/tools.ts';

const test = testWith('openssl', 'apt-get install openssl');

let authority: Authority;
let ada: Identity;
let own: Identity;

beforeAll(() => {
  if (!hasTool('openssl')) return;
  authority = new Authority('/O=Authority/CN=Test CA');
  ada = authority.issue(subject, everyName);
  own = authority.issue('/O=Example/CN=server', ['DNS.1=localhost', 'URI.1=spiffe://example.org/server']);
});

afterAll(() => authority?.[Symbol.dispose]());

interface Opened {
  readonly security: Security;
  readonly certificate: Certificate;
}

/** A server that trusts an authority, and what its sessions know of their clients. */
async function serveIt(options: AnyServeOptions = {}) {
  const sessions: Opened[] = [];
  const server = await serve({
    listen: 'tls://127.0.0.1:0',
    tls: { ...own, clientCa: authority.cert },
    handler: {
      open({ security }: Session) {
        if (security) sessions.push({ security, certificate: security.certificate as Certificate });
      },
      message: (message) => message,
    },
    ...options,
  });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  return { server, sessions, address: String(server.addresses[0]) };
}

async function certificateSeen(identity: Identity, options: AnyServeOptions = {}): Promise<Opened> {
  const { address, sessions } = await serveIt(options);
  const client = await connect(address, { tls: { insecure: true, ...identity } });
  onTestFinished(() => client.abort());
  expect((await client.request('hello')).text).toBe('hello');
  return sessions[0] as Opened;
}

const everyName = [
  ...['DNS.1=a.example', 'DNS.2=*.b.example', 'IP.1=192.0.2.7', 'IP.2=2001:db8::1'],
  ...['URI.1=spiffe://example.org/billing', 'email.1=ada@example.org', 'RID.1=1.2.3.4'],
];
const subject = '/C=DE/ST=Bayern/L=München/O=Example, Inc./OU=one/OU=two/CN=ada/emailAddress=ada@example.org';

/** Where different code does the handshake. */
const listeners: readonly [name: string, options: AnyServeOptions][] = [
  ['tls://', {}],
  ['wss://', { listen: 'wss://127.0.0.1:0' }],
  ['tls:// with load balancers', { proxyProtocol: ['192.0.2.1'] }],
];

test.each(listeners)('a handler sees all that the certificate of a client says, over %s', async (_, options) => {
  const { security, certificate } = await certificateSeen(ada, options);
  const x509 = new X509Certificate(ada.cert);
  expect(certificate).toMatchObject({
    subject: 'emailAddress=ada@example.org,CN=ada,OU=one,OU=two,O=Example\\, Inc.,L=München,ST=Bayern,C=DE',
    issuer: 'CN=Test CA,O=Authority',
    names: ['a.example', '*.b.example', '192.0.2.7', '2001:db8::1'],
    serial: x509.serialNumber,
    validFrom: new Date(x509.validFrom),
    validTo: new Date(x509.validTo),
    fingerprint: x509.fingerprint256,
  });
  expect({ ...certificate.subjectFields }).toEqual({
    ...{ C: ['DE'], ST: ['Bayern'], L: ['München'], O: ['Example, Inc.'], OU: ['one', 'two'], CN: ['ada'] },
    emailAddress: ['ada@example.org'],
  });
  expect({ ...certificate.issuerFields }).toEqual({ O: ['Authority'], CN: ['Test CA'] });
  expect(certificate.alternativeNames).toEqual({
    dns: ['a.example', '*.b.example'],
    ip: ['192.0.2.7', '2001:db8::1'],
    uri: ['spiffe://example.org/billing'],
    email: ['ada@example.org'],
  });
  expect(Buffer.from(certificate.raw)).toEqual(x509.raw);
  expect(certificate.pem.trim()).toBe(ada.cert.trim());
  const hash = createHash('sha256').update(certificate.raw).digest('hex').toUpperCase();
  expect(certificate.fingerprint.replaceAll(':', '')).toBe(hash);
  expect(security.subject).toBe(certificate.subject);
  expect(security.certificate).toBe(certificate);
});

test('a client sees that of the server', async () => {
  const { address } = await serveIt({ tls: own });
  const client = await connect(address, { tls: { ca: authority.cert, servername: 'localhost' } });
  onTestFinished(() => client.abort());
  const certificate = client.handshake?.tls?.certificate;
  expect({ ...certificate?.subjectFields }).toEqual({ O: ['Example'], CN: ['server'] });
  expect(certificate?.alternativeNames.uri).toEqual(['spiffe://example.org/server']);
});

test('without client certificates there is none', async () => {
  const { address, sessions } = await serveIt({ tls: own });
  const client = await connect(address, { tls: { insecure: true, ...ada } });
  onTestFinished(() => client.abort());
  await client.request('hello');
  expect(sessions).toMatchObject([{ security: { subject: undefined, certificate: undefined } }]);
});

test('a handler that goes on over TLS sees that of the client', async () => {
  const tls = { ...own, clientCa: authority.cert };
  const server = await serve({
    listen: '127.0.0.1:0',
    handler: {
      startsTls: true,
      async message({ text }, session) {
        if (text !== 'STARTTLS') return String(session.security?.certificate?.alternativeNames.dns);
        session.send('go');
        await session.startTls(tls);
        return undefined;
      },
    },
  });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const text = '> STARTTLS\n< go\n@starttls\n> who\n< a.example,*.b.example\n@close\n@closed\n';
  const result = await check(parseTranscript(text, 'a'), {
    address: server.addresses[0] as never,
    timeoutMs: 5000,
    tls: { insecure: true, ...ada },
  });
  expect(result.differences).toEqual([]);
});

test('behind a load balancer it is that of the client', async () => {
  const { server, sessions } = await serveIt({ proxyProtocol: ['127.0.0.1'] });
  const { port } = server.addresses[0] as { port: number };
  const plain = connectSocket(port, '127.0.0.1');
  plain.write('PROXY TCP4 203.0.113.7 192.0.2.1 1234 443\r\n');
  const socket = connectTls({ socket: plain, ...ada, rejectUnauthorized: false });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');
  socket.write('hello\n');
  await once(socket, 'data');
  expect(sessions[0]?.certificate.alternativeNames.email).toEqual(['ada@example.org']);
});

/** What a client needs to resume its session. */
async function ticketOf(port: number, identity: object, version: 'TLSv1.2' | 'TLSv1.3', session?: Buffer) {
  const versions = { minVersion: version, maxVersion: version } as const;
  const socket: TLSSocket = connectTls({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ...identity,
    ...versions,
    session,
  });
  onTestFinished(() => void socket.destroy());
  const ticket = once(socket, 'session');
  await once(socket, 'secureConnect');
  const reused = socket.isSessionReused();
  socket.write('hello\n');
  await once(socket, 'data');
  return { reused, ticket: session ?? ((await ticket)[0] as Buffer) };
}

/** A client of Bun resumes nothing; tickets.test.ts resumes sessions of servers on Bun. */
const isBun = process.versions.bun !== undefined;
const resumable = isBun ? [] : listeners.filter(([, { listen }]) => listen === undefined);
const versions = ['TLSv1.2', 'TLSv1.3'] as const;

test.each(resumable.flatMap(([name, options]) => versions.map((version) => [name, version, options] as const)))(
  'a session that is resumed has the certificate of the first one: %s, %s',
  async (_, version, options) => {
    const { server, sessions } = await serveIt(options);
    const { port } = server.addresses[0] as { port: number };
    const { ticket } = await ticketOf(port, ada, version);
    expect(await ticketOf(port, ada, version, ticket)).toMatchObject({ reused: true });
    expect(sessions).toHaveLength(2);
    expect(sessions[1]?.certificate).toEqual(sessions[0]?.certificate);
    expect(sessions[1]?.certificate.alternativeNames.uri).toEqual(['spiffe://example.org/billing']);
  },
);

test('names that look like several ones are one', async () => {
  const names = [
    ...['DNS.1=evil.example, DNS:victim.example', 'DNS.2="quoted".example', 'DNS.3=back\\\\\\\\slash.example'],
    ...['URI.1=spiffe://evil, URI:spiffe://victim', 'URI.2=spiffe://a/é'],
  ];
  const identity = authority.issue('/O=Example\nCN=root/CN=ada\\/OU=admin, CN=admin\\+UID=0', names);
  const { certificate } = await certificateSeen(identity);
  const [joined, quoted, slash] = certificate.alternativeNames.dns;
  expect(certificate.alternativeNames.dns).toHaveLength(3);
  expect(joined).toBe('evil.example, DNS:victim.example');
  expect(quoted).toContain('quoted');
  expect(slash).toContain('\\');
  expect(certificate.alternativeNames.uri[0]).toBe('spiffe://evil, URI:spiffe://victim');
  expect(certificate.alternativeNames.uri).toHaveLength(2);
  expect({ ...certificate.subjectFields }).toEqual({ O: ['Example\nCN=root'], CN: ['ada/OU=admin, CN=admin+UID=0'] });
  expect(certificate.subject).toBe('CN=ada/OU\\=admin\\, CN\\=admin\\+UID\\=0,O=Example\\0ACN\\=root');
});

test('a subject may have no fields', async () => {
  const unnamed = await certificateSeen(authority.issue('/', ['DNS.1=a.example']));
  expect(Object.keys(unnamed.certificate.subjectFields)).toEqual([]);
  expect(unnamed.certificate.alternativeNames.dns).toEqual(['a.example']);
});

/** The text that both runtimes write of a name: in quotes, as JSON in ASCII, if it is not plain. */
function written(kind: string, value: string): string {
  if (/^[ !#-&(-+\--[\]-~]*$/.test(value)) return `${kind}:${value}`;
  const json = JSON.stringify(value).replaceAll(',', '\\u002c');
  return `${kind}:${json.replace(/[^ -~]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)}`;
}

test('no name can be taken for others, whatever it contains', () => {
  const unit = fc.constantFrom(...'a,": \\\'\n\0é'.split(''), 'DNS:', '\u2028', '😀');
  const value = fc.string({ unit, maxLength: 8 });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('DNS', 'URI', 'email', 'othername', 'DirName'), value), { maxLength: 4 }),
      (names) => {
        const text = names.map(([kind, one]) => written(kind, one)).join(', ');
        const of = (wanted: string) => names.filter(([kind]) => kind === wanted).map(([, one]) => one);
        const expected = { dns: of('DNS'), ip: [], uri: of('URI'), email: of('email') };
        return JSON.stringify(alternativeNamesIn(text)) === JSON.stringify(expected);
      },
    ),
    { numRuns: 200 },
  );
});

test('a text of another form has no names', () => {
  const none = { dns: [], ip: [], uri: [], email: [] };
  for (const text of ['DNS:a,DNS:b', 'DNS:"a', 'DNS:a"b"x", DNS:c', ',DNS:a', 'DNS:a, ', 'DNS:a, , DNS:b', 'DNS:"\\x"'])
    expect(alternativeNamesIn(text), text).toEqual(none);
  expect(alternativeNamesIn('IP Address:<invalid length=5>, DNS:a')).toEqual({ ...none, dns: ['a'] });
  expect(alternativeNamesIn(undefined)).toEqual(none);
});
