import net, { type AddressInfo, type Socket } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { TcpAddress, UnixAddress } from '../../src/address.ts';
import { tcpStateOf } from '../../src/transport/tcp-state.ts';

const isLinux = process.platform === 'linux';

/** Both ends of a connection, and the addresses of the client's. */
async function pair(host: string, listenOn = host) {
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
  await vi.waitFor(() => expect(client.localPort).toBeDefined());
  const ends = {
    local: new TcpAddress(client.localAddress as string, client.localPort as number),
    peer: new TcpAddress(host, port),
  };
  return { client, peer, ends };
}

test.skipIf(!isLinux).each([
  ['127.0.0.1', '127.0.0.1'],
  ['::1', '::1'],
  ['127.0.0.1', '::'],
])('shows what the peer at %s has not acknowledged, and who has ended; it listens on %s', async (host, listenOn) => {
  const { client, peer, ends } = await pair(host, listenOn);
  expect(tcpStateOf(ends)).toEqual({ unacknowledged: 0, endedFirst: false, peerHasEnded: false });
  // More than the peer's system accepts while it reads nothing.
  client.write(Buffer.alloc(8_000_000));
  await vi.waitFor(() =>
    expect(tcpStateOf(ends)).toMatchObject({ unacknowledged: expect.toSatisfy((count: number) => count > 0) }),
  );
  peer.end();
  await vi.waitFor(() => expect(tcpStateOf(ends)).toMatchObject({ peerHasEnded: true, endedFirst: false }));
  peer.resume();
  await vi.waitFor(() => expect(tcpStateOf(ends)).toMatchObject({ unacknowledged: 0 }), 20_000);
  peer.resetAndDestroy();
  await vi.waitFor(() => expect(tcpStateOf(ends)).toBe('gone'));
});

test.skipIf(!isLinux)('the end of this side is no byte, and is remembered after the connection is closed', async () => {
  const { client, peer, ends } = await pair('127.0.0.1');
  client.end('hello');
  await vi.waitFor(() =>
    expect(tcpStateOf(ends)).toEqual({ unacknowledged: 0, endedFirst: true, peerHasEnded: false }),
  );
  peer.resume().end();
  client.resume();
  await vi.waitFor(() => expect(tcpStateOf(ends)).toEqual({ unacknowledged: 0, endedFirst: true, peerHasEnded: true }));
});

test('knows nothing of other connections', () => {
  const ends = { local: new TcpAddress('127.0.0.1', 1), peer: new TcpAddress('example.org', 1) };
  expect(tcpStateOf(ends)).toBeUndefined();
  const path = new UnixAddress('/tmp/socket');
  expect(tcpStateOf({ local: path, peer: path })).toBeUndefined();
});
