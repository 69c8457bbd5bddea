/** Selects the transport. The only module that checks which runtime this is. */
import type { Address } from '../address.ts';
import { bunTransport } from './bun.ts';
import { nodeTransport } from './node.ts';
import type { Connection, DialOptions, Listener, ListenOptions, Transport } from './transport.ts';

/** TCP and Unix sockets over the runtime's fastest API. */
const socketTransport: Transport = process.versions.bun ? bunTransport : nodeTransport;

/** Connects to and listens on every kind of address. What a scheme needs besides plain sockets is loaded on first use. */
export const runtimeTransport: Transport = { connect, listen };

async function connect(address: Address, options: DialOptions = {}): Promise<Connection> {
  switch (address.scheme) {
    case 'tls':
      return await (await import('./tls.ts')).connectTls(address, options);
    case 'ws':
    case 'wss':
      return await (await import('./websocket.ts')).connectWebSocket(address, options, connect);
    default:
      return await socketTransport.connect(address, options);
  }
}

async function listen(address: Address, options: ListenOptions): Promise<Listener> {
  // Bun.listen does not accept a descriptor.
  const transport = options.descriptor === undefined ? socketTransport : nodeTransport;
  const isPlain = address.scheme === 'tcp' || address.scheme === 'unix';
  if (isPlain && !options.proxies) return await transport.listen(address, options);
  const { webSocket } = options;
  if (address.scheme === 'ws' && webSocket && !options.proxies) {
    const { listenWebSocket } = await import('./websocket/listener.ts');
    return await listenWebSocket(address, { ...options, webSocket }, transport);
  }
  const isTlsOnBun = process.versions.bun && address.scheme === 'tls' && !options.proxies && transport === bunTransport;
  if (isTlsOnBun && options.tls) {
    const { canUpgrade, listenTls } = await import('./tls/bun-listener.ts');
    if (await canUpgrade(options.tls)) return listenTls(address, options);
  }
  return await (await import('./handshakes.ts')).listenWithHandshakes(address, options);
}
