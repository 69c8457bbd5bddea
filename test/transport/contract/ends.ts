import { describe, expect, test } from 'vitest';
import type { OpenNetwork, Place } from '../network.ts';

export function describeEnds(openNetwork: OpenNetwork, { isDelayed, sizes }: Place): void {
  describe('ends', () => {
    for (const first of ['client', 'server'] as const) {
      test(`when the ${first} ends first, a late and large reply still arrives whole`, async () => {
        const network = openNetwork();
        const opened = await network.open();
        const asking = opened[first];
        const answering = first === 'client' ? opened.server : opened.client;
        asking.send(100);
        asking.end();
        await answering.ended();
        expect(answering.received).toBe(100);
        await network.passTime();
        expect(asking.isClosed).toBe(false);
        expect(answering.isClosed).toBe(false);
        answering.send(sizes.large / 2);
        await answering.drained();
        answering.send(sizes.large / 2);
        answering.end();
        await asking.ended();
        expect(asking.received).toBe(sizes.large);
        expect(await asking.closed()).toBeUndefined();
        expect(await answering.closed()).toBeUndefined();
      });
    }

    test('end() after a large write delivers all of it first', async () => {
      const { client, server } = await openNetwork().open();
      server.pause();
      client.send(sizes.tooMuch);
      client.end();
      expect(client.connection.unsent).toBeGreaterThan(0);
      server.resume();
      await server.ended();
      expect(server.received).toBe(sizes.tooMuch);
      expect(client.connection.unsent).toBe(0);
    });

    test('a connection closes once, without an error, after both sides have ended', async () => {
      const network = openNetwork();
      const { client, server } = await network.open();
      client.end();
      await server.ended();
      await network.passTime();
      expect([client.isClosed, server.isClosed]).toEqual([false, false]);
      server.end();
      expect([client.isClosed, server.isClosed]).toEqual([false, false]);
      expect(await client.closed()).toBeUndefined();
      expect(await server.closed()).toBeUndefined();
      expect(client.hasEnded).toBe(true);
      await network.passTime();
    });

    test('both sides may end at the same time', async () => {
      const { client, server } = await openNetwork().open();
      client.send(sizes.large);
      server.send(sizes.large);
      client.end();
      server.end();
      expect(await client.closed()).toBeUndefined();
      expect(await server.closed()).toBeUndefined();
      expect(client.received).toBe(sizes.large);
      expect(server.received).toBe(sizes.large);
      expect([client.connection.unsent, server.connection.unsent]).toEqual([0, 0]);
    });

    test('a side may end from within onEnd and onData', async () => {
      const { client, server } = await openNetwork().open();
      server.whenData = () => server.end();
      client.whenEnded = () => {
        client.send(1000);
        client.end();
      };
      client.send(1);
      expect(await client.closed()).toBeUndefined();
      expect(await server.closed()).toBeUndefined();
      expect(server.received).toBe(1001);
    });

    test('ending twice is the same as ending once', async () => {
      const { client, server } = await openNetwork().open();
      client.send(sizes.large);
      client.end();
      client.end();
      await server.ended();
      client.end();
      server.end();
      expect(await client.closed()).toBeUndefined();
      client.end();
      expect(server.received).toBe(sizes.large);
    });

    test('a write after end() is ignored', async () => {
      const network = openNetwork();
      const { client, server } = await network.open();
      client.send(sizes.large);
      client.end();
      client.write(Buffer.from('too late'));
      await server.ended();
      client.write(Buffer.from('too late'));
      await network.passTime();
      expect(server.received).toBe(sizes.large);
      expect(client.connection.unsent).toBe(0);
    });

    test('calls after the close are ignored', async () => {
      const network = openNetwork();
      const { client, server } = await network.open();
      const lateCalls = () => {
        client.write(Buffer.from('too late'));
        client.pause();
        client.resume();
        client.end();
        client.release();
        client.abort();
      };
      client.whenClosed = lateCalls;
      client.end();
      server.end();
      await client.closed();
      expect(await server.closed()).toBeUndefined();
      lateCalls();
      await network.passTime();
      expect(client.connection.unsent).toBe(0);
    });
  });

  describe('release()', () => {
    test('closes a connection that has ended; the peer receives everything that was sent, without an error', async () => {
      const { client, server } = await openNetwork().open();
      client.pause();
      server.send(sizes.little);
      server.end();
      if (isDelayed) await server.drained();
      expect(server.connection.unsent).toBe(0);
      server.release();
      expect(await server.closed()).toBeUndefined();
      client.resume();
      await client.ended();
      expect(client.received).toBe(sizes.little);
      client.end();
      expect(await client.closed()).toBeUndefined();
    });

    test('closes a connection that has not ended, and whose peer does not read', async () => {
      const { client, server } = await openNetwork().open();
      client.pause();
      server.release();
      expect(await server.closed()).toBeUndefined();
      client.abort();
      await client.closed();
      // Bun closes it by itself after 12 seconds.
    }, 10_000);

    test('drops what is unsent', async () => {
      const { client, server } = await openNetwork().open();
      server.pause();
      client.send(sizes.tooMuch);
      client.release();
      expect(await client.closed()).toBeUndefined();
      expect(client.connection.unsent).toBe(0);
    });

    test('makes a later write of the peer fail with a reset', async () => {
      const { client, server } = await openNetwork().open();
      server.end();
      await client.ended();
      server.release();
      await server.closed();
      const writeOn = () => {
        if (client.isClosed) return;
        client.send(1000);
        setImmediate(writeOn);
      };
      writeOn();
      expect(await client.closed()).toMatchObject({ code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) });
    });

    test('delivers nothing more', async () => {
      const network = openNetwork();
      const { client, server } = await network.open();
      server.whenData = () => server.release();
      client.send(sizes.large);
      await server.closed();
      client.abort();
      await client.closed();
      await network.passTime();
    });

    test('may be called twice, and after abort()', async () => {
      const { client, server } = await openNetwork().open();
      server.end();
      await client.ended();
      server.release();
      server.release();
      client.abort();
      client.release();
      await Promise.all([client.closed(), server.closed()]);
    });
  });
}
