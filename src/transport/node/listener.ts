/** Listening with `node:net`. */
import * as net from 'node:net';
import { addressAt, type SocketAddress, TcpAddress } from '../../address.ts';
import { systemError, YodelError } from '../../errors.ts';
import { AcceptQueue, closingBy } from '../accept-queue.ts';
import { setBacklogOnBun } from '../backlog.ts';
import { keepAliveDelay } from '../keep-alive.ts';
import { listenError, resetBeforeAccept } from '../listen-errors.ts';
import type { Listener, ListenOptions } from '../transport.ts';

/** How to listen; see {@link ListenOptions}. */
export interface NodeListenOptions
  extends Pick<ListenOptions, 'backlog' | 'failed' | 'descriptor' | 'reusePort' | 'keepAlive'> {
  /** Whether nothing is read from accepted sockets, so that they can be passed to another process. Default: no. */
  readonly pauseOnConnect?: boolean;
}

/**
 * Listens with `node:net`.
 *
 * @param accept called with each socket whose peer is still connected
 * @throws YodelError as `Transport.listen`
 */
export async function listenBy(
  address: SocketAddress,
  options: NodeListenOptions,
  accept: (socket: net.Socket) => void,
): Promise<Listener> {
  const { failed, descriptor, pauseOnConnect = false } = options;
  const queue = new AcceptQueue(options.backlog);
  const acceptLive = (socket: net.Socket) => {
    queue.add();
    if (address.scheme === 'unix' || socket.remoteAddress !== undefined) return accept(socket);
    socket.on('error', ignore).destroy();
    failed(resetBeforeAccept(address));
  };
  const keepAliveInitialDelay = keepAliveDelay(address, options.keepAlive);
  const keepAlive = keepAliveInitialDelay > 0;
  const server = net.createServer(
    { allowHalfOpen: true, noDelay: true, pauseOnConnect, keepAlive, keepAliveInitialDelay },
    acceptLive,
  );
  await startListening(server, address, options);
  if (descriptor === undefined) setBacklogOnBun(descriptorOf(server), options.backlog);
  try {
    const bound = server.address();
    return {
      address: descriptor === undefined ? boundAddress(address, bound) : passedAddress(address, bound, descriptor),
      close: closingBy(queue, () => closeServer(server)),
    };
  } catch (error) {
    await closeServer(server);
    throw error;
  }
}

async function startListening(
  server: net.Server,
  address: SocketAddress,
  { backlog, failed, descriptor, reusePort }: NodeListenOptions,
): Promise<void> {
  const target =
    address.scheme === 'unix' ? { path: address.path } : { host: address.host, port: address.port, reusePort };
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(descriptor === undefined ? { ...target, backlog } : { fd: descriptor }, () => {
      server.off('error', reject).on('error', failed);
      resolve();
    });
  }).catch((error: unknown) => {
    if (descriptor === undefined) throw listenError(address, error);
    throw systemError(`cannot listen on ${address} with descriptor ${descriptor}`, error);
  });
}

/** That of a server on Bun, which tells it nowhere else. */
function descriptorOf(server: net.Server): number | undefined {
  return (server as { readonly _handle?: { readonly fd?: number } })._handle?.fd;
}

function closeServer(server: net.Server): Promise<void> {
  return new Promise<void>((resolve) => {
    // Node calls back when the last connection is gone, but the address is free as soon as the handle is closed.
    server.close();
    setImmediate(resolve);
  });
}

type Bound = ReturnType<net.Server['address']>;

function boundAddress(address: SocketAddress, bound: Bound): SocketAddress {
  if (address.scheme === 'unix') return address;
  const { address: host, port } = bound as net.AddressInfo;
  return addressAt(address, host, port);
}

/**
 * The address at which a descriptor from another process listens. It must be the configured one, or clients would reach
 * the wrong service. A Unix socket does not report its path, so only its kind is checked.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
function passedAddress(address: SocketAddress, bound: Bound, descriptor: number): SocketAddress {
  const port = (bound as net.AddressInfo | null)?.port;
  const isAsConfigured =
    address.scheme === 'unix'
      ? port === undefined
      : port !== undefined && (address.port === 0 || address.port === port);
  if (isAsConfigured) return boundAddress(address, bound);
  const { address: host } = (bound ?? {}) as net.AddressInfo;
  const found = port === undefined ? 'is a Unix socket' : `listens on ${new TcpAddress(host, port)}`;
  throw new YodelError('YODEL_INVALID_OPTION', `descriptor ${descriptor} ${found}, not on ${address}`);
}

function ignore(): void {}
