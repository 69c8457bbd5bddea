/** What members receive of a history while the store loses messages on the way, is away, trims, and loses its data. */
import { beforeEach, expect, test, vi } from 'vitest';
import type { RoomMessage } from '../../../src/rooms/segment.ts';
import { placeOf } from '../../../src/rooms/stored/position.ts';
import { StoredRooms } from '../../../src/rooms/stored/stored-rooms.ts';
import type { Participant } from '../../../src/session/membership.ts';
import { MemoryLimit } from '../../../src/session/memory-limit.ts';
import { FakeClock } from '../../../src/testing/fake-clock.ts';
import { settled } from '../../../src/testing/turns.ts';
import { type Random, randomFrom, StormyStore } from './stormy-store.ts';

const room = 'room';

let now = Date.now();

/** Nothing takes long here, but each message is sent at a time of its own. */
beforeEach(() => {
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => now++);
  return () => clock.mockRestore();
});

/** A session that joins, leaves and comes back. */
class Member {
  readonly process: Process;
  readonly texts: string[] = [];
  /** Of its last stay. */
  stay: string[] = [];
  /** In all, and since it became a member for the last time. */
  missed = 0;
  missedAsMember = 0;
  /** The number of the last message before that, and how many it has received since. */
  memberAfter = 0;
  receivedAsMember = 0;
  position: string | undefined;
  recovered = true;
  isJoining = false;
  readonly participant: Participant;

  constructor(process: Process) {
    this.process = process;
    const receive = (message: string) => this.receive(message);
    const session = { send: receive, drained: () => settled(), undelivered: () => undefined };
    this.participant = { hasEnded: false, session, send: receive } as unknown as Participant;
  }

  async join(): Promise<void> {
    this.isJoining = true;
    this.stay = [];
    let hasArrived = false;
    const isFirst = this.position === undefined;
    const wanted = this.position === undefined ? { history: 3 } : { since: this.position };
    const result = await this.process.stored
      .join(this.participant, room, wanted, () => {
        hasArrived = true;
        this.process.members.add(this);
        this.missedAsMember = 0;
        this.receivedAsMember = 0;
      })
      .catch(() => undefined);
    this.isJoining = false;
    // It left before it was a member.
    if (!result || !hasArrived) return;
    if (this.isIn) this.memberAfter = placeOf(result.position).number;
    this.recovered &&= result.recovered || isFirst;
    this.position ??= result.position;
  }

  leave(): void {
    this.process.members.delete(this);
    this.process.stored.cancel(this.participant, room);
  }

  receive(message: string): boolean {
    const [position = '', text = ''] = message.split(' ');
    this.position = position;
    this.texts.push(text);
    this.stay.push(text);
    this.receivedAsMember++;
    return true;
  }

  get isIn(): boolean {
    return this.process.members.has(this);
  }
}

/** A process that shares the store. */
class Process {
  readonly members = new Set<Member>();
  readonly stored: StoredRooms;
  #kept = 0;

  constructor(store: StormyStore, clock: FakeClock) {
    this.stored = new StoredRooms(store.open(), {
      clock,
      memoryLimit: new MemoryLimit(0, clock),
      limits: { storedMessages: 0, storedAge: 0, storedBytes: 0, busBuffer: 1e6 },
      handler: { stored: ({ message, position }) => `${position} ${message.text}` },
      isFollowed: () => this.members.size > 0 || this.#kept > 0,
      keep: () => void this.#kept++,
      release: () => {
        this.#kept--;
        this.left();
      },
      received: (_room, messages) => this.#received(messages),
      lost: (_room, { messages }) => {
        for (const member of this.members) {
          member.missed += messages;
          member.missedAsMember += messages;
        }
      },
      counters: { roomMessagesStored: 0, roomStoredBytes: 0 },
      unreadable: (_room, reason) => {
        throw new Error(reason);
      },
    });
  }

  left(): void {
    if (this.members.size === 0 && this.#kept === 0) this.stored.unfollowed(room);
  }

  #received(messages: readonly RoomMessage[]): void {
    for (const member of [...this.members]) {
      for (const { message } of messages) member.receive(message as string);
    }
  }
}

/** What happens besides the members' coming and going. */
interface Weather {
  readonly losses: number;
  readonly disaster?: (store: StormyStore, random: Random) => void;
}

async function storm(seed: number, { losses, disaster }: Weather) {
  const random = randomFrom(seed);
  const clock = new FakeClock();
  const store = new StormyStore(random);
  store.losses = losses;
  const processes = [new Process(store, clock), new Process(store, clock)] as const;
  const members = Array.from({ length: 6 }, (_, index) => new Member(processes[index % 2] as Process));
  const acknowledged: string[] = [];
  let count = 0;
  const add = async () => {
    const text = String(count++);
    await (processes[random(2)] as Process).stored.add(room, text).then(
      () => acknowledged.push(text),
      () => undefined,
    );
  };
  const everything: Promise<void>[] = [];
  for (let step = 0; step < 120; step++) {
    const what = random(20);
    const member = members[random(members.length)] as Member;
    if (what < 8) for (let more = random(4); more >= 0; more--) everything.push(add());
    else if (what < 13 && !member.isIn && !member.isJoining) everything.push(member.join());
    else if (what < 15) {
      member.leave();
      member.process.left();
    } else if (what === 15 && disaster) disaster(store, random);
    else if (what === 16) store.resume();
    if (random(3) === 0) await clock.advance(random(3) * 300);
  }
  store.losses = 0;
  store.resume();
  for (let round = 0; round < 6; round++) await clock.advance(1000);
  await Promise.all(everything);
  // Who came before the end knows that it is the end.
  await processes[0].stored.add(room, 'end');
  for (let round = 0; round < 6; round++) await clock.advance(1000);
  const kept = (await processes[0].stored.read(room, { history: 100_000 })).messages.map(({ message }) => message.text);
  return { members, kept, acknowledged };
}

const seeds = Array.from({ length: Number(process.env.YODEL_TEST_STORMS ?? 40) }, (_, index) => index + 1);

/** The part of a list from its first element that is also the first of another. */
function from(list: readonly string[], first: string | undefined): readonly string[] {
  const index = first === undefined ? -1 : list.indexOf(first);
  return index < 0 ? [] : list.slice(index);
}

test('messages that are lost on the way are read: members have all of them, once and in order', async () => {
  for (const seed of seeds) {
    const { members, kept, acknowledged } = await storm(seed, { losses: 30 });
    expect(new Set(kept), `seed ${seed}`).toEqual(new Set([...acknowledged, 'end']));
    for (const { texts, isIn, missed, recovered } of members) {
      const expected = from(kept, texts[0]);
      expect(texts, `seed ${seed}`).toEqual(isIn ? expected : expected.slice(0, texts.length));
      if (isIn) expect(texts.at(-1)).toBe('end');
      expect({ missed, recovered }).toEqual({ missed: 0, recovered: true });
    }
  }
});

test('the same while the store is away now and then', async () => {
  for (const seed of seeds) {
    const { members, kept } = await storm(seed, {
      losses: 20,
      disaster: (store) => {
        store.isAway = true;
      },
    });
    for (const { texts, isIn, missed } of members) {
      const expected = from(kept, texts[0]);
      expect(texts, `seed ${seed}`).toEqual(isIn ? expected : expected.slice(0, texts.length));
      expect(missed).toBe(0);
    }
  }
});

test('who stays while the store trims has received or missed each message, and those that return know', async () => {
  let missedInAll = 0;
  for (const seed of seeds) {
    const { members, kept } = await storm(seed, {
      losses: 60,
      disaster: (store, random) => {
        store.batches.splice(0, random(store.batches.length + 1) - 1);
      },
    });
    for (const member of members) {
      const { texts, stay, isIn, missed } = member;
      const numbers = texts.map((text) => (text === 'end' ? Number.POSITIVE_INFINITY : Number(text)));
      expect(new Set(numbers).size, `seed ${seed}: nothing twice`).toBe(numbers.length);
      missedInAll += missed;
      if (!isIn) continue;
      expect(stay.at(-1), `seed ${seed}`).toBe('end');
      const sent = placeOf(member.position as string).number - member.memberAfter;
      expect(member.receivedAsMember + member.missedAsMember, `seed ${seed}`).toBe(sent);
    }
    expect(kept.at(-1)).toBe('end');
  }
  expect(missedInAll).toBeGreaterThan(0);
});

test('the store loses its last messages, or all: nothing comes twice, and what is stored afterwards comes to everyone', async () => {
  for (const seed of seeds) {
    for (const isAll of [false, true]) {
      const { members, kept } = await storm(seed, {
        losses: 20,
        disaster: (store, random) => {
          // It starts again.
          now += 200;
          store.batches.splice(isAll ? 0 : Math.max(0, store.batches.length - random(5)));
        },
      });
      for (const { texts, isIn, stay } of members) {
        expect(new Set(texts).size, `seed ${seed} ${isAll}: nothing twice`).toBe(texts.length);
        if (!isIn) continue;
        expect(texts.at(-1), `seed ${seed} ${isAll}`).toBe('end');
        // In the order of the store, without a gap from the first one that the store still has.
        const inStore = stay.filter((text) => kept.includes(text));
        expect(inStore, `seed ${seed} ${isAll}`).toEqual(from(kept, inStore[0]));
      }
    }
  }
});
