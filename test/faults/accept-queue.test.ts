/** Connections that the operating system has accepted and the server has not, when SIGTERM arrives. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import * as net from 'node:net';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../support/files.ts';
import { childrenOf } from '../support/process/children.ts';
import { type RunningServer, serve } from '../support/process/command.ts';

/**
 * Connects to a server that is stopped, which accepts nothing, and sends: a header in plain text, then the message. Returns the
 * promise of what is received until the server ends the connection; it rejects when the connection breaks.
 */
async function send(address: string, header: string, message: Buffer): Promise<{ readonly ended: Promise<string> }> {
  const [, scheme, where = ''] = /^(\w+):\/\/(.*)$/.exec(address) ?? [];
  const port = Number.parseInt(where.split(':').at(-1) ?? '', 10);
  const socket = net.connect(scheme === 'unix' ? { path: where } : { host: '127.0.0.1', port });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  socket.write(header);
  const stream = scheme === 'tls' || scheme === 'wss' ? tls.connect({ socket, rejectUnauthorized: false }) : socket;
  let text = '';
  stream.setEncoding('latin1').on('data', (piece) => {
    text += piece;
  });
  const ended = new Promise<string>((resolve, reject) => {
    stream.on('end', () => resolve(text)).on('error', reject);
    stream.on('close', () => reject(new Error(`closed without an end, after ${JSON.stringify(text)}`)));
  });
  ended.catch(() => undefined);
  stream.write(message);
  return { ended };
}

/** The request for a WebSocket, and a text message in one masked frame. */
function webSocketMessage(text: string): Buffer {
  const request = [
    'GET / HTTP/1.1',
    'Host: 127.0.0.1',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
  ];
  const frame = Buffer.of(0x81, 0x80 | text.length, 0, 0, 0, 0);
  return Buffer.concat([Buffer.from(`${request.join('\r\n')}\r\n\r\n`), frame, Buffer.from(text)]);
}

/** All processes of the server, workers included. */
function processesOf({ pid }: RunningServer): number[] {
  return [...childrenOf(pid), pid];
}

/** Fewer over TLS: this process must get through its part of the handshakes within the time for a first message. */
function numbersFor(address: string): number[] {
  return Array.from({ length: /^(tls|wss):/.test(address) ? 6 : 20 }, (_, number) => number);
}

test.each([
  ['of every transport', ['tcp', 'unix', 'tls', 'ws', 'wss'], []],
  ['whose PROXY headers are unread', ['tcp', 'tls', 'ws', 'wss'], ['--proxy-protocol', '127.0.0.1']],
  ['of workers', ['tcp', 'unix', 'ws'], ['--workers', '2']],
])('SIGTERM: connections %s that are not accepted yet are accepted and answered', async (_, schemes, flags) => {
  const path = join(temporaryFolder(), 'socket');
  const listen = schemes.flatMap((scheme) => ['--listen', `${scheme}://${scheme === 'unix' ? path : '127.0.0.1:0'}`]);
  const certificate = schemes.includes('tls') ? ['--tls-self-signed'] : [];
  const server = await serve(['--quiet', '--shutdown-timeout', '60s', ...certificate, ...listen, ...flags], {
    hasChildren: true,
  });
  const isProxied = flags.includes('--proxy-protocol');
  for (const scheme of schemes) await server.saw(new RegExp(`listening on ${scheme}:`));
  if (flags.includes('--workers')) await server.saw(/2 workers/);
  const addresses = [...server.stderr().matchAll(/listening on (\S+)/g)].map(([, address = '']) => address);
  expect(addresses).toHaveLength(schemes.length);

  const processes = processesOf(server);
  for (const pid of processes) process.kill(pid, 'SIGSTOP');
  const header = isProxied ? 'PROXY TCP4 203.0.113.7 127.0.0.1 51234 7878\r\n' : '';
  const sending = addresses.flatMap((address) =>
    numbersFor(address).map(async (number) => {
      const text = `hello ${number}`;
      const isFramed = address.startsWith('ws');
      const reply = isFramed ? `\r\n\r\n\x81${String.fromCharCode(text.length)}${text}` : `${text}\n`;
      const message = isFramed ? webSocketMessage(text) : Buffer.from(reply);
      return { reply, ...(await send(address, header, message)) };
    }),
  );
  const clients = await Promise.all(sending);
  process.kill(server.pid, 'SIGTERM');
  for (const pid of processes) process.kill(pid, 'SIGCONT');
  for (const { reply, ended } of clients) expect(await ended).toContain(reply);
  expect((await server.ended).status).toBe(0);
});

const longestQueue = Number(readFileSync('/proc/sys/net/core/somaxconn', 'latin1'));

test.skipIf(longestQueue < 600).each([
  ['a server', []],
  ['workers', ['--workers', '2']],
])('a burst of 600 connections to the Unix socket of %s waits in the queue, and all are answered', async (_, flags) => {
  const path = join(temporaryFolder(), 'socket');
  const server = await serve(['--quiet', '--shutdown-timeout', '60s', '--listen', `unix://${path}`, ...flags], {
    hasChildren: true,
  });
  await server.saw(/listening on unix:/);
  if (flags.length > 0) await server.saw(/2 workers/);
  const processes = processesOf(server);
  for (const pid of processes) process.kill(pid, 'SIGSTOP');
  const texts = Array.from({ length: 600 }, (_, number) => `hello ${number}\n`);
  // Linux refuses at once what does not fit into the queue.
  const clients = await Promise.all(texts.map((text) => send(`unix://${path}`, text, Buffer.alloc(0))));
  process.kill(server.pid, 'SIGTERM');
  for (const pid of processes) process.kill(pid, 'SIGCONT');
  expect(await Promise.all(clients.map(({ ended }) => ended))).toEqual(texts);
  expect((await server.ended).status).toBe(0);
});
