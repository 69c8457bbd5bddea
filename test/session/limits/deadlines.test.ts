import { describe, expect, it } from 'vitest';
import { settled } from '../../../src/testing/turns.ts';
import { Harness, serveOneClient } from '../harness.ts';

const off = { idleTimeout: 0, messageTimeout: 0, drainTimeout: 0, handlerTimeout: 0 };

describe('idleTimeout', () => {
  const options = { ...off, idleTimeout: 1000 };
  const error = 'error: nothing was received or sent for 1 s\n';

  it('ends a session whose peer sends nothing', async () => {
    const errors: unknown[] = [];
    const { peer, harness } = await serveOneClient({
      ...options,
      telemetry: { closed: (_, error) => errors.push(error?.code) },
    });
    await harness.passes(999);
    expect(peer.text).toBe('');
    await harness.passes(1);
    expect(peer.text).toBe(error);
    expect(peer.ended).toBe(true);
    await peer.ends();
    expect(errors).toEqual(['YODEL_IDLE_TIMEOUT']);
  });

  it('restarts with every byte that arrives', async () => {
    const { peer, harness } = await serveOneClient(options);
    for (const piece of ['a\n', 'b', 'c', '\n']) {
      await harness.passes(900);
      await peer.says(piece);
    }
    await harness.passes(999);
    expect(peer.text).toBe('a\nbc\n');
    await harness.passes(1);
    expect(peer.text).toBe(`a\nbc\n${error}`);
  });

  it('does not run while the handler works, and starts when it is done', async () => {
    const reply = Promise.withResolvers<string>();
    const { peer, harness } = await serveOneClient({ ...options, handler: () => reply.promise });
    await peer.says('a\n');
    await harness.passes(100_000);
    expect(peer.ended).toBe(false);
    reply.resolve('done');
    await settled();
    await harness.passes(999);
    expect(peer.text).toBe('done\n');
    await harness.passes(1);
    expect(peer.text).toBe(`done\n${error}`);
  });

  it('restarts with every message that is sent: a client may only listen', async () => {
    const { peer, harness, session } = await serveOneClient(options);
    for (const text of ['a', 'b', 'c']) {
      await harness.passes(900);
      session.send(text);
      await settled();
    }
    await harness.passes(999);
    expect(peer.text).toBe('a\nb\nc\n');
    await harness.passes(1);
    expect(peer.text).toBe(`a\nb\nc\n${error}`);
  });

  it('does not run while messages wait for their turn, and starts after the last one', async () => {
    const { peer, harness } = await serveOneClient({ ...options, rate: 0.1 });
    await peer.says('a\nb\nc\n');
    await harness.passes(20_000);
    expect(peer.text).toBe('a\nb\nc\n');
    await harness.passes(999);
    expect(peer.text).toBe('a\nb\nc\n');
    await harness.passes(1);
    expect(peer.text).toBe(`a\nb\nc\n${error}`);
  });

  it('does not run while the peer reads its replies, and starts when it has read all', async () => {
    const { peer, harness, session } = await serveOneClient({ ...options, network: { capacity: 10 } });
    peer.connection.pause();
    session.send('x'.repeat(100));
    await harness.passes(100_000);
    peer.connection.resume();
    await settled();
    expect(peer.received.length).toBe(101);
    await harness.passes(999);
    expect(peer.ended).toBe(false);
    await harness.passes(1);
    expect(peer.text).toContain(error);
  });

  it('0 disables it', async () => {
    const { peer, harness } = await serveOneClient(off);
    expect(harness.clock.waiting).toBe(0);
    await harness.passes(1_000_000_000);
    expect(await peer.says('hello\n')).toBe('hello\n');
  });
});

describe('messageTimeout', () => {
  const options = { ...off, messageTimeout: 1000 };
  const error = 'error: a message was not finished within 1 s of its first byte\n';

  it('ends a session whose peer drips bytes', async () => {
    const errors: unknown[] = [];
    const { peer, harness } = await serveOneClient({
      ...options,
      telemetry: { closed: (_, error) => errors.push(error?.code) },
    });
    for (let each = 0; each < 10; each++) {
      await peer.says('x');
      await harness.passes(100);
    }
    expect(peer.text).toBe(error);
    expect(peer.ended).toBe(true);
    await peer.ends();
    expect(errors).toEqual(['YODEL_MESSAGE_TIMEOUT']);
  });

  it('is separate for each message', async () => {
    const { peer, harness } = await serveOneClient(options);
    await peer.says('a');
    await harness.passes(900);
    await peer.says('a\nb');
    await harness.passes(999);
    expect(peer.text).toBe('aa\n');
    await harness.passes(1);
    expect(peer.text).toBe(`aa\n${error}`);
  });

  it('does not run between messages', async () => {
    const { peer, harness } = await serveOneClient(options);
    await peer.says('a\n');
    expect(harness.clock.waiting).toBe(0);
    await harness.passes(100_000);
    expect(await peer.says('b\n')).toBe('b\n');
  });

  it('also runs while the rest of a message that is too long is discarded', async () => {
    const { peer, harness } = await serveOneClient({ ...options, maxMessageLength: 5, onTooLong: 'discard' });
    await peer.says('x'.repeat(20));
    await harness.passes(900);
    await peer.says('x'.repeat(20));
    await harness.passes(99);
    expect(peer.ended).toBe(false);
    await harness.passes(1);
    expect(peer.text).toContain(error);
  });

  it('answers earlier messages first', async () => {
    const reply = Promise.withResolvers<string>();
    const { peer, harness } = await serveOneClient({ ...options, handler: () => reply.promise });
    await peer.says('a\nb');
    await harness.passes(5000);
    expect(peer.text).toBe('');
    reply.resolve('re: a');
    await settled();
    expect(peer.text).toBe(`re: a\n${error}`);
    expect(peer.ended).toBe(true);
  });

  it.each([
    ['and could not begin a message', 10],
    ['and could not continue one', 41],
  ])('does not run while reading is paused %s', async (_, chunkSize) => {
    const reply = Promise.withResolvers<string>();
    const { peer, harness } = await serveOneClient({
      ...options,
      handler: () => reply.promise,
      highWaterMark: 10,
      network: { chunkSize },
    });
    await peer.says('a\n');
    await peer.says(`${'a\n'.repeat(20)}bc`);
    await harness.passes(5000);
    reply.resolve('re');
    await settled();
    expect(peer.lines).toHaveLength(21);
    await harness.passes(999);
    expect(peer.ended).toBe(false);
    await harness.passes(1);
    expect(peer.text.endsWith(error)).toBe(true);
  });
});

describe('drainTimeout', () => {
  const options = { ...off, drainTimeout: 1000, network: { capacity: 10 } };

  it('disconnects a peer that reads nothing', async () => {
    const errors: unknown[] = [];
    const { peer, harness } = await serveOneClient({
      ...options,
      telemetry: { closed: (_, error) => errors.push(error) },
    });
    peer.connection.pause();
    await peer.says('x'.repeat(40));
    await peer.says('\n');
    await harness.passes(999);
    expect(peer.closed).toBe(false);
    await harness.passes(1);
    expect(peer.error).toMatchObject({ code: 'ECONNRESET' });
    expect(errors).toMatchObject([
      { code: 'YODEL_DRAIN_TIMEOUT', message: 'the peer read nothing for 1 s, with 31 bytes pending' },
    ]);
  });

  it('counts as sent only what was taken, and says how much was not', async () => {
    const totals: [sent: number, unsent: number][] = [];
    const { peer, harness, session } = await serveOneClient({
      ...options,
      telemetry: { closed: ({ bytesSent, unsent }) => totals.push([bytesSent, unsent]) },
    });
    peer.connection.pause();
    session.send('x'.repeat(99));
    await settled();
    // The network takes 10 bytes, and the peer reads 10.
    peer.connection.resume();
    await Promise.resolve();
    peer.connection.pause();
    const { bytesSent, unsent } = session;
    expect(bytesSent).toBeGreaterThan(0);
    expect(bytesSent + unsent).toBe(100);
    expect(harness.server.counters.bytesSent).toBe(bytesSent);
    session.send('more');
    await harness.passes(1000);
    expect(peer.closed).toBe(true);
    expect(totals).toEqual([[bytesSent, unsent + 5]]);
    expect(harness.server.counters.bytesSent).toBe(bytesSent);
  });

  it('keeps running while more is sent to such a peer', async () => {
    const { peer, harness, session } = await serveOneClient(options);
    peer.connection.pause();
    for (let each = 0; each < 10; each++) {
      expect(peer.closed).toBe(false);
      session.send('one message more');
      await harness.passes(100);
    }
    expect(peer.closed).toBe(true);
  });

  it('spares a peer that reads a little from time to time', async () => {
    const { peer, harness, session } = await serveOneClient(options);
    peer.connection.pause();
    session.send('x'.repeat(100));
    await settled();
    while (peer.received.length < 101) {
      await harness.passes(900);
      peer.connection.resume();
      await Promise.resolve();
      peer.connection.pause();
    }
    expect(peer.closed).toBe(false);
  });

  it('applies to a session that has ended except for its last replies', async () => {
    const { peer, harness, session } = await serveOneClient(options);
    peer.connection.pause();
    session.send('x'.repeat(100));
    session.close();
    await harness.passes(999);
    expect(peer.closed).toBe(false);
    await harness.passes(1);
    expect(peer.closed).toBe(true);
  });

  it('does not count the time in which nothing was pending', async () => {
    const { peer, harness, session } = await serveOneClient(options);
    await peer.says('a\n');
    await harness.passes(5000);
    peer.connection.pause();
    session.send('x'.repeat(100));
    await harness.passes(999);
    expect(peer.closed).toBe(false);
  });

  it('0 disables it', async () => {
    const { peer, harness, session } = await serveOneClient({ ...options, ...off });
    peer.connection.pause();
    session.send('x'.repeat(100));
    await harness.passes(1_000_000_000);
    expect(peer.closed).toBe(false);
  });
});

describe('lingerTimeout', () => {
  it('releases a peer that does not end its side', async () => {
    const { peer, harness, session } = await serveOneClient({ ...off, lingerTimeout: 1000 });
    session.send('bye');
    session.close();
    await settled();
    expect(peer.text).toBe('bye\n');
    await harness.passes(999);
    expect(harness.server.sessions.size).toBe(1);
    await harness.passes(1);
    expect(harness.server.sessions.size).toBe(0);
    expect(harness.server.counters.errors.size).toBe(0);
  });

  it('starts when the last reply was sent', async () => {
    const { peer, harness, session } = await serveOneClient({ ...off, lingerTimeout: 1000, network: { capacity: 10 } });
    peer.connection.pause();
    session.send('x'.repeat(100));
    session.close();
    await harness.passes(5000);
    peer.connection.resume();
    await settled();
    expect(peer.received.length).toBe(101);
    await harness.passes(999);
    expect(harness.server.sessions.size).toBe(1);
    await harness.passes(1);
    expect(harness.server.sessions.size).toBe(0);
  });

  it('0 releases at once', async () => {
    const { harness, session } = await serveOneClient({ ...off, lingerTimeout: 0 });
    session.close();
    await harness.passes(1);
    expect(harness.server.sessions.size).toBe(0);
  });
});

describe('the time in which the process did not run', () => {
  it('does not count for idleTimeout', async () => {
    const { peer, harness } = await serveOneClient({ ...off, idleTimeout: 1000 });
    await harness.passes(600);
    harness.clock.stall(5000);
    await harness.passes(399);
    expect(peer.ended).toBe(false);
    await harness.passes(1);
    expect(peer.ended).toBe(true);
  });

  it('does not count for messageTimeout: the peer could not send the rest', async () => {
    const { peer, harness } = await serveOneClient({ ...off, messageTimeout: 1000 });
    await peer.says('a');
    harness.clock.stall(5000);
    await harness.passes(999);
    expect(await peer.says('b\n')).toBe('ab\n');
  });

  it('does not count for drainTimeout', async () => {
    const { peer, harness, session } = await serveOneClient({ ...off, drainTimeout: 1000, network: { capacity: 10 } });
    peer.connection.pause();
    session.send('x'.repeat(100));
    await harness.passes(600);
    harness.clock.stall(5000);
    await harness.passes(399);
    expect(peer.closed).toBe(false);
    await harness.passes(1);
    expect(peer.closed).toBe(true);
  });

  it.each([
    ['idleTimeout', { idleTimeout: 1000 }],
    ['handlerTimeout', { handlerTimeout: 1000, handler: { open: () => new Promise<void>(() => undefined) } }],
  ])('does not make %s longer for those who connect later', async (_option, options) => {
    const harness = await Harness.open({ ...off, ...options });
    harness.clock.stall(60_000);
    const peer = await harness.connect();
    await harness.passes(999);
    expect(peer.ended).toBe(false);
    await harness.passes(1);
    expect(peer.ended).toBe(true);
  });

  it('counts for the rate: what arrived meanwhile is in time', async () => {
    const { peer, harness } = await serveOneClient({ ...off, rate: 10, ratePolicy: 'close' });
    harness.clock.stall(3000);
    expect(await peer.says('a\n'.repeat(40))).toBe('a\n'.repeat(40));
    expect(await peer.says('a\n')).toContain('error: more than 10 messages per second');
  });

  it('counts for the connections of an address', async () => {
    const harness = await Harness.open({ ...off, connectionRate: 10 });
    harness.clock.stall(3000);
    for (let each = 0; each < 40; each++) expect((await harness.connect()).ended).toBe(false);
    expect((await harness.connect()).text).toContain('more than 10 connections per second');
  });
});

describe('the timers of a session', () => {
  it('never exceed one', async () => {
    const { peer, harness } = await serveOneClient({ rate: 2, network: { capacity: 50 } });
    expect(harness.clock.waiting).toBe(1);
    await peer.says('a\n'.repeat(100));
    expect(harness.clock.waiting).toBe(1);
    await peer.says('unfinished');
    peer.connection.pause();
    await harness.passes(1234);
    expect(harness.clock.waiting).toBe(1);
    await harness.connect();
    expect(harness.clock.waiting).toBe(2);
  });

  it('are not set again for each message', async () => {
    const harness = await Harness.open();
    let set = 0;
    const { deadline } = harness.clock;
    harness.clock.deadline = (...all) => {
      set++;
      return deadline.apply(harness.clock, all);
    };
    const peer = await harness.connect();
    for (let each = 0; each < 100; each++) {
      await peer.says('a\n');
      await harness.passes(100);
    }
    expect(set).toBe(1);
  });

  it.each(['ends', 'aborts'] as const)('are gone when the peer %s', async (how) => {
    const { peer, harness } = await serveOneClient({ rate: 1 });
    await peer.says('a\nb');
    await peer[how]();
    await harness.passes(2000);
    expect(harness.server.sessions.size).toBe(0);
    expect(harness.clock.waiting).toBe(0);
  });
});
