/** docs/transcripts.md: its files are the example files, and its commands print what it shows. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { serve, yodel } from '../support/process/command.ts';

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

test('a transcript is served as the page shows it', async () => {
  const server = await serve(['examples/greeting.transcript'], { cwd: root });
  const { stdout, status } = await yodel(['connect', server.address], { input: 'hello Ada\nBye!\n' });
  expect(status).toBe(0);
  expect(page).toContain(`| yodel connect 127.0.0.1:7879\n${stdout}`);
});
