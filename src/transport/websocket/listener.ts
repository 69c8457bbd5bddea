/** Listens for WebSocket on the runtime's own sockets, plain or with TLS. With a PROXY header, `handshakes.ts` does it. */
import { addressAt, TcpAddress, TlsAddress, type WebSocketAddress } from '../../address.ts';
import { realClock } from '../../clock.ts';
import { closingWith } from '../accept-queue.ts';
import { handshakeTimedOut } from '../listen-errors.ts';
import type { Connection, Listener, ListenOptions, PendingConnection, ServerWebSocket } from '../transport.ts';
import { upgrade } from './upgrade.ts';

type WebSocketListenOptions = ListenOptions & { readonly webSocket: ServerWebSocket };

/**
 * @param listen listens over TCP or TLS
 * @throws YodelError as `Transport.listen`
 */
export async function listenWebSocket(
  address: WebSocketAddress,
  options: WebSocketListenOptions,
  listen: (address: TcpAddress | TlsAddress, options: ListenOptions) => Promise<Listener>,
): Promise<Listener> {
  const { scheme, host, port } = address;
  const pending = new Set<Connection>();
  const upgradeOn = (connection: Connection, client: PendingConnection | undefined, began: number) => {
    pending.add(connection);
    void serve(connection, client, began, address, options).finally(() => pending.delete(connection));
  };
  const { admit } = options;
  const inner = await listen(scheme === 'wss' ? new TlsAddress(host, port) : new TcpAddress(host, port), {
    ...options,
    // Called by listeners without a handshake of their own.
    accept(connection) {
      const client = admit?.(connection.peer);
      if (admit && !client) discard(connection);
      else upgradeOn(connection, client, realClock.ran());
    },
    admit(peer) {
      const began = realClock.ran();
      const client = admit?.(peer);
      if (admit && !client) return undefined;
      return {
        // Listeners behind load balancers are others.
        identify: () => false,
        buffers() {},
        accepted: (connection) => upgradeOn(connection, client, began),
        failed: (error) => (client ?? options).failed(error),
      };
    },
  });
  const bound = inner.address as TcpAddress | TlsAddress;
  return {
    ...inner,
    address: addressAt(address, bound.host, bound.port),
    close: closingWith(inner.close, () => {
      for (const connection of pending) connection.abort();
    }),
  };
}

/** Does the handshake of WebSocket. @param began when the first handshake began: all share one time limit */
async function serve(
  connection: Connection,
  client: PendingConnection | undefined,
  began: number,
  address: WebSocketAddress,
  options: WebSocketListenOptions,
): Promise<void> {
  const { handshakeTimeout = 0, webSocket } = options;
  const waits = (bytes: number) => client?.buffers(bytes, () => connection.abort());
  const limit = Promise.withResolvers<never>();
  const expire = () => limit.reject(handshakeTimedOut(handshakeTimeout));
  const left = Math.max(1, handshakeTimeout - (realClock.ran() - began));
  const timer = handshakeTimeout > 0 ? realClock.deadline(left, expire) : undefined;
  try {
    const upgraded = await Promise.race([upgrade(connection, address, webSocket, waits), limit.promise]);
    if (client) client.accepted(upgraded);
    else options.accept(upgraded);
  } catch (error) {
    connection.release();
    (client ?? options).failed(error as Error);
  } finally {
    timer?.cancel();
  }
}

function discard(connection: Connection): void {
  connection.start({ onData() {}, onEnd() {}, onDrain() {}, onClose() {} });
  connection.release();
}
