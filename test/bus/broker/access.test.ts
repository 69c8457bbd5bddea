/** TLS, users and passwords: what works, and what is said when it does not. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished } from 'vitest';
import { type OpenBusOptions, openBus } from '../../../src/bus/open.ts';
import { serve } from '../../../src/server/server.ts';
import { temporaryFile, temporaryFolder } from '../../support/files.ts';
import { freePort } from '../../support/ports.ts';
import { accountConfig, userCredentials, wrongCredentials } from './nats-account.ts';
import { BrokerProgram, type Kind, kinds, withBrokers } from './programs.ts';
import { Member, settled, startNode } from './servers.ts';

const key = ['-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];

/** An authority, which certifies servers. Its files are PEM. */
class Authority {
  readonly #folder = temporaryFolder();
  readonly certificate = join(this.#folder, 'ca.pem');

  constructor() {
    this.#openssl('req', '-x509', ...key, '-keyout', this.#file('ca.key'), '-out', this.certificate, '-subj', '/CN=CA');
  }

  get text(): string {
    return readFileSync(this.certificate, 'utf8');
  }

  /** @param days for how long it is valid; negative: it has expired */
  certify(names: string, days = 2): { readonly certificate: string; readonly key: string } {
    const name = `${names}${days}`.replace(/\W/g, '');
    const [certificate, request] = [this.#file(`${name}.pem`), this.#file(`${name}.csr`)];
    this.#openssl('req', ...key, '-keyout', this.#file(`${name}.key`), '-out', request, '-subj', '/CN=server');
    const extensions = temporaryFile('extensions', `subjectAltName=${names}\n`);
    const signed = ['-CA', this.certificate, '-CAkey', this.#file('ca.key'), '-CAcreateserial', '-extfile', extensions];
    this.#openssl('x509', '-req', '-in', request, '-out', certificate, '-days', `${days}`, ...signed);
    return { certificate, key: this.#file(`${name}.key`) };
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'ignore' });
  }
}

const schemes = { redis: 'rediss', nats: 'tls' } as const;

/** Starts a broker with TLS. Resolves with its port. */
async function startSecure(kind: Kind, authority: Authority, names: string, days?: number): Promise<number> {
  const { certificate, key } = authority.certify(names, days);
  if (kind === 'nats')
    return (await BrokerProgram.start(kind, ['--tls', '--tlscert', certificate, '--tlskey', key])).port;
  const port = await freePort();
  const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', authority.certificate];
  await BrokerProgram.start(kind, ['--port', '0', '--tls-port', `${port}`, '--tls-auth-clients', 'no', ...files]);
  return port;
}

/** What a server says that cannot start without this bus. Empty: it has started. */
async function reasonAgainst(url: string, options: OpenBusOptions = {}): Promise<string> {
  try {
    const server = await serve({
      listen: 0,
      handler: () => undefined,
      bus: await openBus(url, { ...options, required: true }),
    });
    await server.close();
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

describe.each(kinds)('%s', (kind) => {
  withBrokers(
    'with TLS: the certificate must be valid, trusted, and for this host; both ends must speak TLS',
    async () => {
      const [authority, stranger] = [new Authority(), new Authority()];
      const ca = authority.text;
      const [good, other, expired, plain] = await Promise.all([
        startSecure(kind, authority, 'DNS:localhost,IP:127.0.0.1'),
        startSecure(kind, authority, 'DNS:other.example'),
        startSecure(kind, authority, 'DNS:localhost', -1),
        BrokerProgram.start(kind),
      ]);
      const secure = (port: number, host = 'localhost') => `${schemes[kind]}://${host}:${port}`;
      const reasons = await Promise.all([
        reasonAgainst(secure(good), { ca }),
        reasonAgainst(secure(good, '127.0.0.1'), { ca }),
        reasonAgainst(secure(good)),
        reasonAgainst(secure(good), { ca: stranger.text }),
        reasonAgainst(secure(other), { ca }),
        reasonAgainst(secure(expired), { ca }),
        reasonAgainst(secure(plain.port), { ca }),
        reasonAgainst(`${kind}://localhost:${good}`),
      ]);
      const untrusted = /its certificate is not from a trusted authority .*--bus-ca/;
      expect(reasons).toEqual([
        '',
        '',
        expect.stringMatching(untrusted),
        expect.stringMatching(untrusted),
        expect.stringMatching(/its certificate is for another host: .*other\.example/),
        expect.stringMatching(/its certificate has expired/),
        expect.stringMatching(/no TLS.* the address begins with (nats|redis):/),
        // NATS tells its clients that it wants TLS, and they use it.
        expect.stringMatching(kind === 'nats' ? untrusted : /if it has TLS, the address begins with rediss:/),
      ]);
    },
  );
});

/** How to start brokers with one user, or only a password or token. */
const guarded = {
  redis: {
    user: () => ['--aclfile', temporaryFile('acl', 'user default off\nuser chat on >opensesame ~* &* +@all\n')],
    word: () => ['--requirepass', 'opensesame'],
  },
  nats: { user: () => ['--user', 'chat', '--pass', 'opensesame'], word: () => ['--auth', 'opensesame'] },
};

describe.each(kinds)('%s with access control', (kind) => {
  withBrokers(
    'takes a user, or a password or token, from the address or a file; what is wrong is not shown',
    async () => {
      const [user, word] = await Promise.all([
        BrokerProgram.start(kind, guarded[kind].user()),
        BrokerProgram.start(kind, guarded[kind].word()),
      ]);
      const reasons = await Promise.all([
        reasonAgainst(user.url('chat:opensesame@')),
        reasonAgainst(user.url('chat:open%73esame@')),
        reasonAgainst(user.url(), { credentials: 'chat:opensesame\n' }),
        reasonAgainst(user.url('chat:wrong@'), { credentials: 'chat:opensesame' }),
        reasonAgainst(word.url('opensesame@')),
        reasonAgainst(word.url(), { credentials: 'opensesame\n' }),
        reasonAgainst(user.url('chat:opensesame1@')),
        reasonAgainst(user.url(), { credentials: 'nobody:opensesame1' }),
        reasonAgainst(word.url('opensesame1@')),
        reasonAgainst(user.url()),
        reasonAgainst(word.url()),
        reasonAgainst(user.url('chat:opensesame%@')),
      ]);
      expect(reasons.slice(0, 6)).toEqual(['', '', '', '', '', '']);
      for (const reason of reasons.slice(6, 11))
        expect(reason).toMatch(
          /(WRONGPASS|NOAUTH|Authorization Violation): .*in the address of the bus, or its credentials/,
        );
      expect(reasons[11]).toMatch(/a % that is not followed by two hexadecimal digits/);
      for (const reason of reasons) expect(reason).not.toMatch(/opensesame/);
    },
  );

  withBrokers('is asked about once a second when the password is wrong, and that is said once', async () => {
    const broker = await BrokerProgram.start(kind, guarded[kind].word());
    const counted = await countConnections(broker.port);
    const node = await startNode(`${kind}://opensesame1@127.0.0.1:${counted.port}`);
    await delay(3000);
    // Redis has two connections. A busy machine makes fewer attempts.
    expect(counted.count()).toBeLessThanOrEqual(kind === 'redis' ? 14 : 7);
    expect(counted.count()).toBeGreaterThan(1);
    expect(node.events).toHaveLength(1);
    expect(node.events[0]).not.toMatch(/opensesame/);
  });
});

/** A way to a port that counts. */
async function countConnections(to: number): Promise<{ readonly port: number; count(): number }> {
  let count = 0;
  const server = createServer((client) => {
    count++;
    const upstream = connect(to, '127.0.0.1');
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, count: () => count };
}

withBrokers('NATS takes the credentials that its tools write: a JWT and a seed', async () => {
  const broker = await BrokerProgram.start('nats', ['-c', temporaryFile('nats.conf', accountConfig)]);
  const nodes = [
    await startNode(broker.url(), { credentials: userCredentials }),
    await startNode(broker.url(), { credentials: userCredentials }),
  ];
  const member = await Member.of(nodes[0] as never, 'a');
  await settled(nodes, 'a', 1);
  nodes[1]?.server.room('a').send('hello');
  await expect.poll(() => member.texts).toEqual(['hello']);
  expect(await reasonAgainst(broker.url(), { credentials: wrongCredentials })).toMatch(
    /Authorization Violation: .*credentials/,
  );
});
