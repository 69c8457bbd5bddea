/** The results of `yodel bench`: files, assertions, the terminal. */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bench } from '../../support/bench.ts';
import { temporaryFile, temporaryFolder } from '../../support/files.ts';
import { serve, yodel } from '../../support/process/command.ts';
import { listen } from '../../support/servers.ts';
import { Terminal } from '../../support/terminal.ts';
import { testWith } from '../../support/tools.ts';

const tmux = testWith('tmux', 'apt-get install tmux');
const short = ['-n', '500', '-c', '5'];

test('prints one line per assertion; all hold: exit status 0', async () => {
  const server = await serve(['--quiet']);
  const asserted = ['--assert', 'p99 < 10s', 'errors == 0', 'messages == 500'];
  const { stdout, status } = await yodel(['bench', server.address, ...short, ...asserted]);
  expect(stdout.toString()).toMatch(/ok +p99 < 10s: .*\nok +errors == 0: 0\nok +messages == 500: 500\n$/);
  expect(status).toBe(0);
});

test('an assertion that does not hold is exit status 3', async () => {
  const server = await serve(['--quiet']);
  const { stdout, status } = await yodel(['bench', server.address, ...short, '--assert', 'p50 < 1us', 'errors == 0']);
  expect(stdout.toString()).toMatch(/not met +p50 < 1us: .*\nok +errors == 0: 0\n$/);
  expect(status).toBe(3);
});

test('the address may follow the assertions, also as HOST PORT', async () => {
  const server = await serve(['--quiet']);
  const port = String(server.port);
  for (const behind of [[port], [`127.0.0.1:${port}`], ['localhost', port], [server.address]]) {
    const { status, stderr } = await yodel(['bench', '-n', '10', '--assert', 'errors == 0', 'p99 < 10s', ...behind]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  }
});

test('with --json, stdout is one object, and assertions are on stderr', async () => {
  const server = await serve(['--quiet']);
  const { stderr, status } = await bench([server.address, ...short, '--assert', 'p50 < 1us']);
  expect(stderr).toMatch(/^not met +p50 < 1us: .*\n$/);
  expect(status).toBe(3);
});

test('an assertion about errors decides whether errors are a failure', async () => {
  const { address } = await listen((socket) => socket.on('data', () => socket.end()));
  const args = [address, '-n', '2', '-c', '2'];
  expect((await bench(args)).status).toBe(1);
  expect((await bench([...args, '--assert', 'errors <= 2'])).status).toBe(0);
  expect((await bench([...args, '--assert', 'errors == 0'])).status).toBe(3);
  expect((await bench([...args, '--assert', 'unanswered == 2'])).status).toBe(1);
});

test('compares a result with an earlier one', async () => {
  const server = await serve(['--quiet']);
  const old = join(temporaryFolder(), 'old.json');
  writeFileSync(old, (await bench([server.address, ...short])).stdout);
  const { stdout, status } = await yodel(['bench', server.address, ...short, '--compare', old]);
  expect(stdout.toString()).toMatch(/Compared with .*\n(.*\n)* +rate .*\n(.*\n)* +p99 /);
  expect(status).toBe(0);
});

test('the page and the percentile file show the same run as the report', async () => {
  const server = await serve(['--quiet']);
  const folder = temporaryFolder();
  const [page, hdr] = [join(folder, 'page.html'), join(folder, 'run.hgrm')];
  const { report, status } = await bench([server.address, ...short, '--html', page, '--hdr', hdr]);
  expect(status).toBe(0);
  expect(readFileSync(page, 'utf8')).toMatch(/^<!doctype html>/i);
  expect(readFileSync(hdr, 'utf8')).toContain(`#[Max     = ${(report.latency?.max ?? 0).toFixed(3).padStart(12)}`);
});

test('writes the files of a run with errors', async () => {
  const { address } = await listen((socket) => socket.on('data', () => socket.end()));
  const page = join(temporaryFolder(), 'page.html');
  expect((await bench([address, '-n', '2', '-c', '2', '--html', page])).status).toBe(1);
  expect(readFileSync(page, 'utf8')).toContain('YODEL_CONNECTION_CLOSED');
});

tmux('a terminal shows the progress, and only the summary stays', async () => {
  const server = await serve();
  const terminal = new Terminal({ width: 100, height: 50 });
  terminal.enter(`yodel bench ${server.address} --rate 100/s -d 60s -c 3`);
  await terminal.sees(/of 1 min.*\d\/s/);
  terminal.press('C-c');
  await terminal.sees(/3 connections to [\s\S]*\n\$$/);
  expect(terminal.history()).not.toMatch(/of 1 min/);
});

test('results that cannot be written are an error, with exit status 1', async () => {
  const server = await serve(['--quiet']);
  const full = openSync('/dev/full', 'w');
  const { status, stderr } = await yodel(['bench', server.address, ...short, '--json'], { stdout: full });
  closeSync(full);
  expect(stderr).toMatch(/^yodel: cannot write the output: [^\n]*\n$/);
  expect(status).toBe(1);
});

test('a rate below one per second keeps to the duration, without a warning', async () => {
  const server = await serve(['--quiet']);
  const { report } = await bench([server.address, '--rate', '0.5/s', '-d', '400ms', '-c', '1']);
  expect(report.messages).toEqual({ sent: 1, answered: 1, unanswered: 0 });
  // The second message would be due after 2 seconds.
  expect(report.seconds).toBeGreaterThan(0.39);
  expect(report.seconds).toBeLessThan(2);
});

test('a server that answers everything late still reaches the rate', async () => {
  const { address } = await listen((socket) => {
    socket.on('data', (chunk: Buffer) => void setTimeout(() => socket.write(chunk), 300));
  });
  const { report, stdout } = await bench([address, '--rate', '50/s', '-d', '1s', '-c', '5']);
  expect(report.messages).toEqual({ sent: 50, answered: 50, unanswered: 0 });
  // Five clients that wait for each reply would reach 17.
  expect(report.rate.achieved).toBeGreaterThan(20);
  expect(stdout.toString()).not.toContain('keep up');
});

test('a transcript is played by several processes, with results for each request; a difference is shown with its line', async () => {
  const { address } = await listen((socket) => void socket.pipe(socket));
  const lines = [
    '> login {connection=0}',
    '< login {user}',
    '@repeat',
    '> get {random:4}',
    '< get {key}',
    '> put {key}',
    '< put {key}',
    '@end',
  ];
  const file = temporaryFile('session.transcript', `${lines.join('\n')}\n`);
  const { report, status } = await bench([address, '--transcript', file, '-c', '4', '-n', '20', '--threads', '2']);
  expect({ status, errors: report.errors }).toEqual({ status: 0, errors: [] });
  expect(report.transcript).toMatchObject({
    rounds: 20,
    requests: [
      { line: 4, sent: 20 },
      { line: 6, answered: 20 },
    ],
  });
  expect(report.messages).toEqual({ sent: 40, answered: 40, unanswered: 0 });

  const wrong = temporaryFile('wrong.transcript', '@repeat\n> ask\n< told\n@end\n');
  const { stdout, status: failed } = await yodel(['bench', address, '--transcript', wrong, '-c', '1', '-n', '2']);
  expect(stdout.toString().replaceAll(/\s+/g, ' ')).toMatch(
    /2 YODEL_UNEXPECTED_MESSAGE \S*wrong\.transcript:3: .*expected < told, got < ask/,
  );
  expect(failed).toBe(3);
});
