import { describe, expect, it } from 'vitest';
import { echo } from '../../src/handlers/echo.ts';
import type { Fault } from '../../src/handlers/faults/fault.ts';
import { randomNumber } from '../../src/handlers/faults/random.ts';
import { withFaults } from '../../src/handlers/faults.ts';
import type { Handler, HandlerObject } from '../../src/session/handler.ts';
import type { Peer as SocketPeer } from '../../src/testing/peer.ts';
import { Harness, serveOneClient } from '../session/harness.ts';
import { fc } from '../support/fast-check.ts';

const numbered = Array.from({ length: 200 }, (_, index) => `message ${index}`);
const asLines = (texts: readonly string[]) => texts.map((text) => `${text}\n`).join('');

/** Everything that comes back for these lines. */
async function echoed(
  faults: readonly (Fault | string)[],
  { seed = 1, texts = numbered, handler = echo }: { seed?: number; texts?: readonly string[]; handler?: Handler } = {},
): Promise<SocketPeer> {
  const { peer } = await serveOneClient({ handler: withFaults(handler, faults, { seed }) });
  peer.connection.write(Buffer.from(asLines(texts)));
  peer.connection.end();
  await peer.until(() => peer.ended || peer.closed).catch(() => undefined);
  return peer;
}

describe('faults', () => {
  it('are off by default: everything comes back unchanged', async () => {
    const texts = ['a', 'b\r', '', 'c'];
    expect((await echoed([], { texts })).text).toBe(asLines(texts));
    const upperCase = (await echoed([], { texts, handler: (message) => message.text.toUpperCase() })).text;
    expect(upperCase).toBe('A\nB\r\n\nC\n');
  });

  it('do not apply to what the handler asks its client, nor to the answer, and count neither', async () => {
    const handler: HandlerObject = {
      message: async ({ text }, session) => `${text} ${(await session.request('who?')).text}`,
    };
    const { peer, harness } = await serveOneClient({
      handler: withFaults(handler, ['reply #1 latency 10ms', 'reply from 2 drop', 'request from 2 drop'], { seed: 1 }),
    });
    expect(await peer.says('hello\n')).toBe('who?\n');
    await peer.says('ada\n');
    await harness.passes(20);
    await peer.until(() => peer.lines.length === 2);
    expect(peer.lines).toEqual(['who?', 'hello ada']);
  });

  it('drop: some replies are missing, and the others are in order', async () => {
    const { lines } = await echoed(['20% drop']);
    expect(lines.length).toBeGreaterThan(120);
    expect(lines.length).toBeLessThan(190);
    expect(lines).toEqual(numbered.filter((text) => lines.includes(text)));
  });

  it('drop all: no reply arrives', async () => {
    expect((await echoed(['drop'])).text).toBe('');
  });

  it('corrupt: in some replies one bit is flipped, and each still ends where it did', async () => {
    const peer = await echoed(['30% corrupt'], { seed: 2 });
    const received = peer.received.toString('latin1').split('\n').slice(0, -1);
    expect(received.length).toBe(numbered.length);
    const flipped = received.map((text, index) => bitsBetween(text, numbered[index] as string));
    expect(Math.max(...flipped)).toBe(1);
    const count = flipped.filter((bits) => bits === 1).length;
    expect(count).toBeGreaterThan(35);
    expect(count).toBeLessThan(90);
  });

  it('reset: the connection is reset after the replies before it', async () => {
    const peer = await echoed(['5% reset'], { seed: 3 });
    expect(peer.error).toMatchObject({ code: 'ECONNRESET' });
    expect(peer.lines).toEqual(numbered.slice(0, peer.lines.length));
    expect(peer.lines.length).toBeLessThan(numbered.length);
  });

  it('limit: sends this number of replies, then closes normally', async () => {
    const peer = await echoed(['limit 3 messages']);
    expect(peer.lines).toEqual(numbered.slice(0, 3));
    expect([peer.ended, peer.error]).toEqual([true, undefined]);
  });

  it('latency: replies arrive later, in order, and not one delay after the other', async () => {
    const began = performance.now();
    const peer = await echoed(['latency 30ms±20ms'], { seed: 4 });
    expect(performance.now() - began).toBeGreaterThan(10);
    expect(peer.lines).toEqual(numbered);
  });

  it('chunk: replies are sent in writes of this number of bytes', async () => {
    const harness = await Harness.open({ handler: withFaults(echo, ['chunk 3']) });
    const peer = await harness.connect();
    peer.connection.write(Buffer.from('abcdefgh\nij\n'));
    peer.connection.end();
    await peer.until(() => peer.ended);
    expect(harness.writes).toEqual(['abc', 'def', 'gh\n', 'ij\n']);
    expect(harness.server.counters.messagesSent).toBe(2);
  });

  it('the same seed produces the same faults, however the bytes arrive; another one produces others', async () => {
    const faults = ['10% drop', '20% corrupt', 'latency 0ms±2ms'];
    const first = (await echoed(faults, { seed: 42 })).received;
    const { peer } = await serveOneClient({
      handler: withFaults(echo, faults, { seed: 42 }),
      network: { chunkSize: 7 },
    });
    peer.connection.write(Buffer.from(asLines(numbered)));
    peer.connection.end();
    await peer.until(() => peer.ended);
    expect(peer.received).toEqual(first);
    expect((await echoed(faults, { seed: 43 })).received).not.toEqual(first);
  });

  it('adding a fault does not change the effect of another', async () => {
    const dropped = (await echoed(['20% drop'], { seed: 5 })).lines;
    expect((await echoed(['latency 0ms±1ms', '20% drop', 'chunk 50'], { seed: 5 })).lines).toEqual(dropped);
  });

  it('replies of every handler stay in order, however they are delayed and split', async () => {
    const handlers: Record<string, HandlerObject> = {
      batch: echo,
      message: { message: (message) => message },
      async: { message: async (message) => message.text },
      sending: { message: (message, session) => void session.send(message) },
    };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(handlers)),
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: 1, max: 40 }),
        async (name, delay, jitter, chunk) => {
          const texts = numbered.slice(0, 20);
          const peer = await echoed([`latency ${delay}ms±${jitter}ms`, `chunk ${chunk}`], {
            texts,
            handler: handlers[name] as Handler,
          });
          expect(peer.lines).toEqual(texts);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('what a handler sends when it closes still arrives, even late', async () => {
    const handler: Handler = (_, session) => {
      session.close();
      return 'bye';
    };
    expect((await echoed(['latency 5ms'], { texts: ['a', 'b'], handler })).text).toBe('bye\n');
  });

  it('a handler fails after the delayed replies', async () => {
    const handler: Handler = (message) => {
      if (message.text === 'b') throw new Error('on purpose');
      return message;
    };
    const { peer } = await serveOneClient({
      handler: withFaults(handler, ['latency 5ms']),
      telemetry: { handlerFailed: () => undefined },
    });
    peer.connection.write(Buffer.from('a\nb\nc\n'));
    await peer.until(() => peer.ended);
    expect(peer.text).toBe('a\nerror: the handler failed on the server\n');
  });
});

describe('random numbers', () => {
  it('depend only on seed and keys, and are uniform', () => {
    const draw = (seed: number, key: number) =>
      Array.from({ length: 1000 }, (_, index) => randomNumber(seed, key, index));
    expect(draw(1, 2)).toEqual(draw(1, 2));
    expect(draw(1, 2)).not.toEqual(draw(2, 1));
    for (const numbers of [draw(0, 0), draw(1, 1), draw(2 ** 32 - 1, 3)]) {
      expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
      const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
      expect(Math.abs(mean - 0.5)).toBeLessThan(0.05);
    }
  });
});

function bitsBetween(a: string, b: string): number {
  let bits = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  for (let at = 0; at < a.length; at++) {
    for (let rest = a.charCodeAt(at) ^ b.charCodeAt(at); rest > 0; rest &= rest - 1) bits++;
  }
  return bits;
}
