/** Faults in both directions of a session, in memory and with a clock of the test. */
import { describe, expect, it } from 'vitest';
import { echo } from '../../../src/handlers/echo.ts';
import { type AppliedFault, Faults } from '../../../src/handlers/faults/fault-set.ts';
import { withFaults } from '../../../src/handlers/faults.ts';
import type { Handler } from '../../../src/session/handler.ts';
import { FakeClock } from '../../../src/testing/fake-clock.ts';
import { settled } from '../../../src/testing/turns.ts';
import { Harness } from '../../session/harness.ts';

/** A server with faults that echoes, or has another handler, and one client. */
async function open(faults: readonly string[] | Faults, handler: Handler = echo, seed = 1) {
  const clock = new FakeClock();
  const applied: AppliedFault[] = [];
  const set =
    faults instanceof Faults ? faults : new Faults(faults, { seed, observe: (_, one) => void applied.push(one) });
  const harness = await Harness.open({
    clock,
    handler: withFaults(handler, set, { clock }),
    ...{ idleTimeout: 0, messageTimeout: 0, drainTimeout: 0, telemetry: { handlerFailed: () => undefined } },
  });
  return { harness, clock, peer: await harness.connect(), set, applied };
}

const lines = (count: number) => Array.from({ length: count }, (_, index) => `line ${index + 1}\n`);

describe('requests', () => {
  it('are dropped, duplicated, reset and closed by number and pattern', async () => {
    const { peer } = await open(['request #2 drop', 'request /3$/ duplicate 2', 'request /QUIT/i close']);
    expect(await peer.says(lines(4).join(''))).toBe('line 1\nline 3\nline 3\nline 3\nline 4\n');
    await peer.says('quit\nafter\n');
    expect([peer.ended, peer.text.includes('quit')]).toEqual([true, false]);
  });

  it('are delayed in order, all at the same time, and the replies with them', async () => {
    const { peer, harness } = await open(['request latency 100ms']);
    expect(await peer.says('a\nb\n')).toBe('');
    await harness.passes(99);
    expect(peer.text).toBe('');
    await harness.passes(1);
    expect(peer.text).toBe('a\nb\n');
  });

  it('reach a message handler one at a time, and the end follows them', async () => {
    const seen: string[] = [];
    const handler: Handler = {
      message: async (message) => {
        seen.push(message.text);
        await settled();
        return `${message.text}!`;
      },
      end: () => 'bye',
    };
    const { peer, harness } = await open(['request latency 10ms', 'request #2 drop'], handler);
    await peer.says('a\nb\nc\n');
    await peer.ends();
    await harness.passes(10);
    await peer.until(() => peer.ended);
    expect(seen).toEqual(['a', 'c']);
    expect(peer.text).toBe('a!\nc!\nbye\n');
  });

  it('a handler that fails late ends the session, and its error is reported', async () => {
    const failures: unknown[] = [];
    const clock = new FakeClock();
    const handler: Handler = ({ text }) => {
      throw new Error(text);
    };
    const harness = await Harness.open({
      clock,
      handler: withFaults(handler, ['request latency 5ms'], { clock }),
      telemetry: { handlerFailed: (_, error) => failures.push((error.cause as Error).message) },
    });
    const peer = await harness.connect();
    await peer.says('on purpose\n');
    await harness.passes(5);
    expect(peer.text).toBe('error: the handler failed on the server\n');
    await peer.ends();
    expect(failures).toEqual(['on purpose']);
  });

  it('corrupted ones are still messages', async () => {
    const { peer } = await open(['request corrupt'], (message) => Buffer.from(message.bytes).toString('hex'));
    await peer.says('aaaa\r\n');
    const [hex = ''] = peer.text.split('\r\n');
    expect(hex).toHaveLength(8);
    expect(hex).not.toBe(Buffer.from('aaaa').toString('hex'));
  });
});

describe('reorder', () => {
  it('lets the next message pass, and does not wait for ever', async () => {
    const { peer, harness } = await open(['#1 reorder', '#4 reorder 2 50ms']);
    expect(await peer.says(lines(5).join(''))).toBe('line 2\nline 1\nline 3\nline 5\n');
    await harness.passes(50);
    expect(peer.lines).toEqual(['line 2', 'line 1', 'line 3', 'line 5', 'line 4']);
  });

  it('of all messages swaps pairs', async () => {
    const { peer, applied } = await open(['reorder']);
    expect(await peer.says(lines(4).join(''))).toBe('line 2\nline 1\nline 4\nline 3\n');
    expect(applied.map(({ message }) => message)).toEqual([1, 3]);
  });

  it('the end does not overtake a message', async () => {
    const { peer } = await open(['reorder 5 1h']);
    await peer.says('a\n');
    await peer.ends();
    expect([peer.text, peer.ended]).toEqual(['a\n', true]);
  });
});

describe('bytes', () => {
  it('bandwidth: the bytes take as long as they must', async () => {
    const { peer, harness } = await open(['bandwidth 1000B/s']);
    await peer.says(`${'x'.repeat(499)}\n${'y'.repeat(499)}\n`);
    await harness.passes(500);
    expect(peer.size).toBeGreaterThanOrEqual(480);
    expect(peer.size).toBeLessThanOrEqual(500);
    await harness.passes(500);
    expect(peer.size).toBe(1000);
  });

  it('limit: cuts exactly there, even within a message, and closes', async () => {
    const { peer } = await open(['limit 9B']);
    await peer.says('abc\ndef\nghi\n');
    expect([peer.text, peer.ended]).toEqual(['abc\ndef\ng', true]);
  });

  it('limit of time and reset after a time need no message', async () => {
    const closed = await open(['limit 5s']);
    await closed.harness.passes(4999);
    expect(closed.peer.ended).toBe(false);
    await closed.harness.passes(1);
    expect(closed.peer.ended).toBe(true);
    const reset = await open(['after 5s reset']);
    await reset.harness.passes(5000);
    expect(reset.peer.error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('slow-close: the end comes later', async () => {
    const { peer, harness } = await open(['slow-close 100ms']);
    await peer.says('a\n');
    await peer.ends();
    await harness.passes(99);
    expect([peer.text, peer.ended]).toEqual(['a\n', false]);
    await harness.passes(1);
    expect(peer.ended).toBe(true);
  });
});

describe('blackhole', () => {
  it('takes everything, buffers nothing, and passes on not even the end', async () => {
    const { peer, harness } = await open(['reply from 3 blackhole']);
    await peer.says(lines(2).join(''));
    for (let round = 0; round < 100; round++) await peer.says('x'.repeat(60_000).concat('\n'));
    expect(harness.server.pendingBytes).toBe(0);
    await peer.ends();
    expect([peer.text, peer.ended]).toEqual(['line 1\nline 2\n', false]);
    await harness.passes(300_000);
    expect(peer.ended).toBe(true);
  });

  it('with a time closes the connection after it', async () => {
    const { peer, harness } = await open(['blackhole 2s']);
    await peer.says('a\n');
    await harness.passes(2000);
    expect([peer.text, peer.ended]).toEqual(['', true]);
  });

  it('ends when the fault is removed, and then what waits for it', async () => {
    const { peer, set } = await open(['request blackhole']);
    await peer.says('a\n');
    set.remove('blackhole_request');
    expect(await peer.says('b\n')).toBe('b\n');
    set.add('reply blackhole');
    await peer.says('c\n');
    await peer.ends();
    expect(peer.ended).toBe(false);
    set.clear();
    await settled();
    expect([peer.text, peer.ended]).toEqual(['b\n', true]);
  });
});

describe('a shutdown', () => {
  it.each(['request', 'reply', 'both'])(
    'does not wait for a black hole of %s, in which nothing is',
    async (direction) => {
      const { peer, harness } = await open([`${direction} blackhole`]);
      await peer.says('a\n');
      const closed = harness.server.close({ timeoutMs: 10_000 });
      await settled();
      expect([peer.text, peer.ended]).toEqual(['', true]);
      await peer.ends();
      await closed;
    },
  );

  it('waits for what is delayed', async () => {
    const { peer, harness } = await open(['both latency 2s']);
    await peer.says('a\n');
    const closed = harness.server.close({ timeoutMs: 10_000 });
    await harness.passes(2000);
    expect(peer.ended).toBe(false);
    await harness.passes(2000);
    expect([peer.text, peer.ended]).toEqual(['a\n', true]);
    await peer.ends();
    await closed;
  });
});

describe('what waits in a fault', () => {
  it('counts against maxPendingBytes, until it has been passed on', async () => {
    const { harness, peer } = await open(['request latency 1s']);
    await peer.says('x'.repeat(1000).concat('\n'));
    expect(harness.server.pendingBytes).toBeGreaterThan(1000);
    await harness.passes(1000);
    expect(harness.server.pendingBytes).toBe(0);
    expect(peer.size).toBe(1001);
  });

  it.each(['aborts', 'closed by the server'])('no longer counts when the session is over: %s', async (how) => {
    const { harness, peer } = await open(['both latency 1h']);
    await peer.says('x'.repeat(1000).concat('\n'));
    if (how === 'aborts') await peer.aborts();
    else harness.session.abort();
    await settled();
    expect([harness.server.sessions.size, harness.server.pendingBytes]).toEqual([0, 0]);
  });

  it('above maxPendingBytes the session is disconnected', async () => {
    const clock = new FakeClock();
    const errors: string[] = [];
    const harness = await Harness.open({
      ...{
        clock,
        handler: withFaults(echo, ['latency 1h'], { clock }),
        maxPendingBytes: 100_000,
        maxMessageLength: 90_000,
      },
      telemetry: { closed: (_, error) => void errors.push(error?.code ?? '') },
    });
    const [first, second] = [await harness.connect(), await harness.connect()];
    await first.says('x'.repeat(60_000).concat('\n'));
    await second.says('x'.repeat(50_000).concat('\n'));
    expect(errors).toEqual(['YODEL_TOO_MANY_PENDING_BYTES']);
    expect(first.closed).toBe(true);
  });
});

describe('very many short messages', () => {
  it('wait as the chunk that they came in, with the time and the faults of its arrival', async () => {
    const { harness, peer, clock, set } = await open(['latency 1s']);
    const text = lines(5000).join('');
    await peer.says(text);
    expect(harness.server.pendingBytes).toBeGreaterThan(text.length);
    expect(harness.server.pendingBytes).toBeLessThan(220_000);
    expect(clock.waiting).toBeLessThan(5);
    await harness.passes(600);
    set.add('drop');
    await peer.says('dropped\n');
    await harness.passes(399);
    expect(peer.size).toBe(0);
    await harness.passes(1);
    await peer.until(() => peer.size >= text.length);
    await harness.passes(600);
    expect(peer.text).toBe(text);
    expect(harness.server.pendingBytes).toBe(0);
  });

  it('let other sessions have their turn when all of them are due', async () => {
    const { harness, peer } = await open(['latency 1s']);
    await peer.says('a\n'.repeat(20_000));
    await harness.passes(1000);
    expect(peer.size).toBeGreaterThan(0);
    expect(peer.size).toBeLessThan(30_000);
    await peer.until(() => peer.size === 40_000);
  });

  it.each(['reply latency 1h', 'request latency 1h', 'reply latency 30m±20m', 'reply bandwidth 1B/s'])(
    'count with all that they cost, and more are not read: %s',
    async (fault) => {
      let calls = 0;
      const { harness, peer } = await open([fault], ({ text }) => {
        calls++;
        return text;
      });
      await peer.says('a\n'.repeat(20));
      expect(harness.server.pendingBytes).toBeGreaterThan(15_000);
      for (let round = 0; round < 40; round++) peer.connection.write(Buffer.from('a\n'.repeat(10_000)));
      await settled();
      expect(calls).toBeLessThan(2000);
      expect(harness.server.pendingBytes).toBeLessThan(2_500_000);
      expect(peer.connection.unsent).toBeGreaterThan(100_000);
      await peer.aborts();
      expect(harness.server.pendingBytes).toBe(0);
    },
  );
});

describe('a set of faults', () => {
  it('changes while sessions are open, and counts what it applied', async () => {
    const { peer, set, applied } = await open([]);
    expect(await peer.says('a\n')).toBe('a\n');
    set.add('odd=from 2 every 2 drop');
    expect(await peer.says('b\nc\nd\n')).toBe('c\n');
    expect(set.get('odd')).toMatchObject({ applied: 2, text: 'reply from 2 every 2 drop' });
    expect(applied).toEqual([2, 4].map((message) => ({ name: 'odd', kind: 'drop', direction: 'reply', message })));
    set.change('odd', 'request /f/ drop');
    expect(await peer.says('e\nf\ng\n')).toBe('e\ng\n');
    expect(set.remove('odd')).toBe(true);
    expect(await peer.says('f\n')).toBe('f\n');
  });

  it('names its faults, and refuses names that are taken or missing', () => {
    const set = new Faults(['drop', 'drop', 'request drop']);
    expect(set.all.map(({ name }) => name)).toEqual(['drop_reply', 'drop_reply_2', 'drop_request']);
    expect(() => set.add('drop_reply=close')).toThrow('there is a fault "drop_reply" already');
    expect(() => set.change('drop_replyy', 'close')).toThrow('Did you mean "drop_reply"?');
    expect(() => new Faults([], { seed: -1 })).toThrow('"seed" takes');
    expect(() => new Faults([], { sed: 1 } as object)).toThrow('Did you mean "seed"?');
  });

  it('applies to a share of the sessions', async () => {
    const clock = new FakeClock();
    const handler = withFaults(echo, ['30% of sessions drop'], { clock, seed: 5 });
    const harness = await Harness.open({ clock, handler });
    let silent = 0;
    for (let session = 0; session < 100; session++) {
      const peer = await harness.connect();
      const first = await peer.says('a\n');
      // All messages of a session have the same fate.
      expect(await peer.says('a\n')).toBe(first);
      if (first === '') silent++;
      await peer.ends();
    }
    expect(silent).toBeGreaterThan(15);
    expect(silent).toBeLessThan(45);
  });

  it('the same seed gives the same faults, however the bytes arrive', async () => {
    const faults = ['request 20% drop', 'both 10% corrupt', 'reply 20% duplicate', 'request 15% reorder 2 1h'];
    const text = lines(200).join('');
    const received = async (size: number, seed = 7) => {
      const { peer } = await open(faults, { batch: (batch) => batch }, seed);
      for (let at = 0; at < text.length; at += size) await peer.says(text.slice(at, at + size));
      await peer.ends();
      return peer.received.toString('latin1');
    };
    const whole = await received(text.length);
    expect(await received(7)).toBe(whole);
    expect(await received(501)).toBe(whole);
    expect(await received(501, 8)).not.toBe(whole);
  });
});
