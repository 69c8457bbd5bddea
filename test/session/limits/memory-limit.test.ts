import { describe, expect, it } from 'vitest';
import type { YodelError } from '../../../src/errors.ts';
import { MemoryLimit, type MemoryUser } from '../../../src/session/memory-limit.ts';
import type { Session } from '../../../src/session/public-session.ts';
import { FakeClock } from '../../../src/testing/fake-clock.ts';
import type { Peer } from '../../../src/testing/peer.ts';
import { settled } from '../../../src/testing/turns.ts';
import { fc } from '../../support/fast-check.ts';
import { Harness } from '../harness.ts';

const limit = 100_000;
const network = { capacity: 500, chunkSize: 1000 };

/** A server that records how its sessions end. */
async function openSessions(size: number, options: Parameters<typeof Harness.open>[0] = {}) {
  const ends: { readonly session: Session; readonly code: string | undefined }[] = [];
  const telemetry = {
    closed: (session: unknown, error: YodelError | undefined) =>
      void ends.push({ session: session as Session, code: error?.code }),
  };
  const harness = await Harness.open({ network, maxPendingBytes: limit, telemetry, ...options });
  const peers: Peer[] = [];
  for (let count = 0; count < size; count++) peers.push(await harness.connect());
  return { harness, peers, sessions: [...harness.server.sessions] as Session[], ends };
}

describe('above maxPendingBytes', () => {
  it('the largest session is disconnected, and the others continue', async () => {
    const { harness, peers, sessions, ends } = await openSessions(3, { drainTimeout: 0 });
    for (const peer of peers) peer.connection.pause();
    sessions[0]?.send('a'.repeat(30_000));
    sessions[1]?.send('b'.repeat(40_000));
    await harness.passes(1);
    expect(ends).toEqual([]);
    sessions[2]?.send('c'.repeat(35_000));
    await harness.passes(1);
    expect(ends).toEqual([{ session: sessions[1], code: 'YODEL_TOO_MANY_PENDING_BYTES' }]);
    expect(harness.server.pendingBytes).toBeLessThanOrEqual(limit);
    for (const peer of peers) peer.connection.resume();
    await peers[0]?.until(() => peers[0]?.text === `${'a'.repeat(30_000)}\n`);
    await peers[2]?.until(() => peers[2]?.text === `${'c'.repeat(35_000)}\n`);
    expect(harness.server.counters.errors.get('YODEL_TOO_MANY_PENDING_BYTES')).toBe(1);
  });

  it('the error states the number of bytes', async () => {
    const said: (string | undefined)[] = [];
    const { harness, peers, sessions } = await openSessions(1, {
      drainTimeout: 0,
      telemetry: { closed: (_, error) => void said.push(error?.message) },
    });
    peers[0]?.connection.pause();
    sessions[0]?.send('x'.repeat(limit + 1000));
    await harness.passes(1);
    expect(said[0]).toMatch(
      /^buffered \d+ bytes, the most of all sessions, when their total exceeded maxPendingBytes \(100000\)$/,
    );
  });

  it('unfinished messages count as well', async () => {
    const { harness, peers, ends } = await openSessions(12, { maxMessageLength: 10_000, maxPendingBytes: 50_000 });
    for (const peer of peers) await peer.says('x'.repeat(9_000));
    expect(harness.server.pendingBytes).toBeLessThanOrEqual(50_000);
    expect(new Set(ends.map(({ code }) => code))).toEqual(new Set(['YODEL_TOO_MANY_PENDING_BYTES']));
    const left = peers.filter(({ closed }) => !closed);
    expect(left.length).toBeGreaterThanOrEqual(5);
    for (const peer of left) await peer.says('\n');
    for (const peer of left) await peer.until(() => peer.text === `${'x'.repeat(9_000)}\n`);
  });

  it('messages that wait for a slow handler count as well', async () => {
    const { harness, peers, sessions } = await openSessions(1, { handler: () => new Promise(() => undefined) });
    await peers[0]?.says('hello\n'.repeat(100));
    expect(sessions[0]?.queued).toBe(6 * 99);
    // The one that is being handled counts as well, and what they cost besides their bytes.
    expect(harness.server.pendingBytes).toBeGreaterThan(6 * 100 + 100 * 8);
    expect(harness.server.pendingBytes).toBeLessThan(6 * 100 + 100 * 16 + 2 * 1024);
  });
});

const noTimeouts = { messageTimeout: 0, drainTimeout: 0 };

/** Peers that do not read, with 8,500 bytes pending for each. */
async function fill(peers: readonly Peer[], sessions: readonly Session[]): Promise<void> {
  for (const [index, peer] of peers.entries()) {
    peer.connection.pause();
    sessions[index]?.send('x'.repeat(8_500));
    await settled();
  }
}

describe('above three quarters of maxPendingBytes', () => {
  it('a session that grows is not read until nothing is pending for it', async () => {
    const { peers, sessions, ends } = await openSessions(12, { highWaterMark: 50_000, ...noTimeouts });
    const large = peers[10];
    const small = peers[11];
    await fill(peers.slice(0, 10), sessions);
    large?.connection.pause();
    await large?.says('hello\n'.repeat(2500));
    expect(sessions[10]?.bytesReceived).toBeLessThan(12_000);
    // A session that buffers little is read, and answered.
    expect(await small?.says('hello\n')).toBe('hello\n');
    large?.connection.resume();
    await large?.until(() => large.size === 6 * 2500);
    expect(ends).toEqual([]);
  });

  it('a throttled session resumes when half of the limit is free again', async () => {
    const { peers, sessions, ends } = await openSessions(11, { highWaterMark: 50_000, ...noTimeouts });
    const large = peers[10];
    await fill(peers.slice(0, 10), sessions);
    large?.connection.pause();
    await large?.says('hello\n'.repeat(2500));
    expect(sessions[10]?.bytesReceived).toBeLessThan(12_000);
    for (const peer of peers.slice(0, 10)) peer.connection.resume();
    await large?.says('hello\n');
    expect(sessions[10]?.bytesReceived).toBe(6 * 2501);
    expect(ends).toEqual([]);
  });

  it('a message can always be completed', async () => {
    const { peers, sessions, ends } = await openSessions(11, { maxMessageLength: 30_000, ...noTimeouts });
    await fill(peers.slice(0, 10), sessions);
    await peers[10]?.says('y'.repeat(15_000));
    await peers[10]?.says('\n');
    await peers[10]?.until(() => peers[10]?.size === 15_001);
    expect(ends).toEqual([]);
  });
});

it('a reload changes maxPendingBytes', async () => {
  const { harness, peers, sessions, ends } = await openSessions(2, { drainTimeout: 0 });
  for (const peer of peers) peer.connection.pause();
  sessions[0]?.send('x'.repeat(50_000));
  await harness.passes(1);
  await harness.server.reload({ maxPendingBytes: 40_000 });
  sessions[1]?.send('y'.repeat(1_000));
  await harness.passes(1);
  expect(ends).toHaveLength(1);
});

describe('what handlers work on', () => {
  /** A handler that finishes when the test says so. */
  function slowHandler() {
    const called: string[] = [];
    const finish: (() => void)[] = [];
    const handler = ({ text }: { readonly text: string }) => {
      called.push(text.slice(0, 5));
      return new Promise<string>((resolve) => finish.push(() => resolve('done')));
    };
    return { called, finish, handler };
  }

  const large = (name: string) => `${name.padEnd(5)}${'x'.repeat(20_000)}\n`;
  const roomy = { network: { capacity: 200_000, chunkSize: 100_000 }, ...noTimeouts };

  it('counts until it is done', async () => {
    const { handler, finish } = slowHandler();
    const { harness, peers } = await openSessions(1, { handler, ...roomy });
    await peers[0]?.says(large('one'));
    expect(harness.server.pendingBytes).toBeGreaterThan(20_000);
    finish[0]?.();
    await peers[0]?.until(() => peers[0]?.text === 'done\n');
    expect(harness.server.pendingBytes).toBe(0);
  });

  it('is bounded: above half of the limit, other handlers are not called, and no session is disconnected', async () => {
    const { handler, called, finish } = slowHandler();
    const { peers, ends } = await openSessions(3, { handler, ...roomy });
    for (const [index, peer] of peers.entries()) await peer.says(large(`${index}`));
    expect(called).toEqual(['0    ']);
    for (const [index, peer] of peers.entries()) {
      finish[index]?.();
      await peer.until(() => peer.text === 'done\n');
      await settled();
      expect(called).toHaveLength(Math.min(index + 2, 3));
    }
    expect(ends).toEqual([]);
  });

  it('does not delay short messages', async () => {
    const { handler, called } = slowHandler();
    const { peers } = await openSessions(3, { handler, ...roomy });
    for (const [index, peer] of peers.slice(0, 2).entries()) await peer.says(large(`${index}`));
    await peers[2]?.says('short\n');
    expect(called).toEqual(['0    ', 'short']);
  });

  it('is bounded also if its session has ended', async () => {
    const { handler, called, finish } = slowHandler();
    const { harness, peers } = await openSessions(2, { handler, ...roomy });
    await peers[0]?.says(large('gone'));
    peers[0]?.connection.abort();
    await settled();
    expect(harness.server.pendingBytes).toBe(0);
    await peers[1]?.says(large('next'));
    expect(called).toEqual(['gone ']);
    finish[0]?.();
    await settled();
    await settled();
    expect(called).toEqual(['gone ', 'next ']);
  });

  it('delays messages that are still handled after another session was disconnected for its size', async () => {
    const { handler, called, finish } = slowHandler();
    const { harness, peers, sessions, ends } = await openSessions(3, { handler, ...roomy });
    await peers[0]?.says(large('first'));
    await peers[1]?.says(large('waits'));
    peers[2]?.connection.pause();
    sessions[2]?.send('x'.repeat(300_000));
    await harness.passes(1);
    expect(ends).toEqual([{ session: sessions[2], code: 'YODEL_TOO_MANY_PENDING_BYTES' }]);
    expect(called).toEqual(['first']);
    finish[0]?.();
    await settled();
    await settled();
    expect(called).toEqual(['first', 'waits']);
  });

  it('counts no more once its session has ended and handlerTimeout has passed: it may never be done', async () => {
    const { handler, called } = slowHandler();
    const { harness, peers } = await openSessions(2, { handler, ...roomy, handlerTimeout: 5000 });
    await peers[0]?.says(large('gone'));
    peers[0]?.connection.abort();
    await settled();
    await peers[1]?.says(large('next'));
    await harness.passes(4900);
    expect(called).toEqual(['gone ']);
    await harness.passes(200);
    expect(called).toEqual(['gone ', 'next ']);
  });
});

it('memory that several sessions keep counts once, until the last of them keeps it no more', () => {
  const memoryLimit = new MemoryLimit(limit, new FakeClock());
  const message = {};
  for (let session = 0; session < 3; session++) memoryLimit.share(message, 50);
  expect(memoryLimit.total).toBe(50);
  memoryLimit.unshare(message, 50);
  memoryLimit.unshare(message, 50);
  expect(memoryLimit.total).toBe(50);
  memoryLimit.unshare(message, 50);
  expect(memoryLimit.total).toBe(0);
});

it('a session whose handler buffers parts of something is read on: only that can complete it', async () => {
  const handler = {
    message: ({ size }: { readonly size: number }, session: Session) => session.reportBuffered(size * 1000),
  };
  const { peers, sessions, ends } = await openSessions(2, { handler, ...noTimeouts });
  await peers[0]?.says(`${'x'.repeat(70)}\n`);
  await peers[1]?.says('12345678\n');
  await peers[1]?.says('1234567\n');
  expect(sessions[1]?.bytesReceived).toBe(17);
  expect(ends).toEqual([]);
});

describe('for any buffered bytes', () => {
  class Model implements MemoryUser {
    buffered = 0;
    hasPending = false;
    throttled = false;
    readonly #memoryLimit: MemoryLimit;

    constructor(memoryLimit: MemoryLimit) {
      this.#memoryLimit = memoryLimit;
    }

    buffers(bytes: number, hasPending = bytes % 2 === 1): void {
      this.hasPending = hasPending;
      const before = this.buffered;
      this.buffered = bytes;
      this.#memoryLimit.changed(this, bytes - before, bytes > before);
    }

    costs(): number {
      return this.buffered;
    }

    throttle(isThrottled: boolean): void {
      this.throttled = isThrottled;
    }

    disconnect(): void {
      this.buffers(0);
    }
  }

  it('the total is right and never above the limit, and no session is throttled below half of it', () => {
    const change = fc.record({ who: fc.nat(4), bytes: fc.nat(120) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 50 }), (changes) => {
        const memoryLimit = new MemoryLimit(100, new FakeClock());
        const all = Array.from({ length: 5 }, () => new Model(memoryLimit));
        for (const { who, bytes } of changes) {
          all[who]?.buffers(bytes);
          const sum = all.reduce((total, { buffered }) => total + buffered, 0);
          expect(memoryLimit.total).toBe(sum);
          expect(sum).toBeLessThanOrEqual(100);
          if (sum < 50) expect(all.filter(({ throttled }) => throttled)).toEqual([]);
          expect(all.filter(({ throttled, hasPending }) => throttled && !hasPending)).toEqual([]);
        }
      }),
    );
  });
});
