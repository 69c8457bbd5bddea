/** Connections that need a handshake before their first byte fulfil the same contract as all others. */
import { TcpAddress, TlsAddress } from '../../src/address.ts';
import { selfSignedCertificate } from '../../src/cli/serve/tls/self-signed.ts';
import { AddressList } from '../../src/transport/address-list.ts';
import { listenWithHandshakes } from '../../src/transport/handshakes.ts';
import { nodeTransport } from '../../src/transport/node.ts';
import { runtimeTransport } from '../../src/transport/runtime.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { describeTransport } from './contract.ts';
import { socketSizes as sizes } from './network.ts';

const tls = selfSignedCertificate(['localhost'], 86_400_000);

const tlsTransport: Transport = {
  listen: (address, options) => listenWithHandshakes(address, { ...options, tls }),
  connect: (address, options) => runtimeTransport.connect(address, { ...options, tls: { insecure: true } }),
};

describeTransport('a TLS listener', () => tlsTransport, [
  {
    name: 'TLS on 127.0.0.1',
    freshAddress: () => new TlsAddress('127.0.0.1', 0),
    hasResets: false,
    isEncrypted: true,
    isDelayed: process.versions.bun !== undefined,
    hasHostNames: false,
    sizes,
  },
]);

const proxies = new AddressList('proxyProtocol', ['127.0.0.1']);
const header = Buffer.from('PROXY UNKNOWN\r\n');

const proxied: Transport = {
  listen: (address, options) => listenWithHandshakes(address, { ...options, proxies }),
  async connect(address, options) {
    const connection = await nodeTransport.connect(address, options);
    connection.write(header);
    return connection;
  },
};

describeTransport('a listener behind a load balancer', () => proxied, [
  {
    name: 'TCP on 127.0.0.1',
    freshAddress: () => new TcpAddress('127.0.0.1', 0),
    hasResets: true,
    hasHostNames: false,
    sizes,
  },
]);
