/** Listens for WebSocket on the runtime's own sockets. With TLS or a PROXY header, `handshakes.ts` does it. */
import { addressAt, TcpAddress, type WebSocketAddress } from '../../address.ts';
import { YodelError } from '../../errors.ts';
import type { Connection, Listener, ListenOptions, ServerWebSocket, Transport } from '../transport.ts';
import { upgrade } from './upgrade.ts';

/** @throws YodelError as `Transport.listen` */
export async function listenWebSocket(
  address: WebSocketAddress,
  options: ListenOptions & { readonly webSocket: ServerWebSocket },
  { listen }: Transport,
): Promise<Listener> {
  const pending = new Set<Connection>();
  const accept = (connection: Connection) => {
    pending.add(connection);
    void serve(connection, address, options).finally(() => pending.delete(connection));
  };
  const inner = await listen(new TcpAddress(address.host, address.port), { ...options, accept });
  const bound = inner.address as TcpAddress;
  return {
    address: addressAt(address, bound.host, bound.port),
    async close() {
      for (const connection of pending) connection.abort();
      await inner.close();
    },
  };
}

/** Applies the server's rules to the peer, and does the handshake. */
async function serve(
  connection: Connection,
  address: WebSocketAddress,
  options: ListenOptions & { readonly webSocket: ServerWebSocket },
): Promise<void> {
  const client = options.admit?.(connection.peer);
  if (options.admit && !client) return discard(connection);
  const limit = timeLimit(options.handshakeTimeout ?? 0);
  try {
    const upgraded = await Promise.race([upgrade(connection, address, options.webSocket), limit.expired]);
    if (client) client.accepted(upgraded);
    else options.accept(upgraded);
  } catch (error) {
    connection.release();
    if (client) client.failed(error as Error);
    else options.failed(error as Error);
  } finally {
    limit.cancel();
  }
}

function discard(connection: Connection): void {
  connection.start({ onData() {}, onEnd() {}, onDrain() {}, onClose() {} });
  connection.release();
}

/** Rejects after the handshakes' time limit. 0: never. */
function timeLimit(ms: number): { readonly expired: Promise<never>; cancel(): void } {
  const { promise, reject } = Promise.withResolvers<never>();
  const text = `the handshakes took longer than ${ms} ms (handshakeTimeout)`;
  const timer = ms > 0 ? setTimeout(() => reject(new YodelError('YODEL_HANDSHAKE_TIMEOUT', text)), ms) : undefined;
  return { expired: promise, cancel: () => clearTimeout(timer) };
}
