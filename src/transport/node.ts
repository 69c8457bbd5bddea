/** TCP and Unix sockets over `node:net`. */
import * as net from 'node:net';
import type { SocketAddress } from '../address.ts';
import { systemError } from '../errors.ts';
import { keepAliveDelay } from './keep-alive.ts';
import { Connecting, type ReadTls } from './node/connecting.ts';
import { connectionOf, type NodeConnection, prepareReads } from './node/connection.ts';
import { listenBy } from './node/listener.ts';
import type { Connection, DialOptions, Listener, ListenOptions, Transport } from './transport.ts';
import { removeStaleSocket } from './unix-socket.ts';

/** `node:net`, with half-open connections allowed and Nagle's algorithm off. */
export const nodeTransport: Transport = { connect, listen };

async function connect(address: SocketAddress, { signal, keepAlive }: DialOptions = {}): Promise<Connection> {
  signal?.throwIfAborted();
  const keepAliveInitialDelay = keepAliveDelay(address, keepAlive);
  const socket = net.connect({
    ...(address.scheme === 'unix' ? { path: address.path } : { host: address.host, port: address.port }),
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: keepAliveInitialDelay > 0,
    keepAliveInitialDelay,
  });
  return await whenConnected(socket, 'connect', address, signal, () => connectionOf(socket, address));
}

/**
 * Waits until a socket is connected.
 *
 * @param event the event that the socket emits when it is connected
 * @param connectionFor called then
 * @param readTls for an encrypted socket
 * @throws YodelError, or the signal's reason when it is aborted
 */
export async function whenConnected(
  socket: net.Socket,
  event: 'connect' | 'secureConnect',
  address: SocketAddress,
  signal: AbortSignal | undefined,
  connectionFor: () => NodeConnection,
  readTls?: ReadTls,
): Promise<Connection> {
  const connecting = new Connecting(socket, readTls);
  const prepared = prepareReads();
  const connection = await new Promise<NodeConnection>((resolve, reject) => {
    const settle = (finish: () => void) => {
      signal?.removeEventListener('abort', aborted);
      socket.off('error', failed).off(event, opened);
      finish();
    };
    const opened = () => settle(() => resolve(connectionFor()));
    const failed = (error: Error) => settle(() => reject(systemError(`cannot connect to ${address}`, error)));
    const aborted = () =>
      settle(() => {
        socket.on('error', () => undefined).destroy();
        reject(signal?.reason);
      });
    socket.on(event, opened).on('error', failed);
    signal?.addEventListener('abort', aborted);
  });
  connecting.ready();
  connection.connecting = connecting;
  await prepared;
  if (!signal?.aborted) return connection;
  connection.abort();
  throw signal.reason;
}

async function listen(address: SocketAddress, options: ListenOptions): Promise<Listener> {
  if (options.descriptor === undefined) await removeStaleSocket(address, connect);
  await prepareReads();
  return await listenBy(address, options, (socket) => options.accept(connectionOf(socket, address)));
}
