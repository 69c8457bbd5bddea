/** Very many members, very many rooms, and members that come and go all the time. */

import { expect, it } from 'vitest';
import type { HandlerObject } from '../../src/session/handler.ts';
import type { Session } from '../../src/session/public-session.ts';
import { Peer } from '../../src/testing/peer.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness } from '../session/harness.ts';
import { fc } from '../support/fast-check.ts';

const handler: HandlerObject = { message: () => undefined };

/** As `harness.connect`, for many at once. */
async function connect(harness: Harness, count: number): Promise<{ peers: Peer[]; sessions: Session[] }> {
  const peers: Peer[] = [];
  for (let number = 0; number < count; number++) {
    peers.push(new Peer(await harness.transport.connect(harness.address)));
  }
  await settled();
  return { peers, sessions: [...harness.server.sessions] as Session[] };
}

it('10,000 members in one room receive a message each, once', async () => {
  const harness = await Harness.open({ handler });
  const { peers, sessions } = await connect(harness, 10_000);
  for (const session of sessions) session.join('a');
  const room = harness.server.room('a');
  expect(room.size).toBe(10_000);
  room.send('one');
  room.send('two', { except: sessions[5_000] });
  await settled();
  expect(peers.filter(({ text }) => text === 'one\ntwo\n')).toHaveLength(9_999);
  expect(peers[5_000]?.text).toBe('one\n');
  // All end at once: what was sent before still arrives.
  room.send('three');
  for (const session of sessions) session.close();
  await settled();
  expect(room.size).toBe(0);
  expect(peers.filter(({ lines }) => lines.includes('three'))).toHaveLength(10_000);
});

it('20,000 rooms of two', async () => {
  const harness = await Harness.open({ handler, maxRoomsPerSession: 0, joinRate: 0 });
  const { peers, sessions } = await connect(harness, 200);
  for (let number = 0; number < 20_000; number++) {
    for (const offset of [0, 1]) sessions[(number + offset) % 200]?.join(`room ${number}`);
  }
  expect(harness.server.counters).toMatchObject({ rooms: 20_000, roomMembers: 40_000 });
  for (let number = 0; number < 20_000; number++) harness.server.room(`room ${number}`).send(`in ${number}`);
  await settled();
  for (const [index, { lines }] of peers.entries()) {
    const expected = [...Array(20_000).keys()].filter((number) => [0, 1].some((one) => (number + one) % 200 === index));
    expect(lines).toEqual(expected.map((number) => `in ${number}`));
  }
  for (const session of sessions) session.abort();
  await settled();
  expect(harness.server.counters).toMatchObject({ rooms: 0, roomMembers: 0 });
});

type Step = { readonly does: 'join' | 'leave' | 'send' | 'turn' | 'pause' | 'resume' | 'end'; readonly who: number };

it('whoever joins, leaves, stops reading and ends, each member receives exactly what it was sent as a member', async () => {
  const step = fc.record<Step>({
    does: fc.constantFrom('join', 'leave', 'send', 'send', 'send', 'turn', 'pause', 'resume', 'end'),
    who: fc.nat(4),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const told: number[] = [];
      const harness = await Harness.open({
        network: { capacity: 40 },
        highWaterMark: 100,
        drainTimeout: 0,
        roomBuffer: 1_000,
        handler: {
          missed({ id }, _room, messages) {
            told[id] = (told[id] ?? 0) + messages;
          },
        },
      });
      const { peers, sessions } = await connect(harness, 5);
      const members = new Set<number>();
      const due = sessions.map(() => [] as string[]);
      let number = 0;
      for (const { does, who } of steps) {
        const session = sessions[who] as Session;
        if (does === 'join') {
          session.join('a');
          if (!session.ended) members.add(who);
        } else if (does === 'leave') {
          session.leave('a');
          members.delete(who);
        } else if (does === 'send') {
          const text = `message ${number++}`;
          harness.server.room('a').send(text, { except: session });
          for (const member of members) if (member !== who) due[member]?.push(text);
        } else if (does === 'turn') await settled();
        else if (does === 'pause') peers[who]?.connection.pause();
        else if (does === 'resume') peers[who]?.connection.resume();
        else {
          session.close();
          // It receives what was sent before, and then leaves.
          members.delete(who);
          await settled();
        }
      }
      for (const peer of peers) peer.connection.resume();
      await settled();
      for (const [who, peer] of peers.entries()) {
        const expected = due[who] as string[];
        const missed = told[(sessions[who] as Session).id] ?? 0;
        // In order, nothing twice, and together with what was missed everything.
        let at = 0;
        for (const line of peer.lines) {
          at = expected.indexOf(line, at) + 1;
          expect(at, `${line} of ${expected}`).toBeGreaterThan(0);
        }
        if (!sessions[who]?.ended) expect(peer.lines.length + missed).toBe(expected.length);
      }
      await harness.close();
    }),
    { numRuns: 150 },
  );
});
