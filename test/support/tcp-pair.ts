/** Both ends of a TCP connection within the test. */
import net, { type AddressInfo, type Socket } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import { TcpAddress } from '../../src/address.ts';
import { eventually } from './eventually.ts';

/** Opens a connection whose server end, `peer`, reads nothing until it is resumed. Both ends may be half open. */
export async function tcpPair(host: string, listenOn = host) {
  const accepted = Promise.withResolvers<Socket>();
  const options = { allowHalfOpen: true, pauseOnConnect: true };
  const server = net.createServer(options, (socket) => accepted.resolve(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, listenOn, resolve));
  const { port } = server.address() as AddressInfo;
  const client = net.connect({ host, port, allowHalfOpen: true }).on('error', () => {});
  const peer = await accepted.promise;
  onTestFinished(() => {
    client.destroy();
    peer.destroy();
    server.close();
  });
  await eventually(() => expect(client.localPort).toBeDefined());
  /** The addresses of the client's end. */
  const ends = {
    local: new TcpAddress(client.localAddress as string, client.localPort as number),
    peer: new TcpAddress(host, port),
  };
  return { client, peer, ends };
}
