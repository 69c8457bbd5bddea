import { expect, test } from 'vitest';
import { TcpAddress, UnixAddress } from '../../src/address.ts';
import { TcpEntry } from '../../src/transport/tcp-state.ts';
import { eventually } from '../support/eventually.ts';
import { tcpPair } from '../support/tcp-pair.ts';

const isLinux = process.platform === 'linux';

test.skipIf(!isLinux).each([
  ['127.0.0.1', '127.0.0.1'],
  ['::1', '::1'],
  ['127.0.0.1', '::'],
])('shows what the peer at %s has not acknowledged, and who has ended; it listens on %s', async (host, listenOn) => {
  const { client, peer, ends } = await tcpPair(host, listenOn);
  const entry = TcpEntry.find(ends);
  expect(entry?.state).toEqual({ unacknowledged: 0, endedFirst: false, peerHasEnded: false });
  // More than the peer's system accepts while it reads nothing.
  client.write(Buffer.alloc(8_000_000));
  await eventually(() =>
    expect(entry?.state).toMatchObject({ unacknowledged: expect.toSatisfy((count: number) => count > 0) }),
  );
  peer.end();
  await eventually(() => expect(entry?.state).toMatchObject({ peerHasEnded: true, endedFirst: false }));
  peer.resume();
  await eventually(() => expect(entry?.state).toMatchObject({ unacknowledged: 0 }));
  peer.resetAndDestroy();
  await eventually(() => expect(entry?.state).toBe('gone'));
});

test.skipIf(!isLinux)('the end of this side is no byte, and is remembered after the connection is closed', async () => {
  const { client, peer, ends } = await tcpPair('127.0.0.1');
  const entry = TcpEntry.find(ends);
  client.end('hello');
  await eventually(() => expect(entry?.state).toEqual({ unacknowledged: 0, endedFirst: true, peerHasEnded: false }));
  peer.resume().end();
  client.resume();
  await eventually(() => expect(entry?.state).toEqual({ unacknowledged: 0, endedFirst: true, peerHasEnded: true }));
});

test('knows nothing of other connections', () => {
  const ends = { local: new TcpAddress('127.0.0.1', 1), peer: new TcpAddress('example.org', 1) };
  expect(TcpEntry.find(ends)).toBeUndefined();
  const path = new UnixAddress('/tmp/socket');
  expect(TcpEntry.find({ local: path, peer: path })).toBeUndefined();
});
