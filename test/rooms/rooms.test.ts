import { describe, expect, it } from 'vitest';
import { Message } from '../../src/framing/message.ts';
import type { HandlerObject } from '../../src/session/handler.ts';
import type { Session } from '../../src/session/public-session.ts';
import type { Peer } from '../../src/testing/peer.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness, type HarnessOptions } from '../session/harness.ts';

/** A server whose clients join rooms and send to them: `join a`, `leave a`, `a hello`. */
const handler: HandlerObject = {
  message({ text }, session) {
    const [word = '', rest = ''] = text.split(/ (.*)/);
    if (word === 'join') session.join(rest);
    else if (word === 'leave') session.leave(rest);
    else if (word === 'all') session.server.broadcast(rest);
    else session.server.room(word).send(rest);
  },
};

async function open(size: number, options: HarnessOptions = {}) {
  const harness = await Harness.open({ handler, ...options });
  const peers: Peer[] = [];
  for (let count = 0; count < size; count++) peers.push(await harness.connect());
  return { harness, peers, sessions: [...harness.server.sessions] as Session[] };
}

describe('a room', () => {
  it('delivers to all members, the sender too, and to nobody else', async () => {
    const { harness, peers } = await open(3);
    const [one, two, three] = peers as [Peer, Peer, Peer];
    await one.says('join a\n');
    await two.says('join a\n');
    await three.says('join b\n');
    expect(harness.server.room('a').size).toBe(2);
    await one.says('a hello\n');
    expect([one, two, three].map(({ text }) => text)).toEqual(['hello\n', 'hello\n', '']);
    await two.says('leave a\na bye\n');
    expect([one, two].map(({ text }) => text)).toEqual(['hello\nbye\n', 'hello\n']);
  });

  it('leaves out the session that is excepted', async () => {
    const { harness, peers, sessions } = await open(3);
    for (const session of sessions) session.join('a');
    harness.server.room('a').send('to two', { except: sessions[0] });
    harness.server.room('a').send('to all');
    harness.server.room('a').send('to the others', { except: sessions[2] });
    await settled();
    expect(peers.map(({ lines }) => lines)).toEqual([
      ['to all', 'to the others'],
      ['to two', 'to all', 'to the others'],
      ['to two', 'to all'],
    ]);
  });

  it('exists while it has members', async () => {
    const { harness, peers, sessions } = await open(2);
    for (const session of sessions) session.join('a');
    expect(harness.server.counters).toMatchObject({ rooms: 1, roomMembers: 2 });
    await peers[0]?.ends();
    expect(harness.server.room('a').size).toBe(1);
    await peers[1]?.aborts();
    expect(harness.server.counters).toMatchObject({ rooms: 0, roomMembers: 0 });
    expect(harness.server.room('a').send('to nobody')).toBe('all');
  });

  it('delivers what was sent before a member left, and not what was sent before it joined', async () => {
    const { harness, peers, sessions } = await open(2);
    const room = harness.server.room('a');
    sessions[0]?.join('a');
    room.send('one');
    sessions[1]?.join('a');
    room.send('two');
    sessions[0]?.leave('a');
    room.send('three');
    await settled();
    expect(peers.map(({ lines }) => lines)).toEqual([
      ['one', 'two'],
      ['two', 'three'],
    ]);
  });

  it('encodes what it was sent once for all members that leave in the same turn', async () => {
    const { harness, peers, sessions } = await open(50);
    for (const session of sessions) session.join('a');
    const room = harness.server.room('a');
    let read = 0;
    const message = Message.of('bye');
    Object.defineProperty(message, 'bytes', { get: () => Buffer.from(`bye${read++ > 9 ? ' again' : ''}`) });
    room.send(message);
    expect(room.evict(sessions[0])).toBe(1);
    expect(room.evict(sessions[0])).toBe(0);
    expect(room.evict()).toBe(49);
    await settled();
    expect(peers.every(({ text }) => text === 'bye\n')).toBe(true);
    expect(read).toBeLessThan(4);
  });

  it('refuses what is no message, also without members', async () => {
    const { harness } = await open(1);
    const room = harness.server.room('a');
    for (const wrong of [undefined, 42, [1, 2], new Uint16Array(2), { length: 3 }]) {
      expect(() => room.send(wrong as unknown as string)).toThrow(/^a message is a string, a Uint8Array or a Message/);
      expect(() => harness.server.broadcast(wrong as unknown as string)).toThrow(TypeError);
    }
    expect(harness.server.counters.roomMessages).toBe(0);
  });

  it('is left by a session that ends its output, after what was sent before', async () => {
    const { harness, peers, sessions } = await open(2);
    for (const session of sessions) session.join('a');
    harness.server.room('a').send('bye');
    sessions[0]?.end();
    harness.server.room('a').send('too late');
    await settled();
    expect([peers[0]?.text, peers[0]?.ended]).toEqual(['bye\n', true]);
    expect(peers[1]?.text).toBe('bye\ntoo late\n');
    expect(harness.server.room('a').size).toBe(1);
    expect([...(sessions[0] as Session).rooms]).toEqual([]);
  });

  it('joins what it is sent in one turn into one write for each member', async () => {
    const { harness, sessions } = await open(3);
    for (const session of sessions) session.join('a');
    for (let number = 0; number < 100; number++) harness.server.room('a').send(String(number));
    await settled();
    expect(harness.writes).toHaveLength(3);
  });

  it('can be left while it delivers', async () => {
    const { harness, peers, sessions } = await open(4, { maxPendingBytes: 10_000, network: { capacity: 10 } });
    for (const session of sessions) session.join('a');
    // Too much for two: each delivery disconnects the one before.
    harness.server.room('a').send('x'.repeat(6_000));
    await peers[3]?.until(() => peers[3]?.size === 6_001);
    expect(harness.server.room('a').members).toEqual([sessions[3]]);
  });
});

describe('broadcast', () => {
  it('reaches every session, also later ones', async () => {
    const { harness, peers } = await open(2);
    harness.server.broadcast('one');
    await settled();
    const late = await harness.connect();
    harness.server.broadcast('two');
    await settled();
    expect(peers.map(({ lines }) => lines)).toEqual([
      ['one', 'two'],
      ['one', 'two'],
    ]);
    expect(late.lines).toEqual(['two']);
    expect([...harness.session.rooms]).toEqual([]);
  });
});

describe('names', () => {
  const allowed = ['>', '*', 'a..b', '你好', ' ', 'a b', 'x'.repeat(128), '__proto__', 'ä'];
  it.each(allowed)('%j is itself and nothing else', async (name) => {
    const { harness, peers, sessions } = await open(2);
    sessions[0]?.join(name);
    sessions[1]?.join('other');
    harness.server.room(name).send('hello');
    await settled();
    expect(peers.map(({ text }) => text)).toEqual(['hello\n', '']);
    expect([...(sessions[0] as Session).rooms]).toEqual([name]);
  });

  const refused = ['', 'x'.repeat(129), '你'.repeat(43), 'a\r\nb', 'a\0', '\u0085', 'x'.repeat(5000), '\ud800'];
  it.each(refused)('%j is refused', async (name) => {
    const { harness, sessions } = await open(1);
    expect(() => sessions[0]?.join(name)).toThrow(expect.objectContaining({ code: 'YODEL_INVALID_ROOM' }));
    expect(() => harness.server.room(name)).toThrow(expect.objectContaining({ code: 'YODEL_INVALID_ROOM' }));
  });
});

describe('limits', () => {
  it('bound the rooms of a session, of a server, and the joins per second', async () => {
    const { harness, sessions } = await open(2, { maxRoomsPerSession: 2, maxRooms: 2, joinRate: 3 });
    const [one, two] = sessions as [Session, Session];
    one.join('a');
    one.join('b');
    one.join('a');
    const tooMany = expect.objectContaining({ code: 'YODEL_TOO_MANY_ROOMS' });
    expect(() => one.join('c')).toThrow(tooMany);
    one.leave('a');
    two.join('d');
    expect(() => two.join('e')).toThrow(tooMany);
    one.leave('b');
    two.leave('d');
    one.join('c');
    expect(() => one.join('f')).toThrow(expect.objectContaining({ code: 'YODEL_JOIN_RATE' }));
    await harness.passes(1000);
    one.join('f');
    expect(one.rooms).toEqual(new Set(['c', 'f']));
  });
});
