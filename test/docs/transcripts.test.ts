/** docs/transcripts.md: its files are the example files, and its commands print what it shows. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { serve as serveHere } from '../../src/server/server.ts';
import { check } from '../../src/transcript/check.ts';
import { mockServer } from '../../src/transcript/mock/mock.ts';
import { parseTranscript } from '../../src/transcript/parse.ts';
import { run, serve, yodel } from '../support/process/command.ts';
import { testWith } from '../support/tools.ts';

const curl = testWith('curl', 'apt-get install curl');
const root = new URL('../../', import.meta.url).pathname;
const page = readFileSync(`${root}docs/transcripts.md`, 'utf8');

test('the transcripts on the page are the example files, word for word', () => {
  const shown = [...page.matchAll(/<!-- (examples\/\S+\.transcript) -->\n```\n(.*?)```/gs)];
  for (const [, file, text] of shown) expect(text).toBe(readFileSync(`${root}${file}`, 'utf8'));
  const names = shown.map(([, file]) => String(file).replace('examples/', ''));
  const examples = readdirSync(`${root}examples`).filter((name) => name.endsWith('.transcript'));
  expect([...names, 'broken.transcript'].sort()).toEqual(examples.sort());
});

test('an echo server passes examples/echo.transcript, and the page shows the output', async () => {
  const server = await serve();
  const { stdout, status } = await yodel(['check', 'examples/echo.transcript', server.address], { cwd: root });
  expect(status).toBe(0);
  const withoutTimes = (text: string) => text.replace(/[\d.]+ (ms|s|µs)/g, 'TIME');
  expect(withoutTimes(page)).toContain(withoutTimes(`7878\n${stdout}`));
});

test('a syntax error is reported as the page shows it', async () => {
  const { stdout, status } = await yodel(['check', 'examples/broken.transcript', '127.0.0.1:7878'], { cwd: root });
  expect(status).toBe(2);
  expect(page).toContain(`$ yodel check examples/broken.transcript 127.0.0.1:7878\n${stdout}`);
});

test('a client that says something else gets the verdict that the page shows', async () => {
  const server = await serve(['examples/greeting.transcript', '--once', '--quiet'], { cwd: root });
  const { stdout } = await yodel(['connect', server.address], { input: 'hello Ada\nsee you\n' });
  const { stderr, status } = await server.ended;
  expect(status).toBe(3);
  const verdict = stderr
    .split('\n')
    .slice(1)
    .join('\n')
    .replace(/127\.0\.0\.1:\d+/, '127.0.0.1:40712');
  expect(page).toContain(`| yodel connect\n${stdout}${verdict}`);
});

curl('curl downloads from the mock of examples/download.transcript as the page shows it', async () => {
  const server = await serve(['examples/download.transcript', '--once', '--quiet'], { cwd: root });
  const flags = ['-s', '--disable-epsv'];
  const { stdout } = await run(['curl', ...flags, `ftp://127.0.0.1:${server.port}/hello.txt`]);
  const { stderr, status } = await server.ended;
  expect(status).toBe(0);
  const verdict = stderr.split('\n').slice(1).join('\n');
  expect(page).toContain(`curl ${flags.join(' ')} ftp://127.0.0.1:7878/hello.txt\n${stdout}${verdict}`);
});

test('a transcript is served as the page shows it', async () => {
  const server = await serve(['examples/greeting.transcript'], { cwd: root });
  const { stdout, status } = await yodel(['connect', server.address], { input: 'hello Ada\nBye!\n' });
  expect(status).toBe(0);
  expect(page).toContain(`| yodel connect 127.0.0.1:7879\n${stdout}`);
});

/** Plays a transcript against an echo server, or its own mock. */
async function differences(text: string, server: 'echo' | 'mock') {
  const readFile = (path: string) => readFileSync(`${root}${path}`, 'utf8');
  const transcript = parseTranscript(text, 'docs/page.transcript', { readFile });
  const listening = await serveHere({
    listen: '127.0.0.1:0',
    handler: server === 'mock' ? mockServer(transcript) : (message) => message,
    protocol: { ...transcript.protocol, encoding: 'binary' },
    lingerTimeout: 100,
  });
  onTestFinished(() => listening.close({ timeoutMs: 0 }));
  return (await check(transcript, { address: listening.addresses[0], timeoutMs: 2000 })).differences;
}

describe('the forms of the format', () => {
  const blocks = [...page.matchAll(/(<!-- echo -->\n)?```transcript\n(.*?)```/gs)].map(
    ([, echo, text]) => [echo === undefined ? 'mock' : 'echo', String(text)] as const,
  );

  test('there are several', () => {
    expect(blocks.length).toBeGreaterThan(7);
  });

  test.each(blocks)('as the page shows them, against a server (%s): %s', async (server, text) => {
    expect(await differences(text, server)).toEqual([]);
  });
});

test.each(['mail', 'redis', 'ftp'])('examples/%s.transcript is a check and a mock of the same server', async (name) => {
  expect(await differences(readFileSync(`${root}examples/${name}.transcript`, 'utf8'), 'mock')).toEqual([]);
});
