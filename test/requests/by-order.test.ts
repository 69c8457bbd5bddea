import { describe, expect, it } from 'vitest';
import { settled } from '../../src/testing/turns.ts';
import { fateOf } from '../client/host.ts';
import { requestsOf } from './ends.ts';

const mismatch = { code: 'YODEL_REPLY_MISMATCH', message: expect.stringContaining('correlate') };

describe('requests that are matched by order', () => {
  it('get the messages that follow them, the oldest first', async () => {
    const { requests, request } = requestsOf(undefined);
    const replies = Promise.all([request('a'), request('b')]);
    expect([requests.take('A'), requests.take('B')]).toEqual([true, true]);
    expect(await replies).toEqual(['A', 'B']);
    expect(requests.counters).toMatchObject({ requests: 2, replies: 2 });
  });

  it('keep their place when they time out or are cancelled', async () => {
    const { requests, request, clock } = requestsOf(undefined);
    const canceller = new AbortController();
    const fates = [request('a', 100), request('b', 0, canceller.signal), request('c')].map(fateOf);
    await clock.advance(100);
    canceller.abort(new Error('no longer needed'));
    await settled();
    expect([requests.inFlight, requests.unanswered]).toEqual([1, 3]);
    for (const reply of ['A', 'B', 'C']) expect(requests.take(reply)).toBe(true);
    await settled();
    expect(fates[0]?.error).toMatchObject({ code: 'YODEL_REQUEST_TIMEOUT' });
    expect(fates[1]?.error).toMatchObject({ message: 'no longer needed' });
    expect(fates[2]?.value).toBe('C');
    expect(requests.counters).toMatchObject({
      replies: 1,
      requestTimeouts: 1,
      cancelledRequests: 1,
      lateReplies: 2,
    });
  });

  it('are rejected when the connection is lost, and the next one begins anew', async () => {
    const { requests, request } = requestsOf(undefined);
    const fates = [fateOf(request('a')), fateOf(request('b', 100))];
    requests.fail(new Error('lost') as never);
    await settled();
    expect(fates.map(({ error }) => String(error))).toEqual(['Error: lost', 'Error: lost']);
    const reply = request('c');
    requests.take('C');
    expect(await reply).toBe('C');
  });

  it('are limited in number, if asked for', async () => {
    const { requests, request } = requestsOf(undefined, 2);
    const replies = [request('a'), request('b')];
    await expect(request('c')).rejects.toMatchObject({ code: 'YODEL_TOO_MANY_REQUESTS' });
    requests.take('A');
    const third = request('c');
    requests.take('B');
    requests.take('C');
    expect(await Promise.all([...replies, third])).toEqual(['A', 'B', 'C']);
  });
});

describe('by order, unless told to trust it,', () => {
  it('a message that answers no request ends all matching on this connection', async () => {
    const { requests, request, sent } = requestsOf(undefined);
    const reply = request('a');
    requests.take('push');
    expect(await reply).toBe('push');
    expect(requests.take('A'), 'an ordinary message').toBe(false);
    await expect(request('b')).rejects.toMatchObject(mismatch);
    expect(sent).toEqual(['a']);
    requests.fail(new Error('lost') as never);
    const next = request('c');
    requests.take('C');
    expect(await next).toBe('C');
  });

  it('the replies to messages sent since the last request do not', async () => {
    const { requests, request, send } = requestsOf(undefined);
    const reply = request('a');
    send('b');
    send('c');
    expect(['A', 'B', 'C'].map((text) => requests.take(text))).toEqual([true, false, false]);
    const next = request('d');
    requests.take('D');
    expect([await reply, await next]).toEqual(['A', 'D']);
    requests.take('D again');
    await expect(request('e')).rejects.toMatchObject(mismatch);
  });

  it('the reply to a message sent before a request is noticed once it has shifted the others', async () => {
    const { requests, request, send } = requestsOf(undefined);
    send('a');
    const reply = request('b');
    requests.take('A');
    expect(await reply).toBe('A');
    expect(requests.take('B')).toBe(false);
    await expect(request('c')).rejects.toMatchObject(mismatch);
  });

  it('messages before the first reply are ordinary messages', async () => {
    const { requests, request } = requestsOf(undefined);
    expect([requests.take('welcome'), requests.take('news')]).toEqual([false, false]);
    const reply = request('a');
    requests.take('A');
    expect(await reply).toBe('A');
  });

  it('a message is no reply to a request that has not left this process', async () => {
    const { requests, request, end, send } = requestsOf(undefined);
    end.left = 1;
    const first = request('a');
    requests.take('A');
    expect(await first).toBe('A');
    send('b');
    const second = request('c');
    expect(requests.take('B'), 'the reply to what was sent before').toBe(false);
    end.left = 3;
    requests.take('C');
    expect(await second).toBe('C');
  });

  it('a surplus message rejects the requests that have not left', async () => {
    const { requests, request, end } = requestsOf(undefined);
    end.left = 1;
    const first = request('a');
    requests.take('A');
    await first;
    const second = fateOf(request('b'));
    expect(requests.take('push')).toBe(false);
    await settled();
    expect(second.error).toMatchObject(mismatch);
    expect(requests.inFlight).toBe(0);
  });
});

describe("correlate: 'order'", () => {
  it('trusts the peer to send nothing but replies while a request is pending', async () => {
    const { requests, request, send } = requestsOf('order');
    const first = request('a');
    requests.take('A');
    expect(await first).toBe('A');
    expect([requests.take('push'), requests.take('another')]).toEqual([false, false]);
    send('b');
    const second = request('c');
    requests.take('C');
    expect(await second).toBe('C');
  });
});

describe('a reply that cannot be read', () => {
  it('rejects the oldest request', async () => {
    const { requests, request } = requestsOf(undefined);
    const fates = [request('a'), request('b')].map(fateOf);
    expect(requests.takeInvalid(new Error('not JSON') as never)).toBe(true);
    requests.take('B');
    await settled();
    expect(String(fates[0]?.error)).toContain('not JSON');
    expect(fates[1]?.value).toBe('B');
  });
});
