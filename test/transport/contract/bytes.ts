import { describe, expect, test } from 'vitest';
import { fc } from '../../support/fast-check.ts';
import type { OpenNetwork, Place } from '../network.ts';
import { patternBytes } from '../pattern.ts';

export function describeBytes(openNetwork: OpenNetwork, { sizes }: Place): void {
  describe('bytes', () => {
    test('arrive whole and in order, whatever the sizes of the writes and however the reader pauses', async () => {
      const network = openNetwork();
      const testListener = await network.listen();
      const size = fc.oneof(fc.constantFrom(0, 1, 2, 65_535, 65_536, 65_537), fc.nat(100), fc.nat(200_000));
      const writes = fc.array(fc.record({ size, thenTurn: fc.boolean() }), { minLength: 1, maxLength: 30 });
      await fc.assert(
        fc.asyncProperty(writes, fc.nat(5), async (plan, chunksPerNap) => {
          const { client, server } = await network.open(testListener);
          server.whenData = () => {
            if (chunksPerNap === 0 || server.chunks % chunksPerNap !== 0) return;
            server.pause();
            setImmediate(() => server.resume());
          };
          for (const { size, thenTurn } of plan) {
            client.send(Math.ceil(size * Math.min(1, sizes.large / 5_000_000)));
            if (thenTurn) await new Promise((resolve) => setImmediate(resolve));
          }
          client.end();
          await server.ended();
          expect(server.received).toBe(client.sent);
          server.end();
          await Promise.all([client.closed(), server.closed()]);
        }),
        { numRuns: 25 },
      );
    });

    test('flow in both directions at once', async () => {
      const { client, server } = await openNetwork().open();
      client.send(sizes.large);
      server.send(sizes.large);
      await Promise.all([client.receivedAll(sizes.large), server.receivedAll(sizes.large)]);
    });

    test('of an empty write are none: the peer receives only what follows', async () => {
      const { client, server } = await openNetwork().open();
      client.send(0);
      client.send(1);
      await server.receivedAll(1);
      expect(server.chunks).toBe(1);
    });

    test('of many small writes all arrive', async () => {
      const { client, server } = await openNetwork().open();
      for (let i = 0; i < 10_000; i++) client.send(1 + (i % 7));
      await server.receivedAll(client.sent);
      expect(server.received).toBe(client.sent);
    });

    test('of one large write all arrive', async () => {
      const { client, server } = await openNetwork().open();
      client.send(sizes.large);
      await server.receivedAll(sizes.large);
      await client.drained();
      expect(server.received).toBe(sizes.large);
    });

    test('that were written back as they came arrive intact', async () => {
      const { client, server } = await openNetwork().open();
      server.whenData = (chunk) => server.write(chunk);
      client.send(sizes.large);
      await client.receivedAll(sizes.large);
      expect(client.received).toBe(sizes.large);
    });

    test('that were written back to a peer that does not read yet arrive intact', async () => {
      const { client, server } = await openNetwork().open();
      client.pause();
      server.whenData = (chunk) => server.write(chunk);
      client.send(sizes.large);
      await server.receivedAll(sizes.large);
      client.resume();
      await client.receivedAll(sizes.large);
      await server.drained();
    });

    test('in a chunk stay unchanged, unless its chunks are borrowed: then they are overwritten', async () => {
      const { client, server } = await openNetwork().open();
      const kept: { chunk: Uint8Array; position: number }[] = [];
      server.whenData = (chunk) => {
        kept.push({ chunk, position: server.received - chunk.length });
        // Each half in its own read, so that the reuse of a buffer is noticed.
        if (server.received === sizes.large / 2) client.send(sizes.large / 2);
      };
      client.send(sizes.large / 2);
      await server.receivedAll(sizes.large);
      const spoilt = kept.filter(({ chunk, position }) => !patternBytes(position, chunk.length).equals(chunk));
      if (server.connection.chunksAreBorrowed) expect(spoilt).not.toHaveLength(0);
      else expect(spoilt).toHaveLength(0);
    });
  });
}
