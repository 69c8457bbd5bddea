import { describe, expect, it } from 'vitest';
import { rememberedIds } from '../../src/requests/by-ids.ts';
import type { RequestId } from '../../src/requests/correlation.ts';
import { settled } from '../../src/testing/turns.ts';
import { fateOf } from '../client/host.ts';
import { byNumber, requestsOf } from './ends.ts';

const invalid = { code: 'YODEL_INVALID_REQUEST_ID' };

describe('requests that are matched by ids', () => {
  it('get their replies in any order, among other messages', async () => {
    const { requests, request } = requestsOf(byNumber);
    const replies = Promise.all([request('1:a'), request('2:b')]);
    expect(['news', '2:B', '7:who?', '1:A', '1:again'].map((text) => requests.take(text))).toEqual([
      false,
      true,
      false,
      true,
      false,
    ]);
    expect(await replies).toEqual(['1:A', '2:B']);
  });

  it.each([
    ['without an id', () => undefined],
    ['whose id is no id', () => ({}) as never],
    ['whose id is not a number', () => Number.NaN],
    [
      'for which requestId throws',
      () => {
        throw new Error('my mistake');
      },
    ],
  ])('%s are not sent', async (_, requestId) => {
    const { request, sent } = requestsOf({ requestId, replyId: () => undefined });
    await expect(request('a')).rejects.toMatchObject(invalid);
    expect(sent).toEqual([]);
  });

  it('keep the error of requestId as the cause', async () => {
    const mistake = new Error('my mistake');
    const { request } = requestsOf({
      requestId: () => {
        throw mistake;
      },
      replyId: () => undefined,
    });
    await expect(request('a')).rejects.toMatchObject({ cause: mistake });
  });

  it('may not use an id that is in use', async () => {
    const { requests, request, sent } = requestsOf(byNumber);
    const first = request('1:a');
    await expect(request('1:b')).rejects.toMatchObject(invalid);
    requests.take('1:A');
    const again = request('1:c');
    requests.take('1:C');
    expect([await first, await again]).toEqual(['1:A', '1:C']);
    expect(sent).toEqual(['1:a', '1:c']);
  });

  it('may use an id again only after the late reply of its first user', async () => {
    const { requests, request, clock } = requestsOf(byNumber);
    const first = fateOf(request('1:a', 100));
    await clock.advance(100);
    expect(first.error).toMatchObject({ code: 'YODEL_REQUEST_TIMEOUT' });
    await expect(request('1:b')).rejects.toMatchObject(invalid);
    expect(requests.take('1:A'), 'the late reply').toBe(true);
    expect(requests.counters.lateReplies).toBe(1);
    const again = request('1:c');
    requests.take('1:C');
    expect(await again).toBe('1:C');
  });

  it('may use every id again on the next connection', async () => {
    const { requests, request } = requestsOf(byNumber);
    const first = fateOf(request('1:a'));
    const cancelled = fateOf(request('2:b', 0, AbortSignal.abort()));
    requests.fail(new Error('lost') as never);
    await settled();
    expect([first.settled, cancelled.settled]).toEqual([true, true]);
    const replies = Promise.all([request('1:c'), request('2:d')]);
    requests.take('2:D');
    requests.take('1:C');
    expect(await replies).toEqual(['1:C', '2:D']);
  });

  it('distinguish text, numbers and bigints', async () => {
    const ids: Record<string, RequestId> = { text: '1', number: 1, bigint: 1n };
    const id = (text: string) => ids[text];
    const { requests, request } = requestsOf({ requestId: id, replyId: id } as never);
    const names = ['text', 'number', 'bigint'];
    const replies = names.map((name) => request(name));
    for (const name of names.toReversed()) expect(requests.take(name)).toBe(true);
    expect(await Promise.all(replies)).toEqual(names);
  });

  it('take what replyId returns and is no id for no reply', async () => {
    let id: unknown;
    const { requests, request } = requestsOf({ requestId: () => 'a', replyId: () => id } as never);
    void request('a').catch(() => {});
    for (id of [null, undefined, {}, true, Number.NaN]) expect(requests.take('x')).toBe(false);
  });

  it('cannot go on when replyId throws', async () => {
    const { requests, request } = requestsOf({
      requestId: () => 1,
      replyId: () => {
        throw new TypeError('not an object');
      },
    });
    expect(requests.take('nobody asked'), 'nothing is pending').toBe(false);
    void request('a').catch(() => {});
    expect(() => requests.take('x')).toThrow(expect.objectContaining({ code: 'YODEL_CORRELATION_FAILED' }));
  });

  it('remember a limited number of ids that are no longer in use', async () => {
    const { requests, request, clock } = requestsOf(byNumber);
    const all = Array.from({ length: rememberedIds + 2 }, (_, index) => fateOf(request(`${index}:a`, 100)));
    await clock.advance(100);
    expect(all.every(({ error }) => error)).toBe(true);
    expect(requests.unanswered).toBe(rememberedIds);
    expect([requests.take('1:A'), requests.take('2:A')], 'forgotten, remembered').toEqual([false, true]);
  });
});
