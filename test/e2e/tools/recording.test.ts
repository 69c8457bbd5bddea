/** Recording: `--record` of serve, connect and send. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { handlerFile, temporaryFile, temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { serve, yodel } from '../../support/process/command.ts';
import { recordedText } from '../../support/transcripts.ts';

/** A room: what one client says, all receive. */
const room = `const all = new Set();
export default {
  open: (session) => { all.add(session); return 'welcome'; },
  message: (message) => { for (const one of all) one.send(message.text); },
  close: (session) => { all.delete(session); },
};`;

test('serve --record FILE.transcript writes all clients into one file, which is checked and played', async () => {
  const file = join(temporaryFolder(), 'talk.transcript');
  const handler = handlerFile(room);
  const server = await serve([handler, '--record', file, '--quiet']);
  const ada = await dial(server.port);
  await ada.saw(/welcome\n/);
  const bob = await dial(server.port);
  await bob.saw(/welcome\n/);
  expect(await ada.ask('hello')).toBe('hello');
  await bob.saw(/hello\n/);
  bob.end();
  await bob.ended;
  expect(await ada.ask('again')).toBe('again');
  ada.end();
  await ada.ended;
  await server.stop();
  const [about, ...lines] = recordedText(file).split('\n');
  expect(about).toMatch(/^# recorded .*, server tcp:\/\/127\.0\.0\.1:\d+$/);
  expect(lines.filter((line) => line.startsWith('#'))).toEqual([
    expect.stringMatching(/^# c1: client 127\.0\.0\.1:\d+$/),
    expect.stringMatching(/^# c2: client 127\.0\.0\.1:\d+$/),
  ]);
  expect(lines.filter((line) => !line.startsWith('#'))).toEqual([
    ...['@framing lines', '@connect c1', 'c1< welcome', '@connect c2', 'c2< welcome', 'c1> hello'],
    ...['c1< hello', 'c2< hello', '@close c2', '@closed c2', 'c1> again', 'c1< again', '@close c1', '@closed c1', ''],
  ]);
  const again = await serve([handler, '--quiet']);
  expect(await yodel(['check', file, again.address])).toMatchObject({ status: 0, stderr: '' });
  const mock = await serve([file, '--quiet']);
  expect(await yodel(['check', file, mock.address])).toMatchObject({ status: 0, stderr: '' });
});

test('a client that ends its side before the replies is recorded that way', async () => {
  const folder = temporaryFolder();
  const server = await serve(['exec:sort', '--record', folder, '--quiet']);
  expect((await yodel(['connect', server.address], { input: 'b\na\n' })).stdout.toString()).toBe('a\nb\n');
  await server.stop();
  const [name = ''] = readdirSync(folder);
  const file = join(folder, name);
  expect(recordedText(file)).toContain('\n> b\n> a\n@close\n< a\n< b\n@closed\n');
  const again = await serve(['exec:sort', '--quiet']);
  expect(await yodel(['check', file, again.address])).toMatchObject({ status: 0, stderr: '' });
  const mock = await serve([file, '--quiet']);
  expect((await yodel(['connect', mock.address], { input: 'b\na\n' })).stdout.toString()).toBe('a\nb\n');
});

test('error replies are recorded, and a comment says why the server closed', async () => {
  const file = join(temporaryFolder(), 'talk.transcript');
  const server = await serve(['--record', file, '--quiet']);
  const client = await dial(server.port);
  await client.ask('hello');
  await client.send(Buffer.from('\xff\n', 'latin1'));
  await client.saw(/error:/);
  client.end();
  await client.ended;
  await server.stop();
  const error = 'message 2 is not valid UTF-8: byte 0xff at offset 0';
  expect(recordedText(file)).toContain(`\nc1< error: ${error}\n# c1: ${error}\n@closed c1\n@close c1\n`);
});

test('a proxy records both sides, with the greeting of the server behind it, and a reset', async () => {
  const folder = temporaryFolder();
  const behind = await serve([handlerFile(room), '--quiet']);
  const proxy = await serve([`proxy:${behind.address}`, '--record', folder, '--quiet']);
  const client = await dial(proxy.port);
  await client.saw(/welcome\n/);
  expect(await client.ask('hello')).toBe('hello');
  client.reset();
  await expect
    .poll(() =>
      readdirSync(folder)
        .map((name) => recordedText(join(folder, name)))
        .join(''),
    )
    .toMatch(/\n< welcome\n> hello\n< hello\n@reset\n$/);
});

test.each([
  ['connect', []],
  ['send', ['hello']],
] as const)('%s --record never replaces a file unless it may', async (command, words) => {
  const server = await serve();
  const file = temporaryFile('talk.transcript', '> mine\n');
  const record = (...flags: string[]) =>
    yodel([command, server.address, ...words, '--record', file, ...flags], { input: 'hello\n' });
  const refused = await record();
  expect(refused).toMatchObject({ status: 2 });
  expect(refused.stderr).toBe(
    `yodel: ${file} exists; choose another file for --record, or add --record-overwrite to replace it\n`,
  );
  expect(readFileSync(file, 'utf8')).toBe('> mine\n');
  expect(await record('--record-overwrite', '--record-times', 'none')).toMatchObject({ status: 0 });
  expect(readFileSync(file, 'utf8')).toMatch(/^# recorded .*\n@framing lines\n> hello\n(?:@close\n)?< hello\n/);
});

test('serve --record FILE.transcript replaces none either, and takes one process', async () => {
  const file = temporaryFile('talk.transcript', '> mine\n');
  const refused = await yodel(['serve', '--listen', '127.0.0.1:0', '--record', file]);
  expect(refused).toMatchObject({ status: 2 });
  expect(refused.stderr).toContain('exists; choose another file for --record');
  expect(readFileSync(file, 'utf8')).toBe('> mine\n');
  const shared = await yodel(['serve', '--listen', '127.0.0.1:0', '--workers', '2', '--record', `${file}.transcript`]);
  expect(shared).toMatchObject({ status: 2 });
  expect(shared.stderr).toContain('is one file, which several workers cannot share; name a directory for --record');
});

test('times are comments, or pauses that are played', async () => {
  const handler = handlerFile(
    'export default async ({ text }) => { await new Promise((done) => setTimeout(done, 30)); return text; };',
  );
  const server = await serve([handler, '--quiet']);
  const file = join(temporaryFolder(), 'talk.transcript');
  const record = async (form: string) => {
    const flags = ['--record', file, '--record-overwrite', '--record-times', form];
    await yodel(['send', server.address, 'hello', ...flags]);
    return readFileSync(file, 'utf8');
  };
  expect(await record('comments')).toMatch(/\n> hello\n#\+ \d+ms\n< hello\n/);
  expect(await record('wait')).toMatch(/\n> hello\n@wait \d+ms\n< hello\n/);
  expect(await yodel(['check', file, server.address])).toMatchObject({ status: 0 });
});
