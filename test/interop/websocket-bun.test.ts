/** Bun's own WebSocket server and client. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { temporaryFolder } from '../support/files.ts';
import { type Running, serve, start } from '../support/process/command.ts';

const bun = join(import.meta.dirname, '../../node_modules/.bin/bun');

function run(program: string): Running {
  const file = join(temporaryFolder(), 'program.ts');
  writeFileSync(file, program);
  return start([bun, file]);
}

test('connect() talks to Bun.serve, which pings and closes', async () => {
  const server = run(`
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: (request, server) => (server.upgrade(request) ? undefined : new Response('no')),
      websocket: {
        message(socket, message) {
          if (message === 'close') socket.close(4000, 'as you wish');
          else socket.ping('are you there'), socket.send(message);
        },
        pong: (_, data) => console.log('pong', String(data)),
      },
    });
    console.log('port', server.port);
  `);
  const [, port] = await server.saw(/port (\d+)/);
  const client = await connect(`ws://127.0.0.1:${port}/`);
  for (const message of ['hällo', '', 'x'.repeat(70_000)]) {
    const reply = await client.request(message);
    expect([reply.kind, reply.text === message]).toEqual(['text', true]);
  }
  const binary = await client.request(Buffer.from([0xff, 0, 10]));
  expect([binary.kind, ...binary.bytes]).toEqual(['binary', 0xff, 0, 10]);
  await server.saw(/pong are you there/);
  await expect(client.request('close')).rejects.toMatchObject({
    code: 'YODEL_WEBSOCKET_CLOSED',
    message: expect.stringContaining('closed the WebSocket with code 4000: as you wish'),
  });
});

test("Bun's client talks to yodel serve", async () => {
  const server = await serve(['--listen', 'ws://127.0.0.1:0', '--max-message', '100000']);
  const port = /listening on ws:\/\/[^:]+:(\d+)/.exec(server.stderr())?.[1];
  const client = run(`
    const socket = new WebSocket('ws://127.0.0.1:${port}/');
    socket.binaryType = 'arraybuffer';
    const messages = ['hällo', '', 'x'.repeat(70_000), new Uint8Array([255, 0, 10])];
    let received = 0;
    socket.onopen = () => messages.forEach((message) => socket.send(message));
    socket.onmessage = ({ data }) => {
      if (received++ === messages.length) return console.log(data);
      const sent = messages[received - 1];
      const isSame = typeof data === 'string' ? data === sent : Buffer.from(data).equals(sent);
      if (!isSame) console.log('different');
      if (received === messages.length) socket.send('x'.repeat(100_001));
    };
    socket.onclose = ({ code, reason, wasClean }) => console.log('closed', received, code, reason, wasClean);
  `);
  await client.saw(/error: message 5 .*\nclosed 5 1009 message 5 is longer than the limit of 100000 bytes true/);
  expect(client.stdout()).not.toMatch(/different/);
});
