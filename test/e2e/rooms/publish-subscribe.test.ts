/** `yodel publish` and `yodel subscribe`, with real brokers. */
import { describe, expect, test } from 'vitest';
import { BrokerProgram, withBrokers } from '../../bus/broker/programs.ts';
import { dial } from '../../support/peer.ts';
import { commandPath, type Running, serve, start, yodel } from '../../support/process/command.ts';
import { folderWithYodel } from '../../support/shell.ts';

const linesOf = (text: string) => text.split('\n').slice(0, -1);
const numbers = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, at) => `${first + at}`);

/** One that sends what is written to its input. */
function publish(broker: BrokerProgram, ...args: string[]): Running {
  return start([process.execPath, commandPath, 'publish', 'news', '--bus', broker.url(), ...args]);
}

function subscribe(broker: BrokerProgram, ...args: string[]): Running {
  return start([process.execPath, commandPath, 'subscribe', 'news', '--bus', broker.url(), ...args]);
}

/** A subscription that receives what is sent from now on. */
async function subscribed(broker: BrokerProgram, ...args: string[]): Promise<Running> {
  const running = subscribe(broker, '--verbose', ...args);
  await running.saw(/subscribed to room "news"/);
  return running;
}

describe.each(['redis', 'nats'] as const)('over %s', (kind) => {
  withBrokers('lines reach members of servers and subscriptions, and what members say is printed', async () => {
    const broker = await BrokerProgram.start(kind);
    const server = await serve(['chat', '--room', 'news', '--bus', broker.url()]);
    const member = await dial(server.port);
    await member.saw(/joined/);
    const subscription = await subscribed(broker, '--count', '4');
    const published = await yodel(['publish', 'news', '--bus', broker.url()], { input: 'one\n\ntwo\x1b[2J\nthree' });
    expect(published.stderr).toBe('yodel: sent 4 messages to room "news"\n');
    expect(published.status).toBe(0);
    await member.saw(/one\n/);
    const { status, stdout } = await subscription.ended;
    expect(stdout.toString()).toBe('one\n\ntwo\x1b[2J\nthree\n');
    expect(status).toBe(0);
  });
});

withBrokers('a text is a message, in the framing that is asked for, or as JSON', async () => {
  const broker = await BrokerProgram.start('redis');
  const [framed, json] = await Promise.all([
    subscribed(broker, '--count', '3', '--framing', 'netstring'),
    subscribed(broker, '--count', '3', '--json'),
  ]);
  const outcome = await yodel(['publish', 'news', '-e', 'one', 'a\\nb', '\\xff', '-q', '--bus', broker.url()]);
  expect(outcome).toMatchObject({ status: 0, stderr: '' });
  expect((await framed.ended).stdout).toEqual(Buffer.from('3:one,3:a\nb,1:\xff,', 'latin1'));
  const objects = linesOf((await json.ended).stdout.toString()).map((line) => JSON.parse(line));
  expect(objects).toMatchObject([
    { room: 'news', bytes: 3, text: 'one', time: expect.stringMatching(/^20/) },
    { text: 'a\nb' },
    { base64: '/w==' },
  ]);
  expect(objects[0].position).toBeUndefined();
});

withBrokers(
  'what is stored while the broker is killed is in the history once, and a killed subscription goes on',
  async () => {
    const broker = await BrokerProgram.startWithStore('redis');
    const publisher = publish(broker, '--store', '--positions', '--wait', '60s');
    const received: string[] = [];
    let since = '0';
    let sent = 0;
    const send = (count: number) => {
      publisher.process.stdin?.write(`${numbers(sent + 1, sent + count).join('\n')}\n`);
      sent += count;
    };
    for (let round = 0; round < 3; round++) {
      const subscription = subscribe(broker, '--since', since, '--positions');
      send(500);
      await expect.poll(() => linesOf(publisher.stdout()).length).toBeGreaterThan(round * 1500);
      // It does not start without the broker.
      await subscription.saw(/\t\d+\n/);
      send(500);
      await broker.restart();
      send(500);
      await subscription.saw(/\t(?!0)\d+\n/);
      const { stdout } = await subscription.stop('SIGKILL');
      // A line that is not complete was not received.
      for (const line of linesOf(stdout.toString())) {
        const [position = '', text = ''] = line.split('\t');
        since = position;
        received.push(text);
      }
    }
    publisher.process.stdin?.end();
    const published = await publisher.ended;
    expect(published.stderr).toMatch(/stored 4,500 messages in room "news", the last one at \S+\n$/);
    expect(published.status).toBe(0);
    expect(linesOf(published.stdout.toString())).toHaveLength(sent);
    const rest = subscribe(broker, '--since', since, '--count', `${sent - received.length}`, '--strict');
    const all = subscribe(broker, '--history', '10000', '--count', `${sent}`);
    const { stdout, status } = await rest.ended;
    expect([...received, ...linesOf(stdout.toString())]).toEqual(numbers(1, sent));
    expect(status).toBe(0);
    expect(linesOf((await all.ended).stdout.toString())).toEqual(numbers(1, sent));
  },
);

withBrokers('a subscription that the broker has cut off says how many messages it has missed', async () => {
  const broker = await BrokerProgram.start('redis', ['--client-output-buffer-limit', 'pubsub', '100kb', '0', '0']);
  const publisher = publish(broker);
  const [subscription, strict] = await Promise.all([subscribed(broker), subscribed(broker, '--strict')]);
  // What is missed is counted from when the sender knows the subscriptions.
  // They answer a sender that is new within 50 ms.
  const greeting = setInterval(() => publisher.process.stdin?.write('hello\n'), 50);
  await Promise.all([subscription, strict].map((one) => one.saw(/^(hello\n){10}/m)));
  clearInterval(greeting);
  publisher.process.stdin?.write('the beginning\n');
  await Promise.all([subscription, strict].map((one) => one.saw(/^the beginning$/m)));
  const before = linesOf(subscription.stdout()).length;
  for (const { process: stopped } of [subscription, strict]) stopped.kill('SIGSTOP');
  const long = 'x'.repeat(100);
  // More than the buffers of sockets take.
  publisher.process.stdin?.write(`${numbers(1, 100_000).join(` ${long}\n`)} ${long}\n`);
  await expect.poll(() => /pubsub|overcoming/.test(broker.output)).toBe(true);
  for (const { process: stopped } of [subscription, strict]) stopped.kill('SIGCONT');
  const missed = () => [...subscription.stderr().matchAll(/missed ([\d,]+) messages of room "news"\n/g)];
  const count = () => missed().reduce((sum, [, text = '']) => sum + Number(text.replaceAll(',', '')), 0);
  await expect.poll(() => linesOf(subscription.stdout()).length + count()).toBe(before + 100_000);
  expect(count()).toBeGreaterThan(0);
  expect((await strict.ended).status).toBe(4);
  publisher.process.stdin?.end('the end\n');
  await subscription.saw(/^the end$/m);
  expect((await publisher.ended).status).toBe(0);
  const { status, stderr } = await subscription.stop('SIGINT');
  expect(status).toBe(130);
  expect(stderr).toMatch(/bus disconnected: .*\n[\s\S]*bus connected: /);
});

withBrokers('a new history is not taken for an old one', async () => {
  const broker = await BrokerProgram.startWithStore('redis');
  const store = (text: string) => yodel(['publish', 'news', text, '--store', '--positions', '--bus', broker.url()]);
  const position = (await store('old')).stdout.toString().trim();
  const { stderr } = await subscribe(broker, '--since', '0', '--count', '1').ended;
  expect(stderr).toBe(`yodel: to go on from here: --since ${position}\n`);
  await broker.restart('without data');
  await store('new');
  const strict = subscribe(broker, '--since', position, '--strict');
  const last = subscribe(broker, '--since', position, '--history', '5', '--positions');
  await last.saw(/\tnew\n/);
  await last.saw(/room "news" does not have everything after --since \S+ any more/);
  expect((await last.stop('SIGTERM')).status).toBe(143);
  expect((await strict.ended).status).toBe(4);
  // A reader that has seen enough: the next message finds it gone.
  const piped = start(['sh', '-c', `yodel subscribe news --history 2 --bus ${broker.url()} | head -1`], {
    env: { PATH: `${folderWithYodel()}:${process.env.PATH}` },
    hasChildren: true,
  });
  await piped.saw(/^new$/m);
  await store('newer');
  const { status, stderr: quiet } = await piped.ended;
  expect([status, quiet]).toEqual([0, '']);
});

withBrokers('a bus that is away is waited for, and then given up: the rest of the input is not sent', async () => {
  const broker = await BrokerProgram.start('redis');
  const publisher = publish(broker, '--verbose', '--wait', '1s');
  await publisher.saw(/bus connected/);
  const required = await subscribed(broker, '--bus-required');
  broker.signal('SIGKILL');
  await publisher.saw(/bus disconnected/);
  publisher.process.stdin?.end('one\ntwo\n');
  const { status, stderr } = await publisher.ended;
  expect(status).toBe(1);
  expect(stderr).toMatch(/the bus has been away for 1 s; the rest of the input is not read\n/);
  expect(stderr).toMatch(/sent 0 messages to room "news"; 2 messages not, or it is not known\n$/);
  expect((await required.ended).status).toBe(1);
});

test('what is wrong is said before anything connects', async () => {
  const outcomes = await Promise.all([
    yodel(['publish', 'news', 'x']),
    yodel(['subscribe', 'a room']),
    yodel(['publish', '', 'x', '--bus', 'redis://127.0.0.1']),
    yodel(['publish', 'news', 'x', '--positions', '--bus', 'redis://127.0.0.1']),
    yodel(['subscribe', 'news', '--since', 'yesterday', '--bus', 'redis://127.0.0.1']),
    yodel(['publish', 'news', 'x', '--bus', 'redis://127.0.0.1:1']),
  ]);
  expect(outcomes.map(({ status, stderr }) => `${status} ${stderr}`)).toEqual([
    '2 yodel: which bus? Example: yodel publish news --bus redis://127.0.0.1:6379; or set YODEL_BUS\n',
    '2 yodel: which bus? Example: yodel subscribe ROOM --bus redis://127.0.0.1:6379; or set YODEL_BUS\n',
    '2 yodel: the name of a room has at least 1 byte\n',
    '2 yodel: --positions needs --store: only stored messages have one\n',
    '2 yodel: not a position in the history of a room: "yesterday"\n',
    expect.stringMatching(/^1 yodel: no connection to Redis at 127\.0\.0\.1:1: .*ECONNREFUSED.*\n$/),
  ]);
});
