/** `yodel check`, `yodel serve FILE.transcript` and `--record`. */
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFile, temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { serve, yodel } from '../../support/process/command.ts';

test('a difference is shown with its place, with exit status 3', async () => {
  const server = await serve();
  const good = temporaryFile('good.transcript', '> a\n< a\n');
  const bad = temporaryFile('bad.transcript', '# hello\n> a\n< b\n');
  const { stdout, stderr, status } = await yodel(['check', good, bad, server.address]);
  expect(stderr).toBe('');
  expect(status).toBe(3);
  const text = stdout.toString();
  expect(text).toContain(`ok      ${good}: 1 message as expected, `);
  expect(text).toContain(`differs ${bad}: 1 difference, `);
  expect(text).toContain(`\n${bad}:3: a different message\n    # hello\n    > a\n  - < b\n  + < a\n`);
  expect(text).toMatch(/\n2 transcripts: 1 differs; 1 of 2 messages as expected\n$/);
});

test('reports as TAP and as JUnit XML', async () => {
  const server = await serve();
  const good = temporaryFile('good.transcript', '> a\n< a\n');
  const bad = temporaryFile('bad & <worse>.transcript', '> "a"\n< b\n');
  const tap = (await yodel(['check', good, bad, server.address, '--format', 'tap'])).stdout.toString();
  expect(tap).toMatch(/^TAP version 14\n1\.\.2\nok 1 - .*good\.transcript # time=.*\nnot ok 2 - .*\n {2}---\n/);
  expect(tap).toMatch(/\n {2}\.\.\.\n$/);
  const junit = (await yodel(['check', good, bad, server.address, '--format', 'junit'])).stdout.toString();
  expect(junit).toMatch(
    /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuite name="yodel check" tests="2" failures="1"/,
  );
  expect(junit).toContain('bad &amp; &lt;worse&gt;.transcript');
  expect(junit).toContain('+ &lt; &quot;a&quot;');
});

test('--update replaces what the file expects', async () => {
  const server = await serve();
  const file = temporaryFile('talk.transcript', '# hello\n> a\n< b\n\n> c\n');
  const { stdout, status } = await yodel(['check', file, server.address, '--update']);
  expect(status).toBe(0);
  expect(stdout.toString()).toMatch(/rewritten: 1 file\n$/);
  expect(readFileSync(file, 'utf8')).toBe('# hello\n> a\n< a\n\n> c\n< c\n');
  expect((await yodel(['check', file, server.address])).status).toBe(0);
});

test.each([
  ['--update', 'updated'],
  ['--mask', 'masked'],
])('the totals say what %s has written', async (flag, label) => {
  const server = await serve();
  const file = temporaryFile('talk.transcript', '> a b\n< a x\n> c\n< c\n');
  const { stdout, status } = await yodel(['check', file, server.address, flag]);
  const [first = '', ...others] = stdout.toString().split('\n');
  expect(first).toMatch(new RegExp(`^ok .*: ${label} for 1 difference, `));
  expect(others).toEqual([`1 transcript: 1 ${label}; 1 of 2 messages as expected before`, 'rewritten: 1 file', '']);
  expect(status).toBe(0);
  const again = (await yodel(['check', file, server.address, flag])).stdout.toString();
  expect(again).toContain('1 transcript: all as expected; 2 of 2 messages as expected');
});

test.each([
  ['no address', ['nonsense'], /there is no file nonsense; usage: yodel check FILE ADDRESS/, 2],
  ['a wrong address', ['FILE', 'a:b:c:d'], /"a:b:c:d" is neither a file nor an address: /, 2],
] as const)('%s is one clear line', async (_, words, says, expected) => {
  const file = temporaryFile('talk.transcript', '> a\n< a\n');
  const { stderr, status } = await yodel(['check', ...words.map((word) => (word === 'FILE' ? file : word))]);
  expect(stderr).toMatch(says);
  expect(stderr.split('\n')).toHaveLength(2);
  expect(status).toBe(expected);
});

test('@address is the default address', async () => {
  const server = await serve();
  const file = temporaryFile('talk.transcript', `@address ${server.address}\n> a\n< a\n`);
  expect((await yodel(['check', file])).status).toBe(0);
});

test('serves a transcript, also with several processes; reports the place of a mistake', async () => {
  const file = temporaryFile('server.transcript', '< hello\n> a\n< A\n');
  for (const workers of [[], ['--workers', '2']]) {
    const server = await serve([file, ...workers]);
    const { stdout } = await yodel(['connect', server.address], { input: 'a\n' });
    expect(stdout.toString()).toBe('hello\nA\n');
    await server.stop();
  }
  writeFileSync(file, '> a\n< /A/\n');
  const { stderr, status } = await yodel(['serve', file, '--listen', '127.0.0.1:0']);
  expect(stderr).toBe(
    `yodel: ${file}:2:3: a server cannot send a pattern; write the message to send\n  < /A/\n    ^\n`,
  );
  expect(status).toBe(2);
});

test('a served transcript sets the framing, and another one is refused', async () => {
  const file = temporaryFile('server.transcript', '@framing length:2\n> a\n< b\n');
  const server = await serve([file]);
  const { stdout } = await yodel(['connect', server.address, '--framing', 'length:2'], {
    input: Buffer.from([0, 1, 0x61]),
  });
  expect([...stdout]).toEqual([0, 1, 0x62]);
  const other = await yodel(['serve', file, '--framing', 'raw', '--listen', '127.0.0.1:0']);
  expect(other.stderr).toContain('uses the framing length:2, not framing raw; omit the flag');
});

test('--lenient accepts messages in any order', async () => {
  const file = temporaryFile('server.transcript', '> a\n< A\n> b\n< B\n');
  const server = await serve([file, '--lenient']);
  const { stdout } = await yodel(['connect', server.address], { input: 'b\na\nb\n' });
  expect(stdout.toString()).toBe('B\nA\nB\n');
});

test('serve --record writes a transcript of each connection, which can be checked and served', async () => {
  const folder = join(temporaryFolder(), 'records');
  const server = await serve(['--record', folder, '--encoding', 'binary']);
  const inputs = ['hello\nworld\n', 'no end', 'a\r\n\x00\x1b[31m \n{name}\n/x/\n', Buffer.from([0xff, 0xfe, 0x0a])];
  for (const input of inputs) await yodel(['connect', server.address], { input });
  const peer = await dial(server.port);
  await peer.ask('and one that stays');
  await server.stop();
  const files = readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));
  expect(files).toHaveLength(inputs.length + 1);
  const again = await serve(['--encoding', 'binary']);
  // The server ended the last one; an echo server would not.
  const { stdout, status } = await yodel(['check', ...files.slice(0, -1), again.address]);
  expect(stdout.toString()).toContain('all as expected');
  expect(status).toBe(0);
  for (const file of files.slice(0, -1)) {
    const mock = await serve([file]);
    const check = await yodel(['check', file, mock.address]);
    expect(check.stdout.toString()).toContain('all as expected');
    await mock.stop();
  }
});

test('--update keeps line ends, and leaves a file alone that could not be played afterwards', async () => {
  const server = await serve();
  const crlf = temporaryFile('crlf.transcript', '# one\r\n> a\r\n< b\r\n');
  expect((await yodel(['check', crlf, server.address, '--update'])).status).toBe(0);
  expect(readFileSync(crlf, 'utf8')).toBe('# one\r\n> a\r\n< a\r\n');
  const text = '> login\n< token {t}\n> use {t}\n';
  const captured = temporaryFile('captured.transcript', text);
  const { stderr, status } = await yodel(['check', captured, server.address, '--update', '--timeout', '1s']);
  expect(stderr).toMatch(/captured\.transcript was not updated, because it could not be played afterwards/);
  expect(status).toBe(3);
  expect(readFileSync(captured, 'utf8')).toBe(text);
});

test('a file that is not UTF-8 is refused with the line', async () => {
  const file = temporaryFile('latin1.transcript', Buffer.from('> a\n> caf\xe9\n', 'latin1'));
  const { stdout, status } = await yodel(['check', file, '127.0.0.1:1']);
  expect(stdout.toString()).toMatch(/^error {3}.*latin1\.transcript:2 is not UTF-8/);
  expect(status).toBe(2);
});

test('a report that cannot be written is an error, with exit status 1', async () => {
  const server = await serve();
  const file = temporaryFile('talk.transcript', '> a\n< a\n');
  const full = openSync('/dev/full', 'w');
  const { stderr, status } = await yodel(['check', file, server.address], { stdout: full });
  closeSync(full);
  expect(stderr).toMatch(/^yodel: cannot write the output: .*\n$/);
  expect(status).toBe(1);
});

test('--against proposes masks for what differs between two recordings, and --mask writes them', async () => {
  const first = temporaryFile('first.transcript', '> a\n< id 1\n');
  const second = temporaryFile('second.transcript', '> a\n< id 2\n');
  const proposed = await yodel(['check', first, '--against', second]);
  expect(proposed).toMatchObject({ status: 3, stderr: '' });
  expect(proposed.stdout.toString()).toBe(`- < id 1\n+ < id {value1=1}\n--mask writes this to ${first}\n`);
  expect(readFileSync(first, 'utf8')).toBe('> a\n< id 1\n');
  expect(await yodel(['check', first, '--against', second, '--mask'])).toMatchObject({ status: 0 });
  expect(readFileSync(first, 'utf8')).toBe('> a\n< id {value1=1}\n');
  expect(await yodel(['check', first, '--against', second])).toMatchObject({ status: 0 });
  expect(await yodel(['check', first, second, '--against', second])).toMatchObject({ status: 2 });
});
