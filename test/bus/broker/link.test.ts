/** The connection to a broker: how often it asks the broker what it has taken. */
import { expect, it } from 'vitest';
import type { BrokerConnection, BrokerReceiver } from '../../../src/bus/broker/broker.ts';
import { BrokerLink, type BrokerLinkOwner } from '../../../src/bus/broker/link.ts';
import { FakeClock } from '../../../src/testing/fake-clock.ts';
import { settled } from '../../../src/testing/turns.ts';

const limit = 1024;

/** A link, and its broker, which answers round trips when it is told to. */
async function connect() {
  const clock = new FakeClock();
  const asked: (() => void)[] = [];
  const published: Buffer[] = [];
  const waiting: number[] = [];
  const connection: BrokerConnection = {
    maxPacket: 1_048_576,
    subscribe: async () => undefined,
    unsubscribe: () => undefined,
    publish: (_subject, packet) => void published.push(packet),
    roundTrip: () => new Promise((resolve) => asked.push(resolve)),
    openHistory: () => Promise.reject(new Error('there is none')),
    close: async () => undefined,
    abort: () => undefined,
  };
  const owner: BrokerLinkOwner = {
    limit,
    connected: () => undefined,
    disconnected: () => undefined,
    received: () => undefined,
    refused: () => undefined,
    fullnessChanged: () => undefined,
    waiting: (bytes) => void waiting.push(bytes),
  };
  const link = new BrokerLink({ name: 'a broker', connect: async () => connection }, owner, clock);
  const started = link.start();
  await settled();
  asked.shift()?.();
  await started;
  const publish = (size: number) => link.publish('room', [Buffer.alloc(size)]);
  return { clock, asked, published, waiting, link, publish };
}

it('makes one round trip for many small packets, within a tenth of a second', async () => {
  const { clock, asked, waiting, publish } = await connect();
  for (let count = 1; count <= 10; count++) {
    expect(publish(10)).toBe(true);
    await clock.advance(5);
  }
  expect(asked).toHaveLength(0);
  await clock.advance(50);
  expect(asked).toHaveLength(1);
  expect(waiting.at(-1)).toBe(100);
  asked.shift()?.();
  await settled();
  expect(waiting.at(-1)).toBe(0);
  // Then one a second.
  await clock.advance(990);
  expect(asked).toHaveLength(0);
  await clock.advance(10);
  expect(asked).toHaveLength(1);
});

it('makes one at once where much waits, and another for what was published meanwhile', async () => {
  const { asked, waiting, publish } = await connect();
  publish(200);
  expect(asked).toHaveLength(1);
  publish(200);
  publish(200);
  expect(asked).toHaveLength(1);
  asked.shift()?.();
  await settled();
  expect(waiting.at(-1)).toBe(400);
  expect(asked).toHaveLength(1);
});

it('refuses what is too much, but not because of a little that the broker may have taken', async () => {
  const { asked, published, publish } = await connect();
  expect(publish(100)).toBe(true);
  expect(publish(limit)).toBe(true);
  expect(publish(1)).toBe(false);
  expect(published).toHaveLength(2);
  asked.shift()?.();
  await settled();
  expect(publish(1)).toBe(true);
});

/** How often a link connects to this broker in 20 s, and what it reports. */
async function attempts(connectTo: (receiver: BrokerReceiver, clock: FakeClock) => Promise<BrokerConnection>) {
  const clock = new FakeClock();
  const reported: string[] = [];
  let count = 0;
  const owner: BrokerLinkOwner = {
    limit,
    connected: () => void reported.push('connected'),
    disconnected: (reason) => void reported.push(reason),
    received: () => undefined,
    refused: () => undefined,
    fullnessChanged: () => undefined,
    waiting: () => undefined,
  };
  const connect = (receiver: BrokerReceiver) => {
    count++;
    return connectTo(receiver, clock);
  };
  const link = new BrokerLink({ name: 'a broker', connect }, owner, clock);
  void link.start();
  for (let step = 0; step < 200; step++) await clock.advance(100);
  await link.close();
  return { count, reported };
}

it('a broker that does not answer is tried at least once in 2 s and a bit, which is what an attempt takes', async () => {
  const { count } = await attempts(async (_receiver, clock) => {
    await new Promise<void>((resolve) => clock.after(2000, resolve));
    throw new Error('no answer');
  });
  expect(count).toBeGreaterThanOrEqual(9);
});

it('a broker that takes connections and loses them at once is tried about once a second, which is reported', async () => {
  const { count, reported } = await attempts(async (receiver) => {
    setImmediate(() => setImmediate(() => receiver.closed('cut')));
    return {
      maxPacket: 1,
      subscribe: async () => undefined,
      unsubscribe: () => undefined,
      publish: () => undefined,
      roundTrip: async () => undefined,
      openHistory: () => Promise.reject(new Error('there is none')),
      close: async () => undefined,
      abort: () => undefined,
    };
  });
  expect(count).toBeGreaterThanOrEqual(20);
  expect(count).toBeLessThanOrEqual(30);
  expect(reported).toHaveLength(2 * count);
});
