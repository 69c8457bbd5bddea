/** Load tests that play a transcript, against servers of this process. */
import type * as net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type LoadSettings, sharesOf } from '../../../src/load/plan.ts';
import { ScenarioGenerator } from '../../../src/load/scenario/generator.ts';
import { scriptOf } from '../../../src/load/scenario/script.ts';
import { Tally } from '../../../src/load/tally.ts';
import { parseTranscript } from '../../../src/transcript/parse.ts';
import { listen } from '../../support/servers.ts';
import { settingsOf } from '../settings.ts';

/** Plays a transcript to the end of the run. */
async function run(lines: readonly string[], settings: Partial<LoadSettings>) {
  const transcript = parseTranscript(lines.join('\n'), 'test.transcript');
  const text = {
    ...{ file: 'test.transcript', lines, included: {}, variables: {}, modules: [], hasWire: false },
    requests: scriptOf(transcript).requests,
  };
  const total = new Tally();
  const [share] = sharesOf(settingsOf({ transcript: text, durationMs: null, replies: 'count', ...settings }));
  if (!share) throw new Error('no share');
  const generator = new ScenarioGenerator(share, (_, tally) => total.add(tally));
  onTestFinished(() => generator.stop());
  const failure = await generator.open();
  if (failure) return { failure, total, end: undefined };
  generator.run(performance.now());
  return { end: await generator.ended, total, failure };
}

/** A server that answers line by line, and keeps what each connection sent. */
async function answering(
  reply: (line: string, socket: net.Socket, connection: number) => string | undefined,
  greeting = '',
) {
  const sent: string[][] = [];
  const { address } = await listen((socket) => {
    const connection = sent.push([]);
    let rest = '';
    socket.write(greeting);
    socket.on('end', () => socket.end());
    socket.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        sent[connection - 1]?.push(line);
        const answer = reply(line, socket, connection);
        if (answer !== undefined && socket.writable) socket.write(answer);
      }
    });
  });
  return { address, sent };
}

const session = [
  ...['> login user{connection=0}', '< token {token}', '@repeat', '> get {token}', '< value {value}'],
  ...['> put {value} {token}', '< done', '@end', '> bye', '< bye'],
];

/** Logs in, hands out numbers, and checks that what it is sent is what it said. */
function accounts() {
  const values = new Map<number, number>();
  return answering((line, _, connection) => {
    const [command, first, second] = line.split(' ');
    if (command === 'login') return `token t${first}\n`;
    if (command === 'bye') return 'bye\n';
    const value = (values.get(connection) ?? connection * 1000) + 1;
    if (command === 'get') {
      values.set(connection, value);
      return `value ${value}\n`;
    }
    return Number(first) === value - 1 && second?.startsWith('tuser') ? 'done\n' : `wrong ${line}\n`;
  });
}

test('logs in once, plays the marked block over and over, and says goodbye, each connection with its own values', async () => {
  const { address, sent } = await accounts();
  const { end, total } = await run(session, { address, connections: 3, count: 12 });
  expect(end?.ended).toBe('done');
  expect([...total.errors]).toEqual([]);
  expect(sent.length).toBe(3);
  for (const [index, lines] of sent.entries()) {
    expect(lines.filter((line) => line.startsWith('login'))).toEqual([lines[0]]);
    expect(lines.at(-1)).toBe('bye');
    expect(lines[1]).toBe(`get t${lines[0]?.slice('login '.length)}`);
    expect(lines.length, String(index)).toBeGreaterThanOrEqual(2);
  }
  expect(sent.map(([login]) => login).sort()).toEqual(['login user1', 'login user2', 'login user3']);
  expect({ rounds: total.rounds, sent: total.sent, answered: total.answered, opened: total.opened }).toEqual({
    ...{ rounds: 12, sent: 24, answered: 24, opened: 3 },
  });
  expect([0, 1].map((index) => total.request(index).latency.count)).toEqual([12, 12]);
  expect(total.latency.count).toBe(24);
});

test('a request takes until the last line of its replies', async () => {
  const { address } = await answering((line, socket) => {
    if (line === 'fast') return 'ok\n';
    setTimeout(() => socket.write('last\n'), 50);
    return 'first\n';
  });
  const lines = ['@repeat', '> slow', '< first', '< last', '> fast', '< ok', '@end'];
  const { total } = await run(lines, { address, connections: 1, count: 3 });
  // Timers may fire early by a millisecond or two.
  expect(total.request(0).latency.min).toBeGreaterThan(48);
  expect(total.request(1).latency.count).toBe(3);
  expect(total.request(1).latency.min).toBeLessThan(total.request(0).latency.min);
});

test('several lines before the replies are one request', async () => {
  const { address } = await answering((line) => (line === 'c' ? 'ok\n' : undefined));
  const { total } = await run(['@repeat', '> a', '> b', '> c', '< ok', '@end'], { address, connections: 1, count: 4 });
  expect([0, 1, 2].map((index) => total.request(index).sent)).toEqual([4, 0, 0]);
  expect({ sent: total.sent, answered: total.answered, errors: total.errorCount }).toEqual({
    sent: 4,
    answered: 4,
    errors: 0,
  });
});

test('differences are errors, with the place, and their latencies are not recorded', async () => {
  let count = 0;
  const { address } = await answering((line) => (line === 'b' && ++count % 2 === 0 ? 'no\n' : 'ok\n'));
  const lines = ['@repeat', '> a', '< ok', '> b', '< ok', '@end'];
  const { total } = await run(lines, { address, connections: 1, count: 6 });
  expect([...total.errors]).toEqual([
    [
      'YODEL_UNEXPECTED_MESSAGE :5',
      { count: 3, example: expect.stringMatching(/^test\.transcript:5: .*\(expected < ok, got < no\)$/) },
    ],
  ]);
  expect(total.request(1)).toMatchObject({ sent: 6, errors: 3 });
  expect([0, 1].map((index) => total.request(index).latency.count)).toEqual([6, 3]);
  expect({ sent: total.sent, answered: total.answered, rounds: total.rounds }).toEqual({
    sent: 12,
    answered: 9,
    rounds: 6,
  });
});

test('a reply that does not come is an error after the time-out', async () => {
  const { address } = await answering(() => undefined);
  const { total } = await run(['@repeat', '> a', '< ok', '@end'], {
    address,
    connections: 1,
    count: 1,
    timeoutMs: 100,
  });
  expect([...total.errors.values()].map(({ example }) => example)).toEqual([
    expect.stringMatching(/^test\.transcript:3: no message within 100 ms/),
  ]);
  expect({ answered: total.answered, latencies: total.latency.count }).toEqual({ answered: 0, latencies: 0 });
});

test('without a marked block, each round is the whole transcript over a new connection', async () => {
  const { address, sent } = await answering((line) => `you said ${line}\n`);
  const { end, total } = await run(['> one', '< you said one', '> two', '< you said {what}'], {
    ...{ address, connections: 2, count: 6 },
  });
  expect(end?.ended).toBe('done');
  expect(sent).toEqual(new Array(6).fill(['one', 'two']));
  expect({ rounds: total.rounds, errors: total.errorCount, connects: total.connect.count }).toEqual({
    ...{ rounds: 6, errors: 0, connects: 6 },
  });
});

test('a connection that is lost logs in again', async () => {
  let gets = 0;
  const { address, sent } = await answering((line, socket) => {
    if (line === 'login') return 'ok\n';
    if (++gets === 3) {
      socket.destroy();
      return undefined;
    }
    return 'value\n';
  });
  const lines = ['> login', '< ok', '@repeat', '> get', '< value', '@end'];
  const { end, total } = await run(lines, { address, connections: 1, count: 6 });
  expect(end?.ended).toBe('done');
  expect(sent).toEqual([
    ['login', 'get', 'get', 'get'],
    ['login', 'get', 'get', 'get'],
  ]);
  expect({ lost: total.lost, answered: total.answered }).toEqual({ lost: 1, answered: 5 });
  expect(total.errorCount).toBeGreaterThan(0);
});

test('a login that fails everywhere is not a run', async () => {
  const { address } = await answering(() => 'denied\n');
  const { failure } = await run(['> login', '< ok', '@repeat', '> a', '< b', '@end'], { address, connections: 2 });
  expect(failure).toMatchObject({ code: 'YODEL_UNEXPECTED_MESSAGE' });
  expect(failure?.message).toMatch(/^test\.transcript:2: .*expected < ok, got < denied/);
});

test('with a rate, rounds begin on schedule, and one that had to wait for a connection counts from when it was due', async () => {
  const { address } = await answering((_, socket) => {
    setTimeout(() => socket.write('ok\n'), 40);
    return undefined;
  });
  const lines = ['@repeat', '> a', '< ok', '@end'];
  const { total, end } = await run(lines, { address, connections: 1, pipeline: null, rate: 100, count: 10 });
  expect(end?.ended).toBe('done');
  expect(total.answered).toBe(10);
  // The tenth round is due after 90 ms and begins after nine others of 40 ms.
  expect(total.latency.max).toBeGreaterThan(250);
});

test('several clients of a transcript are connections of one user', async () => {
  const sockets: net.Socket[] = [];
  const { address } = await answering((line, socket) => {
    if (!sockets.includes(socket)) sockets.push(socket);
    if (line.startsWith('say')) for (const one of sockets) if (one !== socket) one.write(`${line}\n`);
    return 'ok\n';
  });
  const lines = [
    'Ada> hello',
    'Ada< ok',
    'Bob> hello',
    'Bob< ok',
    '@repeat',
    'Ada> say {random:4}',
    'Ada< ok',
    'Bob< say {x}',
    '@end',
  ];
  const { total } = await run(lines, { address, connections: 1, count: 5 });
  expect([...total.errors]).toEqual([]);
  expect({ rounds: total.rounds, answered: total.answered }).toEqual({ rounds: 5, answered: 5 });
});

for (const [what, marks] of [
  ['a marked block', ['@repeat', '@end']],
  ['a connection for each round', []],
] as const) {
  const [begin = [], end = []] = marks.map((mark) => [mark]);
  const asking = [...begin, '> hi', '< ok', ...end];

  test(`a reply too many: all latencies are taken back, with ${what}`, async () => {
    const { address } = await answering(() => 'ok\nok\n');
    const { end: ended, total } = await run(asking, { address, connections: 1, count: 4 });
    expect(ended?.ended).toBe('done');
    expect(recordedIn(total)).toBe(0);
    expect(total.errors.size).toBeGreaterThan(0);
  });

  test(`a greeting that looks like a reply: no latency is that of another message, with ${what}`, async () => {
    const { address } = await answering((_, socket) => {
      setTimeout(() => socket.writable && socket.write('ok\n'), 150);
      return undefined;
    }, 'ok\n');
    const { total } = await run(asking, { address, connections: 1, count: 3 });
    expect(recordedIn(total)).toBe(0);
    expect(total.errors.size).toBeGreaterThan(0);
  });
}

test('an unexpected message that is no reply casts no doubt on latencies', async () => {
  const { address } = await answering(() => 'ok\nnews\n');
  const { total } = await run(['@repeat', '> hi', '< ok', '@end'], { address, connections: 1, count: 3 });
  expect(total.untimed).toBe(0);
  expect(total.errors.size).toBeGreaterThan(0);
});

test('any messages may follow the last round where the file says so', async () => {
  const { address } = await answering(() => 'ok\nok\n');
  const { total } = await run(['@repeat', '> hi', '< ok', '@end', '<*'], { address, connections: 1, count: 1 });
  expect([...total.errors]).toEqual([]);
  expect(recordedIn(total)).toBe(1);
});

/** The latencies that were not taken back. */
function recordedIn(total: Tally): number {
  return total.latency.count - total.untimed;
}

test('a message that no line expects is shown with the line after which it came', async () => {
  const { address } = await answering((line) => (line === 'get' ? 'value\nmore\n' : 'done\n'));
  const lines = ['> login', '< done', '@repeat', '> get', '< value', '@wait 50ms', '> put', '< done', '@end'];
  const { total } = await run(lines, { address, connections: 1, count: 1 });
  expect(JSON.stringify([...total.errors])).toMatch(/test\.transcript:5: an unexpected message \(got < more\)/);
});
