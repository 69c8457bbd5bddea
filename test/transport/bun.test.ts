import { describe, expect, it } from 'vitest';
import { TlsAddress } from '../../src/address.ts';
import { selfSignedCertificate } from '../../src/cli/serve/tls/self-signed.ts';
import { bunTransport } from '../../src/transport/bun.ts';
import { runtimeTransport } from '../../src/transport/runtime.ts';
import { canUpgrade, listenTls } from '../../src/transport/tls/bun-listener.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { describeTransport } from './contract.ts';
import { socketSizes as sizes } from './network.ts';
import { socketPlaces, unix } from './places.ts';
import { describeUnixSockets } from './unix-sockets.ts';

describe.skipIf(!process.versions.bun)('on Bun', () => {
  describeTransport('Bun.listen', () => bunTransport, socketPlaces);
  describeUnixSockets('Bun.listen', () => bunTransport, unix);

  const tls = selfSignedCertificate(['localhost'], 86_400_000);
  const tlsTransport: Transport = {
    listen: async (address, options) => listenTls(address, { ...options, tls }),
    connect: (address, options) => runtimeTransport.connect(address, { ...options, tls: { insecure: true } }),
  };
  const place = {
    name: 'TLS on 127.0.0.1',
    freshAddress: () => new TlsAddress('127.0.0.1', 0),
    hasResets: false,
    isEncrypted: true,
    isDelayed: true,
    hasHostNames: false,
    sizes,
  };
  describeTransport('upgradeTLS', () => tlsTransport, [place]);

  it('the sockets of this Bun can be upgraded to TLS', async () => {
    expect(await canUpgrade(tls)).toBe(true);
  });
});
