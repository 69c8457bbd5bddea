/** `yodel bus check`: what it prints, and its exit status. */
import { expect, test } from 'vitest';
import { BrokerProgram, withBrokers } from '../../bus/broker/programs.ts';
import { temporaryFile, temporaryFolder } from '../../support/files.ts';
import { yodel } from '../../support/process/command.ts';

const check = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => yodel(['bus', 'check', ...args], { env });

withBrokers('what is found out is text or JSON, and only --strict minds warnings', async () => {
  const broker = await BrokerProgram.start('redis');
  const [text, json, strict, fromEnvironment] = await Promise.all([
    check([broker.url()]),
    check([broker.url(), '--json']),
    check([broker.url(), '--strict']),
    check([], { YODEL_BUS: broker.url() }),
  ]);
  expect(text.stdout.toString()).toMatch(
    new RegExp(
      `^engine       Redis \\d+\\.\\d+\\.\\d+ at 127\\.0\\.0\\.1:${broker.port}, standalone, a primary
connection   no TLS, without credentials, lets everyone in, only from this machine
rooms        messages pass below "yodel\\."
histories    .+
memory       .+ in use, maxmemory unlimited, eviction policy noeviction
limits       slow subscribers are disconnected above 32\\.0 MiB, or above 8\\.00 MiB for 60 s; longest value 512 MiB
persistence  no append-only file; snapshots none
round trip   p50 .+, p99 .+, max .+, of \\d+ messages from one connection to another
warning: appendonly is off: everything in histories is lost when it restarts, although it was acknowledged
$`,
    ),
  );
  expect([text.status, text.stderr]).toEqual([0, '']);
  expect([strict.status, strict.stdout.toString().split('\n').length]).toEqual([
    3,
    text.stdout.toString().split('\n').length,
  ]);
  expect(fromEnvironment.status).toBe(0);
  expect(json.status).toBe(0);
  const object = JSON.parse(json.stdout.toString());
  expect(object).toMatchObject({
    bus: `Redis at 127.0.0.1:${broker.port}`,
    engine: 'Redis',
    rooms: { works: true },
    memoryLimit: 'none',
    appendOnly: false,
    roundTrips: { p50Ms: expect.any(Number) },
    warnings: [expect.stringMatching(/^appendonly is off/)],
    problems: [],
  });
});

withBrokers('what does not work is a problem; a password is never shown', async () => {
  const users =
    'authorization { users = [{ user: chat, password: opensesame, permissions: { publish: "a.>", subscribe: "a.>" } }] }';
  const broker = await BrokerProgram.start('nats', ['-c', temporaryFile('nats.conf', users)]);
  const credentials = temporaryFile('credentials', 'chat:opensesame\n');
  const outcomes = await Promise.all([
    check([broker.url(), '--bus-credentials', credentials, '--bus-prefix', 'a']),
    check([broker.url('chat:opensesame@')]),
    check([broker.url('chat:opensesame2@')]),
    check([broker.url('chat:opensesame@').replace('nats:', 'gnats:')]),
    check([broker.url('chat:opensesame@'), '--monitor', 'http://chat:opensesame@127.0.0.1']),
    check([broker.url('chat:opensesame@'), '--monitor', `http://127.0.0.1:${broker.port}`]),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual([0, 1, 1, 2, 2, 1]);
  const [allowed, outside, wrong] = outcomes;
  expect(allowed?.stdout.toString()).toMatch(
    /^connection {3}no TLS, with credentials, lets nobody in without credentials/m,
  );
  expect(outside?.stdout.toString()).toMatch(
    /^problem: rooms do not work: Permissions Violation for Subscription to "yodel\./m,
  );
  expect(wrong?.stderr).toMatch(
    /^yodel: no connection to NATS at 127\.0\.0\.1:\d+: Authorization Violation: it does not accept /,
  );
  for (const { stdout, stderr } of outcomes) expect(`${stdout}${stderr}`).not.toMatch(/opensesame/);
});

withBrokers('JetStream is said to be as safe as it is', async () => {
  const broker = await BrokerProgram.start('nats', ['-js', '-sd', temporaryFolder()]);
  const { status, stdout } = await check([broker.url(), '--strict']);
  expect(status).toBe(3);
  expect(stdout.toString()).toMatch(
    /^persistence {2}JetStream: memory 0 bytes of any, storage 0 bytes of any, in an unknown /m,
  );
  expect(stdout.toString()).toMatch(/^warning: JetStream of NATS 2\.9\.\d+ has known faults/m);
});

test('without an address it says how to give one', async () => {
  const { status, stderr } = await check([], { YODEL_BUS: undefined });
  expect([status, stderr]).toEqual([2, 'yodel: name the bus: yodel bus check URL, or set YODEL_BUS\n']);
});
