/** SIGHUP: the server reloads its settings, and no message is lost. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../../support/files.ts';
import { type RunningServer, serve, yodel } from '../../support/process/command.ts';
import { Terminal } from '../../support/terminal.ts';
import { testWith } from '../../support/tools.ts';

const tmux = testWith('tmux', 'apt-get install tmux');

async function ask(server: RunningServer, input: string): Promise<string> {
  return (await yodel(['connect', server.address], { input })).stdout.toString();
}

/** A connection that stays open. */
async function stay(server: RunningServer): Promise<{ socket: Socket; ask(text: string): Promise<string> }> {
  const socket = connect(server.port, '127.0.0.1').on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return {
    socket,
    async ask(text) {
      socket.write(`${text}\n`);
      return String((await once(socket, 'data'))[0]);
    },
  };
}

test('new sessions get the new handler and limits, open sessions keep theirs', async () => {
  const folder = temporaryFolder();
  const [file, handler] = [join(folder, 'yodel.toml'), join(folder, 'handler.mjs')];
  writeFileSync(file, 'maxMessageLength = 10\n');
  writeFileSync(handler, 'export default (message) => `old ${message.text}`;\n');
  const server = await serve([handler, '--config', file, '--listen', '127.0.0.1:0']);
  const open = await stay(server);
  expect(await open.ask('a')).toBe('old a\n');
  writeFileSync(file, 'maxMessageLength = 3\n');
  writeFileSync(handler, 'export default (message) => `new ${message.text}`;\n');
  server.process.kill('SIGHUP');
  await server.saw(/yodel: reloaded/);
  expect(await open.ask('abcdefgh')).toBe('old abcdefgh\n');
  expect(await ask(server, 'abc\nabcd\n')).toBe('new abc\nerror: message 2 is longer than the limit of 3 bytes\n');
});

test('a proxy that would lead to itself is not reloaded, by whatever name', async () => {
  const file = join(temporaryFolder(), 'yodel.toml');
  writeFileSync(file, '');
  const server = await serve(['--config', file, '--listen', '127.0.0.1:0']);
  for (const host of ['127.0.0.1', 'localhost', '127.1.2.3']) {
    const [listens, isOwn] = [server.address, host !== '127.1.2.3'];
    writeFileSync(file, `handler = "proxy:${host}:${server.port}"\n`);
    server.process.kill('SIGHUP');
    const refused = `not reloaded, .* the upstream tcp://${host}:${server.port} is this server itself, .* ${listens}`;
    await server.saw(new RegExp(isOwn ? refused : 'yodel: reloaded'));
    if (isOwn) expect(await ask(server, 'a\n')).toBe('a\n');
  }
});

test('the access rules are reloaded too', async () => {
  const file = join(temporaryFolder(), 'yodel.toml');
  writeFileSync(file, '');
  const server = await serve(['--config', file, '--listen', '127.0.0.1:0']);
  expect(await ask(server, 'a\n')).toBe('a\n');
  writeFileSync(file, 'deny = ["127.0.0.1"]\n');
  server.process.kill('SIGHUP');
  await server.saw(/yodel: reloaded/);
  expect(await ask(server, 'a\n')).toBe('error: connections from 127.0.0.1 are not allowed\n');
});

test.each([
  [
    'an unknown setting',
    'nonsense = 1\n',
    undefined,
    /not reloaded, the old settings remain in effect: .*has no setting "nonsense"/,
  ],
  [
    'a handler that cannot be loaded',
    '',
    'export default (',
    /not reloaded, the old settings remain in effect: the handler file .* cannot be loaded/,
  ],
] as const)('%s is reported, and nothing changes', async (_, settings, code, says) => {
  const folder = temporaryFolder();
  const [file, handler] = [join(folder, 'yodel.toml'), join(folder, 'handler.mjs')];
  writeFileSync(file, 'maxMessageLength = 3\n');
  writeFileSync(handler, 'export default (message) => `old ${message.text}`;\n');
  const server = await serve([handler, '--config', file, '--listen', '127.0.0.1:0']);
  writeFileSync(file, settings);
  if (code !== undefined) writeFileSync(handler, code);
  server.process.kill('SIGHUP');
  await server.saw(says);
  expect(await ask(server, 'abc\nabcd\n')).toBe('old abc\nerror: message 2 is longer than the limit of 3 bytes\n');
});

test.each([
  ['one process', []],
  ['several', ['--workers', '2']],
])('%s: ten reloads under load lose no message', async (_, workers) => {
  const file = join(temporaryFolder(), 'yodel.toml');
  writeFileSync(file, 'rate = 0\n');
  const server = await serve(['--no-messages', '--config', file, ...workers, '--listen', '127.0.0.1:0']);
  const bench = yodel(['bench', server.address, '--duration', '2s', '--assert', 'errors == 0', '--json']);
  await server.saw(/connected/);
  for (let each = 1; each <= 10; each++) {
    writeFileSync(
      file,
      each % 3 === 0 ? 'broken = = 1\n' : `maxMessages = ${each % 2 === 0 ? '"off"' : 1_000_000_000}\n`,
    );
    server.process.kill('SIGHUP');
    await server.saw(new RegExp(`(yodel: (not )?reloaded[^]*){${each}}`));
  }
  const { status, stdout } = await bench;
  expect(status).toBe(0);
  expect(JSON.parse(stdout.toString().trim().split('\n').at(-1) as string)).toMatchObject({
    messages: { unanswered: 0 },
  });
  expect((await server.stop()).status).toBe(0);
});

tmux('a server whose terminal is closed exits instead of reloading', async () => {
  const terminal = new Terminal({ width: 120 });
  terminal.enter('yodel serve --listen 127.0.0.1:0');
  const [, port] = await terminal.sees(/listening on tcp:\/\/127\.0\.0\.1:(\d+)/);
  const socket = connect(Number(port), '127.0.0.1').on('error', () => undefined);
  await once(socket, 'connect');
  const gone = once(socket.resume(), 'end');
  terminal.close();
  await gone;
});
