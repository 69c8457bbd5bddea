/** What keeps `yodel check` from checking a file: it is an error, not a difference, and does not hide other files. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { temporaryFile } from '../../support/files.ts';
import { serve, yodel } from '../../support/process/command.ts';

const refused = 'cannot connect to tcp://127.0.0.1:1: connection refused';

test('a server that cannot be reached is an error in every format', async () => {
  const file = temporaryFile('talk.transcript', '> a\n< a\n');
  const [text, tap, junit] = await Promise.all(
    ['text', 'tap', 'junit'].map((format) => yodel(['check', file, '127.0.0.1:1', '--format', format])),
  );
  expect(text?.stdout.toString()).toContain(`error   ${file}: ${refused}`);
  expect(text?.stdout.toString()).toContain('1 transcript: 1 error; ');
  expect(text?.stderr).toBe('');
  expect(tap?.stdout.toString()).toMatch(
    /\nnot ok 1 - .*\n {2}---\n {2}severity: error\n {2}message: \|\n {4}cannot connect/,
  );
  expect(junit?.stdout.toString()).toContain('tests="1" failures="0" errors="1"');
  expect(junit?.stdout.toString()).toContain(`<error message="${refused}`);
  expect(junit?.stdout.toString()).toContain('type="YODEL_CONNECTION_REFUSED"');
  expect(junit?.stderr).toContain(`yodel: ${refused}`);
  for (const one of [text, tap, junit]) expect(one?.status).toBe(1);
});

test('files that cannot be read, are not valid or expect nothing are errors, and the others are checked', async () => {
  const server = await serve();
  const good = temporaryFile('good.transcript', '> a\n< a\n');
  const bad = temporaryFile('bad.transcript', '> a\n<\\ \\q\n');
  const empty = temporaryFile('empty.transcript', '# nothing\n> a\n');
  const files = ['missing.transcript', bad, empty, good];
  const { stdout, stderr, status } = await yodel(['check', ...files, server.address]);
  const text = stdout.toString();
  expect(text).toContain('error   missing.transcript: cannot read missing.transcript: no such file');
  expect(text).toContain(`error   ${bad}: ${bad}:2:4: unknown escape \\q`);
  expect(text).toMatch(/\n {10}<\\ \\q\n {13}\^\n/);
  expect(text).toContain(`error   ${empty}: ${empty} expects nothing, so every server would pass`);
  expect(text).toContain(`ok      ${good}: 1 message as expected`);
  expect(text).toContain('4 transcripts: 3 errors; 1 of 1 messages as expected\n');
  expect(stderr).toBe('');
  expect(status).toBe(2);
  const tap = (await yodel(['check', ...files, server.address, '--format', 'tap'])).stdout.toString();
  expect(tap.match(/^(not )?ok \d/gm)).toEqual(['not ok 1', 'not ok 2', 'not ok 3', 'ok 4']);
});

test('an error has precedence over a difference', async () => {
  const server = await serve();
  const bad = temporaryFile('bad.transcript', '> a\n< b\n');
  const { stdout, status } = await yodel(['check', bad, 'missing.transcript', server.address]);
  expect(stdout.toString()).toContain('2 transcripts: 1 differs, 1 error; ');
  expect(status).toBe(2);
});

test.each(['--update', '--mask'])('%s of a file that expects nothing needs replies to write', async (flag) => {
  const file = temporaryFile('new.transcript', '> a\n');
  const { stdout, status } = await yodel(['check', file, 'exec:cat > /dev/null', flag]);
  expect(stdout.toString()).toContain('expects nothing, so every server would pass');
  expect(stdout.toString()).not.toContain('all as expected');
  expect(status).toBe(2);
  expect(readFileSync(file, 'utf8')).toBe('> a\n');
});

test('--update writes the replies of a file that has none yet', async () => {
  const server = await serve();
  const file = temporaryFile('new.transcript', '> a\n> b\n');
  // Optional lines alone would expect nothing.
  expect(await yodel(['check', file, server.address, '--mask'])).toMatchObject({ status: 2 });
  expect(readFileSync(file, 'utf8')).toBe('> a\n> b\n');
  expect((await yodel(['check', file, server.address, '--update'])).status).toBe(0);
  expect((await yodel(['check', file, server.address])).status).toBe(0);
});
