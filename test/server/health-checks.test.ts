/** Load balancers and port scans connect and leave again without a byte, with FIN or RST: nothing went wrong. */
import { once } from 'node:events';
import * as net from 'node:net';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import type { SocketAddress } from '../../src/address.ts';
import { selfSignedCertificate } from '../../src/cli/serve/tls/self-signed.ts';
import type { YodelError } from '../../src/errors.ts';
import { isHealthCheck, isUsualRefusal } from '../../src/log/error-text.ts';
import type { ServeOptions } from '../../src/server/options.ts';
import { type Server, serve } from '../../src/server/server.ts';
import type { Subscriber } from '../../src/telemetry/telemetry.ts';
import { temporaryFolder } from '../support/files.ts';
import { waitUntil } from '../support/process/process.ts';
import { upgradeRequest } from '../support/upgrade-request.ts';
import { textFrame } from '../support/websocket-frames.ts';

const leavings = ['fin', 'rst'] as const;
type Leaving = (typeof leavings)[number];

/** Connects and leaves without a byte. */
async function checkHealth(address: SocketAddress, leaving: Leaving): Promise<void> {
  const socket = address.scheme === 'unix' ? net.connect(address.path) : net.connect(address.port, address.host);
  await once(
    socket.on('error', () => undefined),
    'connect',
  );
  // The server must have accepted the connection, so that it sees how it ends.
  await new Promise((resolve) => setTimeout(resolve, 20));
  // The server may answer either with a reset.
  const closed = new Promise((resolve) => socket.resume().once('close', resolve));
  if (leaving === 'fin') socket.end();
  else if (address.scheme === 'unix') socket.destroy();
  else socket.resetAndDestroy();
  await closed;
}

/** A server on all transports, and what it reported about the ends of connections. */
async function serveAll(options: ServeOptions = {}): Promise<{ server: Server; ends: string[] }> {
  const ends: string[] = [];
  const name = (error: YodelError | undefined) => error?.code ?? 'well';
  const telemetry: Subscriber = {
    closed: (session, error) => {
      const isUsual = !error || isHealthCheck(session, error);
      ends.push(isUsual ? 'closed well' : `closed ${name(error)}`);
    },
    refused: (peer, error) => ends.push(isUsualRefusal(peer, error) ? 'reset' : `refused ${error.message}`),
    left: () => ends.push('left'),
  };
  const host = '127.0.0.1:0';
  const server = await serve({
    listen: [host, `tls://${host}`, `ws://${host}`, `wss://${host}`, `unix://${join(temporaryFolder(), 's')}`],
    tls: selfSignedCertificate(['localhost'], 86_400_000),
    telemetry,
    ...options,
  });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  return { server, ends };
}

for (const [where, proxyProtocol] of [
  ['', undefined],
  [', before a PROXY header', ['127.0.0.0/8']],
] as const) {
  test(`a health check is no error, with FIN or RST, on any transport${where}`, async () => {
    const { server, ends } = await serveAll({ proxyProtocol });
    for (const leaving of leavings) {
      for (const address of server.addresses) {
        const before = ends.length;
        await checkHealth(address, leaving);
        await waitUntil(`${leaving} at ${address.scheme} was noticed`, () => ends.length > before);
        const isPlain = address.scheme === 'unix' || (address.scheme === 'tcp' && !proxyProtocol);
        // Over the loopback interface a reset may arrive before the connection is accepted.
        const expected = isPlain ? /^(closed well|reset)$/ : /^(left|reset)$/;
        expect(ends.slice(before).join(), `${leaving} at ${address.scheme}`).toMatch(expected);
      }
    }
    expect(server.counters.connectionsRefused).toBe(ends.filter((end) => end === 'reset').length);
  });
}

test.each(leavings)(
  'a WebSocket client that leaves after its handshake without a message is no error: %s',
  async (leaving) => {
    const host = '127.0.0.1:0';
    const { server, ends } = await serveAll({ listen: [`ws://${host}`, `wss://${host}`] });
    for (const { scheme, port } of server.addresses as readonly { scheme: string; port: number }[]) {
      const before = ends.length;
      const socket = net.connect(port, '127.0.0.1').on('error', () => undefined);
      const client = scheme === 'wss' ? tls.connect({ socket, rejectUnauthorized: false }) : socket;
      client.on('error', () => undefined).write(upgradeRequest(port));
      const [response] = await once(client, 'data');
      expect(String(response)).toContain('101');
      if (leaving === 'fin') client.resume().end();
      else socket.resetAndDestroy();
      await waitUntil(`${leaving} at ${scheme} was noticed`, () => ends.length > before);
    }
    expect(ends).toEqual(['closed well', 'closed well']);
  },
);

test('a WebSocket client that leaves without a close frame after a message is an error', async () => {
  const { server, ends } = await serveAll({ listen: 'ws://127.0.0.1:0' });
  const { port } = server.addresses[0] as { port: number };
  const client = net.connect(port, '127.0.0.1').resume();
  client.write(upgradeRequest(port));
  await once(client, 'data');
  client.end(textFrame(5));
  await waitUntil('it was noticed', () => ends.length > 0);
  expect(ends).toEqual(['closed YODEL_NETWORK']);
});

test('a client that leaves in the middle of a handshake is an error', async () => {
  const { server, ends } = await serveAll({ listen: 'ws://127.0.0.1:0' });
  const { port } = server.addresses[0] as { port: number };
  const socket = net.connect(port, '127.0.0.1').resume();
  socket.end('GET / HTTP/1.1\r\n');
  await once(socket, 'close');
  await waitUntil('it was noticed', () => ends.length > 0);
  expect(ends).toEqual(['refused the WebSocket handshake with the client failed: it disconnected']);
});

/** What a client sends of its handshakes, by the scheme of the address. */
const beginnings: Readonly<Record<string, string>> = {
  tls: '\x16\x03\x01',
  ws: 'GET / HTTP/1.1\r\n',
  wss: 'GET / HTTP/1.1\r\n',
};
const header = 'PROXY TCP4 203.0.113.7 127.0.0.1 51234 7878\r\n';

/** Connects and sends a part of the handshakes: with `wss`, after the handshake of TLS. */
async function beginHandshake({ scheme, ...address }: SocketAddress, before: string): Promise<void> {
  const socket = net.connect((address as { port: number }).port, '127.0.0.1').on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(before);
  const secured = scheme === 'wss' ? tls.connect({ socket, rejectUnauthorized: false }) : socket;
  if (scheme === 'wss') await once(secured, 'secureConnect');
  secured.on('error', () => undefined).resume();
  await new Promise<void>((resolve) => secured.write(beginnings[scheme] ?? '', () => resolve()));
  onTestFinished(() => void socket.destroy());
}

for (const [where, before] of [
  ['', ''],
  [', after a PROXY header', header],
  [', in a PROXY header', 'PROXY '],
] as const) {
  test(`handshakes that a shutdown ends are not the fault of their clients${where}`, async () => {
    const refusals: string[] = [];
    const proxyProtocol = before === '' ? undefined : ['127.0.0.0/8'];
    const { server } = await serveAll({
      proxyProtocol,
      telemetry: {
        refused: (peer, error) => refusals.push(`${error.message}: ${isUsualRefusal(peer, error) ? 'info' : 'warn'}`),
      },
    });
    const isCut = before === 'PROXY ';
    const addresses = server.addresses.filter(({ scheme }) => (isCut ? scheme === 'tcp' : scheme in beginnings));
    for (const address of addresses) await beginHandshake(address, before);
    await server.close({ timeoutMs: 200 });
    await waitUntil('all were reported', () => refusals.length === addresses.length);
    const text = 'the server is shutting down, and the handshakes were not complete: info';
    expect(refusals).toEqual(addresses.map(() => text));
  });
}
