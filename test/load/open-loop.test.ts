import { expect, test } from 'vitest';
import { resolveWire } from '../../src/framing/wire.ts';
import { LoadConnection, type Traffic } from '../../src/load/connection.ts';
import { OpenLoop } from '../../src/load/open-loop.ts';
import { payloadsOf } from '../../src/load/payload.ts';
import { Tally } from '../../src/load/tally.ts';
import { settled } from '../../src/testing/turns.ts';
import type { Connection } from '../../src/transport/transport.ts';
import { settingsOf } from './settings.ts';

const perSecond = 1000;

function traffic(): Traffic {
  const tally = new Tally();
  return {
    tally,
    latencies: tally.latency,
    inFlight: 0,
    lastReplyAt: 0,
    isActive: false,
    claim: () => 0,
    sendSoon() {},
    settled() {},
    doubted() {},
    broken() {},
  };
}

/** A load connection that sends into nothing, and the number of messages it has sent. */
function connection(shared: Traffic, number: number, unsent = 0): { load: LoadConnection; sent: () => number } {
  let sent = 0;
  const nowhere = {
    unsent,
    start() {},
    write: (bytes: Uint8Array) => {
      sent += bytes.filter((byte) => byte === 0x0a).length;
    },
  } as unknown as Connection;
  const payload = payloadsOf(settingsOf())(number);
  const options = {
    number,
    payload,
    protocol: resolveWire({}),
    replies: 'echo',
    greeting: 0,
    learnsGreeting: false,
  } as const;
  const load = new LoadConnection({ ...options, errors: undefined, log: undefined }, nowhere, shared);
  return { load, sent: () => sent };
}

/** A loop whose first message was due `agoMs` milliseconds ago; one more is due every millisecond. */
function loopFrom(agoMs: number, total: number, shared: Traffic, allSent: (endsAt: number) => void = () => {}) {
  const start = performance.now() - agoMs;
  return { start, loop: new OpenLoop({ start, rate: perSecond, every: 1, offset: 0 }, total, shared, allSent) };
}

function spin(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

test('messages due before the loop starts count as late: the generator was slow to start', () => {
  const shared = traffic();
  const { loop } = loopFrom(100, 50, shared);
  loop.connectionsChanged([connection(shared, 1).load]);
  loop.start();
  loop.stop();
  expect(shared.tally.lateness.count).toBe(50);
  expect(shared.tally.lateness.min).toBeGreaterThan(50);
});

test('messages that had to wait for a connection do not count as late', () => {
  const shared = traffic();
  const { loop } = loopFrom(100, 50, shared);
  loop.start();
  loop.connectionsChanged([connection(shared, 1).load]);
  loop.sendDue(performance.now());
  loop.stop();
  expect(shared.tally.sent).toBe(50);
  expect(shared.tally.lateness.count).toBe(0);
});

test('every time without a connection is left out of the lateness, and nothing else is', () => {
  const shared = traffic();
  const { start, loop } = loopFrom(0, Number.POSITIVE_INFINITY, shared);
  const { load } = connection(shared, 1);
  loop.start();
  loop.connectionsChanged([load]);
  loop.connectionsChanged([]);
  spin(20);
  const back = performance.now();
  loop.connectionsChanged([load]);
  spin(20);
  // A second connection must not excuse the messages that became due in the meantime.
  loop.connectionsChanged([load, connection(shared, 2).load]);
  const now = performance.now();
  loop.sendDue(now);
  loop.stop();
  const dueBy = (time: number) => Math.floor(time - start) + 1;
  expect(shared.tally.sent).toBe(dueBy(now));
  expect(Math.abs(shared.tally.lateness.count - (dueBy(now) - dueBy(back)))).toBeLessThanOrEqual(1);
});

test('messages go to the connections in turn, each round where the last one ended', () => {
  const shared = traffic();
  const { start, loop } = loopFrom(0, Number.POSITIVE_INFINITY, shared);
  const connections = [1, 2, 3].map((number) => connection(shared, number));
  loop.connectionsChanged(connections.map(({ load }) => load));
  loop.sendDue(start + 6.5);
  expect(connections.map(({ sent }) => sent())).toEqual([3, 2, 2]);
  // Each message is timed from when it was due itself.
  expect(connections.map(({ load }) => load.oldest)).toEqual([start, start + 1, start + 2]);
  loop.sendDue(start + 8.5);
  expect(connections.map(({ sent }) => sent())).toEqual([3, 3, 3]);
  loop.sendDue(start + 8.9);
  expect(shared.tally.sent).toBe(9);
});

test('the latency of a message counts from when it was due', () => {
  const shared = traffic();
  const { start, loop } = loopFrom(0, 2, shared);
  const { load } = connection(shared, 1);
  loop.connectionsChanged([load]);
  loop.sendDue(start + 30.5);
  expect(load.oldest).toBe(start);
  expect([start, start + 1].map((time) => load.countUpTo(time))).toEqual([1, 2]);
});

test('once all are sent, the end is when one more message would be due', () => {
  const shared = traffic();
  const ends: number[] = [];
  const { start, loop } = loopFrom(0, 5, shared, (endsAt) => void ends.push(endsAt));
  loop.connectionsChanged([connection(shared, 1).load]);
  loop.sendDue(start + 3.5);
  expect(ends).toEqual([]);
  loop.sendDue(start + 100);
  loop.sendDue(start + 200);
  expect(ends).toEqual([start + 5]);
  expect(shared.tally.sent).toBe(5);
});

test('beyond a million messages in flight, further ones are an error and are not sent', () => {
  const shared = traffic();
  shared.inFlight = 999_999;
  const { start, loop } = loopFrom(0, Number.POSITIVE_INFINITY, shared);
  const { load, sent } = connection(shared, 1);
  loop.connectionsChanged([load]);
  loop.sendDue(start + 2.5);
  expect(sent()).toBe(1);
  expect([...shared.tally.errors].map(([code, { count }]) => [code, count])).toEqual([
    ['YODEL_TOO_MANY_UNANSWERED', 2],
  ]);
});

test('a connection with 16 MiB unsent gets no more messages; the others do', () => {
  const shared = traffic();
  const { start, loop } = loopFrom(0, Number.POSITIVE_INFINITY, shared);
  const [full, free] = [connection(shared, 1, 16_777_217), connection(shared, 2, 16_777_216)];
  loop.connectionsChanged([full.load, free.load]);
  loop.sendDue(start + 3.5);
  expect([full.sent(), free.sent()]).toEqual([0, 2]);
  expect(shared.tally.errors.get('YODEL_TOO_MANY_UNANSWERED')?.count).toBe(2);
});

test('after stop nothing is sent', async () => {
  const shared = traffic();
  const { loop } = loopFrom(10, Number.POSITIVE_INFINITY, shared);
  loop.connectionsChanged([connection(shared, 1).load]);
  loop.start();
  loop.stop();
  const { sent } = shared.tally;
  spin(5);
  await settled();
  expect(sent).toBeGreaterThan(10);
  expect(shared.tally.sent).toBe(sent);
});

test('time spent spinning until the next message is not counted as work', async () => {
  const idle = traffic();
  const busy = Object.defineProperty(traffic(), 'isActive', { get: () => true, set() {} });
  const [spun, worked] = await Promise.all(
    [idle, busy].map(async (shared) => {
      // The next message is due within the slack of a timer, so the loop spins.
      const { loop } = loopFrom(-1, Number.POSITIVE_INFINITY, shared);
      loop.connectionsChanged([connection(shared, 1).load]);
      loop.start();
      await settled();
      loop.stop();
      return loop.spunMs;
    }),
  );
  expect(spun).toBeGreaterThan(0);
  expect(worked).toBe(0);
});
