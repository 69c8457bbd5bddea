/** Which replies count, and what the exit status says of them. */
import { describe, expect, it, test } from 'vitest';
import { commandPath, start, yodel } from '../../support/process/command.ts';
import { listen } from '../../support/servers.ts';

describe('--count-replies', () => {
  it('ends after this number of replies, prints no more, and leaves the rest of the input', async () => {
    const { address } = await listen((socket) => socket.pipe(socket));
    const client = start([process.execPath, commandPath, 'connect', address, '--count-replies', '2']);
    client.process.stdin?.write('one\ntwo\nthree\nfour\n');
    const { stdout, stderr, status } = await client.ended;
    expect({ output: stdout.toString(), stderr, status }).toEqual({ output: 'one\ntwo\n', stderr: '', status: 0 });
  });

  it('counts what a server sends without being asked, after the greeting', async () => {
    const { address } = await listen((socket) => socket.write('welcome\n1\n2\n3\n'));
    const flags = ['--count-replies', '2', '--greeting', '1'];
    const { stdout, status } = await yodel(['connect', address, ...flags]);
    expect({ output: stdout.toString(), status }).toEqual({ output: 'welcome\n1\n2\n', status: 0 });
  });

  it.each([
    ['before the server ended', true],
    ['within 1000 ms', false],
  ])('exits with status 3 when fewer arrive %s', async (when, ends) => {
    const { address } = await listen((socket) => {
      socket.once('data', () => socket.write('1\n', () => void (ends && socket.end())));
    });
    const flags = ['--count-replies', '2', '--timeout', '1s'];
    const { stderr, status } = await yodel(['connect', address, ...flags], { input: 'one\n' });
    expect({ stderr, status }).toEqual({ stderr: `yodel: 1 of 2 replies arrived ${when}\n`, status: 3 });
  });

  it('cannot be combined with --wait-replies', async () => {
    const { stderr, status } = await yodel(['connect', ':1', '--count-replies', '2', '--wait-replies']);
    expect(stderr).toBe('yodel: --wait-replies and --count-replies cannot be used together\n');
    expect(status).toBe(2);
  });
});

describe('--greeting', () => {
  it('is waited for, and is not a reply', async () => {
    const { address } = await listen((socket) => {
      let count = 0;
      // After the first message would have been sent.
      setTimeout(() => socket.write('welcome\n'), 300);
      socket.on('data', () => socket.write(`${++count}\n`)).on('end', () => socket.end());
    });
    const { stdout, status } = await yodel(['send', address, 'a', 'b', '--greeting', '1', '--format', '%d %m\\n']);
    expect({ output: stdout.toString(), status }).toEqual({ output: '< welcome\n> a\n< 1\n> b\n< 2\n', status: 0 });
  });

  it('that does not arrive is exit status 3', async () => {
    const { address } = await listen((socket) => socket.resume());
    const { stderr, status } = await yodel(['send', address, 'a', '--protocol', 'smtp', '--timeout', '300ms']);
    expect(stderr).toBe('yodel: the greeting of the server did not arrive within 300 ms (see --greeting)\n');
    expect(status).toBe(3);
  });
});

describe('a reply that reports an error', () => {
  const failing = () =>
    listen((socket) => socket.on('data', () => socket.write('error: no\n')).on('end', () => socket.end()));

  it.each([
    ['--wait-replies', '1 of 1 reply reports an error: 1: error: no'],
    ['--lockstep', '1 of 1 reply reports an error: 1: error: no'],
    ['--count-replies=1', '1 of 1 reply reports an error: 1: error: no'],
  ])('is exit status 3 with %s', async (flag, text) => {
    const { address } = await failing();
    const { stdout, stderr, status } = await yodel(['connect', address, flag], { input: 'a\n' });
    expect({ output: stdout.toString(), stderr, status }).toEqual({
      output: 'error: no\n',
      stderr: `yodel: ${text}\n`,
      status: 3,
    });
  });

  it.each([[], ['--json'], ['--wait-replies', '--no-error-pattern'], ['--wait-replies', '--error-pattern', '^no']])(
    'is none with %s %s %s',
    async (...flags) => {
      const { address } = await failing();
      const { stderr, status } = await yodel(['connect', address, ...flags], { input: 'a\n' });
      expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    },
  );

  it('does not keep the messages after it from being sent', async () => {
    const { address } = await failing();
    const { stdout, stderr, status } = await yodel(['send', address, 'a', 'b']);
    expect(stdout.toString()).toBe('error: no\nerror: no\n');
    expect(stderr).toBe('yodel: 2 of 2 replies report errors: 1, 2: error: no\n');
    expect(status).toBe(3);
  });
});

test.each([
  ['nothing is counted with --json', ['--json'], 0, ''],
  [
    'a server that stays open is a time-out',
    ['--json', '--wait', '300ms'],
    4,
    'did not end the connection (see --wait)',
  ],
  ['but not with --no-shutdown', ['--json', '--wait', '300ms', '--no-shutdown'], 0, ''],
])('message by message, %s', async (_, flags, expected, text) => {
  const { address } = await listen((socket) => {
    socket.write('only one\n');
    socket.resume();
    if (flags.length === 1) socket.on('end', () => socket.end());
  });
  const { stderr, status } = await yodel(['connect', address, ...flags], { input: 'a\nb\n' });
  expect(stderr).toContain(text);
  expect(status).toBe(expected);
});

test('message by message, input that a server leaves is exit status 1', async () => {
  const { address } = await listen((socket) => socket.once('data', () => socket.end('bye\n')));
  const client = start([process.execPath, commandPath, 'connect', address, '--format', '%m\\n']);
  client.process.stdin?.write('QUIT\n');
  await client.saw(/bye/);
  client.process.stdin?.end('more\n');
  const { stderr, status } = await client.ended;
  expect(stderr).toBe(`yodel: tcp://${address} ended the connection before the end of input; 1 message was sent\n`);
  expect(status).toBe(1);
});
