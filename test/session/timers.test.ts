/** `session.after`: functions that a handler has called later. */
import { describe, expect, it, vi } from 'vitest';
import { YodelError } from '../../src/errors.ts';
import { compose } from '../../src/handlers/compose.ts';
import { ForwardedSession } from '../../src/session/forwarded-session.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness, serveOneClient } from './harness.ts';

const late = () => new YodelError('APP_LOGIN_TIMEOUT', 'no login', { reply: 'log in within 10 s' });

describe('session.after', () => {
  it('calls the function once, in that time, and what it sends arrives', async () => {
    const { harness, peer } = await serveOneClient({
      handler: { open: (session) => void session.after(1000, () => session.send('a second is over')) },
    });
    await harness.passes(999);
    expect(peer.text).toBe('');
    await harness.passes(1);
    expect(peer.text).toBe('a second is over\n');
    await harness.passes(5000);
    expect(peer.lines).toHaveLength(1);
  });

  it('limits the time to log in', async () => {
    const closed: unknown[] = [];
    const harness = await Harness.open({
      data: () => ({}),
      handler: {
        open: (session) => {
          const timer = session.after(10_000, () => session.close(late()));
          Object.assign(session.data as object, { timer });
        },
        message: ({ text }, { data }) => {
          if (text === 'log in') (data as { timer: { cancel(): void } }).timer.cancel();
          return text;
        },
      },
      telemetry: { closed: (_, error) => closed.push(error?.code) },
    });
    const [silent, user] = [await harness.connect(), await harness.connect()];
    await user.says('log in\n');
    await silent.says('what?\n');
    await harness.passes(10_000);
    expect(silent.text).toBe('what?\nerror: log in within 10 s\n');
    expect(silent.ended).toBe(true);
    expect(await user.says('hello\n')).toBe('hello\n');
    await silent.ends();
    expect(closed).toEqual(['APP_LOGIN_TIMEOUT']);
  });

  it('is called after what the peer has sent in time, also if the process stood still', async () => {
    const { harness, peer } = await serveOneClient({
      handler: {
        open: (session) => void session.after(1000, () => session.send('over')),
        message: ({ text }) => text,
      },
    });
    harness.clock.stall(60_000);
    await settled();
    expect(peer.text).toBe('');
    await harness.passes(1000);
    expect(peer.text).toBe('over\n');
  });

  it('is not called once the session has ended', async () => {
    const run = vi.fn();
    for (const end of ['close', 'abort', 'peer'] as const) {
      const { harness, peer, session } = await serveOneClient();
      session.after(1000, run);
      if (end === 'peer') await peer.ends();
      else session[end]();
      await harness.passes(2000);
      session.after(1000, run).cancel();
      session.after(1000, run);
      await harness.passes(2000);
      await harness.close();
    }
    expect(run).not.toHaveBeenCalled();
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('oops');
      },
    ],
    ['rejects', () => Promise.reject(new Error('oops'))],
  ])('closes the session if it %s, as if the handler had thrown', async (_, run) => {
    const failures: unknown[] = [];
    const { harness, peer, session } = await serveOneClient({
      telemetry: { handlerFailed: (_, { cause }) => failures.push(cause) },
    });
    session.after(1, run as () => void);
    await harness.passes(1);
    expect(peer.text).toBe('error: the handler failed on the server\n');
    expect(peer.ended).toBe(true);
    expect(failures).toEqual([new Error('oops')]);
  });

  it('with an own error says why, and a rejection because the session is over is no failure', async () => {
    const handlerFailed = vi.fn();
    const { harness, peer, session } = await serveOneClient({ telemetry: { handlerFailed } });
    const { signal } = session;
    session.after(
      1,
      () => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))) as never,
    );
    session.after(2, () => {
      throw late();
    });
    await harness.passes(2);
    expect(peer.text).toBe('error: log in within 10 s\n');
    await peer.ends();
    await settled();
    expect(handlerFailed).not.toHaveBeenCalled();
  });

  it('works through middleware that forwards the session', async () => {
    const handler = compose(
      { message: (message, session, next) => next(message, new ForwardedSession(session)) },
      { message: (_, session) => void session.after(5, () => session.send('later')) },
    );
    const { harness, peer } = await serveOneClient({ handler });
    await peer.says('now\n');
    await harness.passes(5);
    expect(peer.text).toBe('later\n');
  });

  it.each([
    [0, () => undefined, 'the option "delayMs" takes a whole number from 1 to 2147483647, not 0'],
    [1.5, () => undefined, 'the option "delayMs" takes a whole number from 1 to 2147483647, not 1.5'],
    [5, 'run', 'session.after() takes a function to call'],
  ])('refuses %s, %s', async (delayMs, run, message) => {
    const { session } = await serveOneClient();
    expect(() => session.after(delayMs, run as never)).toThrow(
      expect.objectContaining({ code: 'YODEL_INVALID_OPTION', message }),
    );
  });
});
