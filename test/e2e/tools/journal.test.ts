/** `yodel serve --journal` and `yodel journal`. */
import { readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { commandPath, run, serve, start, yodel } from '../../support/process/command.ts';
import { waitUntil } from '../../support/process/process.ts';
import { testWith } from '../../support/tools.ts';
import { recorded } from './recorded.ts';

function leadsTo(pid: number | undefined, descriptor: string, file: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/fd/${descriptor}`) === file;
  } catch {
    // It was closed in the meantime.
    return false;
  }
}

async function output(...args: string[]): Promise<string> {
  const { stdout, stderr, status } = await yodel(['journal', ...args]);
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout.toString();
}

test('ls lists sessions with peers, times and amounts', async () => {
  const { file } = await recorded('--journal-replies');
  const lines = (await output('ls', file)).trimEnd().split('\n');
  expect(lines[0]).toMatch(/^ session +started +duration +in +out +bytes in +bytes out +peer$/);
  expect(lines).toHaveLength(4);
  expect(lines[1]).toMatch(
    /^ +1 {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} +\S+ \S+ +2 +2 +10 bytes +10 bytes +127\.0\.0\.1:\d+$/,
  );
  const [first] = (await output('ls', file, '--json')).split('\n').map((line) => (line ? JSON.parse(line) : undefined));
  expect(first).toMatchObject({
    ...{ session: 1, framing: 'lines', messagesIn: 2, messagesOut: 2, bytesIn: 10, endedBy: 'peer', error: null },
    began: expect.stringMatching(/^\d{4}-.*Z$/),
  });
  expect(await output('ls', file, '--peer', first.peer)).toMatch(/^.*\n +1 {2}.*\n$/);
  expect(await output('ls', file, '--since', '1h', '--json')).toMatch(/^(\{.*\n){3}$/);
  expect(await output('ls', file, '--until', '1h', '--json')).toBe('');
});

test('cat shows the selected messages, escaped', async () => {
  const { file } = await recorded('--journal-replies');
  const all = await output('cat', file);
  const texts = all
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^\d+ \S+ \S+ 127\.0\.0\.1:\d+#/, ''));
  // Whether a reply is recorded before the next message depends on the chunks.
  expect(texts.toSorted()).toEqual(
    [
      '1 < hello',
      '1 < world',
      '1 > hello',
      '1 > world',
      '2 < \\x1b[31mred',
      '2 < \\xff\\xfe',
      '2 > \\x1b[31mred',
      '2 > \\xff\\xfe',
      '3 < no end',
      '3 > no end',
    ].toSorted(),
  );
  expect(await output('cat', file, '--grep', '^wor', '--way', 'in')).toMatch(/^\d+ .*#1 > world\n$/);
  expect(await output('cat', file, '--session', '2', '--way', 'out')).toMatch(/^.*#2 < .*\n.*#2 < .*\n$/);
  expect(await output('cat', file, '--from', '1', '--to', '1')).toMatch(/^1 .*#1 > hello\n$/);
  const json = (await output('cat', file, '--session', '2', '--way', 'in', '--json'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(json).toMatchObject([
    { session: 2, direction: 'in', framing: 'lines', text: '\x1b[31mred', bytes: 8 },
    { direction: 'in', base64: '//4=', bytes: 2 },
  ]);
});

test('a session printed as a transcript passes yodel check, including CRLF, bytes and unfinished messages', async () => {
  const { file, server } = await recorded('--journal-replies');
  const folder = join(temporaryFolder(), 'talks');
  const exported = await yodel(['journal', 'export', file, folder]);
  expect(exported.stderr).toBe(`yodel: 3 transcripts in ${folder}\n`);
  expect(readdirSync(folder).toSorted()).toEqual(['1.transcript', '2.transcript', '3.transcript']);
  const files = [1, 2, 3].map((number) => join(folder, `${number}.transcript`));
  const check = await yodel(['check', ...files, server.address]);
  expect(check.stdout.toString()).toMatch(/3 transcripts: all as expected; 5 of 5 messages as expected\n$/);
  expect(await output('cat', file, '--session', '3', '--transcript')).toBe(readFileSync(files[2] as string, 'utf8'));
});

test('cat --follow continues with new messages until Ctrl-C', async () => {
  const { file, server } = await recorded();
  const following = start([process.execPath, ...yodelArgs('journal', 'cat', file, '--follow', '--from', '6')]);
  const client = await dial(server.port);
  await client.ask('first');
  await following.saw(/> first\n/);
  await client.ask('second');
  await following.saw(/> second\n/);
  const { status } = await following.stop('SIGINT');
  expect(status).toBe(130);
});

test('Ctrl-C ends a search without matches', async () => {
  const { file, server } = await recorded();
  const searching = start([process.execPath, ...yodelArgs('journal', 'cat', file, '--follow', '--grep', '^nothing$')]);
  const client = await dial(server.port);
  await client.ask('something else');
  // It searches once it has opened the file.
  const { pid } = searching.process;
  await waitUntil('the file is open', () => readdirSync(`/proc/${pid}/fd`).some((fd) => leadsTo(pid, fd, file)));
  const { status, stdout } = await searching.stop('SIGINT');
  expect({ status, stdout: stdout.toString() }).toEqual({ status: 130, stdout: '' });
});

test('--peer finds IPv6 addresses', async () => {
  const file = join(temporaryFolder(), 'six.journal');
  const server = await serve(['--quiet', '--journal', file, '--listen', '127.0.0.1:0', '--listen', '[::1]:0']);
  const [, port] = await server.saw(/listening on \S*\[::1\]:(\d+)/);
  await yodel(['connect', `[::1]:${port}`], { input: 'six\n' });
  await yodel(['connect', server.address], { input: 'four\n' });
  for (const peer of ['::1', '[::1]']) expect(await output('cat', file, '--peer', peer)).toMatch(/^\d+ .* > six\n$/);
  expect(await output('ls', file, '--peer', '127.0.0.1', '--json')).toMatch(/^\{.*\n$/);
});

test('export follows no symbolic links', async () => {
  const { file } = await recorded();
  const folder = temporaryFolder();
  const other = join(folder, 'other');
  writeFileSync(other, 'precious');
  symlinkSync(other, join(folder, '2.transcript'));
  const { stderr, status } = await yodel(['journal', 'export', file, folder]);
  expect(stderr).toMatch(/cannot write \S+2\.transcript: ELOOP/);
  expect(status).toBe(2);
  expect(readFileSync(other, 'utf8')).toBe('precious');
});

test('a reader that stops early is not an error', async () => {
  const { file } = await recorded();
  const { stdout, stderr } = await run([
    'sh',
    '-c',
    `"$0" "$@" | head -1`,
    process.execPath,
    ...yodelArgs('journal', 'cat', file),
  ]);
  expect(stdout.toString()).toMatch(/^1 .*> hello\n$/);
  expect(stderr).toBe('');
});

test('stats and verify', async () => {
  const { file, server } = await recorded();
  expect(await output('stats', file)).toMatch(
    /^messages {2}5 \(1 to 5\)\nsessions {2}3\nfrom .*\nto .*\nsize .*KiB, of which .*KiB in use\n$/,
  );
  expect(JSON.parse(await output('stats', file, '--json'))).toMatchObject({
    messages: 5,
    sessions: 3,
    deleted: 0,
    missed: 0,
  });
  expect(await output('verify', file)).toBe('ok: 5 messages in 3 sessions, 1 to 5 without a gap\n');
  await server.stop();
  const database = new DatabaseSync(file);
  database.exec('DELETE FROM messages WHERE sequence = 3');
  database.close();
  const verified = await yodel(['journal', 'verify', file]);
  expect(verified.stdout.toString()).toBe('message 3 is missing\n');
  expect(verified.status).toBe(3);
});

testWith('sqlite3', 'apt-get install sqlite3')('the shell of SQLite reads it while the server writes', async () => {
  const { file, server } = await recorded();
  const client = await dial(server.port);
  for (let number = 0; number < 10; number++) {
    await client.ask(`number ${number}`);
    const asked = await run(['sqlite3', file, 'SELECT way, text FROM conversations ORDER BY sequence DESC LIMIT 1']);
    expect(asked.stdout.toString()).toBe(`in|number ${number}\n`);
  }
});

test('mistakes are one line, and a second server reports which process uses the journal', async () => {
  const { file, server } = await recorded();
  const cases: readonly (readonly [string[], RegExp, number])[] = [
    [
      ['serve', '--listen', ':0', '--journal', file],
      new RegExp(`is in use by process ${server.pid} \\(yodel serve at tcp://127\\.0\\.0\\.1:0, since `),
      1,
    ],
    [
      ['serve', '--listen', ':0', '--journal', file, '--workers', '2'],
      /--journal has a single writer and cannot be combined with --workers/,
      2,
    ],
    [['serve', '--listen', ':0', '--journal-replies'], /--journal-replies needs --journal FILE/, 2],
    [
      ['serve', '--listen', ':0', '--journal', '/nowhere/x.journal'],
      /cannot write the journal \/nowhere\/x\.journal: no such file/,
      1,
    ],
    [['serve', '--listen', ':0', '--journal', '/dev/full'], /\/dev\/full is not a regular file/, 1],
    [['journal', 'cat', 'nothing'], /cannot read the journal nothing: no such file/, 1],
    [['journal', 'cat', import.meta.filename], /is not a journal: it is not an SQLite database/, 1],
    [
      ['journal', 'cat', file, '--since', 'yesterday'],
      /It takes a time such as 2026-01-31T12:00, or how long ago: 10m/,
      2,
    ],
    [['journal', 'cat', file, '--grep', '('], /--grep/, 2],
    [['journal', 'cat', file, '--transcript'], /--transcript prints one session: add --session NUMBER/, 2],
    [['journal', 'cat', file, '--session', '99', '--transcript'], /there is no session 99/, 2],
    [['journal'], /./, 2],
  ];
  for (const [args, reason, status] of cases) {
    const outcome = await yodel(args);
    expect(outcome.stderr, args.join(' ')).toMatch(reason);
    if (args.length > 1) expect(outcome.stderr.trimEnd().split('\n'), args.join(' ')).toHaveLength(1);
    expect(outcome.status, args.join(' ')).toBe(status);
  }
});

test('a name such as :memory: is an ordinary file', async () => {
  const folder = temporaryFolder();
  const server = await serve(['--quiet', '--journal', ':memory:'], { cwd: folder });
  await (await dial(server.port)).ask('kept');
  await server.stop();
  expect(await output('cat', join(folder, ':memory:'))).toMatch(/> kept\n$/);
});

test('output that cannot be written is reported, with exit status 1', async () => {
  const { file } = await recorded();
  for (const command of ['stats', 'ls', 'cat', 'verify']) {
    const { stderr } = await run([
      'sh',
      '-c',
      `"$0" "$@" > /dev/full; echo $? >&2`,
      process.execPath,
      ...yodelArgs('journal', command, file),
    ]);
    expect(stderr, command).toMatch(/^yodel: cannot write the output: .*ENOSPC.*\n1\n$/);
  }
});

test('text in the file cannot control a terminal or add lines to a transcript', async () => {
  const { file, server } = await recorded();
  await server.stop();
  const database = new DatabaseSync(file);
  database.exec("UPDATE sessions SET peer = 'p' || char(27) || '[31m' || char(10) || '@close'");
  database.close();
  for (const args of [
    ['ls', file],
    ['cat', file],
    ['cat', file, '--json'],
    ['cat', file, '--session', '1', '--transcript'],
  ]) {
    const text = await output(...(args as [string]));
    expect(text).not.toContain('\x1b');
    expect(text).not.toMatch(/^@close$/m);
  }
});

test('the journal can be set in a file and in the environment', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'from-settings.journal');
  const settings = join(folder, 'yodel.toml');
  writeFileSync(settings, `journal = "${file}"\njournalReplies = true\njournalMaxSize = "10MiB"\n`);
  const server = await serve(['--quiet', '--config', settings], { env: { YODEL_JOURNAL_DURABILITY: 'normal' } });
  await (await dial(server.port)).ask('hello');
  await server.stop();
  expect(await output('cat', file)).toMatch(/> hello\n.*< hello\n$/);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

function yodelArgs(...args: string[]): [string, ...string[]] {
  return [commandPath, ...args];
}
