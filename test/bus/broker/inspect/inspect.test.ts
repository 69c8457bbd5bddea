/** What real brokers say about themselves, and let servers do. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { adviceFor } from '../../../../src/bus/broker/inspect/advice.ts';
import { inspectBus } from '../../../../src/bus/broker/inspect/inspect.ts';
import type { Inspection } from '../../../../src/bus/broker/inspect/inspection.ts';
import { type OpenBusOptions, readBusSettings } from '../../../../src/bus/open.ts';
import { makeCertificate } from '../../../support/certificate.ts';
import { temporaryFile, temporaryFolder } from '../../../support/files.ts';
import { freePort } from '../../../support/ports.ts';
import { run } from '../../../support/process/command.ts';
import { testWith } from '../../../support/tools.ts';
import { BrokerProgram, kinds, withBrokers } from '../programs.ts';

async function inspect(url: string, options: OpenBusOptions = {}, monitor?: string): Promise<Inspection> {
  return await inspectBus(await readBusSettings(url, options), monitor);
}

const unavailable = (reason: RegExp) => ({
  code: 'YODEL_BUS_UNAVAILABLE',
  message: expect.stringMatching(
    new RegExp(`^no connection to (NATS|Redis) at 127\\.0\\.0\\.1:\\d+: .*${reason.source}`),
  ),
});

describe.each(kinds)('%s', (kind) => {
  withBrokers('as it is installed: rooms work, and the way to it is known', async () => {
    const broker = await BrokerProgram.start(kind);
    const inspection = await inspect(broker.url());
    expect(inspection).toMatchObject({
      bus: `${kind === 'nats' ? 'NATS' : 'Redis'} at 127.0.0.1:${broker.port}`,
      prefix: 'yodel',
      tls: false,
      authenticated: false,
      open: true,
      loopback: true,
      rooms: { works: true },
      facts: { version: expect.stringMatching(/^\d+\.\d+\.\d+$/) },
      unread: [],
    });
    expect(adviceFor(inspection).problems).toEqual([]);
    const { count, p50Ms, p99Ms, maxMs } = inspection.roundTrips ?? { count: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 };
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(100);
    expect(p50Ms).toBeGreaterThan(0);
    expect(p99Ms).toBeGreaterThanOrEqual(p50Ms);
    expect(maxMs).toBeGreaterThanOrEqual(p99Ms);
  });

  withBrokers('that has stopped is given up, and one that is not there is refused, each with the reason', async () => {
    const broker = await BrokerProgram.start(kind);
    broker.signal('SIGSTOP');
    const nowhere = `${kind}://127.0.0.1:${await freePort()}`;
    await Promise.all([
      expect(inspect(broker.url())).rejects.toMatchObject(unavailable(/it has not responded for \d s$/)),
      expect(inspect(nowhere)).rejects.toMatchObject(unavailable(/[Rr]efused|ECONNREFUSED/)),
    ]);
  });
});

describe('Redis', () => {
  withBrokers('says how much it keeps, what it deletes, and when it is on disk', async () => {
    const settings = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '3600 1'];
    const limits = ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'];
    const broker = await BrokerProgram.start('redis', [
      ...settings,
      ...limits,
      '--client-output-buffer-limit',
      'pubsub',
      '1mb',
      '512kb',
      '10',
    ]);
    const inspection = await inspect(broker.url());
    expect(inspection.facts).toMatchObject({
      engine: 'Redis',
      mode: 'standalone',
      isReplica: false,
      memoryLimit: 104_857_600,
      evictionPolicy: 'allkeys-lru',
      subscriberLimit: { hard: 1_048_576, soft: 524_288, softSeconds: 10 },
      maxValue: 536_870_912,
      appendOnly: true,
      appendFsync: 'everysec',
      snapshots: '3600 1',
    });
    expect(adviceFor(inspection).warnings).toEqual([
      expect.stringMatching(/^its eviction policy allkeys-lru deletes the histories of rooms when its memory is full/),
      expect.stringMatching(/^servers that have not read 1048576 bytes are disconnected/),
      expect.stringMatching(/^appendfsync is everysec: about the last second/),
    ]);
  });

  withBrokers('keeps nothing of it, and a history is possible', async () => {
    const broker = await BrokerProgram.start('redis', ['--appendonly', 'yes', '--appendfsync', 'always']);
    const inspection = await inspect(broker.url());
    expect(inspection).toMatchObject({ history: { works: true }, facts: { snapshots: '', appendFsync: 'always' } });
    expect(adviceFor(inspection)).toEqual({ problems: [], warnings: [] });
    const { stdout } = await run(['redis-cli', '-p', `${broker.port}`, 'keys', '*']);
    expect(stdout.toString().trim()).toBe('');
  });

  withBrokers('what may not be read is unknown, and what is not allowed does not work', async () => {
    const guarded = `user default off
user chat on >secret resetkeys resetchannels &yodel.* -@all +publish +subscribe +unsubscribe +ping +hello +info +client|setname
user closed on >secret resetkeys resetchannels &yodel.* -@all +publish +subscribe +unsubscribe +ping +hello
`;
    const broker = await BrokerProgram.start('redis', ['--aclfile', temporaryFile('users.acl', guarded)]);
    const inspection = await inspect(broker.url('chat:secret@'));
    expect(inspection).toMatchObject({
      authenticated: true,
      open: false,
      rooms: { works: true },
      history: { works: false, reason: expect.stringMatching(/NOPERM/) },
      facts: { version: expect.any(String), subscriberLimit: null, maxValue: null, appendFsync: null, snapshots: null },
      unread: [expect.stringMatching(/^CONFIG GET: NOPERM/)],
    });
    const closed = await inspect(broker.url('closed:secret@'));
    expect(closed).toMatchObject({
      rooms: { works: true },
      facts: { version: null, mode: null, memoryLimit: null, evictionPolicy: null, appendOnly: null },
      unread: [expect.stringMatching(/^INFO: NOPERM/), expect.stringMatching(/^CONFIG GET: NOPERM/)],
    });
    const outside = await inspect(broker.url('chat:secret@'), { prefix: 'other' });
    expect(outside).toMatchObject({
      rooms: { works: false, reason: expect.stringMatching(/NOPERM/) },
      roundTrips: null,
    });
    expect(adviceFor(outside).problems).toEqual([expect.stringMatching(/^rooms do not work: NOPERM/)]);
    await expect(inspect(broker.url('chat:wrong@'))).rejects.toMatchObject(unavailable(/WRONGPASS/));
    await expect(inspect(broker.url())).rejects.toMatchObject(unavailable(/NOAUTH/));
  });

  withBrokers('a replica is one, and credentials that nobody needs protect nothing', async () => {
    const primary = await BrokerProgram.start('redis');
    const replica = await BrokerProgram.start('redis', ['--replicaof', `127.0.0.1 ${primary.port}`]);
    const inspection = await inspect(replica.url('default:secret@'));
    expect(inspection).toMatchObject({ authenticated: true, open: true, facts: { isReplica: true } });
    expect(inspection.history).toMatchObject({ works: false, reason: expect.stringMatching(/READONLY/) });
    expect(adviceFor(inspection).warnings.join()).toMatch(/it is a replica/);
  });
});

describe('NATS', () => {
  withBrokers('says what JetStream keeps, and more on its monitoring page', async () => {
    const [port, folder] = [await freePort(), temporaryFolder()];
    const broker = await BrokerProgram.start('nats', ['-js', '-sd', folder, '-m', `${port}`]);
    const monitor = `http://127.0.0.1:${port}`;
    const inspection = await inspect(broker.url(), {}, monitor);
    expect(inspection).toMatchObject({
      history: { works: true },
      facts: {
        engine: 'NATS',
        maxPayload: 1_048_576,
        maxPending: 67_108_864,
        writeDeadlineMs: 10_000,
        jetStream: {
          usedMemory: 0,
          usedStorage: 0,
          storageLimit: expect.any(Number),
          storeDirectory: `${folder}/jetstream`,
          // That of Debian cannot be configured.
          sync: 'interval',
        },
      },
    });
    expect(adviceFor(inspection).warnings).toEqual([
      expect.stringMatching(/^JetStream of NATS 2\.\d+\.\d+ has known faults .* use 2\.12\.5 or newer$/),
      expect.stringMatching(/^JetStream syncs its files at intervals/),
    ]);
    const page = (await (await fetch(`${monitor}/jsz?streams=true`)).json()) as { streams: number };
    expect(page.streams).toBe(0);

    const without = await inspect(broker.url());
    expect(without.facts).toMatchObject({ maxPending: null, jetStream: { storeDirectory: null, sync: 'interval' } });
    const other = await BrokerProgram.start('nats');
    const unlike = await inspect(other.url(), {}, monitor);
    expect(unlike).toMatchObject({
      history: { works: false, reason: expect.stringMatching(/^JetStream is not enabled/) },
      facts: { maxPending: null, jetStream: null },
      unread: ['the monitoring page is that of another server'],
    });
  });

  withBrokers('what is not allowed does not work, with the reason', async () => {
    const users =
      'authorization { users = [{ user: chat, password: secret, permissions: { publish: "yodel.>", subscribe: "yodel.>" } }] }';
    const broker = await BrokerProgram.start('nats', [
      '-js',
      '-sd',
      temporaryFolder(),
      '-c',
      temporaryFile('nats.conf', users),
    ]);
    const inspection = await inspect(broker.url('chat:secret@'));
    expect(inspection).toMatchObject({
      authenticated: true,
      open: false,
      rooms: { works: true },
      history: {
        works: false,
        reason: expect.stringMatching(/^Permissions Violation for Publish to "\$JS\.API\.STREAM\.INFO\.yodel-store"/),
      },
      facts: { jetStream: { usedStorage: null, storageLimit: null } },
    });
    expect(inspection.unread).toEqual([expect.stringMatching(/^JetStream: Permissions Violation .*INFO"$/)]);
    const outside = await inspect(broker.url('chat:secret@'), { prefix: 'other' });
    expect(outside.rooms).toMatchObject({ works: false, reason: expect.stringMatching(/Permissions Violation/) });
    await expect(inspect(broker.url('chat:wrong@'))).rejects.toMatchObject(unavailable(/[Aa]uthorization/));
  });

  withBrokers('histories need some of the API of JetStream, and the stream that has them is looked at', async () => {
    const api = ['STREAM.INFO', 'STREAM.CREATE', 'STREAM.MSG.GET', 'DIRECT.GET', 'CONSUMER.CREATE'];
    const subjects = [
      ...api.map((name) => `$JS.API.${name}.yodel-store`),
      '$JS.API.CONSUMER.*.yodel-store.>',
      '$JS.API.CONSUMER.MSG.NEXT.yodel-store.*',
    ];
    const user = (name: string, ...allowed: string[]) =>
      `{ user: ${name}, password: secret, permissions: { publish: ${JSON.stringify(['yodel.>', ...allowed])}, subscribe: "yodel.>" } }`;
    const users = [
      user('chat', ...subjects),
      user('half', ...subjects.slice(0, 1)),
      '{ user: root, password: secret }',
    ];
    const conf = temporaryFile('nats.conf', `authorization { users = [${users}] }`);
    const broker = await BrokerProgram.start('nats', ['-js', '-sd', temporaryFolder(), '-c', conf]);
    const url = broker.url('chat:secret@');
    expect(await inspect(url)).toMatchObject({ history: { works: true }, facts: { jetStream: { stream: null } } });
    expect((await inspect(broker.url('half:secret@'))).history).toEqual({
      works: false,
      reason: 'Permissions Violation for Publish to "$JS.API.STREAM.CREATE.yodel-store"',
    });
    const { connect } = await import('@nats-io/transport-node');
    const root = await connect({ servers: `127.0.0.1:${broker.port}`, user: 'root', pass: 'secret' });
    const config = { name: 'yodel-store', subjects: ['yodel.store.*'], storage: 'memory', num_replicas: 1 };
    await root.request('$JS.API.STREAM.CREATE.yodel-store', JSON.stringify(config));
    await root.close();
    const inspection = await inspect(url);
    expect(inspection).toMatchObject({
      history: { works: true },
      facts: { jetStream: { stream: { name: 'yodel-store', storage: 'memory', replicas: 1 } } },
    });
    expect(adviceFor(inspection).warnings.join('\n')).toMatch(/^the stream yodel-store is in memory/m);
  });

  withBrokers('a max_payload that no packet fits in is said at once', async () => {
    const broker = await BrokerProgram.start('nats', ['-c', temporaryFile('nats.conf', 'max_payload: 256\n')]);
    await expect(inspect(broker.url())).rejects.toMatchObject(
      unavailable(/its max_payload is 256 bytes; a bus needs at least 512/),
    );
  });

  test.each(['ftp://a', 'a', 'http://user:secret@127.0.0.1'])(
    'a monitoring page at %s is refused, and no password is shown',
    async (monitor) => {
      const refused = inspect('nats://127.0.0.1:1', {}, monitor);
      await expect(refused).rejects.toMatchObject({
        code: 'YODEL_INVALID_ADDRESS',
        message: expect.not.stringMatching('secret'),
      });
    },
  );
});

testWith(['redis-server', '/usr/sbin/nats-server', 'openssl'], 'apt-get install redis-server nats-server openssl')(
  'with TLS a certificate must be trusted, and have the name or address that is connected to',
  async () => {
    const { certificate, key } = makeCertificate();
    const ca = readFileSync(certificate, 'utf8');
    const port = await freePort();
    const redisTls = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-auth-clients', 'no'];
    await BrokerProgram.start('redis', ['--port', '0', '--tls-port', `${port}`, ...redisTls]);
    const nats = await BrokerProgram.start('nats', ['--tls', '--tlscert', certificate, '--tlskey', key]);
    for (const [scheme, at] of [
      ['rediss', port],
      ['tls', nats.port],
    ] as const) {
      expect(await inspect(`${scheme}://localhost:${at}`, { ca })).toMatchObject({ tls: true, rooms: { works: true } });
      await expect(inspect(`${scheme}://localhost:${at}`)).rejects.toThrow(
        /its certificate is not from a trusted authority/,
      );
      // The certificate has no address.
      await expect(inspect(`${scheme}://127.0.0.1:${at}`, { ca })).rejects.toThrow(/127\.0\.0\.1 is not in the cert/);
    }
  },
);
