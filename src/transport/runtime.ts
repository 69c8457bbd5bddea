/** The one place that asks which runtime this is. */
import type { Address } from '../address.ts';
import { YodelError } from '../errors.ts';
import { bunTransport } from './bun.ts';
import { nodeTransport } from './node.ts';
import type { Connection, DialOptions, Listener, ListenOptions, Transport } from './transport.ts';

/** TCP and Unix sockets by the shortest way that the runtime has. */
const socketTransport: Transport = process.versions.bun ? bunTransport : nodeTransport;

/** All kinds of addresses to connect to; TCP and Unix sockets to listen at. */
export const runtimeTransport: Transport = { connect, listen };

async function connect(address: Address, options: DialOptions = {}): Promise<Connection> {
  switch (address.scheme) {
    case 'tls':
      return await (await import('./tls.ts')).connectTls(address, options);
    case 'ws':
    case 'wss':
      return await (await import('./websocket.ts')).connectWebSocket(address, options);
    default:
      return await socketTransport.connect(address, options);
  }
}

async function listen(address: Address, options: ListenOptions): Promise<Listener> {
  if (address.scheme === 'tcp' || address.scheme === 'unix') return await socketTransport.listen(address, options);
  throw new YodelError('YODEL_INVALID_ADDRESS', `cannot listen on ${address}: only on tcp:// and unix:// addresses`);
}
