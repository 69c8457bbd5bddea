/** What had arrived when a connection breaks or its peer leaves, and the operating system still has it. */
import { describe, expect, test } from 'vitest';
import { nodeTransport } from '../../src/transport/node.ts';
import { runtimeTransport } from '../../src/transport/runtime.ts';
import { awaitTurn } from '../../src/transport/turns.ts';
import { Network } from './network.ts';
import { socketPlaces } from './places.ts';

const transports = [
  ['this runtime', runtimeTransport],
  ['node:net', nodeTransport],
] as const;

/** Takes longer than a turn. */
function work(): void {
  const until = performance.now() + 5;
  while (performance.now() < until);
}

for (const [name, transport] of transports) {
  for (const place of socketPlaces) {
    describe(`${name}, ${place.name}`, () => {
      test.each(['client', 'server'] as const)(
        'is received, though the %s awaits its turn and its write fails',
        async (which) => {
          const { client, server } = await new Network(transport, place).open();
          const [receiver, sender] = which === 'client' ? [client, server] : [server, client];
          receiver.whenData = work;
          while (!receiver.connection.awaitsTurn) {
            sender.send(20_000);
            await receiver.receivedAll(sender.sent);
          }
          receiver.whenData = undefined;
          // Others are read first, so that its turn comes late.
          for (let other = 0; other < 5; other++) awaitTurn({ takeTurn: work });
          sender.send(50_000);
          sender.abort();
          receiver.send(10);
          await receiver.closed();
          expect(receiver.received).toBe(sender.sent);
        },
      );

      test.each([
        ['before anything was read', 0],
        ['in the middle', 1],
      ])('is received, and then the end, by one that was paused %s', async (_, chunks) => {
        const network = new Network(transport, place);
        const { client, server } = await network.open();
        if (chunks === 0) server.pause();
        else server.whenData = () => server.pause();
        client.send(60_000);
        await client.drained();
        client.release();
        await network.passTime();
        server.whenData = undefined;
        expect(server.isClosed).toBe(false);
        server.resume();
        await server.ended();
        expect(server.received).toBe(60_000);
        await network.passTime();
        expect(server.isClosed).toBe(false);
        server.end();
        expect(await server.closed()).toBeUndefined();
      });

      test('is received, and then the end, before a late reply fails', async () => {
        const network = new Network(transport, place);
        const { client, server } = await network.open();
        server.pause();
        client.send(60_000);
        await client.drained();
        client.release();
        await network.passTime();
        server.resume();
        await server.ended();
        await network.passTime();
        const writeOn = () => {
          if (server.isClosed) return;
          server.send(1000);
          setImmediate(writeOn);
        };
        writeOn();
        expect(await server.closed()).toBeDefined();
        expect(server.received).toBe(60_000);
      });

      test('is answered in vain: what is written to a broken connection counts as not sent', async () => {
        const { client, server } = await new Network(transport, place).open();
        client.pause();
        server.send(place.sizes.tooMuch);
        const { unsent } = server.connection;
        client.abort();
        await server.closed();
        const lost = server.connection.unsent;
        expect(lost).toBeLessThanOrEqual(unsent);
        server.connection.write(Buffer.alloc(1000));
        server.connection.write(Buffer.alloc(100_000));
        expect(server.connection.unsent).toBe(lost + 101_000);
        server.abort();
        expect(server.connection.unsent).toBe(0);
      });
    });
  }
}
