/** A member of several rooms that reads slowly: none of them keeps the others from it. */
import { expect, it } from 'vitest';
import type { HandlerObject } from '../../src/session/handler.ts';
import type { Session } from '../../src/session/public-session.ts';
import { Peer } from '../../src/testing/peer.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness } from '../session/harness.ts';

/** Reads one chunk whenever it is told to. */
class SlowPeer extends Peer {
  override onData(chunk: Uint8Array): void {
    super.onData(chunk);
    this.connection.pause();
  }
}

const handler: HandlerObject = { missed: (_session, room, messages) => `missed ${messages} in ${room}` };

async function connectSlowly(harness: Harness): Promise<{ peer: SlowPeer; session: Session }> {
  const peer = new SlowPeer(await harness.transport.connect(harness.address));
  await settled();
  return { peer, session: harness.session };
}

it('a busy room does not starve the others of the same session', async () => {
  const harness = await Harness.open({
    handler,
    network: { capacity: 1_000, chunkSize: 1_000 },
    highWaterMark: 2_000,
    roomBuffer: 20_000,
    drainTimeout: 0,
  });
  const { peer, session } = await connectSlowly(harness);
  session.join('busy');
  for (let number = 0; number < 20; number++) session.join(`quiet ${number}`);
  for (let turn = 0; turn < 400; turn++) {
    // Five times of what it reads.
    for (let count = 0; count < 50; count++) harness.server.room('busy').send('.'.repeat(99));
    harness.server.room(`quiet ${turn % 20}`).send(`quiet ${turn}`);
    peer.connection.resume();
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(peer.size).toBeLessThan(400 * 1_000 + 1);
  const quiet = peer.lines.filter((line) => line.startsWith('quiet'));
  // All but those that have just been sent.
  expect(quiet).toEqual(Array.from({ length: quiet.length }, (_, turn) => `quiet ${turn}`));
  expect(quiet.length).toBeGreaterThan(300);
  expect(peer.lines.some((line) => line.endsWith('in busy'))).toBe(true);
});

it('one that is far behind in many rooms continues over several turns of the event loop', async () => {
  const harness = await Harness.open({ handler, drainTimeout: 0, network: { capacity: 10_000_000 } });
  const slow = await connectSlowly(harness);
  const other = await harness.connect();
  const { server, served, session } = harness;
  for (const one of [slow.session, session]) for (let number = 0; number < 40; number++) one.join(`room ${number}`);
  // Nothing is taken, as by a peer that reads nothing.
  const [connection] = served;
  let unsent = 0;
  Object.defineProperty(connection, 'unsent', { get: () => unsent, configurable: true });
  unsent = 1_000_000;
  const turns: number[] = [];
  for (let turn = 0; turn < 2; turn++) {
    for (let number = 0; number < 40; number++) server.room(`room ${number}`).send(`${turn} ${number}`);
    await settled();
  }
  expect(other.lines).toHaveLength(80);
  unsent = 0;
  const before = harness.writes.length;
  harness.receivers[0]?.onDrain();
  for (let turn = 0; turn < 10; turn++) {
    turns.push(harness.writes.length - before);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(turns[0]).toBe(16);
  // The first one was in its connection already.
  expect(turns.at(-1)).toBe(79);
});
