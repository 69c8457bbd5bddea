/** The server's process stands still for longer than its time-outs: SIGSTOP here, a suspended laptop elsewhere. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import * as tls from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { dial, Peer } from '../support/peer.ts';
import { serve } from '../support/process/command.ts';
import { dialWebSocket, frameBytes, textFrame, upgradeToWebSocket } from '../support/websocket-frames.ts';

const clientsOfEach = 20;

interface Client {
  readonly peer: Peer;
  /** A message, as bytes, or its first and its last part. */
  readonly message: Uint8Array;
  readonly parts: readonly [Uint8Array, Uint8Array];
  readonly reply: Uint8Array;
  /** Bytes received before the first reply: the answer to the handshake of WebSocket. */
  readonly head: number;
}

const line = {
  head: 0,
  message: Buffer.from('x\n'),
  parts: [Buffer.from('x'), Buffer.from('\n')],
  reply: Buffer.from('x\n'),
} as const;
const frame = {
  message: textFrame(1),
  parts: [frameBytes({ opcode: 1, isFinal: false, length: 1 }), frameBytes({ opcode: 0, isFinal: true, length: 0 })],
  // Text, one byte: `x`.
  reply: Buffer.from('\x81\x01x', 'latin1'),
} as const;

const connect: Record<string, (port: number) => Promise<Client>> = {
  tcp: async (port) => ({ peer: await dial(port), ...line }),
  tls: async (port) => {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    onTestFinished(() => void socket.destroy());
    return { peer: new Peer(socket), ...line };
  },
  ws: async (port) => {
    const peer = await dialWebSocket(port);
    return { peer, head: peer.size, ...frame };
  },
};

test('clients that were in time are served after a stall, on every transport', async () => {
  const listeners = Object.keys(connect).flatMap((scheme) => ['--listen', `${scheme}://127.0.0.1:0`]);
  const times = ['--idle-timeout', '3s', '--message-timeout', '3s', '--handshake-timeout', '3s'];
  const server = await serve([...listeners, ...times, '--tls-self-signed', '--quiet']);
  const clients: Client[] = [];
  const ports = new Map<string, number>();
  const served = async ({ peer, head, reply }: Client, messages: number) => {
    const received = (await peer.sawBytes(head + messages * reply.length)).subarray(head);
    expect(received.equals(Buffer.concat(Array(messages).fill(reply)))).toBe(true);
  };
  const sent = new Map<Client, number>();
  const exchange = async () => {
    for (const client of clients) {
      sent.set(client, (sent.get(client) ?? 0) + 1);
      client.peer.socket.write(client.message);
    }
    await Promise.all(clients.map((client) => served(client, sent.get(client) ?? 0)));
  };
  for (const [scheme, open] of Object.entries(connect)) {
    const [, port] = await server.saw(new RegExp(`${scheme}://127.0.0.1:(\\d+)`));
    ports.set(scheme, Number(port));
    clients.push(...(await Promise.all(Array.from({ length: clientsOfEach }, () => open(Number(port))))));
    // None is idle while others connect.
    await exchange();
  }
  // They are accepted before the others are answered, and begin their handshakes only during the stall.
  const late = await Promise.all(
    Array.from(ports, async ([scheme, port]) => ({ scheme, port, peer: await dial(port) })),
  );
  await exchange();
  // Half of them wait, the others are in the middle of a message.
  const isBetween = (index: number) => index % 2 === 0;
  for (const [index, { peer, parts }] of clients.entries()) if (!isBetween(index)) peer.socket.write(parts[0]);
  await delay(50);

  server.process.kill('SIGSTOP');
  await delay(3500);
  for (const [index, { peer, message, parts }] of clients.entries())
    peer.socket.write(isBetween(index) ? message : parts[1]);
  const handshakes = late.map(async ({ scheme, port, peer }) => {
    if (scheme === 'ws') await upgradeToWebSocket(peer, port);
    if (scheme === 'tls') await once(tls.connect({ socket: peer.socket, rejectUnauthorized: false }), 'secureConnect');
  });
  server.process.kill('SIGCONT');

  await Promise.all(handshakes);
  const outcomes = await Promise.allSettled(clients.map((client) => served(client, (sent.get(client) ?? 0) + 1)));
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(clients.length);
  expect((await server.stop()).stderr).not.toContain('Warning');
});
