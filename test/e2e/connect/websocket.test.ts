/** Every command that connects speaks `ws://` and `wss://`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeCertificate } from '../../support/certificate.ts';
import { temporaryFolder } from '../../support/files.ts';
import { type RunningServer, serve, yodel } from '../../support/process/command.ts';
import { testWith } from '../../support/tools.ts';

const withOpenssl = testWith('openssl', 'apt-get install openssl');

function addressOf(server: RunningServer): string {
  return /listening on (wss?:\/\/\S+)/.exec(server.stderr())?.[1] ?? '';
}

test('connect, send and bench talk to a ws:// server', async () => {
  const address = addressOf(await serve(['--listen', 'ws://127.0.0.1:0']));
  const connected = await yodel(['connect', address], { input: 'one\ntwö\n' });
  expect([connected.status, connected.stdout.toString()]).toEqual([0, 'one\ntwö\n']);
  const sent = await yodel(['send', address, 'hello']);
  expect([sent.status, sent.stdout.toString()]).toEqual([0, 'hello\n']);
  const measured = await yodel(['bench', address, '-n', '1000', '-c', '4', '-P', '10', '--json']);
  expect(measured.status).toBe(0);
  expect(JSON.parse(measured.stdout.toString()).messages).toEqual({ sent: 1000, answered: 1000, unanswered: 0 });
});

test('check and replay talk to a ws:// server', async () => {
  const address = addressOf(await serve(['--listen', 'ws://127.0.0.1:0']));
  const file = join(temporaryFolder(), 'echo.transcript');
  writeFileSync(file, `@address ${address}\n> hello\n< hello\n`);
  const checked = await yodel(['check', file]);
  expect(checked.status).toBe(0);
  const replayed = await yodel(['replay', file, address]);
  expect(replayed.status).toBe(0);
  writeFileSync(file, `@address ${address}\n> hello\n< other\n`);
  expect((await yodel(['check', file])).status).toBe(3);
});

withOpenssl('connect talks to a wss:// server', async () => {
  const { certificate, key } = makeCertificate();
  const server = await serve(['--cert', certificate, '--key', key, '--listen', 'wss://127.0.0.1:0']);
  const address = addressOf(server).replace('127.0.0.1', 'localhost');
  const { status, stdout } = await yodel(['connect', address, '--cacert', certificate], { input: 'hello\n' });
  expect([status, stdout.toString()]).toEqual([0, 'hello\n']);
  const untrusted = await yodel(['connect', address], { input: 'hello\n' });
  expect(untrusted.status).toBe(1);
  expect(untrusted.stderr).toMatch(/cannot connect to wss:\/\/localhost:\d+\S*: its certificate is not signed/);
});
