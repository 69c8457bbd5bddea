/** The store of a node, at a broker in memory: what it does when the broker is away, or lost at the worst moment. */
import { expect, test } from 'vitest';
import { BrokerBus } from '../../../src/bus/broker/bus.ts';
import { beginning } from '../../../src/rooms/stored/store.ts';
import { FakeClock } from '../../../src/testing/fake-clock.ts';
import { settled } from '../../../src/testing/turns.ts';
import { BridgedNode } from '../../rooms/bridged-node.ts';
import { Appender, batchOf, expectChain, recording } from '../../rooms/stored/conformance.ts';
import { MemoryBroker } from './memory-broker.ts';

/** A node whose rooms are stored, and which follows the room `a`. */
async function start(broker = new MemoryBroker()) {
  const clock = new FakeClock();
  const node = new BridgedNode(new BrokerBus(broker, { prefix: 'yodel', clock }), clock);
  const { store } = node.bus;
  const { receiver, ...recorded } = recording({});
  store.start(receiver);
  const started = node.bridge.start();
  await clock.advance(300);
  await started;
  node.join('a');
  await clock.advance(100);
  return { broker, clock, node, store, events: node.events, ...recorded };
}

const notStored = { code: 'YODEL_BUS_UNAVAILABLE', message: expect.stringMatching(/: the message is not stored$/) };
const unknown = {
  code: 'YODEL_BUS_UNAVAILABLE',
  message: expect.stringMatching(/: it is not known whether the message is stored$/),
};

test('passes on what is stored in rooms that are followed', async () => {
  const { store, stored, broker } = await start();
  const [a, b] = [new Appender(store, 'a'), new Appender(store, 'b')];
  await a.append('1');
  await b.append('1');
  await a.append('2', 3);
  expect(a.known.number).toBe(4);
  expect(expectChain(stored)).toEqual(['1', '2']);
  expect(expectChain(broker.histories.of('b'))).toEqual(['1']);
});

test('repeats an append if the connection is lost before the broker has said that it is stored', async () => {
  const { broker, clock, store, stored } = await start();
  const appender = new Appender(store, 'a');
  await appender.append('1');
  broker.losesReplies = true;
  const appended = appender.append('2');
  await clock.advance(1000);
  await appended;
  expect(broker.histories.attempts).toEqual([false, false, true]);
  expect(expectChain(stored)).toEqual(['1', '2']);
  expect(expectChain(broker.histories.of('a'))).toEqual(['1', '2']);
});

test('repeats an append that has not reached the broker', async () => {
  const { broker, clock, store, stored } = await start();
  broker.isStopped = true;
  const appended = new Appender(store, 'a').append('1');
  // The broker is noticed to be silent.
  await clock.advance(6500);
  expect(store.isReady).toBe(false);
  broker.continue();
  await clock.advance(1000);
  await appended;
  expect(broker.histories.attempts).toEqual([true]);
  expect(expectChain(stored)).toEqual(['1']);
});

test('says after 10 s that it is not known whether a batch is stored', async () => {
  const { broker, clock, store } = await start();
  await new Appender(store, 'a').append('1');
  broker.isDown = true;
  broker.losesReplies = true;
  const outcome = new Appender(store, 'a').append('2').catch((error: unknown) => error);
  await clock.advance(9900);
  broker.isDown = false;
  broker.isStopped = true;
  await clock.advance(200);
  expect(await outcome).toMatchObject(unknown);
  broker.continue();
  await clock.advance(1000);
  // It is not repeated later, when the room has stored something else.
  expect(broker.histories.attempts).toEqual([false, false]);
  expect(broker.histories.of('a')).toHaveLength(2);
});

test('refuses at once while the broker is away, and says so when it is back', async () => {
  const { broker, clock, store, resumed } = await start();
  const before = resumed.count;
  broker.isDown = true;
  broker.die();
  await settled();
  expect(store.isReady).toBe(false);
  await expect(store.append(batchOf('a'), beginning)).rejects.toMatchObject(notStored);
  await expect(store.read('a', { after: beginning }, 1000)).rejects.toMatchObject({ code: 'YODEL_BUS_UNAVAILABLE' });
  await expect(store.followed()).rejects.toMatchObject({ code: 'YODEL_BUS_UNAVAILABLE' });
  expect(resumed.count).toBe(before);
  broker.isDown = false;
  await clock.advance(1000);
  expect(resumed.count).toBe(before + 1);
  await new Appender(store, 'a').append('1');
});

test('says why nothing can be stored, opens the histories again later, and reports it once', async () => {
  const { broker, clock, store, events } = await start();
  broker.histories.refuses = 'NOPERM';
  for (let number = 0; number < 3; number++) {
    await expect(store.append(batchOf('a'), beginning)).rejects.toMatchObject(notStored);
    await expect(store.read('a', { newest: 1 }, 1000)).rejects.toThrow(/NOPERM/);
  }
  expect(events.filter((event) => event.startsWith('refused'))).toEqual(['refused: a broker: NOPERM']);
  broker.histories.refuses = undefined;
  await clock.advance(1100);
  await new Appender(store, 'a').append('1');
  broker.histories.refuses = 'OOM';
  await expect(store.append(batchOf('a'), beginning)).rejects.toMatchObject(notStored);
});

test('closes after what is being appended is stored, and then refuses', async () => {
  const { broker, clock, node, store } = await start();
  broker.isStopped = true;
  const appended = new Appender(store, 'a').append('1');
  await settled();
  const closed = node.bus.close();
  await settled();
  broker.continue();
  await clock.advance(100);
  await closed;
  await appended;
  expect(expectChain(broker.histories.of('a'))).toEqual(['1']);
  await expect(store.append(batchOf('a'), beginning)).rejects.toMatchObject(notStored);
});

test('closes even if the broker never says what became of a batch', async () => {
  const { broker, clock, node, store } = await start();
  broker.isStopped = true;
  const outcome = new Appender(store, 'a').append('1').catch((error: unknown) => error);
  await settled();
  const closed = node.bus.close();
  await clock.advance(7000);
  expect(await outcome).toMatchObject(unknown);
  broker.continue();
  await clock.advance(1000);
  await closed;
});
