/** The histories of rooms in a real Redis. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { describe, expect, onTestFinished } from 'vitest';
import { parseBrokerAddress } from '../../../src/bus/broker/address.ts';
import { RefusedError } from '../../../src/bus/broker/broker.ts';
import { entryOverhead } from '../../../src/bus/broker/redis/scripts.ts';
import { RedisBroker } from '../../../src/bus/broker/redis.ts';
import { Subjects } from '../../../src/bus/broker/subjects.ts';
import { beginning, type StoreLimits } from '../../../src/rooms/stored/store.ts';
import { Appender, batchOf, endOf, expectChain, testStore } from '../../rooms/stored/conformance.ts';
import { temporaryFile } from '../../support/files.ts';
import { waitUntil } from '../../support/process/process.ts';
import { openNode } from './opened-stores.ts';
import { BrokerProgram, withBrokers } from './programs.ts';

describe('a store in Redis', () => {
  testStore({
    isShared: true,
    test: withBrokers,
    async start(isRestarted) {
      const broker = await (isRestarted ? BrokerProgram.startWithStore('redis') : BrokerProgram.start('redis'));
      return {
        open: (limits) => openNode(broker.url(), limits),
        pass: (ms) => delay(ms),
        restart: (kind) => broker.restart(kind),
      };
    },
  });
});

/** A connection to Redis, and its histories. */
async function openHistory(broker: BrokerProgram, limits: Partial<StoreLimits> = {}) {
  const connection = await new RedisBroker(parseBrokerAddress(broker.url()), { Redis }).connect(ignoring);
  onTestFinished(() => connection.abort());
  const all = { storedMessages: 0, storedAge: 0, storedBytes: 0, ...limits };
  return await connection.openHistory(new Subjects('yodel'), all);
}

const ignoring = { received: () => undefined, refused: () => undefined, closed: () => undefined };

/** Another program that uses the same Redis. */
function stranger(broker: BrokerProgram): Redis {
  const client = new Redis(broker.port, '127.0.0.1');
  onTestFinished(() => client.disconnect());
  return client;
}

describe('an append whose outcome is not known', () => {
  withBrokers('finds the batch if it is there, and appends it if not', async () => {
    const broker = await BrokerProgram.start('redis');
    const history = await openHistory(broker);
    const first = await history.append(batchOf('a', '1'), beginning, false);
    const place = endOf(first);
    const lost = batchOf('a', '2', 3);
    const stored = await history.append(lost, place, false);
    for (let number = 0; number < 40; number++) await history.append(batchOf('a', 'other'), beginning, false);
    const unknown = { number: 99, id: '-'.repeat(16), at: 0 };
    for (const known of [place, beginning, unknown]) expect(await history.append(lost, known, true)).toEqual(stored);
    const fresh = batchOf('a', 'never arrived');
    const late = await history.append(fresh, place, true);
    expect(late.first).toBe(45);
    expect(await history.append(fresh, place, true)).toEqual(late);
    expectChain((await history.read('a', { after: beginning }, 1e6)).batches);
  });

  withBrokers('is not appended again by a first attempt that arrives later', async () => {
    const broker = await BrokerProgram.start('redis');
    const history = await openHistory(broker);
    const batch = batchOf('a');
    const stored = await history.append(batch, beginning, true);
    await expect(history.append(batch, beginning, false)).rejects.toThrow(RefusedError);
    expect((await history.read('a', { after: beginning }, 1e6)).batches).toEqual([stored]);
  });
});

withBrokers('a Redis that comes back with an older state takes no new message for one that it has lost', async () => {
  const broker = await BrokerProgram.startWithStore('redis', ['--appendonly', 'no']);
  const { store, resumed } = await openNode(broker.url());
  const appender = new Appender(store, 'a');
  for (const content of ['1', '2']) await appender.append(content);
  const saved = appender.known;
  await stranger(broker).save();
  for (const content of ['3', '4']) await appender.append(content);
  const [lost, before] = [appender.known, resumed.count];
  await broker.restart();
  await waitUntil('it is back', () => store.isReady && resumed.count > before);
  expect(await store.read('a', { after: lost }, 1000)).toEqual({ batches: [], last: 2 });
  for (const content of ['new 3', 'new 4', 'new 5']) await appender.append(content);
  // The message with the number is another one.
  const { batches } = await store.read('a', { after: lost }, 1000);
  expect(batches.map(({ id }) => id)).not.toContain(lost.id);
  const after = await store.read('a', { after: saved }, 1000);
  expect(expectChain(after.batches.slice(1), saved)).toEqual(['new 3', 'new 4', 'new 5']);
});

describe('what others do in the same Redis', () => {
  withBrokers('entries and packets that are none are refused, and nothing else happens', async () => {
    const broker = await BrokerProgram.start('redis');
    const { store, stored, follow, events } = await openNode(broker.url());
    const client = stranger(broker);
    await follow('a');
    const appender = new Appender(store, 'a');
    await appender.append('1');
    const [[, fields]] = (await client.xrangeBuffer('yodel.store.a', '-', '+')) as [[Buffer, Buffer[]]];
    const packet = fields.at(-1) as Buffer;
    const bad = [Buffer.alloc(0), packet.subarray(0, 20), Buffer.from('x'), cut(packet, 3, 9), cut(packet, 5, 200)];
    for (const one of bad) await client.publish('yodel.room.a', one);
    await client.xadd('yodel.store.bad', '5-1', 'p', 'x', 'i', 'y', 'c', '1');
    await client.set('yodel.store.string', 'x');
    await expect(store.read('bad', { after: beginning }, 1000)).rejects.toMatchObject({
      code: 'YODEL_BUS_UNAVAILABLE',
    });
    await expect(store.read('string', { newest: 5 }, 1000)).rejects.toThrow(/WRONGTYPE/);
    await expect(new Appender(store, 'string').append()).rejects.toThrow(/WRONGTYPE.*: the message is not stored$/);
    // A batch of room a, in the history of another one.
    await client.xadd('yodel.store.b', '1-1', 'p', packet, 'i', '_'.repeat(16), 'c', '1');
    await expect(store.read('b', { after: beginning }, 1000)).rejects.toThrow(/another room/);
    await appender.append('2');
    await waitUntil('both have arrived', () => stored.length === 2);
    expect(expectChain(stored)).toEqual(['1', '2']);
    const refused = events.filter((event) => event.startsWith('refused'));
    expect(refused.length).toBeGreaterThan(2);
    expect(events).toHaveLength(1 + refused.length);
  });

  withBrokers('deleted keys and scripts are noticed, and the account is right again', async () => {
    const broker = await BrokerProgram.start('redis');
    const history = await openHistory(broker, { storedMessages: 6, storedBytes: 20_000 });
    const client = stranger(broker);
    for (let number = 0; number < 60; number++) {
      if (number === 20) await client.script('FLUSH');
      if (number === 30) await client.del('yodel.store.1');
      if (number === 40) await client.del('yodel.store..oldest');
      await history.append(batchOf(`${number % 3}`, Buffer.alloc(50 * number), 1 + (number % 4)), beginning, false);
    }
    expect(await account(client)).toEqual(await measured(client));
    expect((await account(client))['']).toBeLessThanOrEqual(20_000);
  });

  withBrokers('everything is gone when the last room has lost all, but for a while its last number', async () => {
    const broker = await BrokerProgram.start('redis');
    const history = await openHistory(broker, { storedBytes: 1000 });
    const client = stranger(broker);
    const old = await history.append(batchOf('a', 'old', 7), beginning, false);
    const other = await history.append(batchOf('b', Buffer.alloc(900)), beginning, false);
    expect((await client.keys('*')).sort()).toEqual(
      ['.bytes', '.last.a', '.oldest', 'b'].map((name) => `yodel.store.${name}`),
    );
    expect(await client.pttl('yodel.store..last.a')).toBeGreaterThan(80_000_000);
    expect(await account(client)).toEqual(await measured(client));
    const later = await history.append(batchOf('a', 'later'), endOf(other), false);
    expect(later).toMatchObject({ first: 8, previous: { id: old.id } });
    expect(await client.exists('yodel.store..last.a')).toBe(0);
  });
});

/** The account that the scripts keep of each room, and of all. */
async function account(client: Redis): Promise<Record<string, number>> {
  const bytes = await client.hgetall('yodel.store..bytes');
  return Object.fromEntries(Object.entries(bytes).map(([room, size]) => [room, Number(size)]));
}

/** What it should be. */
async function measured(client: Redis): Promise<Record<string, number>> {
  const sizes: Record<string, number> = { '': 0 };
  for (const room of await client.zrange('yodel.store..oldest', 0, '-1')) {
    const entries = await client.xrangeBuffer(`yodel.store.${room}`, '-', '+');
    const size = entries.reduce((sum, [, fields]) => sum + (fields.at(-1) as Buffer).length + entryOverhead, 0);
    sizes[room] = size;
    sizes[''] = (sizes[''] as number) + size;
  }
  return sizes;
}

/** A packet with another byte at an offset. */
function cut(packet: Buffer, at: number, byte: number): Buffer {
  const changed = Buffer.from(packet);
  changed[at] = byte;
  return changed;
}

describe('the access control of the documents', () => {
  const page = readFileSync(new URL('../../../docs/clusters.md', import.meta.url), 'utf8');
  const [, rule = ''] = /<!-- redis-acl-histories -->\n```text\n(.*)\n```/.exec(page) ?? [];
  /** Another user, who may not do one of these things. */
  const without = (allowed: string) =>
    rule.replace('user chat', `user no${allowed.slice(1)}`).replace(` ${allowed}`, '');
  // A script is sent only once; whoever runs it later does not need +eval.
  const needed = rule
    .split(' ')
    .filter((word) => /^\+(?!publish|subscribe|unsubscribe|ping|hello|info|client|eval$)/.test(word));

  withBrokers('is enough for histories, and nothing of it is too much', async () => {
    expect(needed.length).toBeGreaterThan(15);
    const file = temporaryFile('users.acl', ['user default off', rule, ...needed.map(without), ''].join('\n'));
    const broker = await BrokerProgram.start('redis', ['--aclfile', file]);
    const limits = { storedMessages: 5, storedAge: 60_000, storedBytes: 5000 };
    const { store, stored, follow, events } = await openNode(broker.url('chat:secret@'), limits);
    await follow('a');
    for (const room of ['a', 'b', 'a', 'c', 'a']) await new Appender(store, room).append(Buffer.alloc(2000));
    expect((await store.read('a', { newest: 5 }, 1000)).last).toBe(3);
    await waitUntil('all have arrived', () => stored.length === 3);
    expect(events).toEqual([expect.stringMatching(/^connected/)]);
    const reasons = needed.map(async (allowed) => {
      const node = await openNode(broker.url(`no${allowed.slice(1)}:secret@`));
      return await node.store.read('a', { newest: 1 }, 1000).catch(({ message }: Error) => message);
    });
    for (const reason of await Promise.all(reasons)) {
      expect(reason).toMatch(/NOPERM|can't run this command/);
    }
  });
});
