import { describe, expect, test } from 'vitest';
import { TcpAddress } from '../../../src/address.ts';
import type { OpenNetwork, Place } from '../network.ts';

export function describeStart(openNetwork: OpenNetwork, { hasHostNames, hasResets }: Place): void {
  describe('before start', () => {
    test('a connection buffers what the peer sends', async () => {
      const network = openNetwork();
      const { client, server } = await network.openUnstarted();
      client.start().send(100_000);
      await network.passTime();
      expect(server.received).toBe(0);
      server.start();
      await server.receivedAll(100_000);
    });

    test('a connection remembers that the peer ended, after what it sent', async () => {
      const network = openNetwork();
      const { client, server } = await network.openUnstarted();
      client.start().send(1000);
      client.end();
      await network.passTime();
      server.start();
      await server.ended();
      expect(server.received).toBe(1000);
      server.send(1000);
      server.end();
      expect(await server.closed()).toBeUndefined();
      expect(await client.closed()).toBeUndefined();
      expect(client.received).toBe(1000);
    });

    test('a connection remembers that the peer ended without a byte', async () => {
      const network = openNetwork();
      const { client, server } = await network.openUnstarted();
      client.start().end();
      await network.passTime();
      server.start();
      await server.ended();
      server.end();
      expect(await server.closed()).toBeUndefined();
      expect(await client.closed()).toBeUndefined();
    });

    test('the connecting side does all of that too', async () => {
      const network = openNetwork();
      const { client, server } = await network.openUnstarted();
      server.start().end();
      await network.passTime();
      client.start();
      await client.ended();
      client.end();
      expect(await client.closed()).toBeUndefined();
      expect(await server.closed()).toBeUndefined();
    });

    test('a connection can write and end', async () => {
      const { client, server } = await openNetwork().openUnstarted();
      client.send(1000);
      client.end();
      server.start();
      await server.ended();
      expect(server.received).toBe(1000);
      server.end();
      client.start();
      expect(await client.closed()).toBeUndefined();
      expect(await server.closed()).toBeUndefined();
    });

    test('a connection can be aborted', async () => {
      const network = openNetwork();
      const { client, server } = await network.openUnstarted();
      client.start();
      server.abort();
      server.start();
      await server.closed();
      client.abort();
      await client.closed();
    });

    test('a connection whose peer is gone closes right after start', async () => {
      const network = openNetwork();
      const { client, server } = await network.openUnstarted();
      client.start().abort();
      await client.closed();
      await network.passTime();
      server.start();
      // Without resets, only the peer's end can be seen.
      if (!hasResets) {
        await server.ended();
        server.end();
      }
      const error = await server.closed();
      if (hasResets) expect(error).toMatchObject({ code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) });
    });
  });

  test('each side knows its own address and the other one', async () => {
    const network = openNetwork();
    const { client, server, testListener } = await network.open();
    expect(String(client.connection.peer)).toBe(String(testListener.address));
    expect(String(server.connection.local)).toBe(String(testListener.address));
    expect(String(client.connection.local)).toBe(String(server.connection.peer));
  });

  test.runIf(hasHostNames)('an IPv4 client of a dual-stack listener has an IPv4 address', async () => {
    const network = openNetwork();
    const testListener = await network.listen(new TcpAddress('::', 0));
    const { port } = testListener.address as TcpAddress;
    const client = await network.connect(new TcpAddress('127.0.0.1', port));
    const server = await testListener.next();
    expect(String(server.connection.peer)).toBe(String(client.connection.local));
    expect(String(server.connection.local)).toBe(`tcp://127.0.0.1:${port}`);
  });
}
