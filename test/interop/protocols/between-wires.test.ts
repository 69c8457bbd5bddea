/** Real servers and programs behind another wire than their own, and binary protocols in a pipe. */
import { expect } from 'vitest';
import { serve, yodel } from '../../support/process/command.ts';
import { lsp } from './servers/lsp.ts';
import { mosquitto } from './servers/mosquitto.ts';
import { postgres } from './servers/postgres.ts';
import { redis } from './servers/redis.ts';

/** Runs yodel and returns what it prints on stdout. */
async function printed(args: string[], input: string | Uint8Array = ''): Promise<string> {
  const { stdout, stderr, status } = await yodel(args, { input });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.toString();
}

const initialize = JSON.stringify({
  ...{ jsonrpc: '2.0', id: 'größer', method: 'initialize' },
  params: { processId: null, rootUri: null, capabilities: {} },
});

lsp.test('a language server that speaks on stdin and stdout is reached over TCP', async () => {
  const server = await serve(['exec:pylsp', '--protocol', 'lsp', '--quiet']);
  expect(await lsp.ask(server.port)).toMatch(lsp.answer);
  await server.stop();
});

lsp.test('a language server that speaks on stdin and stdout is reached over WebSocket', async () => {
  const args = ['exec:pylsp', '--upstream-protocol', 'lsp', '--quiet', '--listen', 'ws://127.0.0.1:0'];
  const server = await serve(args);
  const reply = JSON.parse(await printed(['send', server.address, initialize, '--timeout', '20s']));
  expect(reply).toMatchObject({ id: 'größer', result: { capabilities: { hoverProvider: true } } });
  await server.stop();
});

redis.test('Redis is reached over WebSocket: a value is a message', async () => {
  const port = await redis.start();
  const args = [`proxy:127.0.0.1:${port}`, '--upstream-protocol', 'redis', '--listen', 'ws://127.0.0.1:0', '--quiet'];
  const server = await serve(args);
  const commands = ['SET k "a b"', 'GET k', 'EVAL "return {1,{2,{}}}" 0'];
  const output = await printed(['send', server.address, ...commands, '--format', '%k %e\n']);
  expect(output).toBe('text +OK\\r\\n\ntext $3\\r\\na b\\r\\n\ntext *2\\r\\n:1\\r\\n*2\\r\\n:2\\r\\n*0\\r\\n\n');
});

lsp.test('yodel send --header adds header lines, and --format prints those of the reply', async () => {
  const port = await lsp.start();
  const header = 'text:Content-Type: application/vscode-jsonrpc; charset=utf-8\\r\\n';
  const output = await printed([
    ...['send', `:${port}`, '--protocol', 'lsp', '--header', header, initialize],
    ...['--timeout', '20s', '--format', '%h%m'],
  ]);
  expect(output).toMatch(/^Content-Type: application\/vscode-jsonrpc; charset=utf8\r\n\{"jsonrpc":"2.0","id":"gr/);
});

postgres.test('a query of PostgreSQL in a pipe: yodel connect --protocol postgres', async () => {
  const port = await postgres.start();
  const typed = (type: string, text: string) => {
    const frame = Buffer.from(`${type}\0\0\0\0${text}\0`, 'latin1');
    frame.writeUInt32BE(frame.length - type.length, type.length);
    return frame;
  };
  const start = typed('', '\0\x03\0\0user\0postgres\0database\0postgres\0');
  const terminate = Buffer.from('X\0\0\0\x04', 'latin1');
  const output = await printed(
    ['connect', `:${port}`, '--protocol', 'postgres', '--format', '%h %e\n'],
    Buffer.concat([start, typed('Q', 'select 6 * 7'), terminate]),
  );
  expect(output).toMatch(
    /^R \\0\\0\\0\\0\n(?:S .*\n)+K .*\nZ I\nT .*\nD \\0\\x01\\0\\0\\0\\x0242\nC SELECT 1\\0\nZ I\n$/,
  );
});

mosquitto.test('packets of MQTT in a pipe: yodel connect --protocol mqtt', async () => {
  const port = await mosquitto.start();
  const packets = [
    '100d00044d51545404020000000161',
    '820800010003612f6200',
    `30cd010003612f62${'78'.repeat(200)}`,
    'c000',
  ];
  const output = await printed(
    ['connect', `:${port}`, '--protocol', 'mqtt', '--format', '%H %e\n'],
    Buffer.from(packets.join(''), 'hex'),
  );
  expect(output.split('\n')).toEqual(['20 \\0\\0', '90 \\0\\x01\\0', `30 \\0\\x03a/b${'x'.repeat(200)}`, 'd0 ', '']);
});
