import { describe, expect, it } from 'vitest';
import { isMessage, Message } from '../../src/framing/message.ts';
import type { BusBatch } from '../../src/rooms/bus.ts';
import { packMessages, unpackMessages } from '../../src/rooms/packed-messages.ts';
import type { Participant } from '../../src/session/membership.ts';
import { between, oneOf, randomFrom } from '../../src/testing/random.ts';
import { BridgedNode, sentHere } from './bridged-node.ts';
import { connected, FakeBus, type Packet } from './fake-bus.ts';

/** A process whose bus is in memory. */
class Node extends BridgedNode<FakeBus> {
  constructor() {
    super(new FakeBus());
  }
}

async function nodes(count: number): Promise<Node[]> {
  const all = Array.from({ length: count }, () => new Node());
  connected(all.map(({ bus }) => bus));
  for (const one of all) await one.bridge.start();
  return all;
}

const messagesOf = ({ bytes, count }: BusBatch) => unpackMessages(Buffer.from(bytes), count);
const batchesOf = (bus: FakeBus) => bus.sent.flatMap((packet) => ('batch' in packet ? [packet.batch] : []));

describe('messages', () => {
  it('arrive as what they were: text, bytes, kind, header and key', async () => {
    const [one, two] = (await nodes(2)) as [Node, Node];
    two.join('a');
    const parts = { header: Buffer.from([7]), kind: 'binary' } as const;
    const messages = ['text', Buffer.from([0, 255]), Message.of('with a header', parts)].map(sentHere);
    one.bridge.publish('a', [...messages, { ...sentHere('1'), key: 'price' }]);
    one.bus.deliver();
    const arrived = two.messages.map(({ message, key, isRemote }) => {
      const { bytes, header, kind } = isMessage(message) ? message : Message.of(message as Uint8Array);
      return { bytes: Buffer.from(bytes).toString('latin1'), header: [...header], kind, key, isRemote };
    });
    const rest = { header: [], key: undefined, isRemote: true };
    expect(arrived).toEqual([
      { ...rest, bytes: 'text', kind: 'text' },
      { ...rest, bytes: '\0\xff', kind: undefined },
      { ...rest, bytes: 'with a header', header: [7], kind: 'binary' },
      { ...rest, bytes: '1', kind: 'text', key: 'price' },
    ]);
  });

  it('from another process are not sent on', async () => {
    const [one, two] = (await nodes(2)) as [Node, Node];
    two.join('a');
    one.bridge.publish('a', [sentHere('mine'), { ...sentHere('of another'), isRemote: true }]);
    one.bus.deliver();
    expect(two.texts).toEqual(['mine']);
  });

  it('travel in batches of at most 256 KiB, and a longer one alone', async () => {
    const [one, two] = (await nodes(2)) as [Node, Node];
    two.join('a');
    const sizes = [100_000, 100_000, 100_000, 300_000, 1, 1];
    one.send('a', ...sizes.map((size) => 'x'.repeat(size)));
    const batches = batchesOf(one.bus).map((batch) => [batch.first, ...messagesOf(batch).map(({ size }) => size)]);
    expect(batches).toEqual([
      [1, 100_000, 100_000],
      [3, 100_000],
      [4, 300_000],
      [5, 1, 1],
    ]);
    one.bus.deliver();
    expect(two.messages).toHaveLength(sizes.length);
    expect(two.missed).toBe(0);
  });

  it('to a room that nobody else follows are not sent at all', async () => {
    const [one, two] = (await nodes(2)) as [Node, Node];
    one.send('a', 'before');
    two.join('a');
    two.leave('a');
    one.send('a', 'after');
    expect(batchesOf(one.bus)).toEqual([]);
  });
});

describe('numbers', () => {
  it('show how many messages were lost, exactly', async () => {
    const [one, two] = (await nodes(2)) as [Node, Node];
    two.join('a');
    one.send('a', '1', '2');
    one.bus.deliver();
    one.send('a', '3', '4', '5');
    one.bus.deliver(() => []);
    one.send('a', '6');
    one.bus.deliver();
    expect(two.texts).toEqual(['1', '2', '(3 lost)', '6']);
  });

  it('show what was lost before the first batch, but nothing from before the room was followed', async () => {
    const [one, two, three] = (await nodes(3)) as [Node, Node, Node];
    three.join('a');
    one.send('a', '1', '2');
    one.bus.deliver();
    two.join('a');
    one.send('a', '3');
    one.bus.deliver(() => []);
    one.send('a', '4');
    one.bus.deliver();
    expect(two.texts).toEqual(['(1 lost)', '4']);
    expect(three.texts).toEqual(['1', '2', '(1 lost)', '4']);
  });

  it('in a beat show a lost tail within a second', async () => {
    const [one, two] = (await nodes(2)) as [Node, Node];
    two.join('a');
    one.send('a', '1', '2', '3');
    one.bus.deliver(() => []);
    await one.clock.advance(999);
    one.bus.deliver();
    expect(two.texts).toEqual([]);
    await one.clock.advance(1);
    one.bus.deliver();
    expect(two.texts).toEqual(['(3 lost)']);
    // Only rooms that were active since then are repeated.
    await one.clock.advance(5000);
    expect(one.bus.sent).toEqual([]);
    expect(one.clock.waiting).toBe(0);
  });

  it('make repetitions known, also partial ones', async () => {
    const [one, two] = (await nodes(2)) as [Node, Node];
    two.join('a');
    one.send('a', '1', '2');
    one.bus.deliver((packets) => [...packets, ...packets]);
    const { node, time } = batchesOf(one.bus)[0] ?? { node: one.bridge.node, time: 0 };
    const [packed] = packMessages(['2', '3'].map(sentHere), 1000);
    two.bridge.received({
      node,
      room: 'a',
      first: 2,
      time,
      timeBefore: 0,
      count: 2,
      bytes: packed?.bytes ?? Buffer.alloc(0),
    });
    expect(two.texts).toEqual(['1', '2', '3']);
  });

  it('are separate for each node and room', async () => {
    const [one, two, three] = (await nodes(3)) as [Node, Node, Node];
    three.join('a');
    three.join('b');
    one.send('a', 'a1');
    two.send('a', 'a1 of two');
    one.send('b', 'b1');
    two.bus.deliver();
    one.bus.deliver();
    expect(three.texts).toEqual(['a1 of two', 'a1', 'b1']);
    expect(three.missed).toBe(0);
  });

  it('begin anew after a room was left, without a loss or a repetition', async () => {
    const [one, two] = (await nodes(2)) as [Node, Node];
    two.join('a');
    one.send('a', '1', '2');
    one.bus.deliver();
    two.leave('a');
    one.send('a', 'nobody hears it');
    two.join('a');
    one.send('a', '3');
    one.bus.deliver();
    expect(two.texts).toEqual(['1', '2', '3']);
  });

  it('go on while the bus is away, so that the others learn what they missed', async () => {
    const [one, two] = (await nodes(2)) as [Node, Node];
    two.join('a');
    one.send('a', '1');
    one.bus.deliver();
    one.bus.state = 'away';
    one.send('a', '2', '3');
    expect(one.bus.sent).toEqual([]);
    one.bus.state = 'ready';
    await one.clock.advance(1000);
    one.bus.deliver();
    expect(two.texts).toEqual(['1', '(2 lost)']);
  });

  it('of a node that was away for a while show what was lost meanwhile', async () => {
    const [one, two] = (await nodes(2)) as [Node, Node];
    two.join('a');
    one.send('a', '1', '2');
    one.bus.deliver();
    two.bridge.gone(one.bridge.node);
    one.send('a', '3', '4', '5');
    one.bus.deliver(() => []);
    two.bridge.followed(one.bridge.node, 'a', 5, 0);
    one.send('a', '6');
    one.bus.deliver();
    expect(two.texts).toEqual(['1', '2', '(3 lost)', '6']);
    // Once it is forgotten it begins anew.
    two.bridge.gone(one.bridge.node);
    two.bridge.forgotten(one.bridge.node);
    two.bridge.followed(one.bridge.node, 'a', 100);
    expect(two.missed).toBe(3);
  });

  it('of messages that cannot be read are not counted', async () => {
    const [one, two] = (await nodes(2)) as [Node, Node];
    two.join('a');
    const unreadable = {
      node: one.bridge.node,
      room: 'a',
      first: 1,
      count: 3,
      time: 0,
      timeBefore: 0,
      bytes: Buffer.from([1, 2, 3]),
    };
    expect(two.bridge.received(unreadable)).toBe(false);
    one.send('a', '1');
    one.bus.deliver();
    expect(two.texts).toEqual(['1']);
  });

  it('add up: received and lost is what was sent, whatever the bus loses and repeats', async () => {
    const random = randomFrom(20);
    const [one, two, three] = (await nodes(3)) as [Node, Node, Node];
    three.join('a');
    let sent = 0;
    for (let round = 0; round < 300; round++) {
      for (const node of [one, two]) {
        const count = between(random, 1, 4);
        node.send('a', ...Array.from({ length: count }, () => `${sent++}`));
      }
      // Each node's packets keep their order; those of one may overtake those of the other.
      const edit = (packets: Packet[]) =>
        packets.flatMap((packet) => oneOf(random, [[], [packet], [packet], [packet, packet]]));
      const order = oneOf(random, [[one, two], [two, one], [one], [two]]);
      for (const { bus } of order) bus.deliver(edit);
    }
    for (const { clock, bus } of [one, two]) {
      await clock.advance(1000);
      bus.deliver((packets) => packets.filter((packet) => 'beat' in packet).slice(-1));
    }
    expect(three.missed).toBeGreaterThan(0);
    expect(three.messages.length + three.missed).toBe(sent);
    expect(new Set(three.messages.map(({ message }) => String(message))).size).toBe(three.messages.length);
  });
});

describe('members in other processes', () => {
  it('are counted soon after they come and go', async () => {
    const [one, two, three] = (await nodes(3)) as [Node, Node, Node];
    two.join('a');
    two.join('a');
    three.join('a');
    for (const { clock, bus } of [two, three]) {
      await clock.advance(100);
      bus.deliver();
    }
    expect([one, two, three].map(({ bridge }) => bridge.remoteSizeOf('a'))).toEqual([3, 1, 2]);
    two.leave('a');
    await two.clock.advance(100);
    two.bus.deliver();
    expect(one.bridge.remoteSizeOf('a')).toBe(2);
    expect(one.bridge.remoteSizeOf('b')).toBe(0);
  });

  it('are gone at once with their process, in all its rooms', async () => {
    const [one, two, three] = (await nodes(3)) as [Node, Node, Node];
    for (let room = 0; room < 1000; room++) two.join(`room ${room}`);
    three.join('room 0');
    for (const { clock, bus } of [two, three]) {
      await clock.advance(100);
      bus.deliver();
    }
    one.bridge.gone(two.bridge.node);
    expect([0, 1, 999].map((room) => one.bridge.remoteSizeOf(`room ${room}`))).toEqual([1, 0, 0]);
    one.bridge.gone(two.bridge.node);
    expect(one.bridge.remoteSizeOf('room 0')).toBe(1);
  });
});

describe('the names of members', () => {
  it('are told soon after one comes, goes or is renamed, and only of rooms that have some', async () => {
    const [one, two, three] = (await nodes(3)) as [Node, Node, Node];
    const beats = async () => {
      await one.clock.advance(100);
      one.bus.deliver();
    };
    one.names.set('a', ['ana', 'bob']);
    one.join('a');
    one.join('b');
    await beats();
    one.names.set('a', ['Ana', 'bob']);
    one.bridge.resized('a');
    await beats();
    expect([one, two, three].map(({ bridge }) => bridge.namesWith('a', []).map(({ name }) => name))).toEqual([
      [],
      ['Ana', 'bob'],
      ['Ana', 'bob'],
    ]);
    one.names.clear();
    one.leave('a');
    one.leave('b');
    await beats();
    expect(two.told).toEqual(['a: ana bob', 'a: Ana bob', 'a: ']);
    expect(two.bridge.namesWith('a', [])).toEqual([]);
  });

  it('count as members before their number is known', async () => {
    const [one, two] = (await nodes(2)) as [Node, Node];
    const sizes: number[] = [];
    two.named = () => sizes.push(two.bridge.remoteSizeOf('a'));
    const beat = { node: one.bridge.node, last: new Map(), sentAt: new Map(), sizes: new Map() };
    two.bridge.beaten({ ...beat, names: new Map([['a', [{ name: 'ana', since: 1, alone: true }]]]) });
    expect(sizes).toEqual([1]);
    two.bridge.beaten({ ...beat, names: new Map(), sizes: new Map([['a', 3]]) });
    two.bridge.beaten({ ...beat, names: new Map([['a', []]]) });
    expect(two.bridge.remoteSizeOf('a')).toBe(3);
  });

  it('are told at once where others wait for them, and are gone with their process', async () => {
    const [one, two] = (await nodes(2)) as [Node, Node];
    one.names.set('a', ['ana']);
    one.join('a');
    one.bridge.resized('a', true);
    await one.clock.advance(0);
    one.bus.deliver();
    expect(two.told).toEqual(['a: ana']);
    two.bridge.gone(one.bridge.node);
    expect(two.bridge.namesWith('a', [])).toEqual([]);
  });
});

describe('a sender', () => {
  it('waits until the bus has space again, and is released once', async () => {
    const [one] = (await nodes(1)) as [Node];
    const calls: boolean[] = [];
    const participant = {
      hold: () => calls.push(true),
      release: () => calls.push(false),
    } as unknown as Participant;
    one.bridge.hold(participant);
    one.bridge.hold(participant);
    one.bus.receiver.drained();
    one.bus.receiver.drained();
    expect(calls).toEqual([true, false]);
    one.bridge.hold(participant);
    await one.bridge.close();
    expect(calls).toEqual([true, false, true, false]);
  });
});
