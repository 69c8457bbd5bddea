/** Programs that take part in the rooms of servers without being one. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { BrokerBus } from '../../src/bus/broker/bus.ts';
import { type OpenRoomsOptions, openRooms, type SharedRooms } from '../../src/members/shared-rooms.ts';
import type { RoomEvent, Subscription } from '../../src/members/subscribing.ts';
import type { Bus } from '../../src/rooms/bus.ts';
import { type Server, serve } from '../../src/server/server.ts';
import { MemoryBroker } from '../bus/broker/memory-broker.ts';
import { SharedStore } from './shared-store.ts';

/** Servers and programs with the same broker and the same histories. */
class Cluster {
  readonly broker = new MemoryBroker();
  readonly store = new SharedStore();

  bus(): Bus {
    const bus = new BrokerBus(this.broker, { prefix: 'test' });
    // Instead of the histories of the broker, which the bus tells what happens.
    const store = Object.assign(this.store.open(), { connected: () => undefined, received: () => undefined });
    return Object.defineProperty(bus, 'store', { value: store });
  }

  async open(options?: OpenRoomsOptions): Promise<SharedRooms> {
    const rooms = await openRooms(this.bus(), options);
    onTestFinished(() => rooms.close());
    return rooms;
  }

  async serve(): Promise<Server> {
    const server = await serve({ listen: 0, bus: this.bus() });
    onTestFinished(() => server.close());
    return server;
  }
}

/** Events as text: messages, `-N` for N that are missed, and what came of the history. */
function shown({ message, missed, recovered }: RoomEvent): string {
  if (message) return message.text;
  return missed === undefined ? `recovered ${recovered}` : `-${missed}`;
}

/** The next events of an iteration. */
async function take(events: AsyncIterator<RoomEvent>, count: number): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count) {
    const { done, value } = await events.next();
    if (done) break;
    texts.push(shown(value));
  }
  return texts;
}

/** The iteration of a subscription that has begun. */
async function eventsOf(subscription: Subscription): Promise<AsyncIterator<RoomEvent>> {
  await subscription.begun;
  return subscription[Symbol.asyncIterator]();
}

const numbers = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, at) => `${first + at}`);

test('what one program sends, another one receives, as do servers', async () => {
  const cluster = new Cluster();
  const [one, two, server] = await Promise.all([cluster.open(), cluster.open(), cluster.serve()]);
  const events = await eventsOf(two.room('news').subscribe({ as: 'two' }));
  expect(one.room('news').send('hello')).toBe('all');
  expect(await one.flush()).toBe(0);
  expect(await take(events, 1)).toEqual(['hello']);
  await expect.poll(() => server.room('news').names()).toEqual(['two']);
  server.room('news').send('from a server');
  two.room('news').send('its own');
  expect((await take(events, 2)).sort()).toEqual(['from a server', 'its own']);
  expect(one.room('news').size).toBe(1);
});

test('what is sent before others are known reaches them', async () => {
  const cluster = new Cluster();
  const two = await cluster.open();
  const events = await eventsOf(two.room('news').subscribe());
  // Everything about nodes is lost: the program never hears of the other one.
  cluster.broker.loses = (subject) => !subject.includes('.room.');
  const one = await cluster.open();
  one.room('news').send('hello');
  expect(await one.flush()).toBe(0);
  expect(await take(events, 1)).toEqual(['hello']);
});

test('the history comes first, after a position, and what is stored later follows once', async () => {
  const cluster = new Cluster();
  const [one, two] = await Promise.all([cluster.open(), cluster.open()]);
  const news = one.room('news');
  const positions = await Promise.all(numbers(1, 5).map((text) => news.store(text)));
  const subscription = two.room('news').subscribe({ since: positions[1] as string });
  const events = await eventsOf(subscription);
  expect(await take(events, 4)).toEqual(['3', '4', '5', 'recovered true']);
  expect(subscription.position).toBe(positions[4]);
  const position = await news.store('6');
  expect(await take(events, 1)).toEqual(['6']);
  expect(subscription.position).toBe(position);
  const last = await eventsOf(two.room('news').subscribe({ history: 2 }));
  expect(await take(last, 3)).toEqual(['5', '6', 'recovered false']);
});

test('events have the position and the time of stored messages, and others have none', async () => {
  const cluster = new Cluster();
  const rooms = await cluster.open();
  const events = await eventsOf(rooms.room('news').subscribe());
  const before = Date.now();
  const position = await rooms.room('news').store('kept');
  rooms.room('news').send('sent');
  const { value: kept } = await events.next();
  expect(kept).toMatchObject({ position, time: expect.any(Number) });
  expect(kept.time).toBeGreaterThanOrEqual(before);
  const { value: sent } = await events.next();
  expect([sent.position, sent.time]).toEqual([undefined, undefined]);
});

test('a position that a new history does not have is not recovered, and the last messages come instead', async () => {
  const [old, cluster] = [new Cluster(), new Cluster()];
  const position = await (await old.open()).room('news').store('old');
  const rooms = await cluster.open();
  await Promise.all(['a', 'b', 'c'].map((text) => rooms.room('news').store(text)));
  const events = await eventsOf(rooms.room('news').subscribe({ since: position, history: 2 }));
  expect(await take(events, 3)).toEqual(['b', 'c', 'recovered false']);
});

/** Takes events until this number of messages has come or is missed. */
async function account(events: AsyncIterator<RoomEvent>, count: number): Promise<{ texts: string[]; missed: number }> {
  const texts: string[] = [];
  let missed = 0;
  while (texts.length + missed < count) {
    const { value } = await events.next();
    if (value.message) texts.push(value.message.text);
    else missed += value.missed ?? 0;
  }
  return { texts, missed };
}

test('a program that takes nothing misses the newest messages, and learns the exact number', async () => {
  const cluster = new Cluster();
  const [one, two] = await Promise.all([cluster.open(), cluster.open({ roomBuffer: 10_000 })]);
  const events = await eventsOf(two.room('news').subscribe());
  for (const text of numbers(1, 1000)) one.room('news').send(text);
  await one.flush();
  const { texts, missed } = await account(events, 1000);
  expect(missed).toBeGreaterThan(900);
  expect(texts).toEqual(numbers(1, 1000 - missed));
  one.room('news').send('after');
  expect(await take(events, 1)).toEqual(['after']);
});

test('a history that is longer than the buffer arrives completely', async () => {
  const cluster = new Cluster();
  const [one, two] = await Promise.all([cluster.open(), cluster.open({ roomBuffer: 5000 })]);
  const long = 'x'.repeat(500);
  await Promise.all(numbers(1, 1000).map((text) => one.room('news').store(`${text} ${long}`)));
  const subscription = two.room('news').subscribe({ history: 1000 });
  const texts = await take(subscription[Symbol.asyncIterator](), 1001);
  expect(texts.map((text) => text.split(' ')[0])).toEqual([...numbers(1, 1000), 'recovered']);
});

describe('the bus is away', () => {
  test('what is sent is local, and a flush says how many messages that are', async () => {
    const cluster = new Cluster();
    const rooms = await cluster.open();
    cluster.broker.isDown = true;
    cluster.broker.die();
    expect(rooms.isConnected).toBe(false);
    expect([rooms.room('news').send('1'), rooms.room('news').send('2')]).toEqual(['local', 'local']);
    expect(await rooms.flush()).toBe(2);
    cluster.broker.isDown = false;
    await rooms.connected();
    expect(rooms.room('news').send('3')).toBe('all');
    expect(await rooms.flush()).toBe(0);
  });

  test('what was on its way when the connection was lost does not count as sent', async () => {
    const cluster = new Cluster();
    const rooms = await cluster.open();
    rooms.room('news').send('1');
    cluster.broker.isStopped = true;
    const flushed = rooms.flush();
    rooms.room('news').send('2');
    await new Promise(setImmediate);
    cluster.broker.die();
    cluster.broker.continue();
    expect(await flushed).toBe(2);
  });

  test('a subscription goes on, and counts what was sent meanwhile', async () => {
    const cluster = new Cluster();
    const [one, two] = await Promise.all([cluster.open(), cluster.open()]);
    const events = await eventsOf(two.room('news').subscribe());
    one.room('news').send('1');
    expect(await one.flush()).toBe(0);
    expect(await take(events, 1)).toEqual(['1']);
    cluster.broker.isDown = true;
    cluster.broker.die();
    for (const text of ['2', '3', '4']) one.room('news').send(text);
    expect(await one.flush()).toBe(3);
    cluster.broker.isDown = false;
    await Promise.all([one.connected(), two.connected()]);
    one.room('news').send('5');
    expect(await take(events, 2)).toEqual(['-3', '5']);
  });

  test('a subscription with a position waits for the history', async () => {
    const cluster = new Cluster();
    const rooms = await cluster.open();
    const position = await rooms.room('news').store('1');
    await rooms.room('news').store('2');
    cluster.store.isReady = false;
    const subscription = rooms.room('news').subscribe({ since: position });
    setTimeout(() => {
      cluster.store.isReady = true;
    }, 100);
    expect(await take(await eventsOf(subscription), 2)).toEqual(['2', 'recovered true']);
  });
});

describe('the end', () => {
  test('leaving the loop leaves the room, and so does a signal', async () => {
    const rooms = await new Cluster().open();
    const room = rooms.room('news');
    const stopped = new AbortController();
    const [left, aborted] = [room.subscribe(), room.subscribe({ signal: stopped.signal })];
    await Promise.all([left.begun, aborted.begun]);
    expect(room.size).toBe(2);
    room.send('hello');
    for await (const event of left) {
      expect(shown(event)).toBe('hello');
      break;
    }
    expect(room.size).toBe(1);
    stopped.abort();
    expect(await take(aborted[Symbol.asyncIterator](), 1)).toEqual([]);
    expect(room.size).toBe(0);
  });

  test('closing the rooms ends subscriptions, and then nothing can be sent', async () => {
    const rooms = await new Cluster().open();
    const subscription = rooms.room('news').subscribe();
    await rooms.close();
    expect(await take(subscription[Symbol.asyncIterator](), 1)).toEqual([]);
    expect(() => rooms.room('news').send('late')).toThrow('the rooms are closed');
  });
});

test('what is wrong is said', async () => {
  const rooms = await new Cluster().open();
  const room = rooms.room('news');
  expect(() => rooms.room('')).toThrow('the name of a room has at least 1 byte');
  expect(() => room.subscribe({ history: -1 })).toThrow('the option "history"');
  await expect(take(room.subscribe({ since: 'nonsense' })[Symbol.asyncIterator](), 1)).rejects.toMatchObject({
    code: 'YODEL_INVALID_POSITION',
  });
  await expect(openRooms('redis://127.0.0.1', { roomBufer: 1 } as object)).rejects.toThrow('roomBuffer');
  await expect(openRooms('redis://127.0.0.1:1')).rejects.toMatchObject({ code: 'YODEL_BUS_UNAVAILABLE' });
});
