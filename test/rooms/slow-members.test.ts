/** Members that read too slowly: nobody else waits for them, and what they miss is counted and told. */
import { describe, expect, it, vi } from 'vitest';
import { protocolNamed } from '../../src/framing/protocols/protocols.ts';
import type { HandlerObject } from '../../src/session/handler.ts';
import type { Session } from '../../src/session/public-session.ts';
import type { Peer } from '../../src/testing/peer.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness, type HarnessOptions } from '../session/harness.ts';

const network = { capacity: 2_000 };
const line = (number: number) => String(number).padStart(99, '.');

interface Told {
  readonly id: number;
  readonly messages: number;
}

/** Members of the room `a`, and what the handler was told. */
async function open(size: number, options: HarnessOptions = {}) {
  const told: Told[] = [];
  const handler: HandlerObject = {
    open: (session) => session.join('a'),
    missed({ id }, _room, messages) {
      told.push({ id, messages });
      return `missed ${messages}`;
    },
  };
  const harness = await Harness.open({ handler, network, drainTimeout: 0, highWaterMark: 10_000, ...options });
  const peers: Peer[] = [];
  for (let count = 0; count < size; count++) peers.push(await harness.connect());
  return { harness, peers, sessions: [...harness.server.sessions] as Session[], told, room: harness.server.room('a') };
}

/** The room is sent as many messages, ten in a turn. */
async function send(harness: Harness, count: number, from = 0): Promise<void> {
  for (let number = from; number < from + count; number++) {
    harness.server.room('a').send(line(number));
    if (number % 10 === 9) await settled();
  }
  await settled();
}

/** The messages, and how many the member was told that it missed, must add up without a gap. */
function accountOf(lines: readonly string[]): { received: number; missed: number; isGapless: boolean } {
  let [next, received, missed, isGapless] = [0, 0, 0, true];
  for (const text of lines) {
    const gap = /^missed (\d+)$/.exec(text);
    if (gap) {
      missed += Number(gap[1]);
      next += Number(gap[1]);
    } else {
      isGapless &&= text === line(next);
      received++;
      next++;
    }
  }
  return { received, missed, isGapless };
}

describe('a member that is behind', () => {
  it('continues from the ring, and misses nothing that is in it', async () => {
    const { harness, peers, told } = await open(2);
    const [slow, fast] = peers as [Peer, Peer];
    slow.connection.pause();
    await send(harness, 200);
    expect(fast.lines).toHaveLength(200);
    expect(slow.size).toBe(0);
    slow.connection.resume();
    await slow.until(() => slow.size === 200 * 100);
    expect(accountOf(slow.lines)).toEqual({ received: 200, missed: 0, isGapless: true });
    expect(told).toEqual([]);
  });

  it('is told exactly how many messages it missed, and receives the rest', async () => {
    const { harness, peers, told, sessions } = await open(3, { roomBuffer: 5_000 });
    const [slow, fast] = peers as [Peer, Peer];
    slow.connection.pause();
    await send(harness, 300);
    expect(accountOf(fast.lines)).toEqual({ received: 300, missed: 0, isGapless: true });
    slow.connection.resume();
    await slow.until(() => slow.text.endsWith(`${line(299)}\n`));
    const { received, missed, isGapless } = accountOf(slow.lines);
    expect(isGapless).toBe(true);
    expect(received + missed).toBe(300);
    expect(missed).toBeGreaterThan(200);
    expect(told).toEqual([{ id: sessions[0]?.id, messages: missed }]);
    expect(harness.server.counters.roomMessagesMissed).toBe(missed);
    await send(harness, 100, 300);
    expect(accountOf(slow.lines)).toEqual({ received: received + 100, missed, isGapless: true });
  });

  it('does not count what was not for it', async () => {
    const { harness, peers, sessions, told, room } = await open(2, { roomBuffer: 2_000 });
    const [slow] = peers as [Peer, Peer];
    slow.connection.pause();
    await send(harness, 50);
    for (let number = 50; number < 100; number++) {
      room.send(line(number), { except: sessions[0] });
      await settled();
    }
    slow.connection.resume();
    await settled();
    expect(accountOf(slow.lines).received + (told[0]?.messages ?? 0)).toBe(50);
    expect(told).toHaveLength(1);
  });

  it('costs the others nothing: they are not delayed, and the memory is that of one ring', async () => {
    const { harness, peers } = await open(22, { roomBuffer: 20_000, maxPendingBytes: 1_000_000 });
    const slow = peers.slice(0, 20);
    for (const peer of slow) peer.connection.pause();
    await send(harness, 1_000);
    expect(peers[21]?.lines).toHaveLength(1_000);
    // Each has a segment in its connection; here, in memory, a copy of its own.
    expect(harness.server.pendingBytes).toBeLessThan(20_000 + 20 * 1_500);
    for (const peer of slow) peer.connection.resume();
    for (const peer of slow) await peer.until(() => peer.text.endsWith(`${line(999)}\n`));
    const accounts = slow.map(({ lines }) => accountOf(lines));
    expect(accounts.every(({ isGapless, received, missed }) => isGapless && received + missed === 1_000)).toBe(true);
    const total = accounts.reduce((sum, { missed }) => sum + missed, 0);
    expect(harness.server.counters.roomMessagesMissed).toBe(total);
  });

  it('leaves nothing behind when it goes', async () => {
    const { harness, peers } = await open(2);
    peers[0]?.connection.pause();
    await send(harness, 100);
    expect(harness.server.pendingBytes).toBeGreaterThan(5_000);
    await peers[0]?.aborts();
    expect(harness.server.pendingBytes).toBe(0);
  });

  it('misses messages rather than that sessions are disconnected because of maxPendingBytes', async () => {
    const { harness, peers } = await open(3, { maxPendingBytes: 20_000, roomBuffer: 100_000 });
    const [slow, , fast] = peers as [Peer, Peer, Peer];
    slow.connection.pause();
    await send(harness, 500);
    expect(fast.lines).toHaveLength(500);
    expect(harness.server.sessions.size).toBe(3);
    slow.connection.resume();
    await slow.until(() => slow.text.endsWith(`${line(499)}\n`));
    const { received, missed, isGapless } = accountOf(slow.lines);
    expect([isGapless, received + missed]).toEqual([true, 500]);
  });
});

describe('when the memory of all sessions is used up at once', () => {
  it('a room drops several segments, and its members miss exactly those', async () => {
    const { harness, peers, told } = await open(12, { maxPendingBytes: 40_000, roomBuffer: 100_000 });
    const [slow, fast] = peers as [Peer, Peer];
    const others = [...harness.server.sessions].slice(2);
    slow.connection.pause();
    await send(harness, 150);
    for (const session of others) session.reportBuffered(3_700);
    for (const session of others) session.reportBuffered(0);
    await send(harness, 150, 150);
    slow.connection.resume();
    await slow.until(() => slow.text.endsWith(`${line(299)}\n`));
    const { received, missed, isGapless } = accountOf(slow.lines);
    expect([isGapless, received + missed, told.length]).toEqual([true, 300, 1]);
    expect(missed).toBeGreaterThan(100);
    expect(accountOf(fast.lines).received).toBe(300);
    expect(harness.server.pendingBytes).toBe(0);
  });

  it('a member that leaves is told what the ring drops because of what is written to it', async () => {
    const { harness, peers, told, sessions, room } = await open(3, { maxPendingBytes: 40_000, roomBuffer: 100_000 });
    const [leaving, staying] = peers as [Peer, Peer];
    for (const peer of [leaving, staying]) peer.connection.pause();
    await send(harness, 200);
    expect(told).toEqual([]);
    room.evict(sessions[0]);
    expect(told).toHaveLength(1);
    expect(harness.server.counters.roomMessagesMissed).toBe(told[0]?.messages);
    for (const peer of [leaving, staying]) peer.connection.resume();
    for (let rounds = 0; rounds < 10; rounds++) await settled();
    for (const { lines } of [leaving, staying]) {
      const { received, missed, isGapless } = accountOf(lines);
      expect([isGapless, received + missed]).toEqual([true, 200]);
      expect(missed).toBeGreaterThan(50);
    }
  });
});

describe('a member whose frames depend on what was said before', () => {
  const withFlood = async (options: HarnessOptions = {}) => {
    const opened = await open(2, {
      protocol: protocolNamed('smtp'),
      roomBuffer: 5_000,
      highWaterMark: 4_000,
      ...options,
    });
    opened.peers[0]?.connection.pause();
    for (let number = 0; number < 300; number++) {
      opened.room.send(`250 ${line(number)}`);
      if (number % 10 === 9) await settled();
    }
    return { ...opened, slow: opened.peers[0] as Peer, fast: opened.peers[1] as Peer };
  };

  it('is told once what it has missed, when it reads again', async () => {
    const { harness, slow, fast, told, sessions, room } = await withFlood();
    expect(fast.lines).toHaveLength(300);
    expect(told).toEqual([]);
    expect(sessions[0]?.unsent).toBeLessThan(4_200);
    slow.connection.resume();
    await slow.until(() => slow.text.includes('missed'));
    const received = slow.lines.length - 1;
    expect(slow.lines.at(-1)).toBe(`missed ${300 - received}\r`);
    expect(told).toEqual([{ id: sessions[0]?.id, messages: 300 - received }]);
    expect(harness.server.counters.roomMessagesMissed).toBe(300 - received);
    room.send('250 last');
    await settled();
    expect(slow.lines.slice(received + 1)).toEqual(['250 last\r']);
  });

  it('and so it is when it leaves, or it is counted when it goes', async () => {
    const { harness, told, sessions, room } = await withFlood();
    room.evict(sessions[0]);
    expect(told).toHaveLength(1);
    expect(harness.server.counters.roomMessagesMissed).toBe(told[0]?.messages);
    const other = await withFlood();
    await other.slow.aborts();
    expect(other.told).toEqual([]);
    expect(other.harness.server.counters.roomMessagesMissed).toBe(told[0]?.messages);
  });

  it('is closed with "close"', async () => {
    const { slow, told, room } = await withFlood({ roomBehind: 'close' });
    slow.connection.resume();
    await slow.until(() => slow.ended);
    expect(slow.lines.at(-1)).toMatch(/fell \d+ messages behind in room "a"/);
    expect([told, room.size]).toEqual([[], 1]);
  });
});

describe('a member of many rooms', () => {
  it('that is behind is sent no more by any of them', async () => {
    const rooms = Array.from({ length: 50 }, (_, index) => `room ${index}`);
    const { harness, peers, sessions } = await open(2);
    const [slow, fast] = peers as [Peer, Peer];
    for (const session of sessions) for (const room of rooms) session.join(room);
    slow.connection.pause();
    for (const room of rooms) {
      for (let count = 0; count < 4; count++) harness.server.room(room).send('x'.repeat(9_999));
      await settled();
    }
    expect(sessions[0]?.unsent).toBeLessThan(150_000);
    expect(fast.size).toBe(50 * 4 * 10_000);
    slow.connection.resume();
    await slow.until(() => slow.size === 50 * 4 * 10_000);
  });
});

describe('a member that has missed broadcasts', () => {
  const broadcast = async (harness: Harness) => {
    for (let number = 0; number < 300; number++) {
      harness.server.broadcast(line(number));
      if (number % 10 === 9) await settled();
    }
  };

  it('is told so, without the name of a room', async () => {
    const rooms: string[] = [];
    const missed = (_session: Session, room: string) => void rooms.push(room);
    const { harness, peers } = await open(2, { handler: { missed }, roomBuffer: 5_000 });
    peers[0]?.connection.pause();
    await broadcast(harness);
    peers[0]?.connection.resume();
    await settled();
    expect(rooms).toEqual(['']);
  });

  it('or closed with an error that has no name of a room', async () => {
    const { harness, peers } = await open(2, { roomBehind: 'close', roomBuffer: 5_000 });
    const [slow] = peers as [Peer, Peer];
    slow.connection.pause();
    await broadcast(harness);
    slow.connection.resume();
    await slow.until(() => slow.ended);
    expect(slow.lines.at(-1)).toMatch(/^error: fell \d+ messages behind$/);
  });
});

describe('with roomBehind "close"', () => {
  it('it is closed with an error that says so', async () => {
    const { harness, peers } = await open(2, { roomBehind: 'close', roomBuffer: 2_000 });
    const [slow, fast] = peers as [Peer, Peer];
    slow.connection.pause();
    await send(harness, 200);
    expect(fast.lines).toHaveLength(200);
    slow.connection.resume();
    await slow.until(() => slow.ended);
    expect(slow.lines.at(-1)).toMatch(/^error: fell \d+ messages behind in room "a"$/);
    expect(harness.server.room('a').size).toBe(1);
  });

  it('and so it is without a callback that is told', async () => {
    const handler: HandlerObject = { open: (session) => session.join('a') };
    const { harness, peers } = await open(2, { handler, roomBuffer: 2_000 });
    const [slow] = peers as [Peer, Peer];
    slow.connection.pause();
    await send(harness, 200);
    slow.connection.resume();
    await slow.until(() => slow.ended);
    expect(slow.lines.at(-1)).toMatch(/^error: fell \d+ messages behind in room "a"$/);
  });
});

describe('with roomBehind "wait"', () => {
  it('the sender waits, and nobody misses anything', async () => {
    const handler: HandlerObject = {
      open: (session) => session.join('a'),
      message: (message, session) => void session.server.room('a').send(message, { from: session }),
      missed: (_session, _room, messages) => `missed ${messages}`,
    };
    const { harness, peers } = await open(3, { handler, roomBehind: 'wait', roomBuffer: 20_000 });
    const [slow, fast, sender] = peers as [Peer, Peer, Peer];
    slow.connection.pause();
    for (let number = 0; number < 1_000; number += 10) {
      await sender.says(Array.from({ length: 10 }, (_, index) => `${line(number + index)}\n`).join(''));
    }
    expect(fast.lines.length).toBeLessThan(400);
    slow.connection.resume();
    for (const peer of peers) await peer.until(() => peer.size === 1_000 * 100);
    for (const peer of peers) expect(accountOf(peer.lines)).toEqual({ received: 1_000, missed: 0, isGapless: true });
    expect(harness.server.counters.roomMessagesMissed).toBe(0);
  });
});

describe('messages with keys', () => {
  it('a member that is behind receives only the last one of each key', async () => {
    const { harness, peers, room, told } = await open(2, { roomBuffer: 20_000 });
    const [slow, fast] = peers as [Peer, Peer];
    slow.connection.pause();
    room.send('x'.repeat(4_000));
    await settled();
    for (let number = 0; number < 1_000; number++) {
      room.send(`${'.'.repeat(90)}${number % 7} ${number}`, { key: String(number % 7) });
      if (number % 10 === 9) await settled();
    }
    expect(fast.lines).toHaveLength(1_001);
    slow.connection.resume();
    await slow.until(() => slow.text.endsWith(' 999\n'));
    expect(told).toEqual([]);
    const last = slow.lines.slice(-7).map((text) => text.split(' ')[1]);
    expect(last).toEqual(['993', '994', '995', '996', '997', '998', '999']);
    expect(slow.lines.length).toBeLessThan(60);
    expect(harness.server.counters.roomMessagesReplaced).toBe(1_001 - slow.lines.length);
  });

  it('many keys in one turn are replaced without copying their frames each time', async () => {
    const { harness, peers, room } = await open(1);
    const [slow] = peers as [Peer];
    const states = (round: number) => {
      for (let key = 0; key < 2_000; key++) room.send(`${key} ${round}`, { key: String(key) });
      return settled();
    };
    slow.connection.pause();
    room.send('x'.repeat(20_000));
    await settled();
    await states(1);
    const copies = vi.spyOn(Buffer, 'allocUnsafeSlow');
    await states(2);
    await states(3);
    expect(copies.mock.calls.length).toBeLessThan(60);
    copies.mockRestore();
    slow.connection.resume();
    await slow.until(() => slow.text.endsWith('\n1999 3\n'));
    expect(slow.lines.slice(1)).toEqual(Array.from({ length: 2_000 }, (_, key) => `${key} 3`));
    expect(harness.server.counters.roomMessagesReplaced).toBe(4_000);
    expect(harness.server.pendingBytes).toBe(0);
  });

  it('keys count, too, for as long as the ring has their messages', async () => {
    const { harness, peers, room } = await open(1, { roomBuffer: 100_000 });
    const [slow] = peers as [Peer];
    slow.connection.pause();
    room.send('x'.repeat(20_000));
    await settled();
    const before = harness.server.pendingBytes;
    for (let key = 0; key < 5_000; key++) {
      room.send('.', { key: `${'k'.repeat(1_000)}${key}` });
      if (key % 10 === 9) await settled();
    }
    expect(harness.server.pendingBytes).toBeLessThan(before + 101_000);
    expect(harness.server.pendingBytes).toBeGreaterThan(before + 50_000);
    slow.connection.resume();
    await settled();
    expect(harness.server.pendingBytes).toBe(0);
    expect(harness.server.counters.roomMessagesMissed + slow.lines.length - 2).toBe(5_000);
  });
});

describe('what ends a membership while it is behind', () => {
  it('a member that is closed for what it missed leaves the ring to the others', async () => {
    const handler: HandlerObject = { open: (session) => session.join('a') };
    const { harness, peers } = await open(4, { handler, roomBuffer: 5_000 });
    const [one, two, , fast] = peers as [Peer, Peer, Peer, Peer];
    for (const peer of peers.slice(0, 3)) peer.connection.pause();
    await send(harness, 100);
    one.connection.resume();
    await one.until(() => one.ended);
    await send(harness, 100, 100);
    two.connection.resume();
    await two.until(() => two.ended);
    await send(harness, 100, 200);
    expect(fast.lines).toHaveLength(300);
    expect(harness.server.room('a').size).toBe(2);
  });

  it('one that leaves still receives what it was sent before', async () => {
    const { harness, peers, sessions, room } = await open(2);
    const [slow] = peers as [Peer, Peer];
    slow.connection.pause();
    await send(harness, 100);
    room.send(line(100));
    sessions[0]?.leave('a');
    room.send(line(101));
    slow.connection.resume();
    await slow.until(() => slow.size === 101 * 100);
    expect(accountOf(slow.lines)).toEqual({ received: 101, missed: 0, isGapless: true });
  });

  it('so does one whose handler leaves when it is told what it missed', async () => {
    const handler: HandlerObject = {
      open: (session) => session.join('a'),
      missed(session, room, messages) {
        session.leave(room);
        return `missed ${messages}`;
      },
    };
    const { harness, peers } = await open(3, { handler, roomBuffer: 5_000 });
    const [one, two, fast] = peers as [Peer, Peer, Peer];
    for (const peer of [one, two]) peer.connection.pause();
    await send(harness, 100);
    one.connection.resume();
    await settled();
    await send(harness, 100, 100);
    two.connection.resume();
    await settled();
    expect(fast.lines).toHaveLength(200);
    expect(harness.server.room('a').size).toBe(1);
    expect(two.lines.filter((text) => text.startsWith('missed'))).toHaveLength(1);
  });

  it('one whose own reply cannot be sent fails alone', async () => {
    const handler: HandlerObject = { open: (session) => session.join('a'), missed: () => 'two\nlines' };
    const { harness, peers } = await open(3, { handler, roomBuffer: 5_000 });
    const [slow, , fast] = peers as [Peer, Peer, Peer];
    slow.connection.pause();
    await send(harness, 100);
    slow.connection.resume();
    await slow.until(() => slow.ended);
    await send(harness, 100, 100);
    expect(fast.lines).toHaveLength(200);
  });
});

describe('a member whose peer reads nothing', () => {
  it('has drainTimeout from the moment when the first message waits, however long it was silent before', async () => {
    const errors: string[] = [];
    const { harness, peers } = await open(1, {
      drainTimeout: 10_000,
      idleTimeout: 0,
      telemetry: { closed: (_session, error) => void errors.push(String(error?.code)) },
    });
    await harness.passes(60_000);
    peers[0]?.connection.pause();
    await send(harness, 100);
    await harness.passes(9_000);
    expect(errors).toEqual([]);
    await harness.passes(2_000);
    expect(errors).toEqual(['YODEL_DRAIN_TIMEOUT']);
  });

  it('receives what its room was sent before the server closed, within its time', async () => {
    const { harness, peers } = await open(3);
    await harness.passes(60_000);
    const [slow] = peers as [Peer, Peer, Peer];
    slow.connection.pause();
    for (let number = 0; number < 200; number++) harness.server.room('a').send(line(number));
    harness.server.broadcast('bye');
    const closing = harness.server.close({ timeoutMs: 5_000 });
    await harness.passes(1);
    slow.connection.resume();
    await settled();
    for (const peer of peers) {
      expect(accountOf(peer.lines.slice(0, 200))).toEqual({ received: 200, missed: 0, isGapless: true });
      expect(peer.lines.slice(200)).toEqual(['bye']);
      expect(peer.ended).toBe(true);
      peer.connection.end();
    }
    await harness.passes(1);
    await closing;
  });
});
