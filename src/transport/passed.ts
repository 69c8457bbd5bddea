/**
 * Connections that one process accepts and another one serves. Several processes can listen on one TCP port, but not on
 * one Unix socket: there the parent accepts, and passes each connection to a worker. Uses `node:net` on both runtimes.
 */
import type * as net from 'node:net';
import type { UnixAddress } from '../address.ts';
import { connectionOf } from './node/connection.ts';
import { listenBy } from './node/listener.ts';
import { nodeTransport } from './node.ts';
import { runtimeTransport } from './runtime.ts';
import type { Listener, ListenOptions, Transport } from './transport.ts';
import { removeStaleSocket } from './unix-socket.ts';

/**
 * Accepts connections and reads nothing from them, so that they can be passed to another process.
 *
 * @throws YodelError as {@link Transport.listen}
 */
export async function acceptToPass(
  address: UnixAddress,
  options: Pick<ListenOptions, 'backlog' | 'failed'>,
  accept: (socket: net.Socket) => void,
): Promise<Listener> {
  await removeStaleSocket(address, nodeTransport.connect);
  return await listenBy(address, { ...options, pauseOnConnect: true }, accept);
}

/** The worker's side: a transport that listens itself, except on Unix sockets, where it receives passed connections. */
export class PassedTransport implements Transport {
  readonly connect = runtimeTransport.connect;
  readonly #listeners = new Map<string, { readonly address: UnixAddress; readonly accept: ListenOptions['accept'] }>();

  async listen(address: Parameters<Transport['listen']>[0], options: ListenOptions): Promise<Listener> {
    if (address.scheme !== 'unix' || options.descriptor !== undefined) {
      return await runtimeTransport.listen(address, options);
    }
    const key = String(address);
    this.#listeners.set(key, { address, accept: options.accept });
    return { address, close: async () => void this.#listeners.delete(key) };
  }

  /** Whether connections that the parent accepted on `address` are served. */
  listensAt(address: string): boolean {
    return this.#listeners.has(address);
  }

  /** Accepts a connection that the parent accepted on `address`. Closes it if nothing listens there any longer. */
  receive(socket: net.Socket, address: string): void {
    const listener = this.#listeners.get(address);
    if (listener) listener.accept(connectionOf(socket, listener.address));
    else socket.destroy();
  }
}
