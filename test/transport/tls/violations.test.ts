/** Peers that violate TLS after the handshake: only their own connections end, and the server says why. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import * as net from 'node:net';
import { Duplex } from 'node:stream';
import * as tls from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import type { TlsAddress } from '../../../src/address.ts';
import { selfSignedCertificate } from '../../../src/cli/serve/tls/self-signed.ts';
import { connect } from '../../../src/client/connect.ts';
import type { YodelError } from '../../../src/errors.ts';
import { type Server, serve } from '../../../src/server/server.ts';
import { testWith } from '../../support/tools.ts';

const certificate = selfSignedCertificate(['localhost'], 86_400_000);

async function serveTls(proxyProtocol: string[]) {
  const ended = Promise.withResolvers<YodelError | undefined>();
  const server = await serve({
    listen: 'tls://127.0.0.1:0',
    tls: certificate,
    proxyProtocol,
    telemetry: { closed: (_, error) => ended.resolve(error) },
  });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  return { server, port: (server.addresses[0] as TlsAddress).port, ended: ended.promise };
}

/** A client that completes the handshake. Returns the socket below TLS. */
async function securedBelow(port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1').on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  const through = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, written) => void socket.write(chunk, () => written()),
  });
  socket.on('data', (chunk) => through.push(chunk));
  const secured = tls.connect({ socket: through, rejectUnauthorized: false }).on('error', () => undefined);
  secured.write('hello\n');
  await once(secured, 'data');
  return socket;
}

async function stillServes(server: Server): Promise<void> {
  const client = await connect(String(server.addresses[0]), { tls: { insecure: true } });
  expect((await client.request('still there?')).text).toBe('still there?');
  await client.close();
}

/** With a load balancer the sockets are those of `node:tls` on both runtimes. */
const paths = [
  ['', []],
  [', behind a load balancer', ['192.0.2.1']],
] as const;

const records = [
  ['plain text', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['a record that cannot be decrypted', Buffer.concat([Buffer.from('1703030020', 'hex'), Buffer.alloc(32, 7)])],
  ['a record that is too long', Buffer.concat([Buffer.from('170303ffff', 'hex'), Buffer.alloc(70_000, 7)])],
] as const;

test.each(paths.flatMap(([where, proxies]) => records.map(([what, bytes]) => [what, where, bytes, proxies] as const)))(
  '%s ends only its own connection%s',
  async (_what, _where, bytes, proxies) => {
    const { server, port, ended } = await serveTls([...proxies]);
    const below = await securedBelow(port);
    below.write(bytes);
    expect(await ended).toMatchObject({
      code: 'YODEL_TLS',
      message: expect.stringMatching(/^connection broken: the peer violated TLS: [a-z ]+$/),
    });
    await stillServes(server);
  },
);

const testWithOpenssl = testWith('openssl', 'apt-get install openssl');

testWithOpenssl.each(paths)('a client that begins a renegotiation of TLS 1.2 is disconnected%s', async (_, proxies) => {
  const { server, port, ended } = await serveTls([...proxies]);
  const client = execFile('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_2']);
  onTestFinished(() => void client.kill());
  client.stdin?.on('error', () => undefined).write('hello\n');
  let shown = '';
  for await (const text of client.stdout ?? []) {
    shown += text;
    // R begins a renegotiation.
    if (shown.endsWith('hello\n')) client.stdin?.write('R\n');
  }
  expect(await ended).toMatchObject({
    code: 'YODEL_TLS',
    message: 'connection broken: the peer violated TLS: it began a renegotiation',
  });
  await stillServes(server);
});
