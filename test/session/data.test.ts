/** What sessions have as `session.data`. */
import { describe, expect, it } from 'vitest';
import { testSession } from '../../src/testing/test-server.ts';

describe('session.data', () => {
  it('is an object of the session without the option data', async () => {
    const session = await testSession(({ text }, { data }) => {
      data.seen = `${data.seen ?? ''}${text}`;
      return data.seen as string;
    });
    expect(await session.exchange('a', 'b')).toEqual(['a', 'ab']);
    await session.close();
  });

  it.each([null, undefined, 0, ''])('is what the option data returns, also if that is %o', async (value) => {
    const session = await testSession((_, { data }) => String(data === value), { data: () => value });
    expect(await session.say('a')).toBe('true');
    await session.close();
  });

  it('is what authorizeUpgrade gives, also if that is null', async () => {
    const options = {
      listen: 'ws://test:80',
      authorizeUpgrade: () => ({ data: null }),
      data: () => 1 as number | null,
    };
    const session = await testSession((_, { data }) => String(data), options);
    expect(await session.say('a')).toBe('null');
    await session.close();
  });

  it('is an empty object in close, if data threw', async () => {
    const seen: unknown[] = [];
    const failing = () => {
      throw new Error('no data');
    };
    const opening = testSession(
      { close: ({ data }) => void seen.push(data) },
      { data: failing as () => { id: number } },
    );
    await expect(opening).rejects.toThrow('no data');
    expect(seen).toEqual([{}]);
  });
});
