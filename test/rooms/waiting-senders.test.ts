/** With `roomBehind: 'wait'` senders wait for slow members: none of them for ever, whoever waits for whom. */

import { describe, expect, it } from 'vitest';
import type { HandlerObject } from '../../src/session/handler.ts';
import type { Peer } from '../../src/testing/peer.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness, type HarnessOptions } from '../session/harness.ts';
import { fc } from '../support/fast-check.ts';

/** `join a`, `leave a`, `a text`, and `ping`. */
const handler: HandlerObject = {
  message({ text }, session) {
    const [word = '', rest = ''] = text.split(/ (.*)/);
    if (word === 'ping') return 'pong';
    if (word === 'join') session.join(rest);
    else if (word === 'leave') session.leave(rest);
    else session.server.room(word).send(text, { from: session });
    return undefined;
  },
  missed: (_session, room, messages) => `missed ${messages} in ${room}`,
};

const long = '.'.repeat(99);

async function open(size: number, options: HarnessOptions = {}) {
  const harness = await Harness.open({
    handler,
    roomBehind: 'wait',
    roomBuffer: 4_000,
    highWaterMark: 1_000,
    network: { capacity: 500 },
    joinRate: 0,
    ...options,
  });
  const peers: Peer[] = [];
  for (let count = 0; count < size; count++) peers.push(await harness.connect());
  return { harness, peers };
}

/** What it sends, a few lines at a time. */
async function says(peer: Peer, room: string, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += 5) await peer.says(`${room} ${long}\n`.repeat(5));
}

const countIn = (peer: Peer, room: string) => peer.lines.filter((line) => line.startsWith(`${room} `)).length;

describe('with roomBehind "wait"', () => {
  it('a sender that is itself the slow member continues once it reads', async () => {
    const { peers } = await open(1);
    const [only] = peers as [Peer];
    await only.says('join a\n');
    only.connection.pause();
    await says(only, 'a', 300);
    only.connection.resume();
    await only.until(() => countIn(only, 'a') === 300);
    expect(await only.says('ping\n')).toBe('pong\n');
    expect(only.text).not.toContain('missed');
  });

  it('one that never reads is disconnected after drainTimeout, and the others continue', async () => {
    const { harness, peers } = await open(3, { drainTimeout: 10_000, idleTimeout: 0 });
    const [slow, sender, member] = peers as [Peer, Peer, Peer];
    for (const peer of peers) await peer.says('join a\n');
    slow.connection.pause();
    await says(sender, 'a', 300);
    expect(countIn(member, 'a')).toBeLessThan(150);
    await harness.passes(10_001);
    expect(slow.closed).toBe(true);
    await member.until(() => countIn(member, 'a') === 300);
    expect(await sender.says('ping\n')).toBe('pong\n');
  });

  it('two that send to rooms where the other one is slow both continue', async () => {
    const { peers } = await open(2);
    const [one, two] = peers as [Peer, Peer];
    await one.says('join a\n');
    await two.says('join b\n');
    for (const { connection } of peers) connection.pause();
    await says(one, 'b', 200);
    await says(two, 'a', 200);
    for (const { connection } of peers) connection.resume();
    await one.until(() => countIn(one, 'a') === 200);
    await two.until(() => countIn(two, 'b') === 200);
    for (const peer of peers) expect(await peer.says('ping\n')).toBe('pong\n');
  });

  it('neither one that waits nor the slow member keeps the server from closing', async () => {
    const { harness, peers } = await open(3);
    const [slow, sender, gone] = peers as [Peer, Peer, Peer];
    await slow.says('join a\n');
    slow.connection.pause();
    await says(sender, 'a', 300);
    await says(gone, 'a', 5);
    await gone.aborts();
    const closing = harness.server.close({ timeoutMs: 5_000 });
    await harness.passes(100);
    slow.connection.resume();
    await slow.until(() => slow.ended);
    await sender.until(() => sender.ended);
    for (const peer of [slow, sender]) peer.connection.end();
    await harness.passes(100);
    await closing;
    expect(countIn(slow, 'a')).toBeGreaterThan(10);
  });

  it('nobody waits for ever, whatever happens', async () => {
    const people = 4;
    const step = fc.record({
      does: fc.constantFrom('send', 'send', 'send', 'join', 'leave', 'pause', 'resume', 'evict', 'abort', 'end'),
      who: fc.nat(people - 1),
      room: fc.constantFrom('a', 'b'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { harness, peers } = await open(people, { drainTimeout: 0, idleTimeout: 0 });
        for (const peer of peers) await peer.says('join a\njoin b\n');
        for (const { does, who, room } of steps) {
          const peer = peers[who] as Peer;
          if (does === 'send') await peer.says(`${room} ${long}\n`.repeat(10));
          else if (does === 'join' || does === 'leave') await peer.says(`${does} ${room}\n`);
          else if (does === 'pause') peer.connection.pause();
          else if (does === 'resume') peer.connection.resume();
          else if (does === 'evict') harness.server.room(room).evict();
          else if (does === 'abort') await peer.aborts();
          else await peer.ends();
        }
        for (const { connection } of peers) connection.resume();
        for (let round = 0; round < 3; round++) await settled();
        for (const peer of peers) {
          if (!peer.closed && !peer.ended) expect(await peer.says('ping\n')).toMatch(/pong\n$/);
        }
        await harness.close();
      }),
      { numRuns: 40 },
    );
  });
});
