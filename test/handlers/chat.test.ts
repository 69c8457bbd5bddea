import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { chat } from '../../src/handlers/chat.ts';
import { withFaults } from '../../src/handlers/faults.ts';
import type { RoomAction } from '../../src/session/joining.ts';
import type { Session } from '../../src/session/public-session.ts';
import type { Peer } from '../../src/testing/peer.ts';
import { settled } from '../../src/testing/turns.ts';
import { connected, FakeBus } from '../rooms/fake-bus.ts';
import { Harness, type HarnessOptions } from '../session/harness.ts';

const open = { authorize: () => true };

/** A chat of this many, who have read what they are greeted with. */
async function guests(size: number, options: HarnessOptions = {}) {
  const harness = await Harness.open({ handler: chat(open), ...options });
  const peers: Talker[] = [];
  for (let count = 0; count < size; count++) peers.push(new Talker(await harness.connect()));
  for (const peer of peers) peer.heard();
  return { harness, peers };
}

class Talker {
  readonly peer: Peer;
  #read = 0;

  constructor(peer: Peer) {
    this.peer = peer;
  }

  /** Sends a line. Returns what it has received since it was asked last. */
  async says(line: string): Promise<string[]> {
    await this.peer.says(`${line}\n`);
    return this.heard();
  }

  heard(): string[] {
    const lines = this.peer.text.split(/\r?\n/).slice(this.#read, -1);
    this.#read += lines.length;
    return lines;
  }
}

describe('a chat', () => {
  it('greets everyone in the lobby, and tells the room who comes and goes', async () => {
    const { harness, peers } = await guests(0);
    for (let count = 0; count < 2; count++) peers.push(new Talker(await harness.connect()));
    const [one, two] = peers as [Talker, Talker];
    expect(one.heard()).toEqual([
      '* You are guest-1; /help lists the commands',
      '* guest-1 joined lobby',
      '* guest-2 joined lobby',
    ]);
    expect(two.heard()).toEqual(['* You are guest-2; /help lists the commands', '* guest-2 joined lobby']);
    await two.says('hello');
    await two.says('/me waves');
    await two.peer.ends();
    expect(one.heard()).toEqual(['[lobby] guest-2: hello', '[lobby] * guest-2 waves', '* guest-2 left lobby']);
    await one.says('/quit');
    expect(one.peer.ended).toBe(true);
    await one.peer.ends();
  });

  it('has rooms, of which the one entered last is written to', async () => {
    const { peers } = await guests(3);
    const [one, two, three] = peers as [Talker, Talker, Talker];
    expect(await one.says('/join tea')).toEqual(['* guest-1 joined tea']);
    await two.says('/join tea');
    one.heard();
    three.heard();
    expect(await one.says('is it ready?')).toEqual(['[tea] guest-1: is it ready?']);
    expect(two.heard().at(-1)).toBe('[tea] guest-1: is it ready?');
    expect(three.heard()).toEqual([]);
    expect(await one.says('/join lobby')).toEqual(['* What you write goes to lobby']);
    expect(await one.says('hello')).toEqual(['[lobby] guest-1: hello']);
    expect(await one.says('/leave')).toEqual(['* guest-1 left lobby']);
    expect(await one.says('still here')).toEqual(['[tea] guest-1: still here']);
    expect(await one.says('/leave tea')).toEqual(['* guest-1 left tea']);
    expect(await one.says('nobody hears me')).toEqual(['error: you are in no room; /join ROOM']);
    expect(await one.says('/leave')).toEqual(['error: you are not in a room']);
    expect(await one.says('/leave cake')).toEqual(['error: you are not in cake']);
  });

  it('confirms to those whose coming and going a room is not told', async () => {
    const { harness, peers } = await guests(101);
    const last = peers.at(-1) as Talker;
    expect(await last.says('/leave')).toEqual(['* guest-101 left lobby']);
    const more = await harness.connect();
    expect(await last.says('/join lobby')).toEqual(['* guest-101 joined lobby']);
    expect(await last.says('/nick bob')).toEqual(['* guest-101 is now bob']);
    expect(peers[0]?.heard()).toEqual([]);
    await more.ends();
  });

  it('says who is in a room', async () => {
    const { harness, peers } = await guests(2);
    const [one] = peers as [Talker];
    expect(await one.says('/who')).toEqual(['* In lobby: guest-1, guest-2']);
    expect(await one.says('/who tea')).toEqual(['error: you are not in tea']);
    for (let count = 0; count < 101; count++) await harness.connect();
    one.heard();
    expect(await one.says('/who lobby')).toEqual([
      expect.stringMatching(/^\* In lobby: (guest-\d+, ){99}guest-\d+ and 3 more$/),
    ]);
  });

  it('does not tell a large room who comes and goes', async () => {
    const { harness, peers } = await guests(100);
    const [one] = peers as [Talker];
    const late = await harness.connect();
    expect(late.lines.at(-1)).toBe('* guest-101 joined lobby');
    expect(one.heard()).toEqual([]);
    await late.ends();
    expect(one.heard()).toEqual(['* guest-101 left lobby']);
  });

  it('has private messages', async () => {
    const { peers } = await guests(3);
    const [one, two, three] = peers as [Talker, Talker, Talker];
    expect(await one.says('/msg guest-2 only you')).toEqual(['(private) guest-1 to guest-2: only you']);
    expect(two.heard()).toEqual(['(private) guest-1 to guest-2: only you']);
    expect(three.heard()).toEqual([]);
    expect(await one.says('/msg guest-1 a note')).toEqual(['(private) guest-1 to guest-1: a note']);
    expect(await one.says('/msg bob hello')).toEqual(['error: nobody here is called bob']);
    expect(await one.says('/msg guest-2')).toEqual(['error: write /msg NAME TEXT']);
    for (const name of ['@guest-2', 'x'.repeat(4000), '\x1b[2J', '*'])
      expect(await one.says(`/msg ${name} hello`)).toEqual([
        expect.stringMatching(/^error: nobody here is called \S+$/),
      ]);
    expect(two.heard()).toEqual([]);
    await two.says('/nick Bob');
    one.heard();
    expect(await one.says('/msg BOB hello')).toEqual(['(private) guest-1 to Bob: hello']);
  });

  it('has no way into the room of a person', async () => {
    const { harness, peers } = await guests(2);
    const [one, two] = peers as [Talker, Talker];
    for (const name of ['@guest-2', '@guest-1', '@bob'])
      expect(await one.says(`/join ${name}`)).toEqual([expect.stringMatching(/^error: .* no @ at its beginning$/)]);
    for (const command of ['/who @guest-1', '/leave @guest-1'])
      expect(await one.says(command)).toEqual(['error: you are not in @guest-1']);
    expect(harness.server.room('@guest-1').names()).toEqual(['guest-1']);
    expect(await two.says('/msg guest-1 hello')).toEqual(['(private) guest-2 to guest-1: hello']);
    expect(one.heard()).toEqual(['(private) guest-2 to guest-1: hello']);
  });

  it('keeps only so many private messages for somebody who does not read, and says how many are missing', async () => {
    const { harness, peers } = await guests(2, { roomBuffer: 20_000, network: { capacity: 1000 } });
    const [one, two] = peers as [Talker, Talker];
    two.peer.connection.pause();
    for (let count = 0; count < 100; count++) await one.says(`/msg guest-2 ${'x'.repeat(4000)}`);
    expect(harness.server.pendingBytes).toBeLessThan(100_000);
    two.peer.connection.resume();
    await settled();
    const lines = two.heard();
    const [, missed] = /^\* You missed (\d+) messages to you$/m.exec(lines.join('\n')) ?? [];
    expect(lines.filter((line) => line.startsWith('(private)')).length + Number(missed)).toBe(100);
  });

  it('lists its commands, and answers what is none', async () => {
    const { peers } = await guests(1);
    const [one] = peers as [Talker];
    expect(await one.says('/help')).toHaveLength(8);
    for (const name of ['frob', 'constructor', '__proto__', 'x\x1b[31m']) {
      expect(await one.says(`/${name}`)).toEqual([
        `error: there is no /${name.replace('\x1b', '\\x1b')}; /help lists the commands`,
      ]);
    }
    expect(await one.says('/me')).toEqual(['error: write /me ACTION']);
    for (const empty of ['/join', '/join ']) expect(await one.says(empty)).toEqual(['error: write /join ROOM']);
    expect(await one.says('')).toEqual([]);
    expect(await one.says('//etc is a folder')).toEqual(['[lobby] guest-1: /etc is a folder']);
    expect(await one.says('/ is the root')).toEqual(['[lobby] guest-1: / is the root']);
    expect(await one.says('x'.repeat(4097))).toEqual(['error: a message has at most 4096 characters']);
  });

  it('answers each client with its own line ending', async () => {
    const { peers } = await guests(2);
    const [telnet, nc] = peers as [Talker, Talker];
    expect(await telnet.peer.says('hello\r\n')).toBe('[lobby] guest-1: hello\r\n');
    nc.heard();
    expect(await nc.peer.says('hello\n')).toBe('[lobby] guest-2: hello\n');
    expect(telnet.peer.text).toMatch(/\[lobby\] guest-2: hello\r\n$/);
  });
});

describe('nicknames', () => {
  it('are told to the rooms, and are unique', async () => {
    const { peers } = await guests(2);
    const [one, two] = peers as [Talker, Talker];
    expect(await one.says('/nick Ada')).toEqual(['* guest-1 is now Ada']);
    expect(two.heard()).toEqual(['* guest-1 is now Ada']);
    for (const name of ['Ada', 'ada', 'ＡＤＡ', 'ADA'])
      expect(await two.says(`/nick ${name}`)).toEqual([expect.stringMatching(/^error: \w+ is somebody else$/)]);
    expect(await one.says('/nick ADA')).toEqual(['* Ada is now ADA']);
    expect(await one.says('/nick ADA')).toEqual(['* You are ADA already']);
    await one.says('/nick 你好');
    two.heard();
    expect(await two.says('/nick ada')).toEqual(['* guest-2 is now ada']);
    expect(await two.says('/msg 你好 hello')).toEqual(['(private) ada to 你好: hello']);
    await one.peer.ends();
    two.heard();
    expect(await two.says('/nick 你好')).toEqual(['* ada is now 你好']);
  });

  const refused = [
    '',
    'a b',
    '-a',
    '@a',
    'x'.repeat(31),
    `a${'\u0301\u0302\u0303\u0304\u0305'}`,
    `a${'\u1100\u1161'.repeat(40)}`,
    'a\u202e',
    'a\u200db',
    '\u3164',
    'a\ufe0f',
    '\x1b[31m',
    'guest-7',
  ];
  it.each([...refused, 'Guest-7', 'ｇuest-7', 'a]', 'bob:', 'x'.repeat(4000)])('%j is refused', async (name) => {
    const { peers } = await guests(1);
    const [one] = peers as [Talker];
    expect(await one.says(`/nick ${name}`)).toEqual([expect.stringMatching(/^error: (a name has|names that begin)/)]);
    expect(await one.says('/who')).toEqual(['* In lobby: guest-1']);
  });
});

describe('what others see', () => {
  it.each([
    ['\x1b]0;title\x07', String.raw`\x1b]0;title\x07`],
    ['\x9b31m', String.raw`\x9b31m`],
    ['a\u202eb', String.raw`a\u202eb`],
    ['a\u2028b', String.raw`a\u2028b`],
    ['a\tb\0', String.raw`a\tb\0`],
    ['❤️ 👩‍🚀 می‌خواهم', '❤️ 👩‍🚀 می‌خواهم'],
    ['\u200d\ufe0f', String.raw`\u200d\ufe0f`],
    ['a\u200d\u200d\u200d', String.raw`a\u200d\u200d\u200d`],
  ])('of %j controls nothing', async (text, shown) => {
    const { peers } = await guests(2);
    const [one, two] = peers as [Talker, Talker];
    await one.says(text);
    await one.says(`/me ${text}`);
    await one.says(`/msg guest-2 ${text}`);
    expect(two.heard()).toEqual([
      `[lobby] guest-1: ${shown}`,
      `[lobby] * guest-1 ${shown}`,
      `(private) guest-1 to guest-2: ${shown}`,
    ]);
  });
});

describe('rooms', () => {
  it.each(['>', '*', 'a..b', '你好', '..', '#tea', '__proto__', 'x'.repeat(128), 'constructor'])(
    '%j is itself and nothing else',
    async (name) => {
      const { harness, peers } = await guests(2);
      const [one, two] = peers as [Talker, Talker];
      expect(await one.says(`/join ${name}`)).toEqual([`* guest-1 joined ${name}`]);
      expect(await one.says('hello')).toEqual([`[${name}] guest-1: hello`]);
      expect(two.heard()).toEqual([]);
      expect(harness.server.room(name).size).toBe(1);
      // Each person is one as well.
      expect(harness.server.counters.rooms).toBe(2 + 2);
    },
  );

  it.each([' ', 'a b', 'a\r', 'a\0', '\u202e', 'a\u200db', '\u00ad', 'x'.repeat(129), '你'.repeat(43)])(
    '%j is refused',
    async (name) => {
      const { harness, peers } = await guests(1);
      const [one] = peers as [Talker];
      expect(await one.says(`/join ${name}\r`)).toEqual([expect.stringMatching(/^error: the name of a room has/)]);
      expect(harness.server.counters.rooms).toBe(1 + 1);
    },
  );

  it('have limits, which are answers and end no session', async () => {
    const { harness, peers } = await guests(1, { maxRoomsPerSession: 4, joinRate: 5, maxRooms: 5 });
    const [one] = peers as [Talker];
    expect(await one.says(`/join ${'x'.repeat(4000)}`)).toEqual([
      'error: the name of a room has at most 128 bytes, not 4000',
    ]);
    await one.says('/join a');
    await one.says('/join b');
    expect(await one.says('/join c')).toEqual(['error: this connection is in 4 rooms, and cannot join another']);
    await one.says('/leave b');
    await one.says('/join b');
    await one.says('/leave b');
    expect(await one.says('/join b')).toEqual(['error: this connection joins more than 5 rooms per second']);
    const two = new Talker(await harness.connect());
    await two.says('/join c');
    two.heard();
    expect(await two.says('/join d')).toEqual(['error: the server has 5 rooms, and takes no more']);
    expect(await two.says('hello')).toEqual(['[c] guest-2: hello']);
  });

  it('are at most 8 for one person, who can still change their name', async () => {
    const { harness, peers } = await guests(1);
    const [one] = peers as [Talker];
    for (let count = 2; count <= 8; count++)
      expect(await one.says(`/join r${count}`)).toEqual([`* guest-1 joined r${count}`]);
    expect(await one.says('/join more')).toEqual(['error: you are in 8 rooms; /leave one of them first']);
    expect(await one.says('/nick ana')).toContain('* guest-1 is now ana');
    expect(harness.server.counters.rooms).toBe(9);
    expect((await one.says('/leave r2')).concat(await one.says('/join more'))).toEqual([
      '* ana left r2',
      '* ana joined more',
    ]);
  });

  it('show their history to those who join, without a gap and without a line twice', async () => {
    const { harness, peers } = await guests(1, { roomHistory: 3 });
    const [one] = peers as [Talker];
    for (const text of ['a', 'b', 'c']) await one.says(text);
    // In the same turn: a line, one who joins, and another line.
    const joining = harness.connect();
    one.peer.connection.write(Buffer.from('d\ne\n'));
    const two = new Talker(await joining);
    await settled();
    const heard = two.heard();
    expect(heard.slice(0, 2)).toEqual(['* You are guest-2; /help lists the commands', '* Before you joined lobby:']);
    const joined = heard.indexOf('* guest-2 joined lobby');
    expect(heard.slice(2, joined)).toHaveLength(3);
    const said = heard.slice(2).filter((line) => line !== '* guest-2 joined lobby');
    const all = ['a', 'b', 'c', 'd', 'e'].map((text) => `[lobby] guest-1: ${text}`);
    expect(said).toEqual(all.slice(-said.length));
  });

  it('keep what was said, and not who came and went', async () => {
    const { harness, peers } = await guests(1, { roomHistory: 2 });
    const [one] = peers as [Talker];
    await one.says('hello');
    await one.says('/me waves');
    for (let count = 0; count < 5; count++) await (await harness.connect()).ends();
    const late = await harness.connect();
    expect(late.lines.slice(1, -1)).toEqual([
      '* Before you joined lobby:',
      '[lobby] guest-1: hello',
      '[lobby] * guest-1 waves',
    ]);
  });

  it('tell a member how many messages it has missed', async () => {
    const { harness, peers } = await guests(2, { roomBuffer: 10_000, network: { capacity: 1000 } });
    const [one, two] = peers as [Talker, Talker];
    two.peer.connection.pause();
    for (let count = 0; count < 100; count++) await one.says(`${count} ${'x'.repeat(2000)}`);
    two.peer.connection.resume();
    await settled();
    const lines = two.heard();
    const missed = lines.map((line) => Number(/^\* You missed (\d+) messages of lobby$/.exec(line)?.[1] ?? 0));
    const sum = missed.reduce((total, count) => total + count, 0);
    expect(sum).toBeGreaterThan(0);
    expect(lines.filter((line) => line.startsWith('[')).length + sum).toBe(100);
    expect(harness.server.counters.roomMessagesMissed).toBe(sum);
  });
});

describe('authorize', () => {
  it('absent, allows nothing', async () => {
    const harness = await Harness.open({ handler: chat() });
    const one = new Talker(await harness.connect());
    expect(one.heard()).toEqual(['* You are guest-1; /help lists the commands']);
    expect(await one.says('hello')).toEqual(['error: you are in no room; /join ROOM']);
    expect(await one.says('/join a')).toEqual(['error: you may not join a']);
    harness.session.join('a');
    expect(await one.says('/leave a')).toEqual(['* guest-1 left a']);
  });

  it('decides what a client may do, and may take its time', async () => {
    const asked: [string, RoomAction, number][] = [];
    const authorize = async (room: string, action: RoomAction, session: Session) => {
      asked.push([room, action, session.id]);
      await settled();
      return room === 'news' ? action === 'join' : room !== 'secret';
    };
    const handler = chat({ authorize, room: 'news' });
    const harness = await Harness.open({ handler, roomHistory: 10 });
    const one = new Talker(await harness.connect());
    await one.peer.until(() => one.peer.text.includes('joined news'));
    harness.server.room('news').send('[news] the server: hello');
    const two = new Talker(await harness.connect());
    await two.peer.until(() => two.peer.text.includes('guest-2 joined news'));
    expect(two.heard()).not.toContain('[news] the server: hello');
    one.heard();
    await one.says('my opinion');
    await one.peer.until(() => one.peer.text.includes('error'));
    expect(one.heard()).toEqual(['error: you may not write in news']);
    await one.says('/join secret');
    await one.peer.until(() => one.peer.text.includes('secret'));
    expect(one.heard()).toEqual(['error: you may not join secret']);
    expect(asked.slice(-2)).toEqual([
      ['news', 'send', 1],
      ['secret', 'join', 1],
    ]);
  });

  it('is not asked about names that no room can have', async () => {
    const asked: string[] = [];
    const handler = chat({ authorize: (room) => asked.push(room) > 0 });
    const harness = await Harness.open({ handler });
    const one = new Talker(await harness.connect());
    await one.says(`/join ${'x'.repeat(4000)}`);
    await one.says('/join a b');
    expect(new Set(asked)).toEqual(new Set(['lobby']));
  });
});

describe('authorize, for each command', () => {
  /** A chat where it answers what `rule` says, and what it was asked, as `action room`. */
  async function asking(rule: (room: string, action: RoomAction) => boolean | Promise<boolean>, size = 1) {
    const asked: string[] = [];
    const authorize = (room: string, action: RoomAction) => {
      asked.push(`${action} ${room}`);
      return rule(room, action);
    };
    const { harness, peers } = await guests(size, { handler: chat({ authorize }) });
    asked.length = 0;
    return { harness, asked, one: peers[0] as Talker, two: peers[1] as Talker };
  }

  it('is asked exactly this', async () => {
    const { one, two, asked } = await asking(() => true, 2);
    const commands: Record<string, string[]> = {
      hello: ['send lobby'],
      '/me waves': ['send lobby'],
      '/join lobby': ['join lobby'],
      '/join tea': ['join tea', 'history tea', 'send tea'],
      '/who': [],
      '/who lobby': [],
      '/who other': [],
      '/msg guest-2 hello': ['send @guest-2'],
      '/msg Nobody hello': ['send @nobody'],
      '/msg guest-2': [],
      '/msg a/b hello': [],
      // Others read a new name, so it is also something said.
      '/nick Ada': ['join @ada', 'send lobby', 'send tea'],
      '/nick guest-9': [],
      '/nick a b': [],
      '/leave': [],
      '/help': [],
      '/frob': [],
    };
    for (const [command, expected] of Object.entries(commands)) {
      await one.says(command);
      expect(asked.splice(0), command).toEqual(expected);
    }
    two.heard();
    await one.says('/quit');
    expect(asked).toEqual([]);
    await one.peer.ends();
    expect(two.heard()).toEqual(['* Ada left lobby']);
  });

  it('that denies everything leaves nothing', async () => {
    const { harness, one, two } = await asking(() => false, 2);
    for (const command of ['hello', '/me waves'])
      expect(await one.says(command)).toEqual(['error: you are in no room; /join ROOM']);
    expect(await one.says('/join tea')).toEqual(['error: you may not join tea']);
    expect(await one.says('/nick ada')).toEqual(['error: you may not be called ada']);
    // Whether somebody has this name is not told either.
    for (const name of ['guest-2', 'nobody'])
      expect(await one.says(`/msg ${name} hello`)).toEqual([`error: you may not write to ${name}`]);
    expect(await one.says('/who')).toEqual(['error: you are not in a room']);
    expect(await one.says('/who lobby')).toEqual(['error: you are not in lobby']);
    expect(two.heard()).toEqual([]);
    expect(harness.server.counters.roomMessages).toBe(0);
  });

  it('that allows only to read keeps a room free of what its readers do', async () => {
    const { harness, one, two } = await asking((room, action) => room.startsWith('@') || action !== 'send', 2);
    const commands = ['spam', '/me spams', '/nick buy-my-stuff', '/leave', '/join lobby'];
    const replies = [];
    for (const command of commands) replies.push(...(await one.says(command)));
    expect(replies).toEqual([
      'error: you may not write in lobby',
      'error: you may not write in lobby',
      '* guest-1 is now buy-my-stuff',
      '* buy-my-stuff left lobby',
      '* buy-my-stuff joined lobby',
    ]);
    await one.peer.ends();
    expect(two.heard()).toEqual([]);
    harness.server.room('lobby').send('[lobby] the news');
    await settled();
    expect(two.heard()).toEqual(['[lobby] the news']);
  });

  it('that changes its mind is asked again', async () => {
    let muted = false;
    const { one, two } = await asking((_room, action) => action !== 'send' || !muted, 2);
    muted = true;
    for (const command of ['spam', '/me spams', '/nick spam', '/msg guest-2 spam']) await one.says(command);
    expect(two.heard()).toEqual([]);
  });

  it.each(['hello', '/me waves', '/join tea', '/nick ada', '/msg guest-2 hello'])(
    'that throws at %j ends only this session',
    async (command) => {
      let isBroken = false;
      const fail = (): boolean => {
        if (isBroken) throw new Error('the database is away');
        return true;
      };
      const { harness, one, two } = await asking(fail, 2);
      isBroken = true;
      expect(await one.says(command)).toEqual(['error: the handler failed on the server']);
      expect(one.peer.ended).toBe(true);
      isBroken = false;
      expect(await two.says('/who')).toEqual(['* In lobby: guest-2']);
      expect(two.heard()).toEqual([]);
      expect(harness.server.counters.roomMembers).toBe(2);
      await one.peer.ends();
    },
  );

  it('that is slow keeps the commands of a client in order, and little of what it sends meanwhile', async () => {
    const waiting: (() => void)[] = [];
    let isSlow = false;
    const slow = () => !isSlow || new Promise<boolean>((resolve) => waiting.push(() => resolve(true)));
    const { harness, one, two } = await asking(slow, 2);
    isSlow = true;
    await one.says('/nick ada');
    const lines = Array.from({ length: 800 }, (_, number) => `line ${number} ${'x'.repeat(1000)}`);
    await one.peer.says(`/join tea\nhello\n/msg guest-2 psst\n/leave tea\n${lines.join('\n')}\n`);
    expect(one.heard()).toEqual([]);
    expect(harness.server.pendingBytes).toBeLessThan(300_000);
    // Others do not wait.
    isSlow = false;
    expect(await two.says('/who')).toEqual(['* In lobby: guest-1, guest-2']);
    for (let turn = 0; turn < 8; turn++) {
      for (const resolve of waiting.splice(0)) resolve();
      await settled();
    }
    await one.peer.until(() => one.peer.text.includes('line 799'));
    const heard = one.heard();
    // Between rooms there is no order.
    for (const [room, expected] of [
      ['lobby', lines.map((line) => `[lobby] ada: ${line}`)],
      ['tea', ['[tea] ada: hello']],
    ] as const)
      expect(heard.filter((line) => line.startsWith(`[${room}]`))).toEqual(expected);
    const notices = ['* guest-1 is now ada', '* ada joined tea', '* ada left tea', '(private) ada to guest-2: psst'];
    expect(heard.filter((line) => !line.startsWith('[')).sort()).toEqual(notices.sort());
  });

  it('that is slow finds a client gone without a trace', async () => {
    const waiting: (() => void)[] = [];
    let isSlow = false;
    const slow = () => !isSlow || new Promise<boolean>((resolve) => waiting.push(() => resolve(true)));
    const { harness, one, two } = await asking(slow, 2);
    isSlow = true;
    for (const command of ['/nick ada', '/join tea']) {
      const late = new Talker(await harness.connect());
      await late.says(command);
      await late.peer.aborts();
    }
    await one.says('/nick bob');
    await one.peer.aborts();
    isSlow = false;
    for (let turn = 0; turn < 8; turn++) {
      for (const resolve of waiting.splice(0)) resolve();
      await settled();
    }
    expect(two.heard()).toEqual(['* guest-1 left lobby']);
    for (const name of ['ada', 'bob'])
      expect(await two.says(`/msg ${name} hello`)).toEqual([`error: nobody here is called ${name}`]);
    expect(harness.server.counters).toMatchObject({ rooms: 2, roomMembers: 2 });
  });
});

describe('over several processes', () => {
  /** A chat of two processes with this many people each. `told` lets them tell each other what has changed. */
  async function processes(each: number) {
    const buses = [new FakeBus(), new FakeBus()];
    const all: Harness[] = [];
    for (const bus of buses) all.push(await Harness.open({ handler: chat(open), bus }));
    connected(buses);
    const peers: Talker[] = [];
    for (let count = 0; count < each; count++) {
      for (const harness of all) {
        peers.push(new Talker(await harness.connect()));
        await told();
      }
    }
    async function told(): Promise<void> {
      for (const harness of all) await harness.passes(100);
      for (const bus of buses) bus.deliver();
      await settled();
    }
    for (const peer of peers) peer.heard();
    return { all, buses, peers, told };
  }

  const namesIn = (line = '') => line.replace('* In lobby: ', '').split(', ').sort();

  it('nobody has the nickname of another, private messages reach all, and /who lists everybody', async () => {
    const { peers, told } = await processes(2);
    const [one, two, three, four] = peers as [Talker, Talker, Talker, Talker];
    for (const [peer, name] of [
      [one, 'ana'],
      [two, 'bob'],
      [three, '你好'],
      [four, 'dan'],
    ] as const) {
      await peer.says(`/nick ${name}`);
      await told();
    }
    for (const peer of peers) peer.heard();
    for (const peer of [two, four])
      for (const name of ['ana', 'ANA', '你好', 'ａｎａ'])
        expect(await peer.says(`/nick ${name}`)).toEqual([expect.stringMatching(/ is somebody else$/)]);
    const lists = await Promise.all(peers.map(async (peer) => (await peer.says('/who')).join()));
    expect(new Set(lists).size).toBe(1);
    expect(namesIn(lists[0])).toEqual(['ana', 'bob', 'dan', '你好']);
    expect(await one.says('/msg DAN psst')).toEqual(['(private) ana to dan: psst']);
    await told();
    expect([two, three, four].map((peer) => peer.heard())).toEqual([[], [], ['(private) ana to dan: psst']]);
    await one.says('hello');
    await told();
    expect([two, three, four].map((peer) => peer.heard())).toEqual(Array(3).fill(['[lobby] ana: hello']));
    await one.peer.ends();
    await told();
    expect(await four.says('/msg ana hello')).toEqual(['* ana left lobby', 'error: nobody here is called ana']);
    expect((await four.says('/nick ana')).join()).toBe('* dan is now ana');
  });

  it('of two who take a nickname at the same moment, one keeps it and the other one is told', async () => {
    const { peers, told } = await processes(1);
    const [one, two] = peers as [Talker, Talker];
    expect(await one.says('/nick ana')).toEqual([expect.stringMatching(/ is now ana$/)]);
    await new Promise((resolve) => setTimeout(resolve, 2));
    expect(await two.says('/nick Ana')).toEqual([expect.stringMatching(/ is now Ana$/)]);
    await told();
    const lines = two.heard();
    const [, name = ''] =
      /^\* Somebody else was called Ana at the same moment, and first: you are (guest-\d+) now$/m.exec(
        lines.join('\n'),
      ) ?? [];
    expect(name).not.toBe('');
    expect(lines).toContain(`* Ana is now ${name}`);
    await told();
    for (const peer of [one, two]) expect(namesIn((await peer.says('/who')).at(-1))).toEqual(['ana', name]);
    expect(await two.says('/msg ana hello')).toEqual([`(private) ${name} to ana: hello`]);
    await told();
    expect(one.heard().at(-1)).toBe(`(private) ${name} to ana: hello`);
  });
});

it('a chat goes on when its handler is replaced', async () => {
  const { harness, peers } = await guests(1);
  const [one] = peers as [Talker];
  await harness.server.reload({ handler: chat(open) });
  const two = new Talker(await harness.connect());
  expect(await two.says('/msg guest-1 hello')).toContain('(private) guest-2 to guest-1: hello');
  expect(one.heard()).toContain('(private) guest-2 to guest-1: hello');
});

it('a chat works with faults, and tells what was missed', async () => {
  const handler = withFaults(chat(open), ['request /lost/ drop']);
  const { peers } = await guests(2, { handler, roomBuffer: 10_000, network: { capacity: 1000 } });
  const [one, two] = peers as [Talker, Talker];
  await one.says('hello');
  await one.says('lost');
  expect(two.heard()).toEqual(['[lobby] guest-1: hello']);
  expect(await one.says('/msg guest-2 hello')).toEqual(['(private) guest-1 to guest-2: hello']);
  two.peer.connection.pause();
  for (let count = 0; count < 100; count++) await one.says(`${count} ${'x'.repeat(2000)}`);
  two.peer.connection.resume();
  await settled();
  expect(two.heard().join('\n')).toMatch(/^\* You missed \d+ messages of lobby$/m);
});

it.each(['chat', 'chat/person', 'chat/visits'])('%s.ts is a file that a user could have written', (name) => {
  const read = (file: string) => readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8');
  const code = read(`handlers/${name}.ts`);
  expect(code.split('\n').length).toBeLessThan(150);
  const exported = new Set(read('index.ts').match(/\w+/g));
  // What it imports besides its own parts is what yodel exports.
  const imported = [...code.matchAll(/^import (?:type )?\{([^}]*)\} from '(?!\.\/)/gm)].flatMap(
    ([, names]) => names?.match(/\w+/g) ?? [],
  );
  expect(imported.length).toBeGreaterThan(1);
  for (const one of imported) expect([...exported]).toContain(one);
});
