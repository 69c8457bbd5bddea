/** What `yodel bench` sends to, and measures with, correct servers. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bench } from '../../support/bench.ts';
import { temporaryFile, temporaryFolder } from '../../support/files.ts';
import { serve, yodel } from '../../support/process/command.ts';
import { listen } from '../../support/servers.ts';

/** An echo server that keeps what it received, in order of arrival over all connections. */
async function listeningEcho(): Promise<{ address: string; received(): string; connections(): number }> {
  let received = '';
  let connections = 0;
  const { address } = await listen((socket) => {
    connections++;
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      socket.write(chunk);
    });
    socket.on('end', () => socket.end());
  });
  return { address, received: () => received, connections: () => connections };
}

test('sends exactly the requested number of messages of the requested size', async () => {
  for (const [how, ...args] of [
    ['one at a time'],
    ['many at a time', '-P', '7'],
    ['at a rate', '--rate', '10k/s'],
    ['from two processes', '--threads', '2', '-P', '3'],
    ['without replies', '--replies', 'none'],
    ['counting replies', '--replies', 'count'],
  ] as [string, ...string[]][]) {
    const server = await listeningEcho();
    const { report, status } = await bench([server.address, '-n', '501', '-c', '5', '--size', '20', ...args]);
    const lines = server.received().split('\n');
    expect(lines.pop(), how).toBe('');
    expect(lines.length, how).toBe(501);
    expect(
      lines.every((line) => line.length === 20),
      how,
    ).toBe(true);
    expect(server.connections(), how).toBe(5);
    expect(report.messages.sent, how).toBe(501);
    expect({ status, errors: report.errors, ended: report.ended }, how).toEqual({
      status: 0,
      errors: [],
      ended: 'done',
    });
  }
});

const framings = ['lines', 'delimiter:\\0', 'delimiter:ab', 'length:4', 'length:2,little,offset=3,inclusive', 'raw'];

for (const framing of framings) {
  test(`with the framing ${framing}, compares each reply with its message`, async () => {
    const server = await serve(['--framing', framing, '--quiet']);
    for (const replies of framing === 'raw' ? ['echo'] : ['echo', 'count']) {
      const args = ['--framing', framing, '-n', '3000', '-c', '3', '-P', '10', '--replies', replies];
      const { report, status, stderr } = await bench([server.address, ...args]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(report.messages).toEqual({ sent: 3000, answered: 3000, unanswered: 0 });
      expect(report.options).toMatchObject({ framing, replies, size: 64, pipeline: 10, connections: 3 });
    }
  });
}

test('measures a server at a Unix socket', async () => {
  const address = `unix://${join(temporaryFolder(), 'socket')}`;
  await serve(['--listen', address, '--quiet']);
  for (const threads of ['1', '2']) {
    const { report, status } = await bench([address, '-n', '1000', '--threads', threads, '-c', '4']);
    expect({ status, answered: report.messages.answered, address: report.address }).toEqual({
      status: 0,
      answered: 1000,
      address,
    });
  }
});

test('sends the messages of a file in turn, and a given message unchanged', async () => {
  const server = await listeningEcho();
  const file = temporaryFile('messages', 'first\r\nsecond\n\nsch\u00f6n');
  const { report, status } = await bench([server.address, '--message-file', file, '-n', '6', '-c', '1']);
  const bytes = Buffer.from(server.received(), 'latin1').toString();
  expect(bytes).toBe('first\nsecond\n\nsch\u00f6n\nfirst\nsecond\n');
  expect({ status, size: report.options.size }).toEqual({ status: 0, size: null });

  const other = await listeningEcho();
  const ping = await bench([other.address, '--message', 'PING', '-n', '3', '-c', '1']);
  expect(other.received()).toBe('PING\nPING\nPING\n');
  expect(ping.report.options.size).toBe(4);
});

test('sends empty messages', async () => {
  const server = await serve(['--quiet']);
  const { report, status } = await bench([server.address, '--size', '0', '-n', '100', '-c', '2', '-P', '5']);
  expect({ status, messages: report.messages }).toEqual({
    status: 0,
    messages: { sent: 100, answered: 100, unanswered: 0 },
  });
});

test('sends and compares messages of a megabyte', async () => {
  const server = await serve(['--quiet', '--max-message', '2MiB']);
  const { report, status } = await bench([server.address, '--size', '1MiB', '-n', '40', '-c', '4', '-P', '2']);
  expect({ status, messages: report.messages, bytes: report.bytes }).toEqual({
    status: 0,
    messages: { sent: 40, answered: 40, unanswered: 0 },
    bytes: { sent: 40 * 1_048_577, received: 40 * 1_048_577 },
  });
});

test('each connection has exactly -P messages in flight', async () => {
  const most: number[] = [];
  const { address } = await listen((socket) => {
    let waiting = 0;
    const index = most.push(0) - 1;
    // Answers one message when nothing has arrived for a turn of the event loop.
    socket.on('data', (chunk: Buffer) => {
      waiting += chunk.toString().split('x\n').length - 1;
      most[index] = Math.max(most[index] ?? 0, waiting);
      setImmediate(() => {
        socket.write('x\n');
        waiting--;
      });
    });
  });
  // The server answers one message per chunk, so some remain at the end; it does not wait long for those.
  await bench([address, '--message', 'x', '-n', '60', '-c', '3', '-P', '4', '--timeout', '1s']);
  expect(most).toEqual([4, 4, 4]);
});

test('ends after --duration, or --count if that is sooner', async () => {
  const server = await serve(['--quiet']);
  const timed = await bench([server.address, '-d', '300ms', '-c', '2']);
  expect(timed.report.seconds).toBeGreaterThan(0.29);
  expect(timed.report.messages.answered).toBeGreaterThan(0);
  const counted = await bench([server.address, '-d', '20s', '-n', '10', '-c', '2']);
  expect(counted.report.seconds).toBeLessThan(20);
  expect(counted.report.messages.answered).toBe(10);
});

test('with --rate, reports target and achieved rate, and sends every message', async () => {
  const server = await serve(['--quiet']);
  for (const threads of ['1', '2']) {
    const { report, status } = await bench([
      server.address,
      ...['--rate', '500/s', '-d', '400ms', '-c', '7', '--threads', threads],
    ]);
    expect(report.messages).toEqual({ sent: 200, answered: 200, unanswered: 0 });
    expect(report.rate.target).toBe(500);
    expect(report.rate.achieved).toBeLessThanOrEqual(500);
    expect(report.generator.lateness?.max).toBeGreaterThanOrEqual(0);
    expect({ status, pipeline: report.options.pipeline }).toEqual({ status: 0, pipeline: null });
  }
});

test('several processes report as one', async () => {
  const server = await serve(['--quiet']);
  const { report, status } = await bench([server.address, '--threads', '3', '-c', '8', '-d', '1200ms']);
  expect(status).toBe(0);
  expect(report.connections).toEqual({ wanted: 8, opened: 8, lost: 0 });
  expect(report.intervals.map(({ at }) => at).slice(0, 2)).toEqual([0, 1]);
  expect(report.options.threads).toBe(3);
});

test('with --replies none, counts what the operating system accepted', async () => {
  const server = await serve(['discard', '--quiet']);
  const { report, status } = await bench([server.address, '--replies', 'none', '-d', '300ms', '-c', '3', '-P', '10']);
  expect(status).toBe(0);
  expect(report.messages).toEqual({ sent: report.messages.sent, answered: 0, unanswered: 0 });
  expect(report.messages.sent).toBeGreaterThan(100);
  expect({ latency: report.latency, received: report.bytes.received }).toEqual({ latency: null, received: 0 });
});

test('prints the summary on stdout; stderr is empty when it is not a terminal', async () => {
  const server = await serve(['--quiet']);
  const { stdout, stderr, status } = await yodel(['bench', server.address, '-n', '1000', '-c', '10']);
  expect(stdout.toString()).toMatch(/1,000 messages answered/);
  expect(stdout.toString()).toMatch(/p99 /);
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
});
