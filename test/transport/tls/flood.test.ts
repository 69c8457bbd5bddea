/** Many handshakes at once: they begin one after another, and messages of those who are connected are answered in between. */
import { once } from 'node:events';
import * as net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { TlsAddress } from '../../../src/address.ts';
import { selfSignedCertificate } from '../../../src/cli/serve/tls/self-signed.ts';
import { connect } from '../../../src/client/connect.ts';
import { serve } from '../../../src/server/server.ts';
import { clientHello } from '../../support/client-hello.ts';

test('messages are answered between the handshakes of a flood', async () => {
  const tls = selfSignedCertificate(['localhost'], 86_400_000);
  // However long the handshakes take, none is given up.
  const server = await serve({ listen: 'tls://127.0.0.1:0', tls, handshakeTimeout: 0 });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const { port } = server.addresses[0] as TlsAddress;
  const client = await connect(String(server.addresses[0]), { tls: { insecure: true } });
  onTestFinished(() => client.abort());
  const hello = await clientHello();
  const sockets = Array.from({ length: 300 }, () => net.connect(port, '127.0.0.1'));
  let answered = 0;
  for (const socket of sockets) {
    onTestFinished(() => void socket.destroy());
    socket.once('data', () => answered++);
  }
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  // Both runtimes accept a few connections in each turn: now the server has them all.
  for (let trip = 0; trip < 400; trip++) await client.request('hello');
  for (const socket of sockets) socket.write(hello);
  let messages = 0;
  for (; answered < sockets.length; messages++) await client.request('hello');
  // Two, where all handshakes are done in the turn in which they arrive.
  expect(messages).toBeGreaterThan(8);
});
