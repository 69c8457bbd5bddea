import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/testing/fake-clock.ts';
import { type HarnessOptions, serveOneClient } from '../harness.ts';

/** A session that records when messages went to the handler, in milliseconds since it began. */
async function timed(options: HarnessOptions) {
  const clock = new FakeClock();
  const start = clock.now();
  const times: number[] = [];
  const telemetry = {
    received(_session: unknown, { count }: { count: number }) {
      for (let each = 0; each < count; each++) times.push(clock.now() - start);
    },
  };
  return { times, ...(await serveOneClient({ clock, telemetry, ...options })) };
}

const lines = (count: number) => Array.from({ length: count }, (_, number) => `${number}\n`).join('');

describe('the rate of a session', () => {
  it.each([
    [1, [0, 1000, 2000, 3000]],
    [2, [0, 500, 1000, 1500]],
    [2.5, [0, 400, 800, 1200]],
    [0.5, [0, 2000, 4000, 6000]],
    [1 / 60, [0, 60_000, 120_000, 180_000]],
  ])('%s a second spaces messages that come at once', async (rate, due) => {
    const { times, peer, harness } = await timed({ rate, idleTimeout: 0 });
    await peer.says(lines(4));
    expect(peer.text).toBe(lines(1));
    await harness.passes(200_000);
    expect(times).toEqual(due);
    expect(peer.text).toBe(lines(4));
  });

  it('applies to messages that arrive one by one, and does not delay slower ones', async () => {
    const { times, peer, harness } = await timed({ rate: 1 });
    for (const wait of [0, 200, 1800, 5000]) {
      await harness.passes(wait);
      await peer.says('a\n');
    }
    await harness.passes(3000);
    expect(times).toEqual([0, 1000, 2000, 7000]);
  });

  it('accumulates no credit: after a pause messages are spaced again', async () => {
    const { times, peer, harness } = await timed({ rate: 1 });
    await harness.passes(10_000);
    await peer.says(lines(3));
    await harness.passes(10_000);
    expect(times).toEqual([10_000, 11_000, 12_000]);
  });

  it.each([
    ['a handler of messages', { handler: <T>(message: T) => message }],
    ['an asynchronous handler', { handler: async <T>(message: T) => message }],
    ['a handler of batches', { handler: { batch: <T>(batch: T) => batch } }],
    ['an asynchronous handler of batches', { handler: { batch: async <T>(batch: T) => batch } }],
  ])('applies to %s, in chunks of any size', async (_, options) => {
    for (const chunkSize of [1, 3, 100]) {
      const { times, peer, harness } = await timed({ rate: 1, ...options, network: { chunkSize } });
      await peer.says(lines(4));
      await harness.passes(1500);
      await peer.says('more\n');
      await harness.passes(5000);
      expect(times).toEqual([0, 1000, 2000, 3000, 4000]);
      expect(peer.text).toBe(`${lines(4)}more\n`);
    }
  });

  it.each([500, 1000, 5000, 100_000])(
    '%s per second is reached over time, although timers are coarse',
    async (rate) => {
      const { times, peer, harness } = await timed({
        rate,
        highWaterMark: 1_000_000,
        network: { capacity: 1_000_000 },
      });
      await peer.says(lines(rate * 0.3));
      await harness.passes(200);
      expect(times.length).toBeGreaterThanOrEqual(rate * 0.2);
      expect(times.length).toBeLessThanOrEqual(rate * 0.2 + Math.max(1, rate * 0.006));
      await harness.passes(110);
      expect(times).toHaveLength(rate * 0.3);
      expect(peer.lines).toHaveLength(rate * 0.3);
    },
  );

  it('does not delay the end: all replies arrive, then the session is over', async () => {
    const { peer, harness } = await timed({ rate: 1 });
    await peer.says(lines(3));
    await peer.ends();
    await harness.passes(1999);
    expect(peer.ended).toBe(false);
    await harness.passes(1);
    expect(peer.text).toBe(lines(3));
    expect(peer.closed).toBe(true);
  });

  it('is separate for each session', async () => {
    const { times, peer, harness } = await timed({ rate: 1 });
    const other = await harness.connect();
    await peer.says('a\n');
    await other.says('b\n');
    expect(times).toEqual([0, 0]);
    expect(other.text).toBe('b\n');
  });

  it('stops reading a peer that sends much more', async () => {
    const { peer, session } = await timed({
      rate: 1,
      highWaterMark: 1000,
      network: { capacity: 1000, chunkSize: 100 },
    });
    await peer.says(lines(50_000));
    expect(session.bytesReceived).toBeLessThanOrEqual(1200);
    expect(peer.connection.unsent).toBeGreaterThan(250_000);
  });
});

describe('with ratePolicy "close"', () => {
  const error = (rate: number) => `error: more than ${rate} messages per second`;

  it("one second's worth may arrive at once; the next message ends the session", async () => {
    const { peer, session } = await timed({ rate: 5, ratePolicy: 'close' });
    await peer.says(lines(5));
    expect(peer.text).toBe(lines(5));
    expect(session.ended).toBe(false);
    await peer.says('a\nb\n');
    expect(peer.lines.slice(5)).toEqual([error(5)]);
    expect(peer.ended).toBe(true);
  });

  it('within one chunk, too', async () => {
    const errors: unknown[] = [];
    const { peer } = await timed({
      rate: 5,
      ratePolicy: 'close',
      telemetry: { closed: (_, closedBy) => errors.push(closedBy?.code) },
    });
    await peer.says(lines(7));
    expect(peer.lines).toEqual(['0', '1', '2', '3', '4', error(5)]);
    await peer.ends();
    expect(errors).toEqual(['YODEL_RATE_EXCEEDED']);
  });

  it('a peer that respects the rate is never closed', async () => {
    const { peer, harness } = await timed({ rate: 5, ratePolicy: 'close' });
    await peer.says(lines(5));
    for (let second = 0; second < 20; second++) {
      await harness.passes(200);
      await peer.says('a\n');
    }
    expect(peer.lines).toHaveLength(25);
    await harness.passes(1000);
    await peer.says(lines(5));
    expect(peer.lines).toHaveLength(30);
    expect(peer.ended).toBe(false);
  });

  it('below one per second, one message may arrive at a time', async () => {
    const { peer, harness } = await timed({ rate: 0.5, ratePolicy: 'close' });
    await peer.says('a\n');
    await harness.passes(2000);
    await peer.says('b\n');
    await harness.passes(1999);
    expect(await peer.says('c\n')).toBe(`${error(0.5)}\n`);
  });
});
