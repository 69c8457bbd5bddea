/** `yodel bench` with faulty servers. */
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import type { BenchReport } from '../../../src/load/result/report.ts';
import { bench, errorCount } from '../../support/bench.ts';
import { childrenOf } from '../../support/process/children.ts';
import { commandPath, serve, start, yodel } from '../../support/process/command.ts';
import { listen } from '../../support/servers.ts';

test('a refused connection is one line and exit status 1, with nothing on stdout', async () => {
  for (const threads of ['1', '2']) {
    const args = ['bench', '127.0.0.1:1', '--threads', threads, '--json'];
    const { stdout, stderr, status } = await yodel(args);
    expect(stderr).toMatch(/^yodel: cannot connect to tcp:\/\/127\.0\.0\.1:1: connection refused[^\n]*\n$/);
    expect({ stdout: stdout.toString(), status }).toEqual({ stdout: '', status: 1 });
  }
  const unix = await yodel(['bench', 'unix:///nowhere/at/all']);
  expect(unix.stderr).toMatch(/^yodel: cannot connect to unix:\/\/\/nowhere\/at\/all: [^\n]*\n$/);
  expect(unix.status).toBe(1);
});

test('a server that sends nothing causes time-outs, and exit status 4', async () => {
  const { address } = await listen((socket) => socket.resume());
  const { report, status } = await bench([address, '-d', '100ms', '-c', '3', '-P', '2', '--timeout', '300ms']);
  expect(report.messages).toEqual({ sent: 6, answered: 0, unanswered: 6 });
  expect(report.errors).toEqual([
    { code: 'YODEL_REPLY_TIMEOUT', count: 6, example: 'the server sent no reply on connection 1 within 300 ms' },
  ]);
  expect({ status, ended: report.ended }).toEqual({ status: 4, ended: 'done' });
});

test('a silent server does not block --count forever', async () => {
  const { address } = await listen((socket) => socket.resume());
  const { report, status } = await bench([address, '-n', '1m', '-c', '2', '--timeout', '200ms']);
  expect(report.messages.answered).toBe(0);
  expect({ status, ended: report.ended }).toEqual({ status: 4, ended: 'failed' });
});

test('reports a server that answers too much, with exit status 3', async () => {
  const { address } = await listen((socket) => {
    socket.on('data', (chunk: Buffer) => socket.write(Buffer.concat([chunk, chunk])));
  });
  for (const replies of ['echo', 'count']) {
    const { report, status } = await bench([address, '-n', '20', '-c', '2', '--replies', replies]);
    expect(report.errors).toEqual([
      {
        code: 'YODEL_UNEXPECTED_REPLY',
        count: 20,
        example: expect.stringMatching(/^connection [12]: the server sent more replies than expected, after 1 reply$/),
      },
    ]);
    // The first reply was right, and each connection was replaced for the next message.
    expect(report.messages.answered).toBe(20);
    expect(report.connections.lost).toBe(20);
    expect(status).toBe(3);
  }
});

test('a greeting is an unexpected reply', async () => {
  const { address } = await listen((socket) => {
    socket.write('220 welcome\r\n');
    socket.resume();
  });
  const { report, status } = await bench([address, '-d', '250ms', '-c', '2', '--timeout', '5s']);
  const codes = report.errors.map(({ code }) => code);
  expect(codes.filter((code) => code !== 'YODEL_UNEXPECTED_REPLY' && code !== 'YODEL_WRONG_REPLY')).toEqual([]);
  expect(report.messages.answered).toBe(0);
  expect(status).toBe(3);
});

test('shows a wrong byte and the expected one, with exit status 3', async () => {
  const { address } = await listen((socket) => {
    let count = 0;
    socket.on('data', (chunk: Buffer) => socket.write(++count === 3 ? chunk.toString().toUpperCase() : chunk));
  });
  const { report, status } = await bench([address, '-n', '9', '-c', '1', '--message', 'h\u00e9llo']);
  expect(report.errors).toEqual([
    {
      code: 'YODEL_WRONG_REPLY',
      count: 3,
      example: 'message 3 of connection 1: expected 7 bytes "h\\xc3\\xa9llo\\n", got "H\\xc3\\x89LLO\\n"',
    },
  ]);
  expect(report.messages).toEqual({ sent: 9, answered: 6, unanswered: 3 });
  expect(report.connections).toEqual({ wanted: 1, opened: report.connections.opened, lost: 3 });
  expect(status).toBe(3);
});

test('escapes what a server sends back', async () => {
  const { address } = await listen((socket) => {
    socket.on('data', () => socket.write('\x1b[31m\u202eevil\n'));
  });
  const { stdout, stderr, status } = await yodel(['bench', address, '-n', '1', '-c', '1']);
  for (const harmful of ['\x1b', '\u202e']) expect(stdout.toString() + stderr).not.toContain(harmful);
  expect(stdout.toString()).toContain('\\x1b[31m');
  expect(status).toBe(3);
});

test('detects replies mixed up between two connections', async () => {
  const sockets: Socket[] = [];
  const { address } = await listen((socket) => {
    const other = sockets.push(socket) % 2 === 0 ? sockets.length - 2 : sockets.length;
    let count = 0;
    // The tenth reply goes to another connection.
    socket.on('data', (chunk: Buffer) => (++count === 10 ? sockets[other] : socket)?.write(chunk));
  });
  const { report, status } = await bench([address, '-n', '100', '-c', '2', '-P', '4', '--timeout', '500ms']);
  expect(errorCount(report, 'YODEL_WRONG_REPLY') + errorCount(report, 'YODEL_UNEXPECTED_REPLY')).toBeGreaterThan(0);
  expect(status).toBe(3);
});

test('detects a missing reply with the next one', async () => {
  const { address } = await listen((socket) => {
    let rest = '';
    let count = 0;
    socket.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (++count !== 5) socket.write(`${line}\n`);
    });
  });
  const { report, status } = await bench([address, '-n', '8', '-c', '1', '-P', '8']);
  expect(report.errors[0]).toMatchObject({ code: 'YODEL_WRONG_REPLY', count: 1 });
  expect(report.errors[0]?.example).toMatch(/^message 5 of connection 1: expected 65 bytes "1-5-.*got "1-6-/);
  expect({ answered: report.messages.answered, status }).toEqual({ answered: 4, status: 3 });
});

test('reconnects when a server closes in the middle, with exit status 1', async () => {
  const { address } = await listen((socket) => {
    let count = 0;
    socket.on('data', (chunk: Buffer) => {
      if (++count < 3) socket.write(chunk);
      else socket.end();
    });
  });
  const { report, status } = await bench([address, '-n', '6', '-c', '1']);
  expect(report.errors).toEqual([
    {
      code: 'YODEL_CONNECTION_CLOSED',
      count: 2,
      example: 'the server closed connection 1 after 2 replies, with 1 message unanswered',
    },
  ]);
  expect(report.messages).toEqual({ sent: 6, answered: 4, unanswered: 2 });
  expect({ status, opened: report.connections.opened, lost: report.connections.lost }).toEqual({
    status: 1,
    opened: 2,
    lost: 2,
  });
});

test('reports a reset connection as such', async () => {
  const { address } = await listen((socket) => socket.once('data', () => socket.resetAndDestroy()));
  const { report, status } = await bench([address, '-n', '2', '-c', '2']);
  expect(report.errors).toEqual([
    {
      code: 'YODEL_CONNECTION_RESET',
      count: 2,
      example: expect.stringMatching(
        /^connection [12] broke after 0 replies, with 1 message unanswered: the peer reset/,
      ),
    },
  ]);
  expect(status).toBe(1);
});

test('ends when the server goes away, and reports what was measured before', async () => {
  const server = await serve();
  const running = bench([server.address, '-d', '60s', '--rate', '100/s', '-c', '3', '--timeout', '500ms']);
  await server.saw(/64 B 3-1-/);
  await server.stop('SIGKILL');
  const { report, status } = await running;
  expect(report.messages.answered).toBeGreaterThan(0);
  expect(errorCount(report, 'YODEL_CONNECTION_REFUSED')).toBeGreaterThan(0);
  expect(report.seconds).toBeLessThan(30);
  expect({ status, ended: report.ended }).toEqual({ status: 1, ended: 'failed' });
});

test('measures a server at its connection limit with the connections it accepts', async () => {
  const server = await serve(['--quiet', '--max-connections', '2']);
  const { report, status } = await bench([server.address, '-n', '200', '-c', '4']);
  expect(report.messages.answered).toBeGreaterThan(100);
  expect(report.connections.lost).toBeGreaterThan(0);
  expect([1, 3]).toContain(status);
});

test('does not send forever to a server that reads without answering', async () => {
  const { address } = await listen((socket) => socket.resume());
  const { report, status } = await bench([
    address,
    '--rate',
    '1m/s',
    '-d',
    '1500ms',
    '-c',
    '2',
    '--timeout',
    '3s',
    '--size',
    '1',
  ]);
  expect(errorCount(report, 'YODEL_TOO_MANY_UNANSWERED') + report.messages.sent).toBe(1_500_000);
  expect(errorCount(report, 'YODEL_TOO_MANY_UNANSWERED')).toBeGreaterThan(0);
  expect(report.messages.answered).toBe(0);
  expect(status).toBe(1);
});

test('when one of several processes is killed, the run fails with the results of the others', async () => {
  const server = await serve(['--no-messages']);
  const running = start([
    process.execPath,
    commandPath,
    'bench',
    server.address,
    '--threads',
    '2',
    '-c',
    '2',
    '-d',
    '2s',
    '--json',
  ]);
  await server.saw(/(connected[\s\S]*){2}/);
  const [child] = childrenOf(running.pid);
  process.kill(child as number, 'SIGKILL');
  const { stdout, status } = await running.ended;
  const report = JSON.parse(stdout.toString()) as BenchReport;
  expect(report.errors).toEqual([
    {
      code: 'YODEL_PROCESS_LOST',
      count: 1,
      example: expect.stringMatching(/^process [12] of 2 ended during the run: SIGKILL$/),
    },
  ]);
  expect(report.messages.answered).toBeGreaterThan(0);
  expect({ status, ended: report.ended }).toEqual({ status: 1, ended: 'failed' });
});

test('more connections than the process may have descriptors are refused at once', async () => {
  const command = [process.execPath, commandPath, 'bench', '127.0.0.1:1', '-c', '100000'].map((word) => `'${word}'`);
  const { stderr, status } = await start(['sh', '-c', `ulimit -n 500; exec ${command.join(' ')}`]).ended;
  expect(stderr).toMatch(
    /^yodel: 100,000 connections need 100,048 open files \(descriptors\), and a process may have 500:/,
  );
  expect(status).toBe(2);
});
