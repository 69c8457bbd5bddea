import { describe, expect, test } from 'vitest';
import type { Connection } from '../../../src/transport/transport.ts';
import type { OpenNetwork } from '../network.ts';

export function describeListening(openNetwork: OpenNetwork): void {
  describe('listening', () => {
    test('reports the address that clients can connect to', async () => {
      const network = openNetwork();
      const wanted = network.place.freshAddress();
      const { address } = await network.listen(wanted);
      if (wanted.scheme !== 'unix' && address.scheme !== 'unix') {
        expect(address.scheme).toBe(wanted.scheme);
        expect(address.host).toBe(wanted.host);
        expect(address.port).toBeGreaterThan(0);
      } else expect(String(address)).toBe(String(wanted));
    });

    test('at an address in use is refused, and the error names the address', async () => {
      const network = openNetwork();
      const { address } = await network.listen();
      await expect(network.listen(address)).rejects.toMatchObject({
        name: 'YodelError',
        code: 'YODEL_ADDRESS_IN_USE',
        message: expect.stringContaining(`cannot listen on ${address}`),
      });
      await network.open(await network.listen());
    });

    test('is not disturbed by another attempt to listen there', async () => {
      const network = openNetwork();
      const testListener = await network.listen();
      await expect(network.listen(testListener.address)).rejects.toMatchObject({ code: 'YODEL_ADDRESS_IN_USE' });
      const client = (await network.connect(testListener.address)).start();
      client.send(1000);
      // The attempt may have connected, to see whether the address is in use.
      const served = new Promise<void>((resolve) => {
        const serve = async () => {
          const server = (await testListener.next()).start();
          server.receivedAll(1000).then(resolve, serve);
          server.whenEnded = () => server.end();
        };
        void serve();
      });
      await served;
    });
  });

  describe('a listener that is closed', () => {
    test('accepts no more connections', async () => {
      const network = openNetwork();
      const { listener } = await network.listen();
      await listener.close();
      await expect(network.connect(listener.address)).rejects.toMatchObject({ code: 'YODEL_CONNECTION_REFUSED' });
    });

    test('serves nobody any more, not even those who were accepted and waited for that', async () => {
      const network = openNetwork();
      const closing = Promise.withResolvers<void>();
      const served: Connection[] = [];
      let late = 0;
      const listener = await network.transport.listen(network.place.freshAddress(), {
        backlog: 128,
        failed: () => undefined,
        accept: (connection) => {
          connection.start({ onData: () => {}, onEnd: () => {}, onDrain: () => {}, onClose: () => {} });
          served.push(connection);
          // So long that not all of them are served in this turn.
          for (const until = performance.now() + 0.2; performance.now() < until; );
          if (served.length === 1) setImmediate(() => closing.resolve(listener.close()));
          else if (isClosed) late++;
        },
      });
      let isClosed = false;
      const attempts = Array.from({ length: 100 }, () => network.transport.connect(listener.address));
      const connected = Promise.allSettled(attempts);
      await closing.promise;
      isClosed = true;
      await network.passTime();
      expect(late).toBe(0);
      for (const connection of served) connection.abort();
      for (const outcome of await connected) if (outcome.status === 'fulfilled') outcome.value.abort();
    });

    test('does not affect accepted connections', async () => {
      const network = openNetwork();
      const { client, server, testListener } = await network.open();
      await testListener.listener.close();
      client.send(100_000);
      await server.receivedAll(100_000);
      server.send(100_000);
      server.end();
      await client.ended();
      client.end();
      expect(await client.closed()).toBeUndefined();
      expect(await server.closed()).toBeUndefined();
      expect(client.received).toBe(100_000);
    });

    test('frees its address at once, even if its connections continue', async () => {
      const network = openNetwork();
      const old = await network.open();
      await old.testListener.listener.close();
      const fresh = await network.open(await network.listen(old.testListener.address));
      fresh.client.send(1000);
      old.client.send(1000);
      await Promise.all([fresh.server.receivedAll(1000), old.server.receivedAll(1000)]);
      expect(String(fresh.testListener.address)).toBe(String(old.testListener.address));
      expect(old.testListener.accepted).toBe(1);
    });

    test('frees its address at once, even if its connections were aborted', async () => {
      const network = openNetwork();
      const { client, server, testListener } = await network.open();
      server.end();
      await client.ended();
      client.end();
      await Promise.all([client.closed(), server.closed()]);
      await testListener.listener.close();
      await network.open(await network.listen(testListener.address));
    });

    test('may be closed twice', async () => {
      const network = openNetwork();
      const { listener } = await network.listen();
      await Promise.all([listener.close(), listener.close()]);
      await listener.close();
    });
  });
}
