/** Histories of rooms in NATS JetStream, with a real nats-server. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import * as library from '@nats-io/transport-node';
import { describe, expect, onTestFinished } from 'vitest';
import { parseBrokerAddress } from '../../../../src/bus/broker/address.ts';
import { type BrokerConnection, type BrokerHistory, RefusedError } from '../../../../src/bus/broker/broker.ts';
import { NatsBroker } from '../../../../src/bus/broker/nats.ts';
import {
  isStoredPacket,
  readStoredPacket,
  storedHead,
  storedMiddle,
  storedOverhead,
} from '../../../../src/bus/broker/stored-packets.ts';
import { Subjects } from '../../../../src/bus/broker/subjects.ts';
import { beginning, type NewBatch, type Place, type StoredBatch } from '../../../../src/rooms/stored/store.ts';
import { temporaryFile } from '../../../support/files.ts';
import { waitUntil } from '../../../support/process/process.ts';
import { BrokerProgram, withBrokers } from '../programs.ts';

const subjects = new Subjects('yodel');
const unlimited = { storedMessages: 0, storedAge: 0, storedBytes: 0 };

/** A connection with its histories, and what has arrived there. */
interface Node {
  readonly connection: BrokerConnection;
  readonly history: BrokerHistory;
  readonly live: StoredBatch[];
}

async function connectTo(url: string, rooms: readonly string[] = []) {
  const live: StoredBatch[] = [];
  const connection = await new NatsBroker(parseBrokerAddress(url), library).connect({
    received(bytes, at = 0) {
      if (isStoredPacket(bytes)) live.push({ ...readStoredPacket(bytes), at });
    },
    refused: (reason) => expect.fail(reason),
    closed: () => undefined,
  });
  onTestFinished(() => connection.abort());
  connection.subscribe(rooms.map((room) => subjects.ofRoom(room)));
  return { connection, live };
}

async function open(broker: BrokerProgram, rooms: readonly string[] = [], limits = unlimited): Promise<Node> {
  const { connection, live } = await connectTo(broker.url(), rooms);
  return { connection, live, history: await connection.openHistory(subjects, limits) };
}

/** A client as an operator has, for what nodes do not do. */
async function operator(broker: BrokerProgram) {
  const connection = await library.connect({ servers: `127.0.0.1:${broker.port}`, reconnect: false });
  onTestFinished(() => connection.close());
  return {
    connection,
    async api(subject: string, request: object = {}) {
      return (await connection.request(`$JS.API.${subject}`, JSON.stringify(request), { timeout: 20_000 })).json<{
        error?: { description: string };
        config: Record<string, unknown>;
        state: { messages: number; last_seq: number };
      }>();
    },
  };
}

function batchOf(room: string, content: string | Uint8Array = 'x', count = 1): NewBatch {
  const id = randomBytes(12).toString('base64url');
  return { room, id, count, time: 1_700_000_000_000, bytes: Buffer.from(content) };
}

const endOf = ({ first, count, id, at }: StoredBatch): Place => ({ number: first + count - 1, id, at });
const named = ({ first, id, previous, at }: StoredBatch) => ({ first, id, previous, at });

/** Appends batches one after another, as a node does that follows the room. */
async function appendAll(history: BrokerHistory, batches: readonly NewBatch[], from: Place = beginning) {
  const stored: StoredBatch[] = [];
  for (const batch of batches) {
    const last = stored.at(-1);
    stored.push(await history.append(batch, last ? endOf(last) : from, false));
  }
  return stored;
}

/** Appends many at once, as another program would that knows how: faster than one after another. */
async function fill(broker: BrokerProgram, room: string, count: number, size = 20): Promise<void> {
  const { connection } = await operator(broker);
  let previous = { id: '', at: 0 };
  const { state } = await (await operator(broker)).api('STREAM.INFO.yodel-store');
  for (let first = 1; first <= count; first++) {
    const batch = batchOf(room, `${first}`.padEnd(size));
    const packet = Buffer.concat([storedHead(batch), storedMiddle(first, previous), batch.bytes]);
    connection.publish(subjects.ofHistory(room), packet);
    previous = { id: batch.id, at: state.last_seq + first };
  }
  await connection.flush();
  const { api } = await operator(broker);
  const stored = async () => (await api('STREAM.INFO.yodel-store')).state.last_seq - state.last_seq;
  await expect.poll(stored).toBe(count);
}

/** Expects batches without gaps. */
function expectChain(batches: readonly StoredBatch[], from: Place = beginning): void {
  let end = from;
  for (const { first, previous, count, id, at } of batches) {
    expect({ first, previous }).toEqual({ first: end.number + 1, previous: { id: end.id, at: end.at } });
    end = { number: first + count - 1, id, at };
  }
}

const everything = { after: beginning };

withBrokers('what is appended arrives at all, also at the node that appended it, with its place', async () => {
  const broker = await BrokerProgram.startWithStore('nats');
  const [one, other] = [await open(broker, ['a b']), await open(broker, ['a b'])];
  const batches = [batchOf('a b', '1', 3), batchOf('a b', '2')];
  const stored = await appendAll(one.history, batches);
  await waitUntil('it has arrived', () => one.live.length + other.live.length === 4);
  for (const { live } of [one, other]) expect(live.map(named)).toEqual(stored.map(named));
  // The other one continues with what it has received.
  const third = await other.history.append(batchOf('a b'), endOf(other.live[1] as StoredBatch), false);
  expectChain([...stored, third]);
  expect((await one.history.read('a b', everything, 1000)).batches.map(named)).toEqual([...stored, third].map(named));
});

withBrokers('reads long histories in pages, from any place, with or without its sequence', async () => {
  const broker = await BrokerProgram.startWithStore('nats');
  const { history } = await open(broker);
  await appendAll(history, [batchOf('b')]);
  await fill(broker, 'a', 1000);
  const { batches, last } = await history.read('a', everything, 1_000_000);
  expect(last).toBe(1000);
  expectChain(batches);
  expect(batches.length).toBe(1000);
  const read = async (from: Parameters<BrokerHistory['read']>[1], maxBytes = 200) => {
    const page = await history.read('a', from, maxBytes);
    expect(page.last).toBe(1000);
    expectChain(page.batches, {
      ...(page.batches[0] as StoredBatch).previous,
      number: (page.batches[0] as StoredBatch).first - 1,
    });
    return page.batches.map(({ first }) => first);
  };
  for (const number of [1, 600, 999, 1000]) {
    const place = endOf(batches[number - 1] as StoredBatch);
    for (const at of number === 600 ? [place.at, place.at - 1, 1, 0] : [place.at, 0]) {
      expect((await read({ after: { ...place, at } }))[0]).toBe(number);
    }
  }
  // Another batch has this number: what was there is lost.
  const lost = { ...endOf(batches[599] as StoredBatch), id: 'x'.repeat(16) };
  expect((await read({ after: lost }))[0]).toBe(600);
  const page = await read({ after: endOf(batches[99] as StoredBatch) }, 20_000);
  expect(page.length).toBeGreaterThan(50);
  expect(page.length).toBeLessThan(1100);
  for (const newest of [0, 1, 4, 20, 1000, 5000]) {
    const firsts = await read({ newest });
    expect(firsts.at(-1)).toBe(1000);
    expect(firsts.length).toBeGreaterThanOrEqual(Math.min(Math.max(newest, 1), 1000));
    expect(firsts.length).toBeLessThanOrEqual(Math.max(newest, 1));
  }
});

withBrokers('batches as long as the server takes are stored, passed on and read; longer ones are refused', async () => {
  const config = temporaryFile('nats.conf', 'max_payload: 20000\n');
  const broker = await BrokerProgram.startWithStore('nats', ['-c', config]);
  const { connection, history, live } = await open(broker, ['a']);
  const longest = connection.maxPacket - storedOverhead;
  const sizes = [longest, longest, 1, longest, longest, longest, longest, longest];
  const stored = await appendAll(
    history,
    sizes.map((size) => batchOf('a', Buffer.alloc(size, 'x'))),
  );
  await expect(history.append(batchOf('a', Buffer.alloc(20_000)), beginning, false)).rejects.toThrow(RefusedError);
  for (const batches of [
    (await history.read('a', everything, 1_000_000)).batches,
    (await history.read('a', { newest: 100 }, 1)).batches,
  ]) {
    expect(batches.map(({ bytes }) => bytes.length)).toEqual(sizes);
  }
  await waitUntil('all have arrived', () => live.length === sizes.length);
  expect(live.map(named)).toEqual(stored.map(named));
});

withBrokers('appended again because it is not known whether it was: each batch is there once', async () => {
  const broker = await BrokerProgram.startWithStore('nats');
  const { history } = await open(broker);
  const other = await open(broker);
  const [first] = (await appendAll(history, [batchOf('a')])) as [StoredBatch];
  const known = endOf(first);
  const batch = batchOf('a', 'again', 2);
  const stored = await history.append(batch, known, false);
  expect(named(await history.append(batch, known, true))).toEqual(named(stored));
  // Others have appended much since.
  await appendAll(
    other.history,
    Array.from({ length: 30 }, () => batchOf('a')),
  );
  expect(named(await history.append(batch, known, true))).toEqual(named(stored));
  expect(named(await history.append(batch, beginning, true))).toEqual(named(stored));
  const missing = batchOf('a', 'never arrived');
  expect((await history.append(missing, known, true)).first).toBe(34);
  // What was known is gone.
  const lost = { number: 5000, id: 'x'.repeat(16), at: 5000 };
  expect(named(await history.append(batch, lost, true))).toEqual(named(stored));
  const { batches } = await history.read('a', everything, 1_000_000);
  expectChain(batches);
  expect(batches.filter(({ id }) => id === batch.id)).toHaveLength(1);
});

/** Appends one batch after another until `isOver`. */
async function appendOn({ history }: Node, content: string, isOver: () => boolean): Promise<void> {
  for (let known = beginning; !isOver(); ) known = endOf(await history.append(batchOf('a', content), known, false));
}

withBrokers('nodes that append to one room without a pause all succeed, also one that is far away', async () => {
  const broker = await BrokerProgram.startWithStore('nats');
  const far = await connectTo(`nats://127.0.0.1:${await distanceTo(broker.port, 10)}`);
  const node = { ...far, history: await far.connection.openHistory(subjects, unlimited) };
  const near = [await open(broker), await open(broker)];
  let isOver = false;
  const appending = near.map((one, index) => appendOn(one, `near ${index}`, () => isOver));
  let appended = 0;
  await appendOn(node, 'far', () => appended++ === 3);
  isOver = true;
  await Promise.all(appending);
  const batches: StoredBatch[] = [];
  for (let [after, last] = [beginning, 1]; after.number < last; after = endOf(batches.at(-1) as StoredBatch)) {
    const page = await node.history.read('a', { after }, 1_000_000);
    batches.push(...page.batches.filter(({ first }) => first > after.number));
    last = page.last;
  }
  expectChain(batches);
  expect(batches.filter(({ bytes }) => String(bytes) === 'far')).toHaveLength(3);
  for (const index of near.keys()) {
    expect(batches.filter(({ bytes }) => String(bytes) === `near ${index}`).length).toBeGreaterThan(3);
  }
});

/** A port through which everything takes longer, in each direction. */
async function distanceTo(port: number, ms: number): Promise<number> {
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('data', (chunk) => setTimeout(() => to.write(chunk), ms));
      from.on('error', () => to.destroy()).on('close', () => to.destroy());
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

withBrokers('killed between a batch and its acknowledgement: each batch is there once, in order', async () => {
  const broker = await BrokerProgram.startWithStore('nats');
  const sent: NewBatch[] = [];
  let known: Place = beginning;
  for (let kill = 0; kill < 6; kill++) {
    let { history } = await open(broker);
    const stored = await appendAll(history, [batchOf('a', 'before')], known);
    known = endOf(stored[0] as StoredBatch);
    const batch = batchOf('a', Buffer.alloc(100_000));
    sent.push(stored[0] as StoredBatch, batch);
    const appended = history.append(batch, known, false).then(endOf, () => undefined);
    await new Promise((resolve) => setTimeout(resolve, kill));
    await broker.restart();
    const acknowledged = await appended;
    if (acknowledged) known = acknowledged;
    else {
      ({ history } = await open(broker));
      known = endOf(await history.append(batch, known, true));
    }
  }
  const { history } = await open(broker);
  const batches: StoredBatch[] = [];
  for (let after = beginning; after.number < known.number; after = endOf(batches.at(-1) as StoredBatch)) {
    const page = await history.read('a', { after }, 300_000);
    batches.push(...page.batches.filter(({ first }) => first > after.number));
  }
  expectChain(batches);
  expect(batches.map(({ id }) => id)).toEqual(sent.map(({ id }) => id));
});

describe('an operator changes the stream while nodes use it', () => {
  withBrokers('a history that was purged begins again', async () => {
    const broker = await BrokerProgram.startWithStore('nats');
    const { history, live } = await open(broker, ['a']);
    const before = await appendAll(history, [batchOf('a'), batchOf('a')]);
    const { api } = await operator(broker);
    await api('STREAM.PURGE.yodel-store');
    const known = endOf(before[1] as StoredBatch);
    expect(await history.read('a', { after: known }, 1000)).toEqual({ batches: [], last: 0 });
    const after = await appendAll(history, [batchOf('a'), batchOf('a')], known);
    expectChain(after);
    expect((await history.read('a', { after: known }, 1000)).batches.map(named)).toEqual([
      named(after[1] as StoredBatch),
    ]);
    await waitUntil('it has arrived', () => live.length === 4);
  });

  withBrokers(
    'a stream that was deleted is created again, and no place of the old one is taken for one of the new',
    async () => {
      const broker = await BrokerProgram.startWithStore('nats');
      const [one, other] = [await open(broker, ['a']), await open(broker, ['a'])];
      const before = await appendAll(one.history, [batchOf('a'), batchOf('a')]);
      const { api } = await operator(broker);
      await api('STREAM.DELETE.yodel-store');
      expect(await one.history.read('a', { after: endOf(before[1] as StoredBatch) }, 1000)).toEqual({
        batches: [],
        last: 0,
      });
      // As many as there were, so that they have the same sequences.
      const again = await appendAll(other.history, [batchOf('a', '1', 5), batchOf('a', '2', 5)]);
      const third = await one.history.append(batchOf('a'), endOf(before[1] as StoredBatch), false);
      expectChain([...again, third]);
      await api('STREAM.DELETE.yodel-store');
      const fourth = await one.history.append(batchOf('a'), endOf(third), false);
      expectChain([fourth]);
      await waitUntil('it has arrived', () => other.live.length === 6);
    },
  );

  withBrokers('a server that lost its data without a word: numbers follow what is there', async () => {
    const broker = await BrokerProgram.startWithStore('nats');
    let { history } = await open(broker);
    const before = await appendAll(history, [batchOf('a'), batchOf('a'), batchOf('a')]);
    await broker.restart('without data');
    ({ history } = await open(broker));
    const after = await appendAll(history, [batchOf('a', '1', 4), batchOf('a', '2', 4)]);
    ({ history } = await open(broker));
    const third = await history.append(batchOf('a'), endOf(before[1] as StoredBatch), false);
    expectChain([...after, third]);
    const repeated = await history.append(before[2] as StoredBatch, endOf(before[1] as StoredBatch), true);
    expectChain([...after, third, repeated]);
  });

  withBrokers('messages of strangers in it, and of an operator that deletes some, have no effect', async () => {
    const broker = await BrokerProgram.startWithStore('nats');
    const { history } = await open(broker);
    const before = await appendAll(history, [batchOf('a', '1'), batchOf('a', '2')]);
    const { connection, api } = await operator(broker);
    const add = async (bytes: Uint8Array) =>
      (await connection.request(subjects.ofHistory('a'), bytes)).json<{ seq: number }>().seq;
    const packetOf = (batch: NewBatch) =>
      Buffer.concat([storedHead(batch), storedMiddle(3, before[1] as StoredBatch), batch.bytes]);
    for (const bytes of ['hello', '', packetOf(batchOf('b')), packetOf(batchOf('a')).subarray(0, 30)]) {
      await add(Buffer.from(bytes));
    }
    const known = endOf(before[1] as StoredBatch);
    expect((await history.read('a', { after: known }, 1000)).last).toBe(2);
    const third = await history.append(batchOf('a', '3'), known, false);
    const seq = await add(Buffer.from('hello'));
    // nats-server 2.9 finds no last message after this.
    await api('STREAM.MSG.DELETE.yodel-store', { seq });
    const { history: another } = await open(broker);
    const fourth = await another.append(batchOf('a', '4'), known, false);
    for (const from of [everything, { newest: 10 }, { after: { ...known, number: 1, at: 0 } }]) {
      const { batches, last } = await history.read('a', from, 1000);
      expectChain(batches);
      expect({ last, batches: batches.map(named) }).toEqual({
        last: 4,
        batches: [...before, third, fourth].map(named),
      });
    }
    // Only strangers have written here.
    await connection.request(subjects.ofHistory('c'), 'hello');
    expect(await history.read('c', everything, 1000)).toEqual({ batches: [], last: 0 });
    expectChain(await appendAll(history, [batchOf('c'), batchOf('c')]));
  });
});

describe('what cannot be used is refused, with the reason', () => {
  const opening = async (broker: BrokerProgram, user = '') => {
    const { connection } = await connectTo(broker.url(user));
    return await connection.openHistory(subjects, unlimited).then(
      () => 'opened',
      (error: Error) => error.message,
    );
  };

  withBrokers('a server without JetStream', async () => {
    const broker = await BrokerProgram.start('nats');
    expect(await opening(broker)).toMatch(/^JetStream is not enabled/);
  });

  withBrokers('a user without permission', async () => {
    const permissions = '{ publish: ["yodel.>"], subscribe: ["yodel.>"] }';
    const users = `authorization { users = [{ user: chat, password: secret, permissions: ${permissions} }] }\n`;
    const broker = await BrokerProgram.startWithStore('nats', ['-c', temporaryFile('nats.conf', users)]);
    expect(await opening(broker, 'chat:secret@')).toBe(
      'Permissions Violation for Publish to "$JS.API.STREAM.INFO.yodel-store"',
    );
  });

  withBrokers('a stream that is another one; but limits of its own are used', async () => {
    const broker = await BrokerProgram.startWithStore('nats');
    const { api } = await operator(broker);
    const create = async (config: object) => {
      await api('STREAM.DELETE.yodel-store');
      const { error } = await api('STREAM.CREATE.yodel-store', {
        name: 'yodel-store',
        subjects: ['yodel.store.*'],
        storage: 'memory',
        ...config,
      });
      expect(error).toBeUndefined();
      return await opening(broker);
    };
    const republish = { src: 'yodel.store.*', dest: 'yodel.room.{{wildcard(1)}}' };
    expect(await create({})).toBe(
      'the stream yodel-store does not republish yodel.store.* to yodel.room.{{wildcard(1)}}',
    );
    expect(await create({ republish: { ...republish, dest: 'other.{{wildcard(1)}}' } })).toMatch(/does not republish/);
    expect(await create({ republish: { ...republish, headers_only: true } })).toMatch(/does not republish/);
    expect(await create({ republish, subjects: ['yodel.store.*', 'other'] })).toMatch(/has other subjects/);
    expect(await create({ republish, retention: 'workqueue' })).toMatch(/has the retention "workqueue"/);
    expect(await create({ republish, no_ack: true })).toMatch(/acknowledges nothing/);
    expect(await create({ republish, max_msgs_per_subject: 7, allow_direct: false })).toBe('opened');
    // Without direct access, messages are read in another way.
    const { history } = await open(broker);
    const stored = await appendAll(
      history,
      Array.from({ length: 10 }, () => batchOf('a', Buffer.from([0, 255]))),
    );
    const { batches } = await history.read('a', everything, 1000);
    expect(batches.map(named)).toEqual(stored.slice(3).map(named));
    expect([...(batches[0] as StoredBatch).bytes]).toEqual([0, 255]);
    expect((await history.read('a', { newest: 2 }, 1)).batches).toHaveLength(2);
    expect(await history.read('b', everything, 1000)).toEqual({ batches: [], last: 0 });
  });

  withBrokers('a server without space', async () => {
    const config = temporaryFile('nats.conf', 'jetstream { max_file_store: 100000 }\n');
    const broker = await BrokerProgram.startWithStore('nats', ['-c', config]);
    const { history } = await open(broker);
    const full = async () => {
      for (;;) await appendAll(history, [batchOf('a', Buffer.alloc(20_000))]);
    };
    await expect(full()).rejects.toThrow(/insufficient|resource|maximum/i);
    expect((await history.read('a', { newest: 1 }, 1)).batches).toHaveLength(1);
  });
});

withBrokers('several nodes that start at once create one stream', async () => {
  const broker = await BrokerProgram.startWithStore('nats');
  const limits = [1000, 2000, 3000, 4000].map((storedMessages) => ({ ...unlimited, storedMessages }));
  const nodes = await Promise.all(limits.map((each) => open(broker, ['a'], each)));
  await Promise.all(nodes.map(({ history }) => history.append(batchOf('a'), beginning, false)));
  for (const { history, live } of nodes) {
    const { batches } = await history.read('a', everything, 1000);
    expectChain(batches);
    expect(batches).toHaveLength(nodes.length);
    await waitUntil('all have arrived', () => live.length === nodes.length);
    expectChain(live);
  }
});

withBrokers('whatever is pending ends when the connection does', async () => {
  const broker = await BrokerProgram.startWithStore('nats');
  const { connection, history } = await open(broker);
  broker.signal('SIGSTOP');
  const pending = Promise.allSettled([
    history.append(batchOf('a'), beginning, false),
    history.read('a', everything, 1000),
    connection.openHistory(subjects, unlimited),
    connection.roundTrip(),
  ]);
  connection.abort();
  for (const outcome of await pending) {
    expect(outcome.status).toBe('rejected');
    expect((outcome as PromiseRejectedResult).reason).not.toBeInstanceOf(RefusedError);
  }
  await expect(history.read('a', everything, 1000)).rejects.toThrow('closed');
});
