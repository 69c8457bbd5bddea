import { describe, expect, test } from 'vitest';
import { TcpAddress } from '../../../src/address.ts';
import type { OpenNetwork, Place } from '../network.ts';

export function describeHandshake(openNetwork: OpenNetwork, { hasHostNames, isEncrypted = false }: Place): void {
  describe('the handshake', () => {
    test('tells the client both addresses, the times, and TLS where there is some', async () => {
      const { client, server } = await openNetwork().open();
      const { connection } = client;
      const { handshake } = connection;
      expect(String(handshake?.local)).toBe(String(connection.local));
      expect(String(handshake?.remote)).toBe(String(connection.peer));
      expect(handshake?.connectMs).toBeGreaterThanOrEqual(0);
      // An address has nothing to resolve.
      expect([handshake?.resolved, handshake?.lookupMs]).toEqual([undefined, undefined]);
      expect(handshake?.tls !== undefined).toBe(isEncrypted);
      expect(server.connection.handshake).toBeUndefined();
    });

    test('is known after the end, if it was asked before', async () => {
      const { client, server } = await openNetwork().open();
      const first = client.connection.handshake;
      client.end();
      server.end();
      await Promise.all([client.closed(), server.closed()]);
      const { connectMs, tls } = client.connection.handshake ?? {};
      expect({ connectMs, tls }).toEqual({ connectMs: first?.connectMs, tls: first?.tls });
    });

    test.runIf(hasHostNames)('names the address that a host name stands for', async () => {
      const network = openNetwork();
      const { listener } = await network.listen(new TcpAddress('localhost', 0));
      const { port } = listener.address as TcpAddress;
      const { connection } = await network.connect(new TcpAddress('localhost', port));
      const { remote, resolved } = connection.handshake ?? {};
      expect(remote).toMatchObject({ host: expect.stringMatching(/^(127\.0\.0\.1|::1)$/), port });
      if (resolved) expect(resolved).toContain((remote as TcpAddress).host);
    });
  });
}
