/** Anyone who can write to the broker can send anything: it does no more than the page about clusters says. */
import { expect, it } from 'vitest';
import { BrokerBus } from '../../../src/bus/broker/bus.ts';
import { Nodes, type RemoteNode } from '../../../src/bus/broker/nodes.ts';
import { batchPacket, type NodeState, pieces, startsPacket, statePacket } from '../../../src/bus/broker/packets.ts';
import { packMessages } from '../../../src/rooms/packed-messages.ts';
import { FakeClock } from '../../../src/testing/fake-clock.ts';
import { between, oneOf, randomFrom } from '../../../src/testing/random.ts';
import { BridgedNode, sentHere } from '../../rooms/bridged-node.ts';
import { MemoryBroker } from './memory-broker.ts';

async function start() {
  const [broker, clock] = [new MemoryBroker(), new FakeClock()];
  const nodes = [1, 2].map(() => new BridgedNode(new BrokerBus(broker, { prefix: 'yodel', clock }), clock));
  for (const { bridge } of nodes) void bridge.start();
  await clock.advance(300);
  const [one, two] = nodes as [BridgedNode<BrokerBus>, BridgedNode<BrokerBus>];
  two.join('a');
  await clock.advance(200);
  return { broker, clock, one, two };
}

const stranger = (number: number) => `00000000-0000-4000-8000-${`${number}`.padStart(12, '0')}`;

function state(number: number, more: Partial<NodeState>): NodeState {
  return {
    number,
    time: Date.now(),
    isNew: false,
    asks: false,
    leaves: false,
    full: undefined,
    rooms: new Map(),
    ...more,
  };
}

function roomState(more = {}) {
  return { follows: 1, last: 0, sentAt: 0, size: 1, names: [], ...more };
}

/** Packets of strangers, some of them falsified. */
function packets(random: () => number): Buffer {
  const node = stranger(between(random, 0, 20));
  const [packed] = packMessages([sentHere('x'.repeat(between(random, 0, 100)))], 1000);
  const bytes = packed?.bytes ?? Buffer.alloc(0);
  const batch = { node, room: 'a', first: between(random, 0, 2 ** 40), count: between(random, 0, 3), time: 0, bytes };
  const rooms = new Map([
    [oneOf(random, ['a', 'b', '\0', 'x'.repeat(200)]), roomState({ last: between(random, 0, 99) })],
  ]);
  const full = { part: between(random, 0, 3), parts: between(random, 0, 3) };
  const packet = oneOf(random, [
    () => batchPacket(batch),
    () =>
      statePacket(node, state(between(random, 0, 2 ** 30), { rooms, asks: random() < 0.3, leaves: random() < 0.1 })),
    () => statePacket(node, state(between(random, 0, 2 ** 30), { rooms, full, isNew: random() < 0.3 })),
    () => startsPacket(node, [{ room: 'a', follows: between(random, 0, 3), last: between(random, 0, 2 ** 40) }]),
    () => oneOf(random, pieces(node, between(random, 0, 3), batchPacket(batch), 90)),
    () => Buffer.from(Array.from({ length: between(random, 0, 60) }, () => between(random, 0, 255))),
  ])();
  if (random() < 0.5) return packet;
  const edited = Buffer.from(packet);
  // Not the name of the node, which could become another's.
  if (edited.length > 40) edited[between(random, 38, edited.length - 1)] = between(random, 0, 255);
  return random() < 0.3 ? edited.subarray(0, between(random, 0, edited.length)) : edited;
}

it.each([1, 2, 3, 4])('costs the other servers no message, and none of their counts (%i)', async (seed) => {
  const random = randomFrom(seed);
  const { broker, clock, one, two } = await start();
  let sent = 0;
  for (let round = 0; round < 300; round++) {
    for (let count = 0; count < 10; count++) {
      const subject = oneOf(random, ['yodel.nodes', 'yodel.room.a', `yodel.node.${two.bridge.node}`]);
      broker.deliver(subject, packets(random));
    }
    one.send('a', `mine ${++sent}`);
    await clock.advance(10);
  }
  const mine = two.texts.filter((text) => text.startsWith('mine '));
  expect(mine).toEqual(Array.from({ length: sent }, (_, index) => `mine ${index + 1}`));
  expect(two.events.filter((event) => event.startsWith('disconnected'))).toEqual([]);
  // However much there is to say about it.
  expect(two.events.filter((event) => event.startsWith('refused')).length).toBeLessThanOrEqual(10);
});

it('cannot be any number of servers: once those are silent, others take their places', async () => {
  const { broker, clock, one, two } = await start();
  const tells = (number: number) =>
    broker.deliver(
      'yodel.nodes',
      statePacket(stranger(number), state(1, { rooms: new Map([[`${number}`, roomState()]]) })),
    );
  for (let number = 0; number < 1500; number++) tells(number);
  await clock.advance(100);
  expect(two.bridge.remoteSizeOf('900')).toBe(1);
  expect(two.bridge.remoteSizeOf('1100')).toBe(0);
  expect(two.events.filter((event) => /too many/.test(event))).toHaveLength(1);
  await clock.advance(5000);
  expect(two.bridge.remoteSizeOf('900')).toBe(0);
  tells(2000);
  expect(two.bridge.remoteSizeOf('2000')).toBe(1);
  one.send('a', 'still there');
  await clock.advance(10);
  expect(two.texts).toEqual(['still there']);
});

it('cannot have any number of rooms and names', () => {
  const nodes = new Nodes();
  const all = [1, 2, 3].map((number) => nodes.add(stranger(number), 0));
  const followed = { follows: 1, last: 0, names: 99 };
  let count = 0;
  while (nodes.follow(all[count % 3] as RemoteNode, `${count}`, followed)) count++;
  expect(count).toBe(10_000);
  // What is known may change, and makes space when it is gone.
  expect(nodes.follow(all[0] as RemoteNode, '0', { ...followed, follows: 2 })).toBe(true);
  nodes.unfollow(all[0] as RemoteNode, '0');
  expect(nodes.follow(all[1] as RemoteNode, 'new', followed)).toBe(true);
  expect(nodes.follow(all[1] as RemoteNode, 'newer', followed)).toBe(false);
  for (const node of all) nodes.delete(node);
  expect(nodes.isFollowed('1')).toBe(false);
});

it('does not make a server tell everything all the time', async () => {
  const { broker, clock, two } = await start();
  for (let room = 0; room < 1000; room++) two.join(`${room}${'x'.repeat(120)}`);
  await clock.advance(200);
  let bytes = 0;
  const deliver = broker.deliver.bind(broker);
  broker.deliver = (_subject, packet) => {
    bytes += packet.length;
  };
  for (let number = 0; number < 50; number++) {
    deliver('yodel.nodes', statePacket(stranger(number), state(1, { asks: true })));
    await clock.advance(100);
  }
  // In 5 s: at most 1 MB/s, and what was being told. Each answer has 150 KB.
  expect(bytes).toBeLessThan(5_500_000);
  expect(bytes).toBeGreaterThan(1_000_000);
});

it('cannot make pieces of pieces, or fill the memory with what is never complete', async () => {
  const { broker, clock, one, two } = await start();
  const inner = batchPacket({ node: stranger(1), room: 'a', first: 1, count: 1, time: 0, bytes: Buffer.alloc(200) });
  const [piece] = pieces(stranger(1), 1, inner, 1000);
  const [nested] = pieces(stranger(1), 2, piece as Buffer, 1000);
  broker.deliver('yodel.room.a', nested as Buffer);
  expect(two.events.at(-1)).toMatch(/refused: .*a piece within a piece/);
  const large = Buffer.alloc(1_000_000);
  for (let number = 0; number < 200; number++) {
    const [first] = pieces(stranger(number), 1, large, 900_000);
    broker.deliver('yodel.room.a', first as Buffer);
  }
  // A long message of another still arrives.
  one.send('a', 'x'.repeat(3_000_000));
  await clock.advance(10);
  expect(two.texts.map(({ length }) => length)).toEqual([3_000_000]);
});
