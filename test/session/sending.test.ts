import { describe, expect, it } from 'vitest';
import type { Session } from '../../src/session/public-session.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness, serveOneClient } from './harness.ts';

/** Whether a promise is resolved now. */
function watch(promise: Promise<void>): { done: boolean } {
  const state = { done: false };
  void promise.then(() => (state.done = true));
  return state;
}

describe('session.send', () => {
  it('sends without a message to answer', async () => {
    const { peer, session } = await serveOneClient();
    expect(session.send('news')).toBe(true);
    expect(session.send(Buffer.from('more news'))).toBe(true);
    await settled();
    expect(peer.text).toBe('news\nmore news\n');
    expect(session.messagesSent).toBe(2);
    expect(session.bytesSent).toBe(15);
  });

  it('ends messages as the peer did in its first one', async () => {
    const { peer, session } = await serveOneClient();
    await peer.says('a\r\nb\n');
    session.send('news');
    await settled();
    expect(peer.text).toBe('a\r\nb\nnews\r\n');
  });

  it('can send to another session', async () => {
    let other: Session | undefined;
    const harness = await Harness.open({
      handler: (message) => {
        other?.send(message);
      },
    });
    const one = await harness.connect();
    other = harness.session;
    const two = await harness.connect();
    await two.says('hello\n');
    expect([one.text, two.text]).toEqual(['hello\n', '']);
  });

  it('sends messages of a batch to other sessions, although their bytes are borrowed for the call only', async () => {
    let other: Session | undefined;
    const harness = await Harness.open({
      handler: {
        batch(batch) {
          for (const message of batch) other?.send(message);
        },
      },
    });
    const one = await harness.connect();
    other = harness.session;
    const two = await harness.connect();
    const three = await harness.connect();
    void two.says('hel');
    await Promise.all([two.says('lo\r\nworld\nunfi'), three.says('and another world\n')]);
    expect(one.text).toBe('hello\r\nworld\nand another world\n');
  });

  it('replies with messages of a batch that was answered by a promise', async () => {
    const { harness } = await serveOneClient({
      handler: {
        async batch(batch) {
          const [first, ...others] = batch;
          await Promise.resolve();
          return [...others, ...(first ? [first] : []), ...batch];
        },
      },
    });
    const [one, two] = [await harness.connect(), await harness.connect()];
    await Promise.all([one.says('a\nb\nc\n'), two.says('x\ny\nz\n')]);
    expect([one.text, two.text]).toEqual(['b\nc\na\na\nb\nc\n', 'y\nz\nx\nx\ny\nz\n']);
  });

  it('returns the reason if the message cannot be sent, and the session continues', async () => {
    const { peer, session } = await serveOneClient();
    expect(session.send('two\nlines')).toMatchObject({ code: 'YODEL_UNENCODABLE_MESSAGE' });
    expect(await peer.says('fine\n')).toBe('fine\n');
  });

  it('returns false when the peer is behind, and true again when it has caught up', async () => {
    const { harness, session } = await serveOneClient({ highWaterMark: 100, network: { capacity: 10 } });
    const peer = await harness.connect();
    peer.connection.pause();
    expect(session.send('x'.repeat(50))).toBe(true);
    const slow = harness.session;
    expect(slow.send('x'.repeat(50))).toBe(true);
    expect(slow.send('x'.repeat(50))).toBe(false);
    peer.connection.resume();
    await settled();
    expect(slow.send('x')).toBe(true);
  });

  it('returns false when the session is over', async () => {
    const { peer, session } = await serveOneClient();
    await peer.ends();
    expect(session.ended).toBe(true);
    expect(session.send('late')).toBe(false);
    expect(session.messagesSent).toBe(0);
  });
});

describe('session.drained', () => {
  it('resolves at once when the peer is not behind', async () => {
    const { session } = await serveOneClient();
    const drained = watch(session.drained());
    await Promise.resolve();
    expect(drained.done).toBe(true);
  });

  it('resolves when the peer has caught up', async () => {
    const { peer, session } = await serveOneClient({ highWaterMark: 100, network: { capacity: 10 } });
    peer.connection.pause();
    session.send('x'.repeat(500));
    const drained = watch(session.drained());
    await settled();
    expect(drained.done).toBe(false);
    peer.connection.resume();
    await settled();
    expect(drained.done).toBe(true);
  });

  it('resolves when the network accepts at once what was too much to buffer', async () => {
    const { session } = await serveOneClient({ network: { capacity: 10_000_000 } });
    expect(session.send('x'.repeat(100_000))).toBe(false);
    const drained = watch(session.drained());
    await settled();
    expect(drained.done).toBe(true);
  });

  it.each([
    ['the peer breaks the connection', 'aborts'],
    ['the session is closed', 'close'],
    ['the session is aborted', 'abort'],
  ] as const)('resolves when %s', async (_, how) => {
    const { peer, session } = await serveOneClient({ highWaterMark: 100, network: { capacity: 10 } });
    peer.connection.pause();
    session.send('x'.repeat(500));
    const drained = watch(session.drained());
    await settled();
    expect(drained.done).toBe(false);
    if (how === 'aborts') await peer.aborts();
    else session[how]();
    await settled();
    expect(drained.done).toBe(true);
  });

  it('lets a handler stream without buffering more than the mark and one message', async () => {
    let most = 0;
    const { peer, harness } = await serveOneClient({
      highWaterMark: 1000,
      network: { capacity: 100 },
      async handler(_message, session) {
        for (let number = 0; number < 500; number++) {
          if (!session.send(`number ${number}`)) await session.drained();
          most = Math.max(most, harness.served[0]?.unsent ?? 0);
        }
      },
    });
    await peer.says('go\n');
    await peer.until(() => peer.lines.length === 500);
    expect(peer.lines).toEqual(Array.from({ length: 500 }, (_, number) => `number ${number}`));
    expect(most).toBeLessThan(1000 + 20);
  });
});

describe('session.close', () => {
  it('sends the reply of the same call, and drops the messages after it', async () => {
    const handled: string[] = [];
    const { peer } = await serveOneClient({
      handler({ text }, session) {
        handled.push(text);
        if (text === 'bye') session.close();
        return `re: ${text}`;
      },
    });
    await peer.says('a\nbye\nb\n');
    await peer.says('c\n');
    expect(peer.text).toBe('re: a\nre: bye\n');
    expect(peer.ended).toBe(true);
    expect(handled).toEqual(['a', 'bye']);
    await peer.ends();
    expect(peer.closed).toBe(true);
    expect(peer.error).toBeUndefined();
  });

  it('waits for the pending reply', async () => {
    const reply = Promise.withResolvers<string>();
    const { peer, session } = await serveOneClient({ handler: () => reply.promise });
    await peer.says('a\nb\n');
    session.close();
    await settled();
    expect(peer.ended).toBe(false);
    reply.resolve('made');
    await settled();
    expect(peer.text).toBe('made\n');
    expect(peer.ended).toBe(true);
  });

  it('from outside the handler, delivers what was sent before', async () => {
    const { peer, session } = await serveOneClient();
    session.send('bye');
    session.close();
    await settled();
    expect(peer.text).toBe('bye\n');
    expect(peer.ended).toBe(true);
    expect(session.ended).toBe(true);
  });

  it('delivers all of it to a slow peer', async () => {
    const { peer, session } = await serveOneClient({ network: { capacity: 10 } });
    peer.connection.pause();
    session.send('x'.repeat(100_000));
    session.close();
    await settled();
    peer.connection.resume();
    await settled();
    expect(peer.received.length).toBe(100_001);
    expect(peer.ended).toBe(true);
  });

  it('still reads and drops the input of a peer that reads only after it has sent everything', async () => {
    const { peer, session } = await serveOneClient({ highWaterMark: 1000, network: { capacity: 500, chunkSize: 100 } });
    peer.connection.pause();
    await peer.says('some line\n'.repeat(1000));
    expect(peer.connection.unsent).toBeGreaterThan(5000);
    session.close();
    await settled();
    expect(peer.connection.unsent).toBe(0);
    peer.connection.resume();
    await settled();
    expect(peer.size).toBeGreaterThan(1000);
    expect(peer.ended).toBe(true);
    await peer.ends();
    expect(peer.error).toBeUndefined();
  });

  it('in open, greets and ends', async () => {
    const { peer } = await serveOneClient({
      handler: {
        open(session) {
          session.close();
          return 'closed today';
        },
      },
    });
    expect(peer.text).toBe('closed today\n');
    expect(peer.ended).toBe(true);
  });

  it('twice has the effect of once', async () => {
    const { peer, session } = await serveOneClient();
    session.close();
    session.close();
    await peer.ends();
    session.close();
    expect(peer.closed).toBe(true);
  });
});

describe('session.abort', () => {
  it('discards what is unsent, and resets the connection', async () => {
    const { peer, session } = await serveOneClient();
    session.send('lost');
    session.abort();
    await settled();
    expect(peer.text).toBe('');
    expect(peer.error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('ends the session at once: nothing more is handled or sent', async () => {
    const handled: unknown[] = [];
    const { peer, harness } = await serveOneClient({
      handler({ text }, session) {
        session.abort();
        handled.push({ text, ended: session.ended, sent: session.send('more') });
        return text;
      },
    });
    await peer.says('a\nb\nc\n');
    expect(handled).toEqual([{ text: 'a', ended: true, sent: false }]);
    expect(harness.writes).toEqual([]);
  });

  it('is not an error of the peer', async () => {
    const errors: unknown[] = [];
    const { session } = await serveOneClient({ telemetry: { closed: (_, error) => errors.push(error) } });
    session.abort();
    await settled();
    expect(errors).toEqual([undefined]);
  });
});

describe('a session', () => {
  it('knows its number, its peer and its own address', async () => {
    const { peer, harness, session } = await serveOneClient();
    expect(session.id).toBe(1);
    expect(String(session.peer)).toBe(String(peer.connection.local));
    expect(String(session.local)).toBe(String(harness.address));
    await harness.connect();
    expect(harness.session.id).toBe(2);
  });

  it("keeps its handler's data, separate for each session", async () => {
    const harness = await Harness.open({
      handler(_message, { data }) {
        data.count = ((data.count as number | undefined) ?? 0) + 1;
        return `message ${data.count}`;
      },
    });
    const [one, two] = [await harness.connect(), await harness.connect()];
    await one.says('a\nb\n');
    await two.says('a\n');
    expect(await one.says('c\n')).toBe('message 3\n');
    expect(two.text).toBe('message 1\n');
  });

  it('has a signal for handlers that wait', async () => {
    const reasons: unknown[] = [];
    const { peer } = await serveOneClient({
      handler: (_message, { signal }) =>
        new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => {
            reasons.push(signal.reason);
            resolve();
          });
        }),
    });
    await peer.says('a\n');
    expect(reasons).toEqual([]);
    await peer.aborts();
    expect(reasons).toMatchObject([{ code: 'YODEL_CONNECTION_RESET' }]);
  });

  it('has an aborted signal when it is over, even if the signal was not used before', async () => {
    const { peer, session } = await serveOneClient();
    await peer.ends();
    expect(session.signal.aborted).toBe(true);
  });

  it('counts what it received and sent', async () => {
    const { peer, session } = await serveOneClient({ handler: ({ text }) => [text, text] });
    await peer.says('ab\ncd\ne');
    const { messagesReceived, messagesSent, bytesReceived, bytesSent } = session;
    expect({ messagesReceived, messagesSent, bytesReceived, bytesSent }).toEqual({
      messagesReceived: 2,
      messagesSent: 4,
      bytesReceived: 7,
      bytesSent: 12,
    });
  });
});
