import { describe, expect, it } from 'vitest';
import type { Reply } from '../../../src/codec/reply.ts';
import { YodelError } from '../../../src/errors.ts';
import type { Message } from '../../../src/framing/message.ts';
import { settled } from '../../../src/testing/turns.ts';
import { Harness, type HarnessOptions, serveOneClient } from '../harness.ts';

/** A handler whose replies the test controls. */
class Controlled {
  /** The messages that it was called with. */
  readonly seen: string[] = [];
  readonly #pending = new Map<string, PromiseWithResolvers<Reply>>();
  readonly message = (message: Message): Promise<Reply> => {
    this.seen.push(message.text);
    const reply = Promise.withResolvers<Reply>();
    this.#pending.set(message.text, reply);
    return reply.promise;
  };

  async replies(to: string, reply: Reply = `re: ${to}`): Promise<void> {
    this.#pending.get(to)?.resolve(reply);
    await settled();
  }

  async fails(to: string, error: unknown = new Error(to)): Promise<void> {
    this.#pending.get(to)?.reject(error);
    await settled();
  }
}

async function controlled(options: HarnessOptions = {}) {
  const handler = new Controlled();
  const failures: unknown[] = [];
  const served = await serveOneClient({
    handler: { message: handler.message },
    concurrency: 3,
    telemetry: { handlerFailed: (_, { cause }) => failures.push(cause) },
    ...options,
  });
  return { handler, failures, ...served };
}

describe('concurrency', () => {
  it('calls the handler with as many messages at a time', async () => {
    const { handler, peer } = await controlled();
    await peer.says('a\nb\nc\nd\ne\n');
    expect(handler.seen).toEqual(['a', 'b', 'c']);
    await handler.replies('b');
    expect(handler.seen).toEqual(['a', 'b', 'c', 'd']);
    await handler.replies('a');
    expect(handler.seen).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('counts messages of several chunks together', async () => {
    const { handler, peer } = await controlled();
    for (const text of ['a', 'b', 'c', 'd']) await peer.says(`${text}\n`);
    expect(handler.seen).toEqual(['a', 'b', 'c']);
    await handler.replies('c');
    expect(handler.seen).toEqual(['a', 'b', 'c', 'd']);
  });

  it('is for each session: others have their own', async () => {
    const handler = new Controlled();
    const harness = await Harness.open({ handler: { message: handler.message }, concurrency: 2 });
    const [one, two] = [await harness.connect(), await harness.connect()];
    await one.says('a\nb\nc\n');
    await two.says('x\ny\nz\n');
    expect(handler.seen).toEqual(['a', 'b', 'x', 'y']);
  });

  it('does not apply to a batch handler: it gets one batch after another', async () => {
    const seen: string[] = [];
    const first = Promise.withResolvers<undefined>();
    const { peer } = await serveOneClient({
      concurrency: 8,
      handler: {
        batch(batch) {
          seen.push([...batch].join());
          return first.promise;
        },
      },
    });
    await peer.says('a\nb\n');
    await peer.says('c\n');
    expect(seen).toEqual(['a,b']);
    first.resolve(undefined);
    await settled();
    expect(seen).toEqual(['a,b', 'c']);
  });

  it.each(['sequential', 'startsTls'] as const)('does not apply to a handler with %s', async (property) => {
    const handler = new Controlled();
    const { peer } = await controlled({ handler: { [property]: true, message: handler.message } });
    await peer.says('a\nb\n');
    expect(handler.seen).toEqual(['a']);
  });

  it('begins when open has settled', async () => {
    const opened = Promise.withResolvers<string>();
    const handler = new Controlled();
    const { peer } = await controlled({ handler: { open: () => opened.promise, message: handler.message } });
    await peer.says('a\nb\n');
    expect(handler.seen).toEqual([]);
    opened.resolve('hello');
    await settled();
    expect(handler.seen).toEqual(['a', 'b']);
    expect(peer.text).toBe('hello\n');
  });

  it('lets messages stay as they are until they are answered, however many chunks follow', async () => {
    const handler = new Controlled();
    const messages: Message[] = [];
    const { peer } = await controlled({
      handler(message) {
        messages.push(message);
        return handler.message(message);
      },
    });
    await peer.says('a\nb');
    await peer.says('bb\n');
    await peer.says('c\n');
    await handler.replies('c', messages[2]);
    await handler.replies('bbb', messages[1]);
    await handler.replies('a', messages[0]);
    expect(peer.text).toBe('a\nbbb\nc\n');
  });
});

describe('replyOrder', () => {
  it('received: replies wait for those of earlier messages', async () => {
    const { handler, peer } = await controlled();
    await peer.says('a\nb\nc\n');
    await handler.replies('c');
    await handler.replies('b');
    expect(peer.text).toBe('');
    await handler.replies('a');
    expect(peer.text).toBe('re: a\nre: b\nre: c\n');
  });

  it('received: also replies that were ready at once', async () => {
    const slow = Promise.withResolvers<Reply>();
    const { peer } = await controlled({ handler: ({ text }) => (text === 'slow' ? slow.promise : text) });
    await peer.says('a\nslow\nb\nc\nd\ne\nf\n');
    expect(peer.text).toBe('a\n');
    slow.resolve('slow');
    await settled();
    expect(peer.text).toBe('a\nslow\nb\nc\nd\ne\nf\n');
  });

  it('finished: replies are sent as the calls finish', async () => {
    const { handler, peer } = await controlled({ replyOrder: 'finished' });
    await peer.says('a\nb\nc\n');
    await handler.replies('c');
    expect(peer.text).toBe('re: c\n');
    await handler.replies('a');
    await handler.replies('b');
    expect(peer.text).toBe('re: c\nre: a\nre: b\n');
  });

  it.each(['received', 'finished'] as const)('%s: each reply has the form of its own message', async (replyOrder) => {
    const { handler, peer } = await controlled({ replyOrder });
    await peer.says('a\r\nb\nc\r\n');
    await handler.replies('a');
    await handler.replies('b');
    await handler.replies('c');
    expect(peer.text).toBe('re: a\r\nre: b\nre: c\r\n');
  });

  it('received: a reply that waits may be changed by the handler, which sends what it was', async () => {
    const { handler, peer } = await controlled();
    await peer.says('a\nb\n');
    const bytes = Buffer.from('one');
    await handler.replies('b', [bytes]);
    bytes.write('two');
    await handler.replies('a');
    expect(peer.text).toBe('re: a\none\n');
  });

  it('received: replies that wait count as pending, and are limited by highWaterMark', async () => {
    const handler = new Controlled();
    const { peer, harness } = await controlled({
      highWaterMark: 1000,
      handler: (message) => (message.text === 'slow' ? handler.message(message) : 'x'.repeat(100)),
    });
    const before = harness.server.pendingBytes;
    await peer.says(`slow\n${'m\n'.repeat(100)}`);
    // Five wait, with 228 bytes each and what their calls cost.
    expect(harness.server.pendingBytes - before).toBeGreaterThan(5 * 228 + 6 * 512);
    expect(harness.server.pendingBytes - before).toBeLessThan(8000);
    expect(harness.session.queued).toBe(2 * 95);
    await handler.replies('slow');
    expect(peer.lines).toEqual(['re: slow', ...Array(100).fill('x'.repeat(100))]);
    expect(harness.server.pendingBytes).toBe(0);
  });
});

describe('with several calls in flight', () => {
  it('the end of the peer waits for all replies, and the callback end, too', async () => {
    const handler = new Controlled();
    let ends = 0;
    const { peer } = await controlled({
      handler: {
        message: handler.message,
        end() {
          ends++;
          return 'bye';
        },
      },
    });
    await peer.says('a\nb\nc\nd\n');
    await peer.ends();
    for (const text of ['c', 'b', 'd']) await handler.replies(text);
    expect(ends).toBe(0);
    expect(peer.ended).toBe(false);
    await handler.replies('a');
    expect(ends).toBe(1);
    expect(peer.text).toBe('re: a\nre: b\nre: c\nre: d\nbye\n');
    expect(peer.closed).toBe(true);
  });

  it('a server that closes answers every complete message', async () => {
    const { handler, peer, harness } = await controlled();
    await peer.says('a\nb\nc\nd\ne\n');
    const closed = harness.server.close();
    await settled();
    for (const text of ['b', 'a', 'd', 'c', 'e']) await handler.replies(text);
    await peer.ends();
    await closed;
    expect(peer.text).toBe('re: a\nre: b\nre: c\nre: d\nre: e\n');
  });

  it('session.close() drops the messages that wait, and answers those in flight', async () => {
    const { handler, peer, session } = await controlled();
    await peer.says('a\nb\nc\nd\n');
    session.close();
    await settled();
    expect(peer.ended).toBe(false);
    for (const text of ['c', 'b', 'a']) await handler.replies(text);
    expect(peer.text).toBe('re: a\nre: b\nre: c\n');
    expect(peer.ended).toBe(true);
    expect(handler.seen).toEqual(['a', 'b', 'c']);
  });

  it.each(['received', 'finished'] as const)(
    '%s: session.close(error) answers those in flight, and the peer receives the error after them',
    async (replyOrder) => {
      const closed: unknown[] = [];
      const telemetry = { closed: (_: unknown, error: unknown) => closed.push(error), handlerFailed: () => undefined };
      const { handler, peer, session } = await controlled({ replyOrder, telemetry });
      await peer.says('a\nb\nc\nd\n');
      const denied = new YodelError('APP_DENIED', 'for the log', { reply: 'denied' });
      session.close(denied);
      session.close(new YodelError('APP_OTHER', 'another one'));
      await settled();
      expect(peer.text).toBe('');
      for (const text of ['a', 'b', 'c']) await handler.replies(text);
      expect(peer.text).toBe('re: a\nre: b\nre: c\nerror: denied\n');
      expect(peer.ended).toBe(true);
      expect(handler.seen).toEqual(['a', 'b', 'c']);
      await peer.ends();
      expect(closed).toEqual([denied]);
    },
  );

  it('session.close(error) is no failure of a call that waits for its peer, and others are answered', async () => {
    const slow = Promise.withResolvers<Reply>();
    const { peer, session } = await controlled({
      correlate: { requestId: () => 1, replyId: () => undefined },
      handler: async ({ text }, asking) =>
        text === 'ask' ? (await asking.request('who are you?')).text : slow.promise,
    });
    await peer.says('ask\nslow\n');
    session.close(new YodelError('APP_DENIED', 'for the log', { reply: 'denied' }));
    await settled();
    slow.resolve('slow');
    await settled();
    expect(peer.text).toBe('who are you?\nslow\nerror: denied\n');
  });

  it('session.close(error) is the reason also if the peer vanishes, or a call fails, before they are answered', async () => {
    for (const way of ['vanishes', 'fails']) {
      const closed: unknown[] = [];
      const telemetry = { closed: (_: unknown, error: unknown) => closed.push(error), handlerFailed: () => undefined };
      const { handler, peer, session } = await controlled({ telemetry });
      await peer.says('a\nb\n');
      const denied = new YodelError('APP_DENIED', 'for the log');
      session.close(denied);
      if (way === 'vanishes') peer.connection.abort();
      else await handler.fails('a');
      await settled();
      if (!peer.closed) await peer.ends();
      expect(closed).toEqual([denied]);
    }
  });

  it('session.end() goes on with the messages, without replies', async () => {
    const { handler, peer, session } = await controlled();
    await peer.says('a\nb\nc\nd\n');
    await handler.replies('b');
    session.end();
    await settled();
    expect(peer.ended).toBe(true);
    await peer.ends();
    for (const text of ['c', 'a', 'd']) await handler.replies(text);
    expect(handler.seen).toEqual(['a', 'b', 'c', 'd']);
    expect(peer.text).toBe('');
    expect(peer.closed).toBe(true);
  });

  it('session.abort() ignores what they return', async () => {
    const { handler, peer, session, harness, failures } = await controlled();
    await peer.says('a\nb\n');
    await handler.replies('b');
    session.abort();
    await settled();
    await handler.replies('a');
    expect(peer.text).toBe('');
    expect(harness.server.sessions.size).toBe(0);
    expect(failures).toEqual([]);
  });

  it('maxMessages ends the session after the last reply', async () => {
    const { handler, peer } = await controlled({ maxMessages: 2 });
    await peer.says('a\nb\n');
    await handler.replies('b');
    expect(peer.ended).toBe(false);
    await handler.replies('a');
    expect(peer.text).toBe('re: a\nre: b\n');
    expect(peer.ended).toBe(true);
  });

  it.each(['received', 'finished'] as const)(
    '%s: an error of the peer ends the session after the replies to earlier messages',
    async (replyOrder) => {
      const { handler, peer } = await controlled({ replyOrder, maxMessageLength: 5 });
      await peer.says('a\nb\nmuch too long\nc\n');
      await handler.replies('b');
      expect(peer.ended).toBe(false);
      await handler.replies('a');
      const answers = replyOrder === 'received' ? 're: a\nre: b\n' : 're: b\nre: a\n';
      expect(peer.text).toBe(`${answers}error: message 3 is longer than the limit of 5 bytes\n`);
      expect(peer.ended).toBe(true);
      expect(handler.seen).toEqual(['a', 'b']);
    },
  );

  it('received: more than maxMessages ends the session after the replies', async () => {
    const { handler, peer } = await controlled({ maxMessages: 2 });
    await peer.says('a\nb\nc\n');
    await handler.replies('b');
    await handler.replies('a');
    expect(peer.lines).toEqual(['re: a', 're: b', 'error: this connection has reached its limit of 2 messages']);
  });

  it('received: the error reply to a message that is discarded waits for its turn', async () => {
    const { handler, peer } = await controlled({ maxMessageLength: 5, onTooLong: 'discard' });
    await peer.says('a\nb\nmuch too long\nc\n');
    await handler.replies('b');
    expect(peer.text).toBe('');
    await handler.replies('a');
    await handler.replies('c');
    expect(peer.text).toBe('re: a\nre: b\nerror: message 3 is longer than the limit of 5 bytes\nre: c\n');
  });

  it('finished: the error reply to a message that is discarded waits for nothing', async () => {
    const options = { replyOrder: 'finished', maxMessageLength: 5, onTooLong: 'discard' } as const;
    const { handler, peer } = await controlled(options);
    await peer.says('a\nmuch too long\nc\n');
    expect(peer.text).toBe('error: message 2 is longer than the limit of 5 bytes\n');
    expect(handler.seen).toEqual(['a', 'c']);
  });

  it('the event handled is emitted for each, with its own duration', async () => {
    const handled: [number, number][] = [];
    const { handler, peer, harness } = await controlled({
      telemetry: { handled: (_, messages, durationMs) => handled.push([messages, durationMs]) },
    });
    await peer.says('a\nb\n');
    await harness.passes(10);
    await handler.replies('b');
    await harness.passes(10);
    await handler.replies('a');
    expect(handled).toEqual([
      [1, 10],
      [1, 20],
    ]);
  });

  it('a subscriber that comes while a call is pending is told nothing of it: its duration is not known', async () => {
    const handled: number[] = [];
    const { handler, peer, harness } = await controlled();
    await peer.says('a\n');
    harness.server.subscribe({ handled: (_, _messages, durationMs) => handled.push(durationMs) });
    await peer.says('b\n');
    await harness.passes(10);
    for (const text of ['a', 'b']) await handler.replies(text);
    expect(handled).toEqual([10]);
  });

  it('messages wait while handlers of all sessions work on too much', async () => {
    const handler = new Controlled();
    const harness = await Harness.open({
      handler: { message: handler.message },
      concurrency: 100,
      maxPendingBytes: 20_000,
    });
    const peer = await harness.connect();
    await peer.says(Array.from({ length: 100 }, (_, number) => `${number}\n`).join(''));
    // Each call costs about half a kilobyte, and they may use three quarters of the limit.
    expect(handler.seen.length).toBeGreaterThan(20);
    expect(handler.seen.length).toBeLessThan(30);
    for (let number = 0; number < 100; number++) await handler.replies(`${number}`);
    expect(peer.lines).toEqual(Array.from({ length: 100 }, (_, number) => `re: ${number}`));
  });
});

describe('a call that fails', () => {
  it('received: ends the session after the replies to earlier messages', async () => {
    const { handler, peer, failures } = await controlled();
    await peer.says('a\nb\nc\nd\n');
    await handler.fails('b');
    await handler.replies('c');
    expect(peer.ended).toBe(false);
    await handler.replies('a');
    expect(peer.text).toBe('re: a\nerror: the handler failed on the server\n');
    expect(peer.ended).toBe(true);
    // Nothing was begun after it.
    expect(handler.seen).toEqual(['a', 'b', 'c']);
    expect(failures).toEqual([new Error('b')]);
  });

  it('received: as well if it returns what cannot even be looked at', async () => {
    const { handler, peer } = await controlled();
    const { proxy, revoke } = Proxy.revocable([], {});
    await peer.says('a\nb\nc\n');
    await handler.replies('b', [proxy]);
    revoke();
    await handler.replies('c', [proxy]);
    await handler.replies('a');
    expect(peer.text).toBe('re: a\nerror: the handler failed on the server\n');
  });

  it('received: as well if it throws at once', async () => {
    const slow = Promise.withResolvers<Reply>();
    const { peer } = await controlled({
      handler: ({ text }) => {
        if (text === 'bad') throw new Error(text);
        return text === 'slow' ? slow.promise : text;
      },
    });
    await peer.says('slow\na\nbad\nb\n');
    expect(peer.text).toBe('');
    slow.resolve('slow');
    await settled();
    expect(peer.text).toBe('slow\na\nerror: the handler failed on the server\n');
  });

  it('finished: ends the session when the other calls are answered, and no further one is made', async () => {
    const { handler, peer, failures } = await controlled({ replyOrder: 'finished' });
    await peer.says('a\nb\nc\nd\n');
    await handler.fails('b');
    await handler.fails('c');
    expect([peer.text, failures]).toEqual(['', []]);
    await handler.replies('a');
    expect(peer.text).toBe('re: a\nerror: the handler failed on the server\n');
    expect(peer.ended).toBe(true);
    expect(handler.seen).toEqual(['a', 'b', 'c']);
    expect(failures).toEqual([new Error('b'), new Error('c')]);
  });

  it('finished: as well if it throws at once, or its reply cannot be sent', async () => {
    for (const bad of ['throws', 'unsendable']) {
      const slow = Promise.withResolvers<Reply>();
      const { peer } = await controlled({
        replyOrder: 'finished',
        handler: ({ text }) => {
          if (text === 'throws') throw new Error(text);
          return text === 'slow' ? slow.promise : text === 'unsendable' ? '\n' : text;
        },
      });
      await peer.says(`slow\na\n${bad}\nb\n`);
      expect(peer.text).toBe('a\n');
      slow.resolve('slow');
      await settled();
      expect(peer.text).toBe('a\nslow\nerror: the handler failed on the server\n');
    }
  });

  it('finished: with an own error says why', async () => {
    const { handler, peer } = await controlled({ replyOrder: 'finished' });
    await peer.says('a\nb\n');
    await handler.fails('a', new YodelError('APP_DENIED', 'ada may not', { reply: 'you may not' }));
    await handler.replies('b');
    expect(peer.text).toBe('re: b\nerror: you may not\n');
  });

  it('finished: is reported if another call takes too long, or the session is aborted, before that', async () => {
    for (const how of ['handlerTimeout', 'abort']) {
      const { handler, peer, failures, harness, session } = await controlled({
        replyOrder: 'finished',
        handlerTimeout: 1000,
      });
      await peer.says('a\nb\n');
      await handler.fails('b');
      if (how === 'abort') session.abort();
      await harness.passes(1000);
      expect(peer.text).toBe(how === 'abort' ? '' : 'error: the handler took longer than 1 s\n');
      expect(failures).toContainEqual(new Error('b'));
      await handler.replies('a');
    }
  });

  it('finished: ends the session at once where calls may take as long as they like', async () => {
    for (const options of [{ handlerTimeout: 0 }, { handler: { limitsItself: true } }]) {
      const { handler, peer } = await controlled();
      const served = await controlled({
        replyOrder: 'finished',
        ...options,
        handler: { ...options.handler, message: handler.message },
      });
      await served.peer.says('a\nb\n');
      await handler.fails('b');
      expect(served.peer.text).toBe('error: the handler failed on the server\n');
      await handler.replies('a');
      await peer.ends();
    }
  });

  it('is reported if the session has ended because of another one', async () => {
    const { handler, peer, failures } = await controlled();
    await peer.says('a\nb\nc\n');
    await handler.fails('c');
    await handler.fails('a');
    await handler.fails('b');
    expect(peer.text).toBe('error: the handler failed on the server\n');
    expect(failures).toEqual([new Error('a'), new Error('c'), new Error('b')]);
  });

  it('is not reported if it only stops because the session is over', async () => {
    const { peer, session, failures } = await controlled({
      handler: (_, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    });
    await peer.says('a\nb\n');
    session.abort({ code: 'YODEL_FAULT' } as YodelError);
    await settled();
    expect(failures.filter((cause) => (cause as YodelError | undefined)?.code !== 'YODEL_FAULT')).toEqual([]);
  });
});

describe('handlerTimeout', () => {
  const error = 'error: the handler took longer than 1 s\n';

  it('is for each call', async () => {
    const { handler, peer, harness } = await controlled({ handlerTimeout: 1000, idleTimeout: 0 });
    for (const text of ['a', 'b', 'c', 'd', 'e']) {
      await peer.says(`${text}\n`);
      await harness.passes(600);
      await handler.replies(text);
    }
    expect(peer.lines).toHaveLength(5);
    await harness.passes(5000);
    expect(peer.ended).toBe(false);
  });

  it.each(['received', 'finished'] as const)(
    '%s: ends a session with one call that takes too long, whatever others do',
    async (replyOrder) => {
      const { handler, peer, harness, session } = await controlled({ replyOrder, handlerTimeout: 1000 });
      await peer.says('stuck\n');
      for (let number = 0; number < 9; number++) {
        await peer.says(`${number}\n`);
        await harness.passes(100);
        await handler.replies(`${number}`);
      }
      await harness.passes(99);
      expect(peer.ended).toBe(false);
      await harness.passes(1);
      expect(peer.text.endsWith(error)).toBe(true);
      expect(peer.ended).toBe(true);
      expect(session.signal.reason).toMatchObject({ code: 'YODEL_HANDLER_TIMEOUT' });
    },
  );
});
