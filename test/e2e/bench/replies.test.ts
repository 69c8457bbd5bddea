/** What `yodel bench` takes for a reply: not a greeting, not what is pushed, and errors only as errors. */
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { bench, errorCount } from '../../support/bench.ts';
import { yodel } from '../../support/process/command.ts';
import { listen } from '../../support/servers.ts';

/** Answers each line after a delay, in order. */
function answers(socket: Socket, delayMs: number, reply: (line: string) => string): void {
  let rest = '';
  socket.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) setTimeout(() => socket.writable && socket.write(reply(line)), delayMs);
  });
}

const delayMs = 60;
/** Timers may fire early by a millisecond or two. */
const least = delayMs - 2;

test('a greeting is not the first reply, also if nothing is known of it', async () => {
  const { address } = await listen((socket) => {
    setTimeout(() => socket.write('hello\n'), 5);
    answers(socket, delayMs, (line) => `ok ${line}\n`);
  });
  const common = [address, '-c', '3', '-n', '9', '--message', 'x', '--replies', 'count'];
  const learned = await bench(common);
  const given = await bench([...common, '--greeting', '1', '--threads', '2']);
  for (const { report, status } of [learned, given]) {
    expect({ status, errors: report.errors, answered: report.messages.answered }).toEqual({
      status: 0,
      errors: [],
      answered: 9,
    });
    expect(report.latency?.min).toBeGreaterThan(least);
  }
  expect([learned.report.replies.unasked, given.report.replies.unasked]).toEqual([3, 0]);
});

test('a protocol brings its greeting, which is waited for before anything is sent', async () => {
  const order: string[] = [];
  const { address } = await listen((socket) => {
    setTimeout(() => {
      order.push('greeted');
      socket.write('220-mail.example\r\n220 ready\r\n');
    }, 200);
    socket.once('data', () => order.push('request'));
    answers(socket, delayMs, () => '250 ok\r\n');
  });
  const { report, status } = await bench([address, '-c', '1', '-n', '2', '--protocol', 'smtp', '--message', 'NOOP']);
  expect({ status, errors: report.errors }).toEqual({ status: 0, errors: [] });
  expect(order).toEqual(['greeted', 'request']);
  expect(report.latency?.min).toBeGreaterThan(least);
});

test('echoes may follow a greeting', async () => {
  const { address } = await listen((socket) => {
    socket.write('hello\n');
    socket.pipe(socket);
  });
  const { report, status } = await bench([address, '-c', '2', '-n', '20', '--greeting', '1']);
  expect({ status, errors: report.errors, answered: report.messages.answered }).toEqual({
    status: 0,
    errors: [],
    answered: 20,
  });
});

test('a greeting that does not come is a time-out, not a run', async () => {
  const { address } = await listen((socket) => void socket.pipe(socket));
  const args = ['bench', address, '-n', '1', '-c', '1', '--greeting', '1', '--timeout', '100ms'];
  const { stdout, stderr, status } = await yodel(args);
  expect(stdout.toString()).toBe('');
  expect(stderr).toBe(
    'yodel: the server did not send its whole greeting on connection 1 within 100 ms; ' +
      'if it sends less before any request, give its number of messages with --greeting\n',
  );
  expect(status).toBe(4);
});

test('when the server sends more than replies, the latencies in doubt are left out, and the status tells', async () => {
  const { address } = await listen((socket) => {
    let count = 0;
    answers(socket, 5, (line) => (++count === 2 ? `news\nok ${line}\n` : `ok ${line}\n`));
  });
  const args = [address, '-c', '1', '-n', '6', '--message', 'x', '--replies', 'count'];
  const { report, status } = await bench(args);
  expect(status).toBe(3);
  expect(errorCount(report, 'YODEL_UNEXPECTED_REPLY')).toBeGreaterThan(0);
  expect(report.replies.untimed).toBeGreaterThan(0);
});

test('a reply too many after the last message is noticed before the run ends', async () => {
  const { address } = await listen((socket) => {
    answers(socket, 5, (line) => {
      setTimeout(() => socket.write('ping\n'), 2);
      return `${line}\n`;
    });
  });
  for (const replies of ['echo', 'count']) {
    const { report, status } = await bench([address, '-c', '1', '-n', '1', '--message', 'ping', '--replies', replies]);
    expect({ status, errors: errorCount(report, 'YODEL_UNEXPECTED_REPLY') }).toEqual({ status: 3, errors: 1 });
    expect({ latency: report.latency, untimed: report.replies.untimed }).toEqual({ latency: null, untimed: 1 });
  }
});

test('replies that report an error are counted apart, with exit status 3, unless assertions are about errors', async () => {
  const { address } = await listen((socket) => {
    let count = 0;
    answers(socket, 1, (line) => (++count % 4 === 0 ? 'error: busy\n' : `ok ${line}\n`));
  });
  const args = [address, '-c', '1', '-n', '8', '--message', 'x', '--replies', 'count'];
  const { report, status } = await bench(args);
  expect(report.errors).toEqual([
    { code: 'YODEL_ERROR_REPLY', count: 2, example: 'connection 1: the reply reports an error: "error: busy"' },
  ]);
  expect({ answered: report.messages.answered, failed: report.replies.failed }).toEqual({ answered: 8, failed: 2 });
  expect(status).toBe(3);
  expect((await bench([...args, '--assert', 'errors <= 2'])).status).toBe(0);
  expect((await bench([...args, '--no-error-pattern'])).report.errors).toEqual([]);
});

test('--error-pattern says what an error is, and that replies are no echoes', async () => {
  const { address } = await listen((socket) => answers(socket, 1, () => '-ERR unknown command\n'));
  const { report, status } = await bench([address, '-c', '2', '-n', '4', '--message', 'x', '--error-pattern', '^-ERR']);
  expect(report.replies.failed).toBe(4);
  expect({ status, latency: report.latency }).toEqual({ status: 3, latency: null });
});

test('a server that refuses connections with an error is not measured', async () => {
  const { address } = await listen((socket) => socket.end('error: too many connections\n'));
  const { report, status } = await bench([address, '-c', '1', '-d', '100ms', '--replies', 'count', '--message', 'x']);
  expect(errorCount(report, 'YODEL_ERROR_REPLY')).toBeGreaterThan(0);
  expect({ status, latency: report.latency }).toEqual({ status: 3, latency: null });
});
