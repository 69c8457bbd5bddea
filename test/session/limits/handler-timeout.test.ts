import { describe, expect, it } from 'vitest';
import type { YodelError } from '../../../src/errors.ts';
import type { Handler, HandlerObject } from '../../../src/session/handler.ts';
import type { Session } from '../../../src/session/public-session.ts';
import { settled } from '../../../src/testing/turns.ts';
import { type HarnessOptions, serveOneClient } from '../harness.ts';

const never = () => new Promise<never>(() => undefined);
const error = 'error: the handler took longer than 1 s\n';

/** A server with one client, and what its log would show. */
async function limited(handler: Handler, options: HarnessOptions = {}) {
  const failures: string[] = [];
  const closed: (YodelError | undefined)[] = [];
  const served = await serveOneClient({
    idleTimeout: 0,
    messageTimeout: 0,
    drainTimeout: 0,
    handlerTimeout: 1000,
    handler,
    telemetry: {
      handlerFailed: (_, { code, cause }) => failures.push(`${code}: ${String(cause)}`),
      closed: (_, reason) => closed.push(reason),
    },
    ...options,
  });
  return { failures, closed, ...served };
}

describe('handlerTimeout', () => {
  const callbacks: [
    string,
    HandlerObject,
    (peer: { says(text: string): Promise<string>; ends(): Promise<unknown> }) => unknown,
  ][] = [
    ['open', { open: never }, () => undefined],
    ['message', { message: never }, (peer) => peer.says('a\n')],
    ['batch', { batch: never }, (peer) => peer.says('a\n')],
    ['end', { end: never }, (peer) => peer.ends()],
  ];
  it.each(callbacks)('ends a session whose %s never settles', async (name, handler, call) => {
    const { peer, harness, session, failures, closed } = await limited(handler);
    const { signal } = session;
    await call(peer);
    await harness.passes(999);
    expect(peer.text).toBe('');
    expect(signal.aborted).toBe(false);
    await harness.passes(1);
    expect(peer.text).toBe(error);
    expect(peer.ended).toBe(true);
    expect(signal.reason).toMatchObject({ code: 'YODEL_HANDLER_TIMEOUT', message: 'the handler took longer than 1 s' });
    expect(failures).toEqual([`YODEL_HANDLER_TIMEOUT: ${name}() of the handler has not finished`]);
    if (name !== 'end') await peer.ends();
    expect(closed).toEqual([signal.reason]);
    expect(harness.server.counters.errors.get('YODEL_HANDLER_TIMEOUT')).toBe(1);
  });

  it('names the function', async () => {
    async function reverse() {
      await never();
    }
    const { peer, harness, failures } = await limited(reverse);
    await peer.says('a\n');
    await harness.passes(1000);
    expect(failures).toEqual(['YODEL_HANDLER_TIMEOUT: message() of reverse has not finished']);
  });

  it('aborts the signal that is used for the first time afterwards', async () => {
    const { peer, harness, session } = await limited(never);
    await peer.says('a\n');
    await harness.passes(1000);
    expect(session.signal.reason).toMatchObject({ code: 'YODEL_HANDLER_TIMEOUT' });
  });

  it('does not report that the handler stops because of the signal, but whatever else it throws later', async () => {
    for (const [thrown, reports] of [
      ['the reason', 1],
      ['a bug', 2],
    ] as const) {
      const { peer, harness, failures } = await limited(async (_message, { signal }: Session) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        throw thrown === 'the reason' ? signal.reason : new Error(thrown);
      });
      await peer.says('a\n');
      await harness.passes(1000);
      expect(failures).toHaveLength(reports);
      expect(peer.text).toBe(error);
    }
  });

  it('restarts with every message that the handler sends', async () => {
    const { peer, harness, session } = await limited(never);
    await peer.says('a\n');
    for (const part of ['1', '2', '3']) {
      await harness.passes(900);
      session.send(part);
      await settled();
    }
    await harness.passes(999);
    expect(peer.text).toBe('1\n2\n3\n');
    await harness.passes(1);
    expect(peer.text).toBe(`1\n2\n3\n${error}`);
  });

  it('does not restart with what the client sends', async () => {
    const { peer, harness } = await limited(never);
    for (let each = 0; each < 10; each++) {
      expect(peer.text).toBe('');
      await peer.says('a\n');
      await harness.passes(100);
    }
    expect(peer.text).toBe(error);
  });

  it.each([
    ['message', (reply: () => Promise<string>) => ({ message: reply })],
    ['batch', (reply: () => Promise<string>) => ({ batch: reply })],
  ])('is for each call of %s: a queue may take longer', async (_, handlerOf) => {
    let release = () => {};
    const handler = handlerOf(
      () =>
        new Promise<string>((resolve) => {
          release = () => resolve('done');
        }),
    );
    const { peer, harness } = await limited(handler);
    await peer.says('a\n');
    await peer.says('b\n');
    await peer.says('c\n');
    for (let each = 0; each < 3; each++) {
      await harness.passes(900);
      release();
      await settled();
    }
    expect(peer.text).toBe('done\n'.repeat(3));
    await harness.passes(10_000);
    expect(peer.ended).toBe(false);
  });

  it('does not count the time in which the client reads: that is for drainTimeout', async () => {
    const handler = async (_message: unknown, session: Session) => {
      session.send('x'.repeat(1000));
      await session.drained();
      return 'done';
    };
    const { peer, harness } = await limited(handler, { network: { capacity: 10 }, highWaterMark: 100 });
    peer.connection.pause();
    await peer.says('a\n');
    await harness.passes(100_000);
    expect(peer.ended).toBe(false);
    peer.connection.resume();
    await settled();
    expect(peer.text).toContain('done');
  });

  it('begins when the client has read everything', async () => {
    const handler = async (_message: unknown, session: Session) => {
      session.send('x'.repeat(1000));
      return await never();
    };
    const { peer, harness } = await limited(handler, { network: { capacity: 10 } });
    peer.connection.pause();
    await peer.says('a\n');
    await harness.passes(5000);
    peer.connection.resume();
    await settled();
    await harness.passes(999);
    expect(peer.text).not.toContain('error');
    await harness.passes(1);
    expect(peer.text).toContain(error);
  });

  it('does not count the time of the messages that wait for the rate', async () => {
    const { peer, harness } = await limited(async ({ text }) => text, { rate: 0.1 });
    await peer.says('a\nb\nc\n');
    await harness.passes(30_000);
    expect(peer.text).toBe('a\nb\nc\n');
  });

  it('does not apply to a handler that limits itself', async () => {
    const { peer, harness } = await limited({ limitsItself: true, message: never });
    await peer.says('a\n');
    await harness.passes(1_000_000);
    expect(peer.ended).toBe(false);
  });

  it('0 disables it', async () => {
    const { peer, harness } = await limited(never, { handlerTimeout: 0 });
    await peer.says('a\n');
    await harness.passes(1_000_000);
    expect(peer.ended).toBe(false);
  });

  it('ends a session whose client is gone already', async () => {
    const { peer, harness, session } = await limited({
      open: (session) => session.end(),
      message: never,
    });
    await peer.says('a\n');
    await peer.ends();
    expect(harness.server.sessions.size).toBe(1);
    await harness.passes(1000);
    expect(harness.server.sessions.size).toBe(0);
    expect(session.signal.reason).toMatchObject({ code: 'YODEL_HANDLER_TIMEOUT' });
  });
});
