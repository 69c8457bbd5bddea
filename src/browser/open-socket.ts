/** Connects a WebSocket within a time limit. */
import { isLoopback, type WebSocketAddress } from '../address.ts';
import type { Clock } from '../clock.ts';
import { YodelError } from '../errors.ts';
import type { Environment, Socket } from './environment.ts';
import { SocketLink } from './socket-link.ts';

export interface OpenOptions {
  readonly clock: Clock;
  /** In milliseconds; 0 for none. */
  readonly connectTimeout: number;
  readonly maxMessageLength: number;
  /** Aborts the attempt. */
  readonly signal: AbortSignal | undefined;
  readonly environment: Environment;
}

/**
 * Resolves when the WebSocket is open.
 *
 * @throws YodelError `YODEL_CONNECT_TIMEOUT`, `YODEL_CONNECTION_REFUSED`, `YODEL_WEBSOCKET_REFUSED`, `YODEL_INVALID_ADDRESS`; the
 *   signal's reason when it is aborted
 */
export async function openSocket(address: WebSocketAddress, options: OpenOptions): Promise<SocketLink> {
  const { clock, connectTimeout, signal } = options;
  const timeout = new AbortController();
  const expire = () => {
    const text = `cannot connect to ${address}: no answer within ${connectTimeout} ms (connectTimeout)`;
    timeout.abort(new YodelError('YODEL_CONNECT_TIMEOUT', text));
  };
  const timer = connectTimeout === 0 ? undefined : clock.deadline(connectTimeout, expire);
  const either = signal ? AbortSignal.any([signal, timeout.signal]) : timeout.signal;
  return await open(address, options, either).finally(() => timer?.cancel());
}

function open(address: WebSocketAddress, options: OpenOptions, signal: AbortSignal): Promise<SocketLink> {
  signal.throwIfAborted();
  const socket = createSocket(address, options.environment);
  const { promise, resolve, reject } = Promise.withResolvers<SocketLink>();
  const aborted = () => {
    reject(signal.reason);
    socket.close();
  };
  const settled = () => signal.removeEventListener('abort', aborted);
  signal.addEventListener('abort', aborted);
  socket.onopen = () => {
    settled();
    // It replaces the listeners before anything can arrive.
    resolve(new SocketLink(socket, address, options.maxMessageLength, options.clock));
  };
  socket.onclose = () => {
    if (!signal.aborted) void refusal(address, options.environment, signal).then(reject).finally(settled);
  };
  return promise;
}

function createSocket(address: WebSocketAddress, { WebSocket }: Environment): Socket {
  if (!WebSocket) throw new YodelError('YODEL_WEBSOCKET_REFUSED', 'this runtime has no WebSocket');
  try {
    const socket = new WebSocket(String(address));
    socket.binaryType = 'arraybuffer';
    return socket;
  } catch (cause) {
    // Not allowed here: a page that was loaded over https may not connect without TLS.
    throw new YodelError('YODEL_INVALID_ADDRESS', `cannot connect to ${address}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/**
 * Why a WebSocket was not opened. Browsers keep that from pages, so this finds out whether an HTTP server answers at the address at
 * all. Its answer stays unread.
 */
async function refusal(address: WebSocketAddress, environment: Environment, signal: AbortSignal): Promise<YodelError> {
  const where = `cannot connect to ${address}`;
  try {
    const url = String(address).replace('ws', 'http');
    await environment.fetch?.(url, {
      method: 'HEAD',
      mode: 'no-cors',
      credentials: 'omit',
      cache: 'no-store',
      signal,
    });
  } catch {
    // Network errors, which say as little as those of the WebSocket, and the time-out.
    const isOffline = environment.navigator?.onLine === false && !isLoopback(address);
    const why = isOffline ? 'this device is offline' : 'nothing answers there, or its certificate is not trusted';
    return new YodelError('YODEL_CONNECTION_REFUSED', `${where}: ${why}`);
  }
  const page = environment.location?.origin;
  const why = page === undefined ? '' : `, or does not accept pages of ${page} (its option "origins")`;
  return new YodelError(
    'YODEL_WEBSOCKET_REFUSED',
    `${where}: a server answers there, but serves no WebSocket at this path${why}`,
  );
}
