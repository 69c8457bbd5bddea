/** A TCP server of the test's own, which does to its clients whatever the test wants. */
import { once } from 'node:events';
import * as net from 'node:net';
import { onTestFinished } from 'vitest';

/** Listens on a free port of 127.0.0.1 and gives the address. */
export async function listen(converse: (socket: net.Socket) => void): Promise<{ address: string; port: number }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    converse(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as net.AddressInfo;
  return { address: `127.0.0.1:${port}`, port };
}
