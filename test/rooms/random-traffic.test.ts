/**
 * Rooms under random conditions: members come, go, leave, are evicted, stop reading and read again, while memory is short. Each
 * connection must show every message that it was sent while it was a member, in order and once, or the number of those it missed.
 */
import { expect, it } from 'vitest';
import type { HandlerObject } from '../../src/session/handler.ts';
import type { Session } from '../../src/session/public-session.ts';
import type { Peer } from '../../src/testing/peer.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness } from '../session/harness.ts';

const rooms = ['a', 'b', 'c'];
/** Of broadcasts, in the texts below. */
const all = '*';

interface Member {
  readonly peer: Peer;
  readonly session: Session;
  /** What it was sent, by room. */
  readonly sent: ReadonlyMap<string, string[]>;
  isPaused: boolean;
}

/** Numbers from 0 to below a limit, the same for the same seed (mulberry32). */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

class Traffic {
  readonly members: Member[] = [];
  readonly random: (below: number) => number;
  harness!: Harness;
  told = 0;
  counted = 0;
  #number = 0;

  constructor(seed: number) {
    this.random = numbersFrom(seed);
  }

  async open(): Promise<void> {
    const { random } = this;
    const handler: HandlerObject = {
      missed: (session, room, messages) => {
        this.told += messages;
        const other = this.room;
        if (random(10) === 0 && other !== room) session.leave(other);
        return `missed ${room || all} ${messages}`;
      },
    };
    this.harness = await Harness.open({
      handler,
      network: { capacity: 500 + random(3_000) },
      drainTimeout: 0,
      joinRate: 0,
      highWaterMark: 1_000 + random(9_000),
      roomBuffer: 1_500 + random(20_000),
      maxPendingBytes: 30_000 + random(60_000),
      telemetry: {
        missed: (_session, _room, messages) => {
          this.counted += messages;
        },
      },
    });
    for (let count = 0; count < 8; count++) await this.connect();
  }

  get room(): string {
    return rooms[this.random(rooms.length)] as string;
  }

  async connect(): Promise<void> {
    const peer = await this.harness.connect();
    const sent = new Map([...rooms, all].map((room) => [room, []]));
    this.members.push({ peer, session: this.harness.session, sent, isPaused: false });
  }

  send(room: string): void {
    const { random, members } = this;
    const text = `${room} ${this.#number++} ${'x'.repeat(random(4) === 0 ? random(3_000) : random(100))}`;
    const except = random(5) === 0 ? members[random(members.length)] : undefined;
    for (const member of members) {
      const { session, sent } = member;
      if (member === except || session.ended || (room !== all && !session.rooms.has(room))) continue;
      sent.get(room)?.push(text);
    }
    const target = room === all ? undefined : this.harness.server.room(room);
    if (target) target.send(text, { except: except?.session });
    else this.harness.server.broadcast(text, { except: except?.session });
  }

  async step(): Promise<void> {
    const { random, members, room } = this;
    const member = members[random(members.length)] as Member;
    const { session, peer } = member;
    const choice = random(100);
    if (choice < 50) for (let count = random(30); count >= 0; count--) this.send(this.room);
    else if (choice < 53) this.send(all);
    else if (choice < 65) session.join(room);
    else if (choice < 72) session.leave(room);
    else if (choice < 74) this.harness.server.room(room).evict(random(2) ? session : undefined);
    else if (choice < 82) pause(member, !member.isPaused);
    else if (choice < 83) peer.connection.abort();
    else if (choice < 84) session.end();
    else if (choice < 86) await this.connect();
    else if (choice < 88) session.reportBuffered(random(6_000));
    else if (choice < 89) for (const one of members) one.session.reportBuffered(0);
    if (random(3) === 0) await settled();
  }
}

function pause(member: Member, isPaused: boolean): void {
  const { connection } = member.peer;
  if (isPaused) connection.pause();
  else connection.resume();
  member.isPaused = isPaused;
}

/** How many messages of each room the lines account for. */
function accountOf({ peer, sent }: Member): Map<string, number> {
  const next = new Map(Array.from(sent.keys(), (room) => [room, 0]));
  for (const text of peer.lines) {
    const [word = '', room = '', messages] = text.split(' ');
    const at = (name: string) => next.get(name) ?? Number.NaN;
    if (word === 'error:') continue;
    if (word === 'missed') next.set(room, at(room) + Number(messages));
    else {
      expect(text).toBe(sent.get(word)?.[at(word)]);
      next.set(word, at(word) + 1);
    }
  }
  return next;
}

it.each([1, 2, 3, 4, 5, 6, 7, 8])('seed %i', async (seed) => {
  const traffic = new Traffic(seed);
  await traffic.open();
  const { harness, members } = traffic;
  for (let steps = 0; steps < 300; steps++) await traffic.step();
  for (const member of members) {
    member.session.reportBuffered(0);
    if (!member.peer.closed) pause(member, false);
  }
  for (let rounds = 0; rounds < 60; rounds++) await settled();
  for (const member of members) {
    const account = accountOf(member);
    if (member.peer.closed) continue;
    for (const [room, texts] of member.sent) expect([room, account.get(room)]).toEqual([room, texts.length]);
  }
  expect(harness.server.counters.roomMessagesMissed).toBe(traffic.counted);
  // Members whose connections broke could not be told.
  expect(traffic.told).toBeLessThanOrEqual(traffic.counted);
  expect(harness.server.pendingBytes).toBe(0);
  await harness.close();
  expect(harness.server.counters).toMatchObject({ rooms: 0, roomMembers: 0 });
});
