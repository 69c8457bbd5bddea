/** Listens for WebSocket on the runtime's own sockets, plain or with TLS. With a PROXY header, `handshakes.ts` does it. */
import { addressAt, TcpAddress, TlsAddress, type WebSocketAddress } from '../../address.ts';
import { realClock } from '../../clock.ts';
import { closingWith } from '../accept-queue.ts';
import { stoppedHandshake } from '../listen-errors.ts';
import type { Connection, Listener, ListenOptions, PendingConnection, ServerWebSocket } from '../transport.ts';
import { doHandshake } from './handshake.ts';
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
  const { clock = realClock } = options.webSocket;
  let isAbandoned = false;
  const upgradeOn = (connection: Connection, client: PendingConnection | undefined, began: number) => {
    pending.add(connection);
    const failed = (error: Error) => (client ?? options).failed(isAbandoned ? stoppedHandshake() : error);
    void doHandshake(connection, { ...options, client, clock, began, failed }, (waits) =>
      upgrade(connection, address, options.webSocket, waits),
    ).finally(() => pending.delete(connection));
  };
  const { admit } = options;
  const inner = await listen(scheme === 'wss' ? new TlsAddress(host, port) : new TcpAddress(host, port), {
    ...options,
    // Called by listeners without a handshake of their own.
    accept(connection) {
      const client = admit?.(connection.peer);
      if (admit && !client) discard(connection);
      else upgradeOn(connection, client, clock.ran());
    },
    admit(peer) {
      const began = clock.ran();
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
      isAbandoned = true;
      for (const connection of pending) connection.abort();
    }),
  };
}

function discard(connection: Connection): void {
  connection.start({ onData() {}, onEnd() {}, onDrain() {}, onClose() {} });
  connection.release();
}
