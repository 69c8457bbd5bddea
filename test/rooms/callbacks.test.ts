/** Code that runs while a room delivers, such as callbacks and subscribers, may join, leave, send and end as it likes. */

import { expect, it } from 'vitest';
import type { Session } from '../../src/session/public-session.ts';
import { Peer } from '../../src/testing/peer.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness, type HarnessOptions } from '../session/harness.ts';
import { fc } from '../support/fast-check.ts';

const people = 5;
const room = 'a';
/** Cannot be a line: every member's share of it is reported as undelivered, in the middle of a delivery. */
const unsendable = 'two\nlines';

interface Step {
  readonly does: 'join' | 'leave' | 'evict' | 'send' | 'unsendable' | 'long' | 'turn' | 'pause' | 'resume';
  readonly who: number;
}

const action = (...does: Step['does'][]) =>
  fc.record<Step>({ does: fc.constantFrom(...does), who: fc.nat(people - 1) });

/** Members of one room, and what each of them is due: what was sent while it was a member. */
class Crowd {
  readonly due: string[][] = Array.from({ length: people }, () => []);
  /** What the handler was told that each has missed. */
  readonly told: number[] = Array(people).fill(0);
  readonly peers: Peer[] = [];
  harness!: Harness;
  #sessions: Session[] = [];
  #sent = 0;
  /** What callbacks do, one step each. */
  readonly #within: Step[];

  private constructor(within: readonly Step[]) {
    this.#within = [...within];
  }

  static async open(within: readonly Step[], options: HarnessOptions = {}): Promise<Crowd> {
    const crowd = new Crowd(within);
    const stepWithin = () => {
      const next = crowd.#within.shift();
      if (next) crowd.does(next);
    };
    crowd.harness = await Harness.open({
      handler: {
        missed: ({ id }, _room, messages) => {
          crowd.told[id - 1] = (crowd.told[id - 1] as number) + messages;
          stepWithin();
        },
      },
      telemetry: { undelivered: stepWithin, missed: stepWithin, roomLeft: stepWithin, published: stepWithin },
      joinRate: 0,
      drainTimeout: 0,
      ...options,
    });
    for (let count = 0; count < people; count++) {
      crowd.peers.push(new Peer(await crowd.harness.transport.connect(crowd.harness.address)));
    }
    await settled();
    crowd.#sessions = [...crowd.harness.server.sessions] as Session[];
    return crowd;
  }

  does({ does, who }: Step): void {
    const session = this.#sessions[who] as Session;
    const { connection } = this.peers[who] as Peer;
    if (does === 'join') session.join(room);
    else if (does === 'leave') session.leave(room);
    else if (does === 'evict') this.harness.server.room(room).evict();
    else if (does === 'send') this.#send(`message ${this.#sent++}`);
    else if (does === 'long') this.#send(`message ${this.#sent++} ${'x'.repeat(40_000)}`);
    else if (does === 'unsendable') this.harness.server.room(room).send(unsendable);
    else if (does === 'pause') connection.pause();
    else if (does === 'resume') connection.resume();
  }

  #send(text: string): void {
    for (const [who, { rooms }] of this.#sessions.entries()) if (rooms.has(room)) this.due[who]?.push(text);
    this.harness.server.room(room).send(text);
  }
}

it('members receive exactly what was sent while they were members, in order and once', async () => {
  const outside = action('join', 'join', 'leave', 'send', 'send', 'unsendable', 'long', 'turn');
  const within = action('join', 'join', 'leave', 'leave', 'send', 'unsendable', 'long', 'evict');
  await fc.assert(
    fc.asyncProperty(
      fc.array(outside, { maxLength: 40 }),
      fc.array(within, { maxLength: 30 }),
      async (steps, inner) => {
        const crowd = await Crowd.open(inner, { network: { capacity: 10_000_000 } });
        for (const step of steps) {
          if (step.does === 'turn') await settled();
          else crowd.does(step);
        }
        await settled();
        await settled();
        const short = (lines: readonly string[]) => lines.map((text) => text.slice(0, 16));
        expect(crowd.peers.map(({ lines }) => short(lines))).toEqual(crowd.due.map(short));
        await crowd.harness.close();
      },
    ),
    { numRuns: 100 },
  );
});

it('what slow members miss is counted and told exactly', async () => {
  const outside = action('join', 'leave', 'send', 'send', 'send', 'unsendable', 'turn', 'pause', 'resume');
  const within = action('join', 'leave', 'send', 'unsendable', 'evict');
  await fc.assert(
    fc.asyncProperty(
      fc.array(outside, { maxLength: 80 }),
      fc.array(within, { maxLength: 30 }),
      async (steps, inner) => {
        const crowd = await Crowd.open(inner, { network: { capacity: 40 }, highWaterMark: 100, roomBuffer: 1_000 });
        for (const step of steps) {
          if (step.does === 'turn') await settled();
          else crowd.does(step);
        }
        for (const { connection } of crowd.peers) connection.resume();
        for (let round = 0; round < 4; round++) await settled();
        for (const [who, { lines }] of crowd.peers.entries()) {
          const due = crowd.due[who] as string[];
          let at = 0;
          for (const line of lines) {
            at = due.indexOf(line, at) + 1;
            expect(at, `${line} of ${due}`).toBeGreaterThan(0);
          }
          expect(lines.length + (crowd.told[who] as number), `received and missed by ${who}`).toBe(due.length);
        }
        const told = crowd.told.reduce((total, count) => total + count, 0);
        expect(crowd.harness.server.counters.roomMessagesMissed).toBe(told);
        await crowd.harness.close();
      },
    ),
    { numRuns: 100 },
  );
});
