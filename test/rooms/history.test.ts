/** What rooms keep for those who join them, and what that costs. */

import { describe, expect, it } from 'vitest';
import type { Message } from '../../src/framing/message.ts';
import { Histories, History, lastOf } from '../../src/rooms/history.ts';
import type { RoomMessage } from '../../src/rooms/segment.ts';
import type { HandlerObject } from '../../src/session/handler.ts';
import type { Session } from '../../src/session/public-session.ts';
import { Telemetry } from '../../src/telemetry/telemetry.ts';
import type { Peer } from '../../src/testing/peer.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness } from '../session/harness.ts';
import { fc } from '../support/fast-check.ts';

const handler: HandlerObject = { message: () => undefined };
const keptBy = (history: History) => lastOf(history.messages, [], 1000);
const textsOf = (messages: readonly Message[]) => messages.map(({ text }) => text);

function messageOf(message: string): RoomMessage {
  return { message, size: message.length, except: undefined, key: undefined, isRemote: false };
}

describe('the history of a room', () => {
  it('has its last messages, those of this turn as well, and ends with the room', async () => {
    const harness = await Harness.open({ handler, roomHistory: 3 });
    await harness.connect();
    const room = harness.server.room('a');
    harness.session.join('a');
    for (const text of ['1', '2', '3', '4']) room.send(text);
    expect(textsOf(room.history())).toEqual(['2', '3', '4']);
    await settled();
    room.send('5');
    expect(textsOf(room.history())).toEqual(['3', '4', '5']);
    await settled();
    expect(harness.server.counters.roomHistoryBytes).toBeGreaterThan(3);
    harness.session.leave('a');
    expect(room.history()).toEqual([]);
    expect(harness.server.counters.roomHistoryBytes).toBe(0);
  });

  it('is not kept for what all sessions are sent', async () => {
    const harness = await Harness.open({ handler, roomHistory: 10 });
    const peer = await harness.connect();
    for (let count = 0; count < 100; count++) harness.server.broadcast('x'.repeat(1000));
    await settled();
    expect(peer.lines).toHaveLength(100);
    expect(harness.server.counters.roomHistoryBytes).toBe(0);
  });

  it('leaves no gap and no repetition for one that joins while messages are being delivered', async () => {
    let joined: readonly string[] | undefined;
    const harness = await Harness.open({
      handler,
      roomHistory: 100,
      telemetry: {
        // In the middle of the delivery.
        undelivered() {
          if (joined) return;
          const [, late] = [...harness.server.sessions] as Session[];
          late?.join('a');
          joined = textsOf(harness.server.room('a').history());
          harness.server.room('a').send('4');
        },
      },
    });
    const [, late] = [await harness.connect(), await harness.connect()] as [Peer, Peer];
    const [one] = [...harness.server.sessions] as Session[];
    one?.join('a');
    const room = harness.server.room('a');
    for (const text of ['1', 'two\nlines', `3${'.'.repeat(70_000)}`]) room.send(text);
    await settled();
    expect(joined).toHaveLength(3);
    expect(late.lines).toEqual(['4']);
  });

  it('has at most roomBuffer bytes', async () => {
    const harness = await Harness.open({ handler, roomHistory: 1000, roomBuffer: 10_000 });
    await harness.connect();
    harness.session.join('a');
    const room = harness.server.room('a');
    for (let number = 0; number < 100; number++) room.send(String(number).padStart(1000));
    await settled();
    const kept = textsOf(room.history()).map(Number);
    expect(kept.at(-1)).toBe(99);
    expect(kept.length).toBeLessThan(10);
    expect(harness.server.counters.roomHistoryBytes).toBeLessThanOrEqual(10_000);
  });
});

describe('the histories of all rooms', () => {
  const limits = { roomHistory: 1000, roomBuffer: 1_000_000, maxHistoryBytes: 100_000 };

  it('are bounded together, and a room that is flooded costs the others nothing', () => {
    const { counters } = new Telemetry();
    const all = new Histories(counters);
    const quiet = Array.from({ length: 20 }, () => new History(all));
    for (const history of quiet) history.add([messageOf('1'), messageOf('2')], limits);
    const busy = new History(all);
    for (let count = 0; count < 1000; count++) busy.add([messageOf('x'.repeat(1000))], limits);
    expect(counters.roomHistoryBytes).toBeLessThanOrEqual(limits.maxHistoryBytes);
    for (const history of quiet) expect(textsOf(keptBy(history))).toEqual(['1', '2']);
    expect(busy.bytes).toBeGreaterThan(limits.maxHistoryBytes / 2);
  });

  it('share what there is if all of them are busy', () => {
    const { counters } = new Telemetry();
    const all = new Histories(counters);
    const histories = Array.from({ length: 50 }, () => new History(all));
    for (let round = 0; round < 100; round++) for (const one of histories) one.add([messageOf(`${round}`)], limits);
    expect(counters.roomHistoryBytes).toBeLessThanOrEqual(limits.maxHistoryBytes);
    const counts = histories.map((one) => keptBy(one).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
    for (const one of histories) expect(textsOf(keptBy(one)).at(-1)).toBe('99');
  });

  it('count exactly what they keep, whatever comes and goes', () => {
    const step = fc.record({
      which: fc.nat(5),
      size: fc.nat(3000),
      count: fc.integer({ min: 1, max: 5 }),
      ends: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 0, max: 20_000 }), (steps, maxHistoryBytes) => {
        const { counters } = new Telemetry();
        const all = new Histories(counters);
        const histories = Array.from({ length: 6 }, () => new History(all));
        const some = { roomHistory: 7, roomBuffer: 9_000, maxHistoryBytes };
        for (const { which, size, count, ends } of steps) {
          const history = histories[which] as History;
          if (ends === 0) history.clear();
          else history.add(Array(count).fill(messageOf('x'.repeat(size))), some);
          const total = histories.reduce((sum, { bytes }) => sum + bytes, 0);
          expect(counters.roomHistoryBytes).toBe(total);
          expect(total).toBeLessThanOrEqual(maxHistoryBytes);
          for (const one of histories) {
            expect(one.bytes === 0).toBe(keptBy(one).length === 0);
            expect(keptBy(one).length).toBeLessThanOrEqual(7);
          }
        }
      }),
    );
  });
});
