/** `testSession`: one client of a handler, in memory. */
import { describe, expect, it } from 'vitest';
import { YodelError } from '../../src/errors.ts';
import type { Handler, HandlerObject } from '../../src/session/handler.ts';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { message } from '../../src/testing/message.ts';
import { testSession } from '../../src/testing/test-server.ts';

const upper: Handler = ({ text }) => text.toUpperCase();

/** Real time passes. */
const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

describe('say()', () => {
  it('resolves with the reply as text', async () => {
    const session = await testSession((message) => message.text.toUpperCase());
    expect(await session.say('hello')).toBe('HELLO');
    await session.close();
  });

  it('waits for a handler that does real I/O', async () => {
    const session = await testSession(async ({ text }) => {
      await pause();
      return `late ${text}`;
    });
    expect(await session.say('reply')).toBe('late reply');
    await session.close();
  });

  it('resolves with undefined if there is no reply', async () => {
    const session = await testSession(() => undefined);
    expect(await session.say('hello')).toBeUndefined();
    await session.close();
  });

  it('rejects if several messages arrive, which are not lost', async () => {
    const session = await testSession(() => ['one', 'two']);
    await expect(session.say('count')).rejects.toThrow('2 messages arrived: "one", "two"; use exchange()');
    expect(session.unread).toEqual(['one', 'two']);
    await session.close();
  });

  it('takes no greeting and no push for the reply', async () => {
    const session = await testSession({ open: () => 'welcome', message: ({ text }) => text });
    session.session.send('push');
    expect(await session.say('hello')).toBe('hello');
    expect(await session.next()).toBe('welcome');
    expect(await session.next()).toBe('push');
    await session.close();
  });

  it('can be called again before it is done', async () => {
    const session = await testSession(async ({ text }) => {
      await pause();
      return text;
    });
    expect(await Promise.all(['a', 'b', 'c'].map((text) => session.say(text)))).toEqual(['a', 'b', 'c']);
    await session.close();
  });

  it('sends bytes, headers and kinds', async () => {
    const handler: Handler = (received) => message(received.bytes.toReversed(), { header: received.header });
    const session = await testSession(handler, { framing: 'length:1,offset=1,after=0' });
    session.send(message(Uint8Array.of(1, 2, 3), { header: Uint8Array.of(7) }));
    const reply = await session.nextMessage();
    expect([...reply.bytes]).toEqual([3, 2, 1]);
    expect([...reply.header]).toEqual([7]);
    await session.close();
  });
});

describe('what a handler throws', () => {
  const boom = new Error('boom');
  const fails: HandlerObject = {
    message: ({ text }) => {
      if (text === 'boom') throw boom;
      return text;
    },
  };

  it('rejects say(), and the client sees an error reply without it', async () => {
    const session = await testSession(fails);
    expect(await session.say('fine')).toBe('fine');
    await expect(session.say('boom')).rejects.toBe(boom);
    expect(await session.next()).toBe('error: the handler failed on the server');
    expect((await session.closed)?.code).toBe('YODEL_HANDLER_FAILED');
    await expect(session.say('more')).rejects.toBe(boom);
    await session.close();
  });

  it('rejects exchange() and end()', async () => {
    const session = await testSession(fails);
    await expect(session.exchange('one', 'boom', 'two')).rejects.toBe(boom);
    expect(session.unread).toEqual(['one', 'error: the handler failed on the server']);
    await session.close();
    const other = await testSession({ end: () => Promise.reject(boom) });
    await expect(other.end()).rejects.toBe(boom);
    await other.close();
  });

  it('rejects testSession() if it is `open` or `data`', async () => {
    const open = () => {
      throw boom;
    };
    await expect(testSession({ open })).rejects.toBe(boom);
    await expect(testSession({ open: async () => open() })).rejects.toBe(boom);
    await expect(testSession(upper, { data: open })).rejects.toBe(boom);
  });

  it('rejects close() if nothing else has', async () => {
    const session = await testSession(fails);
    session.send('boom');
    expect(await session.next()).toBe('error: the handler failed on the server');
    await expect(session.close()).rejects.toBe(boom);
  });

  it('rejects close() if `close` threw', async () => {
    const thrower = () => {
      throw boom;
    };
    const session = await testSession({ message: () => 'fine', close: thrower });
    expect(await session.say('hello')).toBe('fine');
    await expect(session.close()).rejects.toBe(boom);
  });

  it('is its own error if it is one, thrown or closed with', async () => {
    const denied = new YodelError('APP_DENIED', 'not in the list', { reply: 'no' });
    for (const handler of [
      () => {
        throw denied;
      },
      (_: unknown, session: { close(error: YodelError): void }) => session.close(denied),
    ]) {
      const session = await testSession(handler as Handler);
      await expect(session.say('hello')).rejects.toBe(denied);
      expect(await session.next()).toBe('error: no');
      expect(await session.closed).toBe(denied);
      await session.close();
    }
  });
});

it('exchange() sends messages in one chunk, so that a batch handler gets them together', async () => {
  const session = await testSession({ batch: (batch) => `${[...batch].length} messages` });
  expect(await session.exchange('a', 'b', 'c')).toEqual(['3 messages']);
  await session.close();
});

it('testSession() waits for an `open` that does real I/O', async () => {
  const session = await testSession({
    open: async () => {
      await pause();
      return 'welcome';
    },
    message: ({ text }) => text,
  });
  expect(await session.say('hello')).toBe('hello');
  expect(await session.next()).toBe('welcome');
  await session.close();
});

it('end() resolves with what the handler sends at the end, and the session closes without an error', async () => {
  const session = await testSession({ message: ({ text }) => text, end: () => ['bye', 'see you'] });
  expect(await session.say('hello')).toBe('hello');
  expect(await session.end()).toEqual(['bye', 'see you']);
  expect(await session.closed).toBeUndefined();
  expect(session.session.endedBy).toBe('peer');
  await session.close();
});

it('abort() is a reset for the handler', async () => {
  const errors: (string | undefined)[] = [];
  const session = await testSession({ message: upper, close: (_, error) => void errors.push(error?.code) });
  await session.abort();
  expect(errors).toEqual(['YODEL_CONNECTION_RESET']);
  expect((await session.closed)?.code).toBe('YODEL_CONNECTION_RESET');
  await expect(session.next()).rejects.toMatchObject({ code: 'YODEL_CONNECTION_RESET' });
  await session.close();
});

it('close() aborts a handler that is not done', async () => {
  let wasAborted = false;
  const session = await testSession(async (_, { signal }) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    wasAborted = true;
  });
  session.send('wait');
  await session.close();
  expect(wasAborted).toBe(true);
});

it('says why a session is over to those who send to it', async () => {
  const session = await testSession(upper);
  session.session.close();
  await session.idle();
  await expect(session.say('hello')).rejects.toMatchObject({ code: 'YODEL_CONNECTION_CLOSED' });
  await expect(session.next()).rejects.toMatchObject({ code: 'YODEL_CONNECTION_CLOSED' });
  expect(await session.closed).toBeUndefined();
  await session.close();
});

describe('what the session has', () => {
  interface Player {
    readonly name: string;
    score: number;
  }
  const game: HandlerObject<Player> = {
    message: ({ text }, { data }) => {
      data.score += Number(text);
      return `${data.name} ${data.score}`;
    },
  };

  it('is its data, as the option `data` creates it', async () => {
    const data = ({ peer }: { peer: unknown }): Player => ({ name: String(peer), score: 1 });
    const session = await testSession(game, { data, from: '192.0.2.7:5000' });
    expect(await session.say('2')).toBe('tcp://192.0.2.7:5000 3');
    expect(session.data.score).toBe(3);
    expect(session.session.data).toBe(session.data);
    await session.close();
  });

  it('is the security that the test gives it', async () => {
    const handler: Handler = (_, session) => session.security?.subject;
    const security = { protocol: 'TLSv1.3', servername: undefined, alpn: undefined, subject: 'CN=ada' };
    const session = await testSession(handler, { security: security as never });
    expect(await session.say('who am I?')).toBe('CN=ada');
    await session.close();
  });
});

it('a refused connection rejects testSession() with the reason', async () => {
  await expect(testSession(upper, { deny: ['192.0.2.0/24'], from: '192.0.2.7:1' })).rejects.toMatchObject({
    code: 'YODEL_ADDRESS_DENIED',
  });
});

describe('limits and time-outs', () => {
  it('are those of a server, by the clock of the test', async () => {
    const clock = fakeClock();
    const session = await testSession(upper, { clock, idleTimeout: 60_000 });
    await clock.advance(59_999);
    expect(await session.say('still here')).toBe('STILL HERE');
    await clock.advance(60_000);
    expect((await session.closed)?.code).toBe('YODEL_IDLE_TIMEOUT');
    await session.close();
  });

  it('a handler that takes too long is no unhandled rejection while time passes', async () => {
    const clock = fakeClock();
    const session = await testSession(() => new Promise<undefined>(() => {}), { clock, handlerTimeout: 1000 });
    const reply = session.say('hello');
    await clock.advance(1000);
    await expect(reply).rejects.toMatchObject({ code: 'YODEL_HANDLER_TIMEOUT' });
    await session.close();
  });

  it('say() rejects with the error of a message that is too long', async () => {
    const session = await testSession(upper, { maxMessageLength: 5 });
    await expect(session.say('too long')).rejects.toMatchObject({ code: 'YODEL_MESSAGE_TOO_LONG' });
    await session.close();
  });

  it('say() waits while a rate limit makes the message wait', async () => {
    const clock = fakeClock();
    const session = await testSession(upper, { clock, rate: 1, ratePolicy: 'delay' });
    const replies = session.exchange('one', 'two', 'three');
    await clock.advance(1000);
    expect(session.unread.length).toBeLessThan(3);
    await clock.advance(2000);
    expect(await replies).toEqual(['ONE', 'TWO', 'THREE']);
    await session.close();
  });
});

it('a client that reads slowly makes the handler wait', async () => {
  let messages = 0;
  const session = await testSession(() => {
    messages++;
    return 'x'.repeat(100_000);
  });
  session.peer.pause();
  session.send(...Array.from({ length: 100 }, () => 'more'));
  await session.idle();
  expect(messages).toBeLessThan(100);
  session.peer.resume();
  await session.idle();
  expect(messages).toBe(100);
  expect(session.unread.length).toBe(100);
  await session.close();
});

it('a client may send half a message', async () => {
  const session = await testSession(upper);
  session.peer.write('hel');
  await session.idle();
  expect(session.unread).toEqual([]);
  session.peer.write('lo\n');
  expect(await session.next()).toBe('HELLO');
  await session.close();
});

it('nothing depends on how the network splits bytes', async () => {
  let turn = 0;
  const chunkSize = () => [1, 2, 5][turn++ % 3] as number;
  const session = await testSession(upper, { network: { chunkSize, capacity: 3 } });
  expect(await session.exchange('one', 'two', 'three')).toEqual(['ONE', 'TWO', 'THREE']);
  await session.close();
});

it('latency passes by the clock', async () => {
  const clock = fakeClock();
  const connecting = testSession(upper, { clock, network: { latencyMs: 50 } });
  await clock.advance(100);
  const session = await connecting;
  const reply = session.say('hello');
  await clock.advance(99);
  expect(session.unread).toEqual([]);
  await clock.advance(1);
  expect(await reply).toBe('HELLO');
  await session.close();
});

it('is closed at the end of its block', async () => {
  const closed: string[] = [];
  {
    await using session = await testSession({ message: upper, close: () => void closed.push('closed') });
    expect(await session.say('hello')).toBe('HELLO');
  }
  expect(closed).toEqual(['closed']);
});
