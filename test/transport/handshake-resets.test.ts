/** Clients that reset their connections in the middle of their handshakes: their places are free at once. */
import { once } from 'node:events';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import type { TcpAddress } from '../../src/address.ts';
import { selfSignedCertificate } from '../../src/cli/serve/tls/self-signed.ts';
import { serve } from '../../src/server/server.ts';
import { clientHello } from '../support/client-hello.ts';

const certificate = selfSignedCertificate(['localhost'], 86_400_000);
const halfHello = Buffer.from('160301020001', 'hex');
const proxyHeader = 'PROXY TCP4 192.0.2.1 127.0.0.1 1111 7878\r\n';

type Begin = (socket: net.Socket) => unknown;

const clients = 20;

const phases: [name: string, scheme: string, behindProxy: boolean, begin: Begin][] = [
  ['before anything', 'tls', false, () => undefined],
  ['in the TLS handshake', 'tls', false, (socket) => socket.write(halfHello)],
  ['after the ClientHello', 'tls', false, async (socket) => socket.write(await clientHello())],
  ['in the HTTP request', 'ws', false, (socket) => socket.write('GET / HTTP/1.1\r\n')],
  ['in the HTTP request over TLS', 'wss', false, halfRequest],
  ['in the PROXY header', 'tcp', true, (socket) => socket.write('PROXY TCP4')],
  [
    'in the TLS handshake after a PROXY header',
    'tls',
    true,
    (socket) => socket.write(proxyHeader + halfHello.toString('latin1')),
  ],
  [
    'in the HTTP request after a PROXY header',
    'ws',
    true,
    (socket) => socket.write(`${proxyHeader}GET / HTTP/1.1\r\n`),
  ],
];

async function halfRequest(socket: net.Socket): Promise<void> {
  const secured = tls.connect({ socket, rejectUnauthorized: false });
  secured.on('error', () => undefined);
  await once(secured, 'secureConnect');
  secured.write('GET / HTTP/1.1\r\n');
}

it.each(phases)('%s: the places of clients that reset are free at once', async (_, scheme, behindProxy, begin) => {
  const gone = Promise.withResolvers<void>();
  let ended = 0;
  const end = () => {
    ended++;
    if (ended === clients) gone.resolve();
  };
  const server = await serve({
    listen: `${scheme}://127.0.0.1:0`,
    ...(scheme.endsWith('s') && scheme !== 'ws' ? { tls: certificate } : {}),
    proxyProtocol: behindProxy ? ['127.0.0.1'] : [],
    // A place that only a time-out frees is never free here.
    handshakeTimeout: 0,
    // Those that have sent nothing are no error.
    telemetry: { refused: end, left: end },
  });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const { port } = server.addresses[0] as TcpAddress;
  for (let client = 0; client < clients; client++) {
    const socket = net.connect(port, '127.0.0.1').on('error', () => undefined);
    await once(socket, 'connect');
    await begin(socket);
    // Some arrive before the reset, some with it.
    if (client % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
    socket.resetAndDestroy();
  }
  await gone.promise;
  expect(ended).toBe(clients);
  expect(server.counters.connectionsAccepted).toBe(0);
});

it.each([
  ['tls', false],
  ['tls', true],
  ['wss', true],
])(
  '%s, behind a load balancer: %s, with its ClientHello: the places of clients that end are free at once',
  async (scheme, behindProxy) => {
    const gone = Promise.withResolvers<void>();
    let ended = 0;
    const end = () => {
      ended++;
      if (ended === clients) gone.resolve();
    };
    const server = await serve({
      ...{ listen: `${scheme}://127.0.0.1:0`, tls: certificate, handshakeTimeout: 0 },
      proxyProtocol: behindProxy ? ['127.0.0.1'] : [],
      telemetry: { refused: end, left: end },
    });
    onTestFinished(() => server.close({ timeoutMs: 0 }));
    const { port } = server.addresses[0] as TcpAddress;
    const hello = await clientHello();
    const first = behindProxy ? Buffer.concat([Buffer.from(proxyHeader), hello]) : hello;
    // At once, so that the end of most of them has arrived when their turn comes.
    const sockets = Array.from({ length: clients }, () =>
      net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }),
    );
    for (const socket of sockets) socket.on('error', () => undefined).end(first);
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    await gone.promise;
    expect(server.counters.connectionsAccepted).toBe(0);
  },
);

it.each([
  ['after a message', 'a\n'],
  ['in a message', 'a\nb'],
])('%s, before its reply is written over TLS: the places of clients that reset are free at once', async (_, text) => {
  let socket: net.Socket | undefined;
  const closed = Promise.withResolvers<void>();
  const server = await serve({
    ...{ listen: 'tls://127.0.0.1:0', tls: certificate },
    ...{ handshakeTimeout: 0, idleTimeout: 0, messageTimeout: 0, drainTimeout: 0 },
    handler(message) {
      socket?.resetAndDestroy();
      return message.text;
    },
    telemetry: { closed: () => closed.resolve() },
  });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  socket = net.connect((server.addresses[0] as TcpAddress).port, '127.0.0.1').on('error', () => undefined);
  const secured = tls.connect({ socket, rejectUnauthorized: false }).on('error', () => undefined);
  await once(secured, 'secureConnect');
  secured.write(text);
  await closed.promise;
  expect(server.counters.connectionsOpen).toBe(0);
});
