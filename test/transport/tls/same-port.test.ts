/** Two clients of one TLS listener that have the same address and port: each connection is tied to its own socket. */
import { once } from 'node:events';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import type { TlsAddress } from '../../../src/address.ts';
import { selfSignedCertificate } from '../../../src/cli/serve/tls/self-signed.ts';
import { serve } from '../../../src/server/server.ts';

const own = selfSignedCertificate(['localhost'], 86_400_000);
const ada = selfSignedCertificate(['ada'], 86_400_000);
const bob = selfSignedCertificate(['bob'], 86_400_000);

/** A server on all local addresses that tells its clients who they are. */
async function serveIdentities(proxyProtocol: string[]): Promise<number> {
  const server = await serve({
    listen: 'tls://0.0.0.0:0',
    tls: { ...own, clientCa: ada.cert + bob.cert },
    proxyProtocol,
    handshakeTimeout: 0,
    handler: (_, { peer, security }) => `${security?.subject} at ${peer}`,
  });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  return (server.addresses[0] as TlsAddress).port;
}

async function connectTo(port: number, host: string, localPort = 0): Promise<net.Socket> {
  const socket = net.connect({ host, port, localAddress: '127.0.0.1', localPort });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Does the handshake and returns the first reply. */
async function identityOf(socket: net.Socket, certificate: typeof own): Promise<string> {
  const secured = tls.connect({ socket, rejectUnauthorized: false, ...certificate });
  secured.setEncoding('utf8').write('who am I?\n');
  const [reply] = (await once(secured, 'data')) as [string];
  return reply.trim();
}

it('each has its own certificate', async () => {
  const port = await serveIdentities([]);
  const first = await connectTo(port, '127.0.0.1');
  const second = await connectTo(port, '127.0.0.2', first.localPort);
  const peer = `tls://127.0.0.1:${first.localPort}`;
  expect(await identityOf(second, bob)).toBe(`CN=bob at ${peer}`);
  expect(await identityOf(first, ada)).toBe(`CN=ada at ${peer}`);
});

it('behind a load balancer, each has its own certificate and its own peer', async () => {
  const port = await serveIdentities(['127.0.0.1']);
  const first = await connectTo(port, '127.0.0.1');
  const second = await connectTo(port, '127.0.0.2', first.localPort);
  first.write('PROXY TCP4 192.0.2.1 127.0.0.1 1111 7878\r\n');
  second.write('PROXY TCP4 192.0.2.2 127.0.0.1 2222 7878\r\n');
  expect(await identityOf(second, bob)).toBe('CN=bob at tls://192.0.2.2:2222');
  expect(await identityOf(first, ada)).toBe('CN=ada at tls://192.0.2.1:1111');
});
