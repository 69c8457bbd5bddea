/** Selects the transport. The only module that checks which runtime this is. */
import type { Address, SocketAddress } from '../address.ts';
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
    case 'exec':
      return await (await import('./exec.ts')).connectExec(address, options);
    default:
      return await socketTransport.connect(address, options);
  }
}

async function listen(address: SocketAddress, options: ListenOptions): Promise<Listener> {
  const isWebSocket = address.scheme === 'ws' || address.scheme === 'wss';
  if (options.proxies) return await (await import('./handshakes.ts')).listenWithHandshakes(address, options);
  const { webSocket } = options;
  if (!isWebSocket || !webSocket) return await listenWithoutUpgrade(address, options);
  const { listenWebSocket } = await import('./websocket/listener.ts');
  return await listenWebSocket(address, { ...options, webSocket }, listenWithoutUpgrade);
}

async function listenWithoutUpgrade(address: SocketAddress, options: ListenOptions): Promise<Listener> {
  // Bun.listen does not accept a descriptor.
  const transport = options.descriptor === undefined ? socketTransport : nodeTransport;
  if (address.scheme === 'tcp' || address.scheme === 'unix') return await transport.listen(address, options);
  if (transport === bunTransport && address.scheme === 'tls' && options.tls) {
    const { canUpgrade, listenTls } = await import('./tls/bun-listener.ts');
    if (await canUpgrade(options.tls)) return listenTls(address, options);
  }
  return await (await import('./handshakes.ts')).listenWithHandshakes(address, options);
}
