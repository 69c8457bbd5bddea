import { describe, expect, it } from 'vitest';
import { Reconnector } from '../../src/client/reconnector.ts';
import { YodelError } from '../../src/errors.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { settled } from '../../src/testing/turns.ts';

/** A reconnector whose attempts the test answers, and the times at which they were made. */
function reconnector(maxAttempts = 0) {
  const clock = new FakeClock();
  const startedAt = clock.now();
  const one = new Reconnector({ minDelay: 100, maxDelay: 1000, maxAttempts }, clock);
  const attempts: { at: number; signal: AbortSignal; settle: PromiseWithResolvers<string> }[] = [];
  const failures: string[] = [];
  const connecting = one.connect(
    (signal) => {
      const settle = Promise.withResolvers<string>();
      signal.addEventListener('abort', () => settle.reject(signal.reason));
      attempts.push({ at: clock.now() - startedAt, signal, settle });
      return settle.promise;
    },
    (error) => void failures.push(error.message),
  );
  const fail = async (text: string) => {
    attempts.at(-1)?.settle.reject(new YodelError('YODEL_NETWORK', text));
    await settled();
  };
  return { clock, one, attempts, failures, connecting, fail };
}

describe('a reconnector', () => {
  it('resolves with what was opened, and reports each failure before', async () => {
    const { clock, attempts, failures, connecting, fail } = reconnector();
    await clock.advance(100);
    await fail('first');
    await clock.advance(200);
    attempts[1]?.settle.resolve('connected');
    expect(await connecting).toBe('connected');
    expect(failures).toEqual(['first']);
    expect(clock.waiting).toBe(0);
  });

  it('throws errors other than network errors, because they are bugs', async () => {
    const { clock, attempts, connecting } = reconnector();
    await clock.advance(100);
    attempts[0]?.settle.reject(new TypeError('a bug'));
    await expect(connecting).rejects.toThrow(new TypeError('a bug'));
  });

  it('retries at once on retryNow(), during a delay', async () => {
    const { clock, one, attempts, fail } = reconnector();
    await settled();
    one.retryNow();
    await settled();
    expect(attempts.map(({ at }) => at)).toEqual([0]);
    // That was the only attempt without a delay.
    await fail('refused');
    expect(attempts).toHaveLength(1);
    await clock.advance(200);
    expect(attempts).toHaveLength(2);
  });

  it('aborts the attempt in flight and makes another one on retryNow()', async () => {
    const { clock, one, attempts, failures } = reconnector(1);
    await clock.advance(100);
    one.retryNow();
    await settled();
    expect(attempts.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    expect(failures).toEqual(['connecting was aborted']);
  });

  it('skips the first delay if retryNow() is called before it starts', async () => {
    const clock = new FakeClock();
    const one = new Reconnector({ minDelay: 100, maxDelay: 1000, maxAttempts: 0 }, clock);
    one.retryNow();
    expect(
      await one.connect(
        async () => 'connected',
        () => {},
      ),
    ).toBe('connected');
  });

  it.each(['a delay', 'an attempt'])('resolves with undefined when it is cancelled during %s', async (during) => {
    const { clock, one, attempts, connecting } = reconnector();
    if (during === 'an attempt') await clock.advance(100);
    await settled();
    one.cancel();
    expect(await connecting).toBeUndefined();
    expect(attempts.every(({ signal }) => signal.aborted)).toBe(true);
    expect(clock.waiting).toBe(0);
  });

  it('resolves with undefined after maxAttempts', async () => {
    const { clock, one, attempts, connecting, fail } = reconnector(2);
    await clock.advance(100);
    await fail('first');
    await clock.advance(200);
    expect(one.isExhausted).toBe(true);
    await fail('second');
    expect(await connecting).toBeUndefined();
    expect(attempts).toHaveLength(2);
  });

  it.each([
    ['has answered a request', { hasReceived: true, hasAnswered: true }, 0, true],
    [
      'has sent something, and was open for as long as the pause before',
      { hasReceived: true, hasAnswered: false },
      100,
      true,
    ],
    ['has sent something, and was closed at once', { hasReceived: true, hasAnswered: false }, 99, false],
    ['has sent nothing', { hasReceived: false, hasAnswered: false }, 10_000, false],
  ])('counts no attempt before a connection that worked: it %s', async (_, use, openMs, hasWorked) => {
    const { clock, one, attempts, connecting } = reconnector(1);
    await clock.advance(100);
    attempts[0]?.settle.resolve('connected');
    await connecting;
    await clock.advance(openMs);
    one.lost(use);
    expect(one.isExhausted).toBe(!hasWorked);
  });
});
