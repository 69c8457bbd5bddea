/** The configurations of the page about several machines, with real brokers. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BrokerProgram, kinds, withBrokers } from '../bus/broker/programs.ts';
import { temporaryFolder } from '../support/files.ts';
import { dial, type Peer } from '../support/peer.ts';
import { serve, start, yodel } from '../support/process/command.ts';
import { folderWithYodel } from '../support/shell.ts';

const page = readFileSync(new URL('../../docs/clusters.md', import.meta.url), 'utf8');

/** The text of a block of the page. */
function block(name: string): string {
  const [, text] = new RegExp(`<!-- ${name} -->\n\`\`\`text\n([^\`]*)\`\`\``).exec(page) ?? [];
  if (text === undefined) throw new Error(`the page has no block ${name}`);
  return text;
}

/** A broker with the access control of the page. */
async function startGuarded(kind: (typeof kinds)[number]): Promise<BrokerProgram> {
  const file = join(temporaryFolder(), 'broker.conf');
  if (kind === 'nats') {
    writeFileSync(file, block('nats-permissions'));
    return await BrokerProgram.start(kind, ['-c', file]);
  }
  writeFileSync(file, `user default off\n${block('redis-acl')}`);
  return await BrokerProgram.start(kind, ['--aclfile', file]);
}

/** One member hears the other, as soon as their servers know of each other's members. */
async function hears(one: Peer | undefined, other: Peer | undefined): Promise<void> {
  const timer = setInterval(() => void other?.send('hello\n'), 200);
  try {
    await one?.saw(/guest-\d+: hello\n/);
  } finally {
    clearInterval(timer);
  }
}

describe.each(kinds)('%s with the access control of the page', (kind) => {
  withBrokers('connects two servers, and refuses others, with the reason', async () => {
    const broker = await startGuarded(kind);
    const file = join(temporaryFolder(), 'credentials');
    writeFileSync(file, 'chat:secret\n');
    const chat = (...args: string[]) => serve(['chat', '--quiet', ...args]);
    const servers = await Promise.all([
      chat('--bus', broker.url('chat:secret@'), '--bus-required'),
      chat('--bus', broker.url(), '--bus-credentials', file, '--bus-required', '--workers', '2'),
    ]);
    const [ana, ben] = await Promise.all(servers.map(({ port }) => dial(port)));
    await hears(ben, ana);
    for (const { stderr } of servers) expect(stderr()).not.toMatch(/refused/);

    const wrong = await yodel([
      'serve',
      'chat',
      '--listen',
      ':0',
      '--bus',
      broker.url('chat:wrong@'),
      '--bus-required',
    ]);
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toMatch(
      /yodel: no connection to (NATS|Redis) at 127\.0\.0\.1:\d+: .*(WRONGPASS|[Aa]uthorization)/,
    );
  });

  withBrokers('takes credentials from a pipe, which can be read only once', async () => {
    const broker = await startGuarded(kind);
    const command = `yodel serve chat --listen :0 --bus ${broker.url()} --bus-required --bus-credentials /dev/stdin`;
    const server = start(['sh', '-c', `echo chat:secret | ${command}`], {
      hasChildren: true,
      env: { PATH: `${folderWithYodel()}:${process.env.PATH}` },
    });
    await server.saw(/listening on/);
  });

  withBrokers('refuses what is outside the prefix, and the server says so and goes on', async () => {
    const broker = await startGuarded(kind);
    const server = await serve(['chat', '--bus', broker.url('chat:secret@'), '--bus-prefix', 'other']);
    await server.saw(/bus refused: (NATS|Redis) at 127\.0\.0\.1:\d+: .*[Pp]ermission/);
    const peer = await dial(server.port);
    await peer.saw(/joined lobby/);
    await peer.send('hello\n');
    await peer.saw(/: hello\n/);
  });
});

withBrokers('the example shares its rooms with another one', async () => {
  const broker = await BrokerProgram.start('nats');
  const program = new URL('../../examples/cluster.ts', import.meta.url).pathname;
  const servers = [1, 2].map(() => start([process.execPath, program], { env: { BUS: broker.url() } }));
  const ports = await Promise.all(servers.map(async ({ saw }) => Number((await saw(/listening on tcp:.*:(\d+)/))[1])));
  const [ana, ben] = await Promise.all(ports.map((port) => dial(port)));
  await hears(ben, ana);
});

withBrokers(
  'without a bus a server works alone, and is not ready if the bus is required; it is once the bus is back',
  async () => {
    const broker = await BrokerProgram.start('redis');
    const args = ['chat', '--bus', broker.url(), '--bus-required', '--metrics', ':0'];
    const servers = await Promise.all([serve(args), serve([...args, '--workers', '2'])]);
    const urls = await Promise.all(servers.map(async ({ saw }) => (await saw(/metrics at (http:\S+)\/metrics/))[1]));
    const ready = async () => await Promise.all(urls.map(async (url) => (await fetch(`${url}/readyz`)).status));
    await expect.poll(ready).toEqual([200, 200]);
    const connected = async () => await Promise.all(urls.map((url) => busMetric(`${url}/metrics`, 'connected')));
    await expect.poll(connected).toEqual([[1], [1, 1]]);
    broker.signal('SIGKILL');
    await expect.poll(ready).toEqual([503, 503]);
    await broker.start();
    await expect.poll(ready, { timeout: 10_000 }).toEqual([200, 200]);
    const reconnects = async () =>
      await Promise.all(urls.map((url) => busMetric(`${url}/metrics`, 'reconnects_total')));
    // After many requests the values may be a second old.
    await expect.poll(reconnects).toEqual([[1], [1, 1]]);
    for (const url of urls) {
      for (const value of await busMetric(`${url}/metrics`, 'bytes_sent_total')) expect(value).toBeGreaterThan(0);
    }
  },
);

/** The values of a metric of the bus: one for each worker, in their order. */
async function busMetric(url: string, name: string): Promise<number[]> {
  const text = await (await fetch(url)).text();
  const values = [...text.matchAll(new RegExp(`^yodel_bus_${name}(?:\\{worker="(\\d)"\\})? (\\S+)$`, 'gm'))];
  return values.sort(([, one = ''], [, two = '']) => one.localeCompare(two)).map(([, , value]) => Number(value));
}

test('without a bus there are no metrics of one', async () => {
  const server = await serve(['chat', '--metrics', ':0']);
  const [, url] = await server.saw(/metrics at (\S+)/);
  expect(await (await fetch(url as string)).text()).not.toMatch(/^yodel_bus_/m);
});

withBrokers('`yodel bus check` prints what the page shows', async () => {
  const broker = await BrokerProgram.start('redis', ['--appendonly', 'yes']);
  const [, shown = ''] = /```console\n\$ yodel bus check redis:\/\/127\.0\.0\.1:6379\n(.*?)```/s.exec(page) ?? [];
  const { stdout } = await yodel(['bus', 'check', broker.url()]);
  const bare = (text: string) =>
    text
      .replace(/Redis [\d.]+ at 127\.0\.0\.1:\d+/, 'Redis')
      .replace(/[\d.]+ \w+ in use/, 'in use')
      .replaceAll(/[\d.]+ (µs|ms|s),/g, 'TIME,')
      .replace(/of \d+ messages/, 'of messages');
  expect(bare(stdout.toString())).toBe(bare(shown));
});

describe('flags that cannot work', () => {
  const serveChat = (...args: string[]) => yodel(['serve', 'chat', '--listen', ':0', ...args]);

  withBrokers('are refused before the server listens', async () => {
    const outcomes = await Promise.all([
      serveChat('--bus', 'http://127.0.0.1'),
      serveChat('--bus', 'redis://127.0.0.1/x'),
      serveChat('--bus', 'redis://127.0.0.1', '--bus-prefix', 'a b'),
      serveChat('--bus', 'redis://127.0.0.1', '--bus-ca', '/nowhere.pem'),
      serveChat('--bus-prefix', 'a'),
    ]);
    const texts = outcomes.map(({ status, stderr }) => `${status} ${stderr.split('\n')[0]}`);
    expect(texts).toEqual([
      expect.stringMatching(/^[12] yodel: not the address of a bus; it is nats:\/\/HOST:4222, /),
      expect.stringMatching(/^[12] yodel: "\/x" is not a database of Redis/),
      expect.stringMatching(/^[12] yodel: the option "prefix" has letters, digits/),
      expect.stringMatching(/^2 yodel: cannot read \/nowhere\.pem/),
      expect.stringMatching(/^2 yodel: --bus-prefix needs --bus URL/),
    ]);
  });
});
