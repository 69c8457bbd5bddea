/**
 * Connections that one process accepts and another one serves. Several processes can listen at one TCP port, but not at one
 * Unix socket: there the parent accepts, and hands each connection to a worker. By `node:net` on both runtimes.
 */
import type * as net from 'node:net';
import type { UnixAddress } from '../address.ts';
import { connectionOf, listenBy, nodeTransport } from './node.ts';
import { runtimeTransport } from './runtime.ts';
import type { Listener, ListenOptions, Transport } from './transport.ts';
import { removeStaleSocket } from './unix-socket.ts';

/**
 * Accepts connections of which nothing is read, so that they can be handed on whole.
 *
 * @throws YodelError as {@link Transport.listen}
 */
export async function acceptToHand(
  address: UnixAddress,
  options: Pick<ListenOptions, 'backlog' | 'failed'>,
  came: (socket: net.Socket) => void,
): Promise<Listener> {
  await removeStaleSocket(address, nodeTransport.connect);
  return await listenBy(address, { ...options, pauseOnConnect: true }, came);
}

/** The other end: a transport that listens as always, but for Unix sockets, where it takes what it is handed. */
export class HandedTransport implements Transport {
  readonly connect = runtimeTransport.connect;
  readonly #waiting = new Map<string, { readonly address: UnixAddress; readonly accept: ListenOptions['accept'] }>();

  async listen(address: Parameters<Transport['listen']>[0], options: ListenOptions): Promise<Listener> {
    if (address.scheme !== 'unix' || options.descriptor !== undefined) {
      return await runtimeTransport.listen(address, options);
    }
    const key = String(address);
    this.#waiting.set(key, { address, accept: options.accept });
    return { address, close: async () => void this.#waiting.delete(key) };
  }

  /** A connection that was accepted at `address`. One that comes too late is closed. */
  take(socket: net.Socket, address: string): void {
    const listener = this.#waiting.get(address);
    if (listener) listener.accept(connectionOf(socket, listener.address));
    else socket.destroy();
  }
}
