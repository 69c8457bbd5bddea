/** Named members and rooms that are joined alone: in one process, and in two whose bus the test delivers. */
import { describe, expect, it } from 'vitest';
import type { HandlerObject } from '../../src/session/handler.ts';
import type { JoinOptions } from '../../src/session/joining.ts';
import type { Session } from '../../src/session/public-session.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness } from '../session/harness.ts';
import { connected, FakeBus } from './fake-bus.ts';

const handler: HandlerObject = { message: () => undefined, taken: (_session, room) => `lost ${room}` };

/** Processes of one server, each with a function that joins a new session. */
async function processes(count: number, own: HandlerObject = handler) {
  const open = async () => {
    const bus = new FakeBus();
    const harness = await Harness.open({ handler: own, bus, roomHistory: 10 });
    const join = async (room: string, options?: JoinOptions) => {
      const peer = await harness.connect();
      const { session } = harness;
      session.join(room, options);
      return { peer, session };
    };
    return { harness, bus, join, room: (name: string) => harness.server.room(name) };
  };
  const all = await Promise.all(Array.from({ length: count }, open));
  connected(all.map(({ bus }) => bus));
  /** Lets all tell each other what has changed. @param ms how long ago it was */
  const told = async (ms = 100) => {
    for (const { harness } of all) await harness.passes(ms);
    for (const { bus } of all) bus.deliver();
    await settled();
  };
  return { all, told };
}

const taken = expect.objectContaining({ code: 'YODEL_ROOM_TAKEN' });

describe('names', () => {
  it('are those of members in all processes, those first that came first, up to a limit', async () => {
    const { all, told } = await processes(2);
    const [one, two] = all;
    const ana = await one?.join('a', { as: 'ana' });
    await new Promise((resolve) => setTimeout(resolve, 2));
    await two?.join('a', { as: '你好' });
    await two?.join('a');
    await new Promise((resolve) => setTimeout(resolve, 2));
    await one?.join('a', { as: 'bob' });
    await told();
    for (const { room } of all) {
      expect(room('a').names()).toEqual(['ana', '你好', 'bob']);
      expect(room('a').names(2)).toEqual(['ana', '你好']);
      expect(room('a').size).toBe(4);
    }
    // Another name, at the same place.
    ana?.session.join('a', { as: 'Ana' });
    await told();
    expect(all.map(({ room }) => room('a').names(1))).toEqual([['Ana'], ['Ana']]);
    ana?.session.leave('a');
    await told();
    expect(all.map(({ room }) => room('a').names())).toEqual([
      ['你好', 'bob'],
      ['你好', 'bob'],
    ]);
  });

  it('of other processes are known up to 100, and are gone with the process', async () => {
    const { all, told } = await processes(2);
    const [one, two] = all;
    for (let count = 0; count < 150; count++) await one?.join('a', { as: `member ${count}` });
    await told();
    expect(one?.room('a').names(1000)).toHaveLength(150);
    expect(two?.room('a').names(1000)).toEqual(one?.room('a').names());
    expect(two?.room('a').size).toBe(150);
    two?.bus.receiver.gone(one?.bus.receiver.node as string);
    expect(two?.room('a').names()).toEqual([]);
    expect(two?.room('a').size).toBe(0);
  });

  it.each(['', 'x'.repeat(129), 'a\nb', '\x1b[31m', '\ud800'])('%j is refused', async (as) => {
    const { all } = await processes(1);
    await expect(all[0]?.join('a', { as })).rejects.toMatchObject({ code: 'YODEL_INVALID_ROOM' });
    expect(all[0]?.room('a').size).toBe(0);
  });
});

describe('a history over several processes', () => {
  it('is the same for those who join in any of them, while the room has members in one', async () => {
    const { all, told } = await processes(3);
    const [one, two, three] = all;
    const first = await one?.join('a');
    await told();
    for (const text of ['1', '2']) one?.room('a').send(text);
    one?.room('a').send('not kept', { history: false });
    one?.room('a').send('nor this', { history: false, key: 'k' });
    await settled();
    await told();
    for (const { room } of all) expect(room('a').history().map(String)).toEqual(['1', '2']);
    // Only those with members count it, and those who come receive the rest.
    expect(all.map(({ room }) => room('a').size)).toEqual([1, 1, 1]);
    const late = await two?.join('a');
    one?.room('a').send('3');
    await settled();
    await told();
    expect(late?.peer.text).toBe('3\n');
    first?.session.leave('a');
    await told();
    expect(one?.room('a').history().map(String)).toEqual(['1', '2', '3']);
    late?.session.leave('a');
    await told();
    await told();
    for (const { room } of all) expect(room('a').history()).toEqual([]);
    expect(all.map(({ harness }) => harness.server.counters.rooms)).toEqual([0, 0, 0]);
    expect(three?.bus.followed).toEqual(new Set(['\0everyone']));
  });

  it('is gone with the process that had the last members, and is not kept of rooms for one', async () => {
    const { all, told } = await processes(2);
    const [one, two] = all;
    await one?.join('a');
    await one?.join('b', { alone: true });
    await told();
    for (const room of ['a', 'b']) one?.room(room).send('hello');
    await settled();
    await told();
    expect(['a', 'b'].map((room) => two?.room(room).history().length)).toEqual([1, 0]);
    expect(two?.harness.server.counters.rooms).toBe(1);
    two?.bus.receiver.gone(one?.bus.receiver.node as string);
    expect(two?.room('a').history()).toEqual([]);
    expect(two?.harness.server.counters.rooms).toBe(0);
  });
});

describe('a room that is joined alone', () => {
  it('has one member, in whatever process, and is free once that has left', async () => {
    const { all, told } = await processes(2);
    const [one, two] = all;
    const first = await one?.join('a', { alone: true });
    // Told at once: others wait for it.
    await told(0);
    for (const { join } of all) await expect(join('a', { alone: true })).rejects.toEqual(taken);
    first?.session.join('a', { alone: true });
    first?.session.leave('a');
    await told(0);
    expect((await two?.join('a', { alone: true }))?.session.rooms).toEqual(new Set(['a']));
    expect(two?.room('a').names()).toEqual([]);
  });

  it('keeps the member that was first, if two join before they know of each other; the other one is told', async () => {
    const { all, told } = await processes(2);
    const joined = [];
    for (const { join } of all) {
      joined.push(await join('a', { alone: true, as: `number ${joined.length + 1}` }));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await told(0);
    expect(joined.map(({ session }) => session.rooms.size)).toEqual([1, 0]);
    expect(joined.map(({ peer }) => peer.text)).toEqual(['', 'lost a\n']);
    await told(0);
    for (const { room } of all) expect([room('a').size, ...room('a').names()]).toEqual([1, 'number 1']);
  });

  it('keeps exactly one, however many join at once', async () => {
    const { all, told } = await processes(5);
    const joined = await Promise.all(all.map(({ join }) => join('a', { alone: true })));
    await told(0);
    await told(0);
    expect(joined.filter(({ session }) => session.rooms.has('a'))).toHaveLength(1);
    expect(joined.filter(({ peer }) => peer.text === 'lost a\n')).toHaveLength(4);
    expect(all.map(({ room }) => room('a').size)).toEqual([1, 1, 1, 1, 1]);
  });

  it('is lost with the session, if the handler has no way to learn it', async () => {
    const { all, told } = await processes(2, { message: () => undefined });
    const joined = await Promise.all(all.map(({ join }) => join('a', { alone: true })));
    await told(0);
    expect(joined.map(({ peer }) => peer.ended).sort()).toEqual([false, true]);
    expect(joined.map(({ peer }) => peer.text).join('')).toBe('error: room "a" has a member that was there before\n');
    for (const { peer } of joined) await peer.ends();
  });

  it('receives from all processes, and keeps no history', async () => {
    const { all, told } = await processes(2);
    const [one, two] = all;
    const member = await one?.join('a', { alone: true });
    await two?.join('b');
    await told(0);
    two?.room('a').send('hello');
    two?.room('b').send('hello');
    await settled();
    await told(0);
    expect(member?.peer.text).toBe('hello\n');
    expect([one?.room('a').history().length, two?.room('b').history().length]).toEqual([0, 1]);
  });

  it('can be used by a handler that joins another one when it has lost it', async () => {
    const again = (session: Session, room: string) => {
      session.join(`${room} 2`, { alone: true });
      return [...session.rooms];
    };
    const { all, told } = await processes(2, { message: () => undefined, taken: again });
    const joined = await Promise.all(all.map(({ join }) => join('a', { alone: true })));
    await told(0);
    expect(joined.map(({ session }) => [...session.rooms].join()).sort()).toEqual(['a', 'a 2']);
  });
});
