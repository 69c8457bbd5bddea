/** Rooms of a server with a bus that has no space, is away, or delivers. */
import { describe, expect, it } from 'vitest';
import type { BusReceiver } from '../../src/rooms/bus.ts';
import { packMessages } from '../../src/rooms/packed-messages.ts';
import type { HandlerObject } from '../../src/session/handler.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness, type HarnessOptions } from '../session/harness.ts';
import { FakeBus } from './fake-bus.ts';

const handler: HandlerObject = {
  open: (session) => session.join('a'),
  message(message, session) {
    const reach = session.server.room('a').send(message, { from: session });
    return reach === 'local' ? 'local' : undefined;
  },
  missed: (_session, _room, messages) => `missed ${messages}`,
};

async function open(options: HarnessOptions = {}) {
  const bus = new FakeBus();
  const harness = await Harness.open({ handler, bus, ...options });
  return { harness, bus, peers: [await harness.connect(), await harness.connect()] as const };
}

describe('a bus that is full', () => {
  it.each(['skip', 'close', 'wait'] as const)(
    'holds up who sends too fast, whatever roomBehind is: %s',
    async (roomBehind) => {
      const { bus, peers } = await open({ roomBehind });
      const [sender, other] = peers;
      bus.state = 'full';
      await sender.says('1\n2\n3\n');
      expect(other.text).toBe('1\n');
      bus.state = 'ready';
      bus.receiver.drained();
      await other.until(() => other.text === '1\n2\n3\n');
    },
  );

  it('does not hold up programs, which cannot wait', async () => {
    const { harness, bus, peers } = await open();
    bus.state = 'full';
    for (const text of ['1', '2', '3']) harness.server.room('a').send(text);
    await settled();
    expect(peers[1].text).toBe('1\n2\n3\n');
  });
});

it('a bus that is away: the members here receive everything, and the sender learns that others do not', async () => {
  const { bus, peers } = await open();
  bus.state = 'away';
  await peers[0].says('1\n');
  expect(peers.map(({ text }) => text.split('\n').sort())).toEqual([
    ['', '1', 'local'],
    ['', '1'],
  ]);
});

it('what waits for other nodes is a part of maxPendingBytes, and memory that several keep counts once', async () => {
  const { harness, bus } = await open();
  const { keeper } = bus.receiver;
  const memory = new ArrayBuffer(1000);
  bus.receiver.waiting(500);
  for (let node = 0; node < 3; node++) keeper.kept(memory, 1000);
  expect(harness.server.pendingBytes).toBe(1500);
  for (let node = 0; node < 3; node++) keeper.freed(memory);
  bus.receiver.waiting(0);
  expect(harness.server.pendingBytes).toBe(0);
});

it('more than maxPendingBytes that waits for other nodes ends sessions, and no more than those that buffer something', async () => {
  const { harness, bus } = await open({ maxPendingBytes: 1000 });
  bus.receiver.waiting(5000);
  await settled();
  expect(harness.server.sessions.size).toBe(2);
  bus.receiver.waiting(0);
});

it('what arrives from other nodes reaches the members, in order, with what was lost in between', async () => {
  const { bus, peers } = await open();
  const { receiver } = bus;
  const arrives = (first: number, ...texts: readonly string[]) => {
    const messages = texts.map((message) => ({ message, size: 1, except: undefined, key: undefined, isRemote: false }));
    for (const { count, bytes } of packMessages(messages, 1000))
      expect(
        (receiver as BusReceiver).received({
          node: 'n',
          room: 'a',
          first,
          count,
          timeBefore: 0,
          time: 1,
          bytes: Buffer.from(bytes),
        }),
      ).toBe(true);
  };
  receiver.followed('n', 'a', 0, 0);
  arrives(1, '1', '2');
  arrives(6, '6');
  await peers[0].until(() => peers[0].text === '1\n2\nmissed 3\n6\n');
});
