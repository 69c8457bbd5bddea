/** Connects over WebSocket. Uses `ws` on both runtimes; Bun replaces it with its own implementation. */
import { WebSocket } from 'ws';
import type { WebSocketAddress } from '../address.ts';
import { systemError, YodelError } from '../errors.ts';
import { minTlsVersion } from './tls/context.ts';
import { tlsError } from './tls/errors.ts';
import { trustFor } from './tls.ts';
import type { Connection, DialOptions } from './transport.ts';
import { WebSocketConnection } from './websocket/connection.ts';

/** The longest message that a client accepts, in bytes, so that a server cannot fill its memory. */
const maxMessageLength = 16_777_216;

/**
 * Resolves when the server has granted the upgrade.
 *
 * @throws YodelError as `Transport.connect`; `YODEL_WEBSOCKET_REFUSED` when the server answers, but not with WebSocket
 */
export async function connectWebSocket(
  address: WebSocketAddress,
  { signal, tls = {} }: DialOptions,
): Promise<Connection> {
  signal?.throwIfAborted();
  const socket = new WebSocket(String(address), {
    perMessageDeflate: false,
    maxPayload: maxMessageLength,
    ...(address.scheme === 'wss' ? { minVersion: minTlsVersion, ...trustFor(address.host, tls) } : {}),
  });
  socket.binaryType = 'nodebuffer';
  const opened = Promise.withResolvers<Connection>();
  const where = `cannot connect to ${address}`;
  const aborted = () => opened.reject(signal?.reason);
  const failed = (error: Error) => opened.reject(upgradeError(where, error));
  // Created at once: the first message may arrive together with the server's response. A WebSocket does not expose the
  // socket below it, so both ends have the server's address.
  const connection = new WebSocketConnection(socket, address, address);
  socket.on('open', () => opened.resolve(connection)).on('error', failed);
  socket.on('close', () => failed(new Error('it closed the connection')));
  signal?.addEventListener('abort', aborted);
  try {
    return await opened.promise;
  } catch (error) {
    socket.terminate();
    throw error;
  } finally {
    signal?.removeEventListener('abort', aborted);
    socket.off('error', failed);
  }
}

function upgradeError(where: string, error: Error): unknown {
  const explained = tlsError(where, error);
  if (explained !== error) return explained;
  const known = systemError(where, error);
  if (known.code !== 'YODEL_NETWORK') return known;
  const [, status] = /(?:response|status code):? (\d{3})/.exec(error.message) ?? [];
  const reason = status === undefined ? error.message : `it answered with HTTP status ${status}`;
  return new YodelError(
    'YODEL_WEBSOCKET_REFUSED',
    `${where}: the server does not speak WebSocket at this address: ${reason}`,
    {
      cause: error,
    },
  );
}
