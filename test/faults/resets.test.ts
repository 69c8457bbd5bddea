/** Clients that reset their connections during a handshake. */
import { once } from 'node:events';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TcpAddress } from '../../src/address.ts';
import { selfSignedCertificate } from '../../src/cli/serve/tls/self-signed.ts';
import type { ServeOptions } from '../../src/server/options.ts';
import { serve } from '../../src/server/server.ts';

const certificate = selfSignedCertificate(['localhost'], 86_400_000);
const proxyProtocol = ['127.0.0.1'];
const header = 'PROXY TCP4 203.0.113.7 127.0.0.1 51234 7878\r\n';
const upgrade = [
  'GET / HTTP/1.1',
  'Host: 127.0.0.1',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  '\r\n',
].join('\r\n');

interface Kind {
  readonly options: ServeOptions;
  readonly header?: string;
  readonly isSecure?: boolean;
  /** After the header, and the handshake of TLS: answered by a client's first bytes. */
  readonly request: string;
}

const kinds: Record<string, Kind> = {
  TLS: { options: { listen: 'tls://127.0.0.1:0', tls: certificate }, isSecure: true, request: 'hello\n' },
  WebSocket: { options: { listen: 'ws://127.0.0.1:0' }, request: upgrade },
  'WebSocket over TLS': {
    options: { listen: 'wss://127.0.0.1:0', tls: certificate },
    isSecure: true,
    request: upgrade,
  },
  'a PROXY header': { options: { listen: '127.0.0.1:0', proxyProtocol }, header, request: 'hello\n' },
  'a PROXY header and TLS': {
    options: { listen: 'tls://127.0.0.1:0', tls: certificate, proxyProtocol },
    header,
    isSecure: true,
    request: 'hello\n',
  },
};

async function connect(port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1').on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Whether a client that completes its handshakes is served, or refused because there is no place. */
async function isServed(port: number, kind: Kind): Promise<boolean> {
  const socket = await connect(port).catch(() => undefined);
  if (!socket) return false;
  if (kind.header) socket.write(kind.header);
  const stream = kind.isSecure ? tls.connect({ socket, rejectUnauthorized: false }) : socket;
  const outcome = new Promise<boolean>((resolve) => {
    stream.once('data', (answer) => resolve(!String(answer).startsWith('error:')));
    stream.on('error', () => undefined).on('close', () => resolve(false));
  });
  stream.write(kind.request);
  return await outcome.finally(() => socket.destroy());
}

const beginnings: [string, (kind: Kind) => string | Buffer][] = [
  ['before its first byte', () => ''],
  // The first bytes of a ClientHello, of a request, or of the header.
  ['after its first bytes', (kind) => kind.header?.slice(0, 6) ?? (kind.isSecure ? Buffer.of(22, 3, 1, 2) : 'GET ')],
];

describe.each(Object.entries(kinds))(
  'a client that resets in the handshake of %s leaves its place at once',
  (_, kind) => {
    test.each(beginnings)('%s', async (_when, beginning) => {
      // One that is served, and those that get a reason. No time-out may free a place.
      const places = 1 + 64;
      const server = await serve({ ...kind.options, maxConnections: 1, handshakeTimeout: 0 });
      onTestFinished(() => server.close({ timeoutMs: 0 }));
      const { port } = server.addresses[0] as TcpAddress;
      const stalled = await Promise.all(Array.from({ length: places }, () => connect(port)));
      for (const socket of stalled) socket.write(beginning(kind));
      expect(await isServed(port, kind)).toBe(false);
      for (const socket of stalled) socket.resetAndDestroy();
      for (const deadline = Date.now() + 10_000; !(await isServed(port, kind)); )
        if (Date.now() > deadline) throw new Error('there is no place after 10 s');
    });
  },
);
