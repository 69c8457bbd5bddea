/** Messages with keys: whoever is behind ends with the last value of each, and every message is accounted for. */

import { expect, it } from 'vitest';
import type { Session } from '../../src/session/public-session.ts';
import type { Peer } from '../../src/testing/peer.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness } from '../session/harness.ts';
import { fc } from '../support/fast-check.ts';

const members = 3;

/** Values of keys are `key number`; `-` is a message without a key. */
const step = fc.record({
  does: fc.constantFrom('send', 'send', 'send', 'send', 'turn', 'pause', 'resume'),
  who: fc.nat(members - 1),
  key: fc.constantFrom('-', 'a', 'b', 'c', 'd'),
  except: fc.option(fc.nat(members - 1), { freq: 4, nil: undefined }),
});

for (const roomBuffer of [1_000_000, 3_000]) {
  it(`a slow member ends with the last value of each key; roomBuffer ${roomBuffer}`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 150 }), async (steps) => {
        const told: number[] = Array(members).fill(0);
        const harness = await Harness.open({
          network: { capacity: 100 },
          highWaterMark: 200,
          drainTimeout: 0,
          roomBuffer,
          handler: {
            open: (session) => session.join('a'),
            missed({ id }, _room, messages) {
              told[id - 1] = (told[id - 1] as number) + messages;
            },
          },
        });
        const peers: Peer[] = [];
        for (let count = 0; count < members; count++) peers.push(await harness.connect());
        const sessions = [...harness.server.sessions] as Session[];
        const due = sessions.map(() => [] as string[]);
        let number = 0;
        for (const { does, who, key, except } of steps) {
          if (does === 'turn') await settled();
          else if (does === 'pause') peers[who]?.connection.pause();
          else if (does === 'resume') peers[who]?.connection.resume();
          else {
            const text = `${key} ${number++}`;
            const options = {
              key: key === '-' ? undefined : key,
              except: except === undefined ? undefined : sessions[except],
            };
            harness.server.room('a').send(text, options);
            for (const [member, list] of due.entries()) if (member !== except) list.push(text);
          }
        }
        await settled();
        for (const { connection } of peers) connection.resume();
        for (let round = 0; round < 3; round++) await settled();
        let replaced = 0;
        for (const [member, { lines }] of peers.entries()) {
          const mine = due[member] as string[];
          // In order, and nothing twice.
          expect(lines).toEqual(mine.filter((text) => lines.includes(text)));
          expect(new Set(lines).size).toBe(lines.length);
          replaced += mine.length - lines.length - (told[member] as number);
          if ((told[member] as number) > 0) continue;
          // What has no key is all there, and of each key the last one that was for it.
          const isPlain = (text: string) => text.startsWith('-');
          expect(lines.filter(isPlain)).toEqual(mine.filter(isPlain));
          for (const key of ['a', 'b', 'c', 'd']) {
            const last = mine.findLast((text) => text.startsWith(key));
            if (last !== undefined) expect(lines.findLast((text) => text.startsWith(key))).toBe(last);
          }
        }
        // Every message that a member neither received nor missed is counted as replaced.
        expect(harness.server.counters.roomMessagesReplaced).toBe(replaced);
        expect(harness.server.counters.roomMessagesMissed).toBe(told.reduce((sum, count) => sum + count, 0));
        await harness.close();
      }),
      { numRuns: 50 },
    );
  });
}
