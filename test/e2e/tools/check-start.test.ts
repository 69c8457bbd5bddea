/** `yodel check --start`: the server under test is started, awaited, watched and ended. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFile, temporaryFolder } from '../../support/files.ts';
import { allGone } from '../../support/process/children.ts';
import { commandPath, serve, start, yodel } from '../../support/process/command.ts';

const talk = () => temporaryFile('talk.transcript', '> a\n< a\n');
/** A command for `--start` that runs a script, in which `listening` is a promise and `port` the port. */
function server(script: string): string {
  const prelude = `const net = require('node:net'); const port = Number(process.env.PORT);
const listen = (take) => new Promise((done) => net.createServer(take).listen(port, '127.0.0.1', done));\n`;
  return `exec '${process.execPath}' ${temporaryFile('server.cjs', prelude + script)} "$@"`;
}

const echo = 'listen((socket) => socket.pipe(socket));';

test('starts a server at a free port, and ends it with all that it started', async () => {
  const pids = join(temporaryFolder(), 'pids');
  const script = `const { spawn } = require('node:child_process');
const child = spawn('sleep', ['1000']);
require('node:fs').writeFileSync('${pids}', process.pid + ' ' + child.pid);
setTimeout(() => ${echo.slice(0, -1)}, 50);`;
  const { stdout, status } = await yodel(['check', talk(), ':0', '--start', server(script)]);
  expect(stdout.toString()).toMatch(/^ok .*: 1 message as expected/);
  expect(status).toBe(0);
  await allGone(...readFileSync(pids, 'utf8').split(' ').map(Number));
});

test('{port} is the port of the address, or a free one if there is none', async () => {
  const command = `'${process.execPath}' '${commandPath}' serve --listen {host}:{port} --quiet`;
  for (const address of [[], [':0'], ['127.0.0.1:{port}']]) {
    const { stdout, status } = await yodel(['check', talk(), talk(), ...address, '--start', command]);
    expect(stdout.toString()).toContain('2 transcripts: all as expected');
    expect(status).toBe(0);
  }
});

test('a server that serves only one client is not disturbed', async () => {
  const script = 'let count = 0; listen((socket) => (++count > 1 ? socket.destroy() : socket.pipe(socket)));';
  expect((await yodel(['check', talk(), ':0', '--start', server(script)])).status).toBe(0);
});

test('a server that ends before it listens is an error with what it printed', async () => {
  const script = "console.log('reading config'); console.error('bad config'); process.exitCode = 3;";
  const { stdout, status } = await yodel(['check', talk(), talk(), ':0', '--start', server(script)]);
  const lines = stdout.toString().split('\n');
  expect(lines[0]).toMatch(
    /^error .*: the server of --start ended with status 3 before it listened on tcp:.*; it printed:$/,
  );
  expect(lines.slice(1, 3).sort()).toEqual(['          | bad config', '          | reading config']);
  expect(lines[3]).toMatch(/^error .*: the server of --start ended with status 3 before it listened on tcp:\S*$/);
  expect(lines[4]).toBe('2 transcripts: 2 errors; 0 of 0 messages as expected');
  expect(status).toBe(1);
});

test('a server that does not listen in time is a time-out', async () => {
  const { stdout, status } = await yodel(['check', talk(), ':0', '--start', 'sleep 1000', '--start-timeout', '100ms']);
  expect(stdout.toString()).toMatch(
    /the server of --start does not listen on tcp:\S* within 100 ms \(--start-timeout\)/,
  );
  expect(status).toBe(4);
});

test('a command that cannot be started is an error', async () => {
  const { stdout, status } = await yodel(['check', talk(), ':0', '--start', 'no-such-server {port}']);
  expect(stdout.toString()).toMatch(/the server of --start cannot be started: there is no program \S+\n/);
  expect(status).toBe(1);
});

test('a server that listens there already is not taken for the one under test', async () => {
  const other = await serve();
  const { stdout, status } = await yodel(['check', talk(), other.address, '--start', server(echo)]);
  expect(stdout.toString()).toContain(`something listens on ${other.address} already`);
  expect(status).toBe(1);
});

test('a server that crashes is an error, even if all its replies were right', async () => {
  const script = "listen((socket) => socket.on('data', (a) => socket.end(a, () => process.abort())));";
  const { stdout, status } = await yodel(['check', talk(), ':0', '--start', server(script)]);
  expect(stdout.toString()).toMatch(/^error .*: the server of --start was ended by SIGABRT/);
  expect(stdout.toString()).toContain('1 of 1 messages as expected');
  expect(status).toBe(1);
});

test('--restart gives each run a server of its own, also several at once', async () => {
  // A server that counts its clients gives the right answer only to the first.
  const script = "let n = 0; listen((socket) => { n++; socket.on('data', () => socket.write(n + '\\n')); });";
  const file = temporaryFile('count.transcript', '> a\n< 1\n');
  const words = ['check', file, file, ':0', '--timeout', '30s', '--start', server(script)];
  const [shared, own] = await Promise.all([
    yodel(words),
    yodel([...words, '--restart', '--repeat', '2', '--jobs', '2']),
  ]);
  expect(shared.status).toBe(3);
  expect(own.stdout.toString()).toContain('1 message as expected, in each of 2 runs');
  expect(own.status).toBe(0);
});

test('Ctrl-C ends the server', async () => {
  const pids = join(temporaryFolder(), 'pid');
  const script = `require('node:fs').writeFileSync('${pids}', String(process.pid));
listen((socket) => socket.write('a client\\n'));`;
  const file = temporaryFile('long.transcript', '< a client\n@wait 60s\n< never\n');
  const running = start([process.execPath, commandPath, 'check', file, ':0', '--start', server(script)]);
  const connected = () => {
    try {
      return readFileSync(pids, 'utf8') !== '';
    } catch {
      return false;
    }
  };
  while (!connected()) await new Promise((resolve) => setTimeout(resolve, 10));
  const { status } = await running.stop('SIGINT');
  expect(status).toBe(130);
  await allGone(Number(readFileSync(pids, 'utf8')));
});

test.each([
  [['FILE', 'exec:cat', '--start', 'x'], '--start starts a server to connect to; exec: starts its program by itself'],
  [['FILE', ':1', '--restart'], '--restart needs a server to start: --start COMMAND'],
  [['FILE', ':0'], 'nothing listens on port 0; it stands for a free port with --start COMMAND'],
  [['FILE', ':1', '--start', 'x', '--restart', '--jobs', '2'], '--restart with --jobs needs a free port'],
  [['FILE', ':1', '--update', '--repeat', '2'], '--update and --repeat cannot be used together'],
])('%j is refused', async (words, says) => {
  const { stderr, status } = await yodel(['check', ...words.map((word) => (word === 'FILE' ? talk() : word))]);
  expect(stderr).toContain(says);
  expect(status).toBe(2);
});
