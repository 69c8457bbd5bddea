import { describe, expect, test } from 'vitest';
import type { OpenNetwork, Place } from '../network.ts';

const reset = { code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) };

export function describeBreaks(openNetwork: OpenNetwork, { hasResets, isEncrypted, sizes }: Place): void {
  describe('abort()', () => {
    test('closes at once, without an error on this side', async () => {
      const { client } = await openNetwork().open();
      client.abort();
      expect(client.isClosed).toBe(false);
      expect(await client.closed()).toBeUndefined();
    });

    test.runIf(hasResets)('is a reset for the peer', async () => {
      const { client, server } = await openNetwork().open();
      client.send(1000);
      await server.receivedAll(1000);
      client.abort();
      expect(await server.closed()).toMatchObject(reset);
      expect(server.hasEnded).toBe(false);
    });

    test.runIf(!hasResets && !isEncrypted)('is an end for the peer, and an error when it writes', async () => {
      const { client, server } = await openNetwork().open();
      client.send(1000);
      await server.receivedAll(1000);
      client.abort();
      await server.ended();
      server.send(1000);
      expect(await server.closed()).toMatchObject(reset);
    });

    test('closes a connection that has ended its side and waits for the other', async () => {
      const { client, server } = await openNetwork().open();
      client.send(1000);
      client.end();
      await server.ended();
      client.abort();
      expect(await client.closed()).toBeUndefined();
    });

    test('closes a connection that is about to end its side', async () => {
      for (let ticks = 0; ticks < 5; ticks++) {
        const { client } = await openNetwork().open();
        client.end();
        for (let tick = 0; tick < ticks; tick++) await new Promise<void>((resolve) => process.nextTick(resolve));
        client.abort();
        expect(await client.closed()).toBeUndefined();
      }
    });

    test('closes a connection that is still sending what precedes its end', async () => {
      const { client, server } = await openNetwork().open();
      server.pause();
      client.send(sizes.tooMuch);
      client.end();
      client.abort();
      expect(await client.closed()).toBeUndefined();
    });

    test('drops what is unsent', async () => {
      const { client, server } = await openNetwork().open();
      server.pause();
      client.send(sizes.tooMuch);
      client.abort();
      expect(await client.closed()).toBeUndefined();
      expect(client.connection.unsent).toBe(0);
      server.resume();
      if (hasResets) expect(await server.closed()).toMatchObject(reset);
      else await server.ended();
      expect(server.received).toBeLessThan(sizes.tooMuch);
    });

    test('drops what was to be sent before an end()', async () => {
      const { client, server } = await openNetwork().open();
      server.pause();
      client.send(sizes.tooMuch);
      client.end();
      client.abort();
      expect(await client.closed()).toBeUndefined();
      server.resume();
      if (hasResets) expect(await server.closed()).toMatchObject(reset);
      else await server.ended();
      expect(server.received).toBeLessThan(sizes.tooMuch);
    });

    test('delivers nothing more, even if bytes have arrived', async () => {
      const network = openNetwork();
      const { client, server } = await network.open();
      server.pause();
      client.send(sizes.large);
      await network.passTime();
      server.resume();
      server.abort();
      await server.closed();
      expect(server.received).toBe(0);
      await client.closed();
    });

    test('may be called from within onData', async () => {
      const { client, server } = await openNetwork().open();
      server.whenData = () => server.abort();
      client.send(sizes.large);
      await server.closed();
      expect(server.chunks).toBe(1);
      await client.closed();
    });

    test('may be called from within onDrain', async () => {
      const { client, server } = await openNetwork().open();
      server.pause();
      client.whenDrained = () => client.abort();
      client.send(sizes.tooMuch);
      server.resume();
      expect(await client.closed()).toBeUndefined();
      expect(client.drains).toHaveLength(1);
    });

    test('may be called from within onEnd and again from within onClose', async () => {
      const { client, server } = await openNetwork().open();
      server.whenEnded = () => server.abort();
      server.whenClosed = () => server.abort();
      client.end();
      expect(await server.closed()).toBeUndefined();
      await client.closed();
    });

    test('makes later calls do nothing', async () => {
      const network = openNetwork();
      const { client, server } = await network.open();
      client.abort();
      client.abort();
      client.write(Buffer.from('too late'));
      client.end();
      client.pause();
      client.resume();
      await client.closed();
      expect(client.connection.unsent).toBe(0);
      server.abort();
      await server.closed();
      await network.passTime();
      expect(server.received).toBe(0);
    });
  });

  describe('a peer that disconnects', () => {
    test.runIf(hasResets)('while much is unsent closes the connection with an error', async () => {
      const { client, server } = await openNetwork().open();
      client.pause();
      server.send(sizes.tooMuch);
      expect(server.connection.unsent).toBeGreaterThan(0);
      client.abort();
      expect(await server.closed()).toMatchObject(reset);
    });

    test.runIf(hasResets)('leaves the number of unsent bytes known', async () => {
      const { client, server } = await openNetwork().open();
      client.pause();
      server.send(sizes.tooMuch);
      const { unsent } = server.connection;
      client.abort();
      await server.closed();
      expect(server.connection.unsent).toBe(server.drains.at(-1) ?? unsent);
    });

    test('closes the connection with an error at a later write', async () => {
      const { client, server } = await openNetwork().open();
      const writeOn = () => {
        if (server.isClosed) return;
        server.send(1000);
        setImmediate(writeOn);
      };
      client.abort();
      writeOn();
      expect(await server.closed()).toMatchObject(reset);
    });

    test('does not affect other connections', async () => {
      const network = openNetwork();
      const { client, server, testListener } = await network.open();
      const others = await network.open(testListener);
      client.send(1000);
      client.abort();
      server.send(sizes.large);
      await client.closed();
      others.client.send(sizes.large);
      await others.server.receivedAll(sizes.large);
    });
  });
}
