import { describe, expect, test } from 'vitest';
import type { OpenNetwork, Place } from '../network.ts';

/** How much the process's memory may grow while a flood passes through it. */
const allowedGrowth = 100_000_000;

export function describeBackPressure(openNetwork: OpenNetwork, { isDelayed, sizes }: Place): void {
  describe('back-pressure', () => {
    test('what the peer does not read stays unsent, and is sent when it reads', async () => {
      const { client, server } = await openNetwork().open();
      server.pause();
      client.send(sizes.tooMuch);
      expect(client.connection.unsent).toBeGreaterThan(sizes.tooMuch / 4);
      server.resume();
      await server.receivedAll(sizes.tooMuch);
      await client.drained();
      expect(client.connection.unsent).toBe(0);
    });

    test('each further write to a peer that does not read adds to what is unsent', async () => {
      const network = openNetwork();
      const { client, server } = await network.open();
      server.pause();
      client.send(sizes.tooMuch);
      await network.passTime();
      const before = client.connection.unsent;
      for (let i = 0; i < 10; i++) client.send(1000);
      expect(client.connection.unsent).toBe(before + 10_000);
      server.resume();
      await server.receivedAll(client.sent);
      await client.drained();
    });

    test('onDrain reports the progress of a slow peer before it has read everything', async () => {
      const { client, server } = await openNetwork().open();
      server.pause();
      client.send(sizes.tooMuch);
      server.resume();
      await server.receivedAll(sizes.tooMuch);
      await client.drained();
      const whileSomeWaited = client.drains.filter((unsent) => unsent > 0);
      expect(whileSomeWaited.length).toBeGreaterThan(2);
      expect(client.drains).toEqual([...client.drains].sort((a, b) => b - a));
    });

    test('onDrain is called when the last byte was sent', async () => {
      const { client, server } = await openNetwork().open();
      server.pause();
      client.send(sizes.tooMuch);
      server.resume();
      await server.receivedAll(sizes.tooMuch);
      await client.drained();
      expect(client.drains.at(-1)).toBe(0);
    });

    test.runIf(!isDelayed)('onDrain is not called for bytes that never had to wait', async () => {
      const network = openNetwork();
      const { client, server } = await network.open();
      for (let round = 1; round <= 20; round++) {
        client.send(sizes.little);
        expect(client.connection.unsent).toBe(0);
        await server.receivedAll(sizes.little * round);
      }
      await network.passTime();
      expect(client.drains).toEqual([]);
    });

    test('what is written in onDrain is sent after what was waiting', async () => {
      const { client, server } = await openNetwork().open();
      client.whenDrained = () => {
        if (client.connection.unsent === 0) client.end();
        else if (client.sent < sizes.tooMuch + 10_000) client.send(1000);
      };
      server.pause();
      client.send(sizes.tooMuch);
      server.resume();
      await server.ended();
      expect(server.received).toBe(client.sent);
      expect(client.sent).toBeGreaterThan(sizes.tooMuch);
    });

    test('a flood to a slow reader arrives complete, and takes no memory', async () => {
      const { client, server } = await openNetwork().open();
      const highWaterMark = Math.min(1_048_576, sizes.flood / 100);
      const piece = Math.min(100_000, sizes.flood / 1000);
      const pour = () => {
        while (client.sent < sizes.flood && client.connection.unsent < highWaterMark) client.send(piece);
        if (client.sent >= sizes.flood) client.end();
        // Nothing had to wait, so onDrain is not called.
        else if (client.connection.unsent === 0) setImmediate(pour);
      };
      let nextNap = 0;
      server.whenData = () => {
        if (server.received < nextNap) return;
        nextNap = server.received + sizes.flood / 200;
        server.pause();
        setImmediate(() => server.resume());
      };
      const before = process.memoryUsage.rss();
      let highestRss = before;
      client.whenDrained = () => {
        highestRss = Math.max(highestRss, process.memoryUsage.rss());
        pour();
      };
      pour();
      await server.ended();
      expect(server.received).toBe(sizes.flood);
      expect(client.connection.unsent).toBe(0);
      expect(client.highestUnsent).toBeLessThan(highWaterMark + 2 * piece);
      // Garbage that is not collected yet counts too, so that only a real flood shows a difference.
      if (sizes.flood > 2 * allowedGrowth) expect(highestRss - before).toBeLessThan(allowedGrowth);
    });
  });

  describe('pause and resume', () => {
    test('a paused connection delivers nothing, and everything once it is resumed', async () => {
      const network = openNetwork();
      const { client, server } = await network.open();
      client.send(1000);
      await server.receivedAll(1000);
      server.pause();
      client.send(sizes.large);
      await network.passTime();
      expect(server.received).toBe(1000);
      server.resume();
      await server.receivedAll(client.sent);
      expect(server.received).toBe(client.sent);
    });

    test('a connection that is paused before its first byte delivers nothing', async () => {
      const network = openNetwork();
      const { client, server } = await network.open();
      server.pause();
      client.send(1000);
      await network.passTime();
      expect(server.received).toBe(0);
      server.resume();
      await server.receivedAll(1000);
    });

    test('a connection can be paused before it is started', async () => {
      const network = openNetwork();
      const { client, server } = await network.openUnstarted();
      client.start();
      server.pause();
      server.start();
      client.send(1000);
      await network.passTime();
      expect(server.received).toBe(0);
      server.resume();
      await server.receivedAll(1000);
    });

    test('a connection that is paused after every chunk loses none', async () => {
      const { client, server } = await openNetwork().open();
      server.whenData = () => {
        server.pause();
        setImmediate(() => server.resume());
      };
      client.send(sizes.large);
      client.end();
      await server.ended();
      expect(server.received).toBe(sizes.large);
    });

    test('pausing and resuming within one call changes nothing', async () => {
      const { client, server } = await openNetwork().open();
      server.whenData = () => {
        server.pause();
        server.resume();
        server.pause();
        server.resume();
      };
      client.send(sizes.large);
      await server.receivedAll(sizes.large);
      expect(server.received).toBe(sizes.large);
    });

    test('a paused connection still writes', async () => {
      const { client, server } = await openNetwork().open();
      server.pause();
      server.send(sizes.large);
      await client.receivedAll(sizes.large);
      await server.drained();
    });

    test('the end of a peer that is not read is reported after its bytes', async () => {
      const network = openNetwork();
      const { client, server } = await network.open();
      server.pause();
      client.send(1000);
      client.end();
      await network.passTime();
      expect(server.hasEnded).toBe(false);
      server.resume();
      await server.ended();
      expect(server.received).toBe(1000);
    });
  });
}
