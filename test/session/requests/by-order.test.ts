import { describe, expect, it } from 'vitest';
import type { YodelError } from '../../../src/errors.ts';
import type { Message } from '../../../src/framing/message.ts';
import type { Session } from '../../../src/session/public-session.ts';
import { settled } from '../../../src/testing/turns.ts';
import { Harness, type HarnessOptions, serveOneClient } from '../harness.ts';

/** Asks for a name, and then greets. */
const greeter: HarnessOptions['handler'] = {
  async open(session: Session) {
    const name = await session.request('name?');
    (session.data as Record<string, unknown>).name = name.text;
    return `hello ${name.text}`;
  },
  message: ({ text }, session) => `${(session.data as Record<string, unknown>).name}: ${text}`,
};

/** A server with one client, and what the log would show. */
async function watched(options: HarnessOptions) {
  const failures: unknown[] = [];
  const closed: (YodelError | undefined)[] = [];
  const served = await serveOneClient({
    telemetry: {
      handlerFailed: (_, { cause }) => failures.push(cause),
      closed: (_, error) => closed.push(error),
    },
    ...options,
  });
  return { failures, closed, ...served };
}

/** Sends requests, and keeps how they end. */
function asking(session: Session, ...texts: string[]): string[] {
  const outcomes: string[] = [];
  for (const text of texts) {
    session.request(text).then(
      (reply) => outcomes.push(`${text}=${reply.text}`),
      (error: YodelError) => outcomes.push(`${text}: ${error.code ?? error}`),
    );
  }
  return outcomes;
}

describe('by order, a request of the session', () => {
  it('is answered by the next message, which the handler does not get', async () => {
    const { peer } = await serveOneClient({ handler: greeter });
    expect(peer.text).toBe('name?\n');
    expect(await peer.says('ada\n')).toBe('hello ada\n');
    expect(await peer.says('hi\n')).toBe('ada: hi\n');
  });

  it('is answered by a message that has arrived with others, also if the client has ended', async () => {
    const { peer } = await serveOneClient({ handler: greeter });
    peer.connection.write(Buffer.from('ada\nhi\n'));
    peer.connection.end();
    await settled();
    expect(peer.text).toBe('name?\nhello ada\nada: hi\n');
    expect(peer.closed).toBe(true);
  });

  it('is answered by a message that waited before it was sent', async () => {
    const ready = Promise.withResolvers<void>();
    const { peer } = await serveOneClient({
      handler: {
        async open(session) {
          await ready.promise;
          return `hello ${(await session.request('name?')).text}`;
        },
        message: ({ text }) => text,
      },
    });
    await peer.says('ada\nhi\n');
    ready.resolve();
    await settled();
    expect(peer.text).toBe('name?\nhello ada\nhi\n');
  });

  it('is answered while a message is handled, by the one after it', async () => {
    const { peer } = await serveOneClient({
      handler: async ({ text }, session) =>
        text === 'order' ? `ordered ${(await session.request('what?')).text}` : `no: ${text}`,
    });
    expect(await peer.says('order\n')).toBe('what?\n');
    expect(await peer.says('tea\nthanks\n')).toBe('ordered tea\nno: thanks\n');
    expect(await peer.says('order\ncake\nthanks\n')).toBe('what?\nordered cake\nno: thanks\n');
  });

  it('is answered by the one after it in its batch, if the handler does not wait', async () => {
    const outcomes: string[][] = [];
    const { peer } = await serveOneClient({
      handler({ text }, session) {
        if (text !== 'ask') return text;
        outcomes.push(asking(session, '1', '2'));
        return 'asked';
      },
    });
    await peer.says('a\nask\none\ntwo\nb\n');
    expect(outcomes).toEqual([['1=one', '2=two']]);
    expect(peer.text).toBe('a\n1\n2\nasked\nb\n');
  });

  it('is answered by one of a batch, whose rest is one', async () => {
    const batches: string[] = [];
    const { peer, session } = await serveOneClient({
      handler: { batch: (batch) => void batches.push([...batch].join()) },
    });
    const outcomes = asking(session, '1', '2');
    await settled();
    await peer.says('one\ntwo\nthree\nfour\n');
    expect(outcomes).toEqual(['1=one', '2=two']);
    expect(batches).toEqual(['three,four']);
  });

  it('works from a timer, and any number may be in flight', async () => {
    const { peer, session, harness } = await serveOneClient();
    const texts = Array.from({ length: 500 }, (_, number) => `${number}`);
    const outcomes: string[][] = [];
    harness.clock.after(10, () => outcomes.push(asking(session, ...texts)));
    await harness.passes(10);
    expect(peer.lines).toEqual(texts);
    await peer.says(texts.map((text) => `re ${text}\n`).join(''));
    expect(outcomes).toEqual([texts.map((text) => `${text}=re ${text}`)]);
    expect(await peer.says('echo\n')).toBe('echo\n');
  });

  it('may be made by several calls at a time', async () => {
    const { peer } = await serveOneClient({
      concurrency: 3,
      handler: async ({ text }, session) => `${text}: ${(await session.request(`${text}?`)).text}`,
    });
    await peer.says('a\n');
    expect(peer.text).toBe('a?\n');
    await peer.says('1\nb\n2\nc\n3\n');
    expect(peer.lines.filter((line) => !line.endsWith('?'))).toEqual(['a: 1', 'b: 2', 'c: 3']);
  });

  it('gets a reply that may be kept', async () => {
    const kept: Message[] = [];
    const { peer, session } = await serveOneClient({ network: { chunkSize: 3 } });
    for (let number = 0; number < 10; number++) void session.request('?').then((reply) => kept.push(reply));
    for (let number = 0; number < 10; number++) await peer.says(`reply ${number}\n`);
    expect(kept.map(String)).toEqual(Array.from({ length: 10 }, (_, number) => `reply ${number}`));
  });
});

describe('a request that gets no reply', () => {
  it('times out, and its late reply is not taken for that of the next one', async () => {
    const { peer, session, harness } = await serveOneClient({ requestTimeout: 1000 });
    const outcomes = asking(session, 'first');
    await harness.passes(1000);
    expect(outcomes).toEqual(['first: YODEL_REQUEST_TIMEOUT']);
    outcomes.push(...asking(session));
    const second = asking(session, 'second');
    await peer.says('late\nin time\nordinary\n');
    expect(second).toEqual(['second=in time']);
    expect(peer.lines).toEqual(['first', 'second', 'ordinary']);
  });

  it('has its own time limit, and can be cancelled', async () => {
    const { peer, session, harness } = await serveOneClient();
    const stop = new AbortController();
    const reason = new Error('stopped');
    const one = expect(session.request('one', { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'YODEL_REQUEST_TIMEOUT',
    });
    const two = expect(session.request('two', { signal: stop.signal })).rejects.toBe(reason);
    const three = session.request('three', { timeoutMs: 0 });
    await harness.passes(50);
    stop.abort(reason);
    await harness.passes(200_000);
    await peer.says('1\n2\n3\n');
    await Promise.all([one, two]);
    expect((await three).text).toBe('3');
  });

  it('is refused at once if it cannot be sent', async () => {
    const { session, peer } = await serveOneClient({ maxRequestsInFlight: 2 });
    await expect(session.request('two\nlines')).rejects.toMatchObject({ code: 'YODEL_UNENCODABLE_MESSAGE' });
    await expect(session.request('a', { timeoutMs: -1 })).rejects.toMatchObject({ code: 'YODEL_INVALID_OPTION' });
    await expect(session.request('a', { signal: AbortSignal.abort('now') })).rejects.toBe('now');
    const outcomes = asking(session, '1', '2', '3');
    await settled();
    expect(outcomes).toEqual(['3: YODEL_TOO_MANY_REQUESTS']);
    expect(peer.text).toBe('1\n2\n');
    session.end();
    await expect(session.request('late')).rejects.toMatchObject({ code: 'YODEL_CONNECTION_CLOSED' });
  });

  it('rejects when its reply is too long and is discarded', async () => {
    const { session, peer } = await serveOneClient({ maxMessageLength: 5, onTooLong: 'discard' });
    const outcomes = asking(session, 'a', 'b');
    await peer.says('too long\nshort\nhello\n');
    expect(outcomes).toEqual(['a: YODEL_MESSAGE_TOO_LONG', 'b=short']);
    expect(peer.text).toBe('a\nb\nhello\n');
  });

  it('rejects when the session ends because of its reply', async () => {
    const { session, peer } = await serveOneClient({ maxMessageLength: 5 });
    const outcomes = asking(session, 'a', 'b');
    await peer.says('short\ntoo long\n');
    expect(outcomes).toEqual(['a=short', 'b: YODEL_MESSAGE_TOO_LONG']);
    expect(peer.ended).toBe(true);
  });

  it.each([1, 4])(
    'because a message is invalid, ends the session with that error, concurrency %s',
    async (concurrency) => {
      const { peer, closed, failures } = await watched({
        maxMessageLength: 5,
        concurrency,
        handler: async (_, session) => session.request('why?'),
      });
      await peer.says('a\n');
      await peer.says('too long\n');
      expect(peer.text).toMatch(/^why\?\nerror: .* is longer than .*\n$/);
      await peer.ends();
      expect(closed).toMatchObject([{ code: 'YODEL_MESSAGE_TOO_LONG' }]);
      expect(failures).toEqual([]);
    },
  );

  it('refuses options that it does not have', async () => {
    const { session } = await serveOneClient();
    const refused = async (options: object, text: string) =>
      expect(session.request('a', options)).rejects.toMatchObject({
        code: 'YODEL_INVALID_OPTION',
        message: expect.stringContaining(text),
      });
    await refused({ timeout: 5 }, 'request() has no option "timeout". Did you mean "timeoutMs"?');
    await refused({ signal: {} }, 'the option "signal" takes an AbortSignal');
    await refused(null as never, 'request() takes an object of options, not null');
  });

  it('counts as pending', async () => {
    const { session, harness, peer } = await serveOneClient();
    const before = harness.server.pendingBytes;
    asking(session, '1', '2');
    await settled();
    expect(harness.server.pendingBytes - before).toBe(2 * 512);
    await peer.says('a\nb\n');
    expect(harness.server.pendingBytes).toBe(before);
  });
});

describe('a session that ends with requests', () => {
  const ends: [string, (session: Session, harness: Harness) => unknown, string][] = [
    ['close()', (session) => session.close(), 'YODEL_CONNECTION_CLOSED'],
    ['abort()', (session) => session.abort(), 'YODEL_CONNECTION_CLOSED'],
    ['the client ends', (_, { served }) => void served, 'YODEL_CONNECTION_CLOSED'],
    ['the server closes', (_, { server }) => void server.close(), 'YODEL_SHUTTING_DOWN'],
  ];
  it.each(ends)('rejects them: %s', async (what, end, code) => {
    const { session, harness, peer } = await serveOneClient();
    const outcomes = asking(session, 'a');
    await settled();
    end(session, harness);
    if (what === 'the client ends') peer.connection.end();
    await settled();
    await harness.passes(2000);
    expect(outcomes).toEqual([`a: ${code}`]);
    if (!peer.closed) await peer.ends();
  });

  it('rejects them with its error', async () => {
    const { session, peer, harness } = await serveOneClient({ idleTimeout: 100 });
    const outcomes = asking(session, 'a');
    await harness.passes(100);
    expect(outcomes).toEqual(['a: YODEL_IDLE_TIMEOUT']);
    await peer.ends();
  });

  it('does not count as failed because its handler lets that through', async () => {
    for (const leaves of [(peer: { ends(): unknown }) => peer.ends(), (peer: { aborts(): unknown }) => peer.aborts()]) {
      const { peer, failures, harness } = await watched({ handler: greeter });
      await leaves(peer);
      await settled();
      expect(failures).toEqual([]);
      expect(peer.text).toBe('name?\n');
      expect(harness.server.sessions.size).toBe(0);
    }
  });

  it('is no reason for the session of another one that asked it', async () => {
    const { harness, session, peer, failures } = await watched({
      handler: async (_, { server }) => (await [...server.sessions][0]?.request('who?'))?.text,
    });
    const other = await harness.connect();
    await other.says('ask the first one\n');
    expect(peer.text).toBe('who?\n');
    session.close();
    await settled();
    expect(other.text).toBe('error: the handler failed on the server\n');
    expect(failures).toMatchObject([{ code: 'YODEL_CONNECTION_CLOSED' }]);
  });

  it('calls end() although its open had no reply', async () => {
    const called: string[] = [];
    const { peer } = await serveOneClient({
      handler: {
        async open(session) {
          await session.request('name?');
          called.push('never');
        },
        message: () => undefined,
        end: () => {
          called.push('end');
          return 'bye';
        },
      },
    });
    await peer.ends();
    expect(called).toEqual(['end']);
    expect(peer.text).toBe('name?\nbye\n');
  });

  it('lets its handler do without the reply', async () => {
    const { peer } = await serveOneClient({
      handler: {
        open: async (session) => `hello ${await session.request('name?').then(String, () => 'nobody')}`,
        message: ({ text }) => text,
      },
    });
    await peer.ends();
    expect(peer.text).toBe('name?\nhello nobody\n');
    expect(peer.closed).toBe(true);
  });

  it('because the server closes, gets the replies that are on their way', async () => {
    const { peer, harness } = await serveOneClient({
      handler: async ({ text }, session) => `${text}: ${(await session.request('why?')).text}`,
    });
    await peer.says('order\n');
    const closed = harness.server.close();
    await settled();
    await harness.passes(500);
    expect(peer.ended).toBe(false);
    await peer.says('because\n');
    await harness.passes(1);
    expect(peer.text).toBe('why?\norder: because\n');
    expect(peer.ended).toBe(true);
    await peer.ends();
    await closed;
  });
});

describe('while a request is pending', () => {
  it('handlerTimeout stands still, and goes on afterwards', async () => {
    const stuck = new Promise<never>(() => undefined);
    const { peer, harness } = await watched({
      handlerTimeout: 1000,
      requestTimeout: 60_000,
      idleTimeout: 0,
      handler: async (_, session) => {
        await session.request('?');
        return stuck;
      },
    });
    await peer.says('a\n');
    await harness.passes(50_000);
    expect(peer.text).toBe('?\n');
    await peer.says('reply\n');
    await harness.passes(999);
    expect(peer.ended).toBe(false);
    await harness.passes(1);
    expect(peer.text).toBe('?\nerror: the handler took longer than 1 s\n');
  });

  it.each([1, 4])('a client that sends nothing is idle, concurrency %s', async (concurrency) => {
    const { peer, harness, closed } = await watched({
      concurrency,
      idleTimeout: 5000,
      handler: async (_, session) => (await session.request('?', { timeoutMs: 0 })).text,
    });
    await peer.says('a\n');
    await harness.passes(5000);
    expect(peer.text).toBe('?\nerror: nothing was received or sent for 5 s\n');
    await peer.ends();
    expect(closed[0]?.code).toBe('YODEL_IDLE_TIMEOUT');
  });

  it('a call that is stuck still times out, whatever other calls ask', async () => {
    const { peer, harness } = await watched({
      concurrency: 2,
      handlerTimeout: 1000,
      handler: async ({ text }, session) => {
        if (text === 'stuck') return new Promise<never>(() => undefined);
        return (await session.request(`${text}?`)).text;
      },
    });
    await peer.says('stuck\n');
    for (let number = 0; number < 9; number++) {
      await peer.says(`${number}\n`);
      await harness.passes(20);
      await peer.says('reply\n');
      await harness.passes(100);
    }
    await harness.passes(99);
    expect(peer.ended).toBe(false);
    await harness.passes(1);
    expect(peer.text).toContain('error: the handler took longer than 1 s');
  });

  it('its reply passes the limits as other messages do', async () => {
    const { session, peer, harness } = await serveOneClient({ rate: 1, maxMessages: 3 });
    const outcomes = asking(session, 'a', 'b', 'c');
    await peer.says('1\n2\n3\n');
    expect(outcomes).toEqual(['a=1']);
    await harness.passes(1000);
    expect(outcomes).toEqual(['a=1', 'b=2']);
    await harness.passes(1000);
    expect(outcomes).toEqual(['a=1', 'b=2', 'c=3']);
    expect(peer.ended).toBe(true);
    expect(harness.server.counters.messagesReceived).toBe(3);
  });

  it('its reply is recorded before it is received', async () => {
    const recorded = Promise.withResolvers<void>();
    const journal = { append: () => recorded.promise, failed: new Promise<never>(() => undefined) };
    const { session, peer } = await serveOneClient({ journal });
    const outcomes = asking(session, 'a');
    await peer.says('1\n');
    expect(outcomes).toEqual([]);
    recorded.resolve();
    await settled();
    expect(outcomes).toEqual(['a=1']);
  });
});

it('a server refuses what is no correlation', async () => {
  await expect(Harness.open({ correlate: 'ids' as never })).rejects.toThrow(/"correlate" takes "order" or/);
});
