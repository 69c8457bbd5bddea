/** What had arrived when a connection breaks, and the operating system still has it. */
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
