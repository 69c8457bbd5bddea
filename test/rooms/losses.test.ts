/** Messages that are lost between two processes are told to those who were members then, at their place in the order. */
import { afterEach, expect, it, vi } from 'vitest';
import type { HandlerObject } from '../../src/session/handler.ts';
import type { Peer } from '../../src/testing/peer.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness } from '../session/harness.ts';
import { connected, FakeBus, type Packet } from './fake-bus.ts';

afterEach(() => void vi.restoreAllMocks());

const handler: HandlerObject = {
  open: (session) => session.join('a'),
  missed: (_session, _room, messages) => `missed ${messages}`,
};

/** Two processes with a room that the first one sends to. The time of day passes only by `passes`. */
async function open(network = { capacity: 65_536 }) {
  let now = 1_000_000;
  vi.spyOn(Date, 'now').mockImplementation(() => now);
  const buses = [new FakeBus(), new FakeBus()] as const;
  const one = await Harness.open({ handler: { message: () => undefined }, bus: buses[0] });
  const two = await Harness.open({ handler, bus: buses[1], network, highWaterMark: 1_000, drainTimeout: 0 });
  connected(buses);
  const send = async (text: string, edit?: (packets: Packet[]) => Packet[]) => {
    one.server.room('a').send(text);
    await settled();
    buses[0].deliver(edit);
    await settled();
  };
  return {
    two,
    send,
    loses: (text: string) => send(text, () => []),
    /** So much later. */
    passes: (ms: number) => {
      now += ms;
    },
    /** The first process tells what it has sent last. */
    beats: async () => {
      await one.passes(1_000);
      buses[0].deliver();
      await settled();
    },
  };
}

it('not to members that joined after the last of them was sent', async () => {
  const { two, send, loses, passes } = await open();
  const early = await two.connect();
  await send('1');
  passes(10);
  await loses('2');
  await loses('3');
  passes(10);
  const late = await two.connect();
  passes(10);
  await send('4');
  expect([early.lines, late.lines]).toEqual([['1', 'missed 2', '4'], ['4']]);
  expect(two.server.counters.roomMessagesLost).toBe(2);
});

it('not to them if a beat tells it', async () => {
  const { two, send, loses, passes, beats } = await open();
  const early = await two.connect();
  await send('1');
  passes(10);
  await loses('2');
  passes(10);
  const late = await two.connect();
  passes(10);
  await beats();
  await send('3');
  expect([early.lines, late.lines]).toEqual([['1', 'missed 1', '3'], ['3']]);
  expect(two.server.counters.roomMessagesMissed).toBe(1);
});

it('to a member that is behind after what it has yet to receive', async () => {
  const { two, send, loses, beats } = await open({ capacity: 100 });
  const [slow, fast] = [await two.connect(), await two.connect()] as [Peer, Peer];
  slow.connection.pause();
  const sent: string[] = [];
  for (let number = 0; number < 30; number++) {
    const text = String(number).padStart(99, '.');
    sent.push(text);
    if (number === 20) {
      await loses(text);
      await beats();
    } else await send(text);
  }
  const expected = [...sent.slice(0, 20), 'missed 1', ...sent.slice(21)];
  expect(fast.lines).toEqual(expected);
  slow.connection.resume();
  await slow.until(() => slow.text.endsWith(`${sent[29]}\n`));
  expect(slow.lines).toEqual(expected);
  expect(two.server.counters.roomMessagesMissed).toBe(2);
});

it('whoever cannot be told is closed', async () => {
  const bus = [new FakeBus(), new FakeBus()] as const;
  const one = await Harness.open({ handler: { message: () => undefined }, bus: bus[0] });
  const two = await Harness.open({ handler: { open: (session) => session.join('a') }, bus: bus[1] });
  connected(bus);
  const peer = await two.connect();
  for (const isLost of [false, true, false]) {
    one.server.room('a').send('x');
    await settled();
    bus[0].deliver((packets) => (isLost ? [] : packets));
    await settled();
  }
  expect(peer.lines).toEqual(['x', 'error: fell 1 message behind in room "a"']);
});

it('what handlers send as the last sessions end still leaves the process', async () => {
  const buses = [new FakeBus(), new FakeBus()] as const;
  const leaving: HandlerObject = {
    open: (session) => session.join('a'),
    close: (session) => void session.server.room('a').send(`${session.id} has left`),
  };
  const one = await Harness.open({ handler: leaving, bus: buses[0] });
  const two = await Harness.open({ handler, bus: buses[1] });
  connected(buses);
  await one.connect();
  const peer = await two.connect();
  await one.close();
  buses[0].deliver();
  await settled();
  expect(peer.lines).toEqual(['1 has left']);
});
