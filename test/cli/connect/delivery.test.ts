import { expect, test } from 'vitest';
import { TcpAddress } from '../../../src/address.ts';
import { Delivery, wasReset } from '../../../src/cli/connect/delivery.ts';
import type { Connection } from '../../../src/transport/transport.ts';
import { eventually } from '../../support/eventually.ts';
import { tcpPair } from '../../support/tcp-pair.ts';

const isLinux = process.platform === 'linux';

/** A client that has sent more than the system of its server, which reads nothing, accepts. */
async function stalled() {
  const { client, peer, ends } = await tcpPair('127.0.0.1');
  const delivery = new Delivery(ends as Connection);
  client.write(Buffer.alloc(8_000_000));
  return { client, peer, delivery };
}

test.skipIf(!isLinux)('what the server does not take remains, and is given up after a while', async () => {
  const { delivery } = await stalled();
  await eventually(() => expect(delivery.now.pending).toBeGreaterThan(0));
  const { pending, isReset } = await delivery.settled(100);
  expect(pending).toBeGreaterThan(0);
  expect(isReset).toBe(false);
});

test.skipIf(!isLinux)('it has progressed when the server has taken something since the last look', async () => {
  const { peer, delivery } = await stalled();
  await eventually(() => expect(delivery.now.pending).toBeGreaterThan(0));
  await delivery.settled(100);
  expect(delivery.hasProgressed()).toBe(true);
  expect(delivery.hasProgressed()).toBe(false);
  peer.resume();
  expect(await delivery.settled(10_000)).toEqual({ pending: 0, isReset: false });
  expect(delivery.hasProgressed()).toBe(false);
});

test.skipIf(!isLinux)('a reset is noticed, also after the server has ended', async () => {
  const { peer, delivery } = await stalled();
  peer.end();
  await eventually(() => expect(delivery.peerHasEnded).toBe(true));
  expect(delivery.now.isReset).toBe(false);
  peer.resetAndDestroy();
  await eventually(() => expect(delivery.now).toEqual({ pending: 0, isReset: true }));
  expect(wasReset(new TcpAddress('a', 1)).message).toBe(
    'the connection to tcp://a:1 broke: the peer reset the connection',
  );
});

test.skipIf(!isLinux)('both sides have ended in order: no reset, whichever ended first', async () => {
  for (const isFirst of [true, false]) {
    const { client, peer, delivery } = await stalled();
    peer.resume();
    await eventually(() => expect(client.writableLength).toBe(0));
    if (!isFirst) peer.end();
    if (!isFirst) await eventually(() => expect(delivery.peerHasEnded).toBe(true));
    client.resume().end();
    await eventually(() => expect(client.writableFinished).toBe(true));
    delivery.ended();
    if (isFirst) peer.end();
    await eventually(() => expect(client.destroyed).toBe(true));
    expect(await delivery.settled(10_000)).toEqual({ pending: 0, isReset: false });
  }
});
