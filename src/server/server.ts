/** The public API of a server: `serve()` and the `Server` it returns. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { SocketAddress } from '../address.ts';
import type { MaybeCodec } from '../codec/codec.ts';
import type { SessionServer } from '../session/public-session.ts';
import type { Counters, Subscriber } from '../telemetry/telemetry.ts';
import { runtimeTransport } from '../transport/runtime.ts';
import type { HandleUpgradeOptions } from './attached.ts';
import { MessageServer } from './message-server.ts';
import {
  checkServeOptions,
  listenAddressesOf,
  type ReloadOptions,
  type ServeOptions,
  type WithData,
} from './options.ts';

/** A running server. */
export interface Server<Data = unknown, C extends MaybeCodec = undefined>
  extends AsyncDisposable,
    SessionServer<Data, C> {
  /**
   * The addresses it listens on, in the order of the option `listen`; port 0 is replaced by the real one. With `listen: false` there is
   * none, although the type promises the first.
   */
  readonly addresses: readonly [SocketAddress, ...SocketAddress[]];
  /**
   * The maximum number of concurrent connections: the option `maxConnections`, or fewer if the process's limit of open
   * files requires it.
   */
  readonly maxConnections: number;
  /**
   * Bytes pending in all sessions together, which the option `maxPendingBytes` limits: of messages, complete or not, and of
   * replies.
   */
  readonly pendingBytes: number;
  /** Counts since the server started. */
  readonly counters: Readonly<Counters>;
  /**
   * Calls a subscriber, or several, for all events from now on, as the option `telemetry` does from the beginning.
   *
   * @returns ends that
   * @throws YodelError `YODEL_INVALID_OPTION`
   */
  subscribe(subscriber: Subscriber | readonly Subscriber[]): () => void;
  /** Resolves when the server is closed. Never rejects. */
  readonly closed: Promise<void>;
  /**
   * After `drainDelay`, stops accepting connections, answers every complete message that has arrived, ends the sessions, and
   * resolves when all are closed and the handler's `stop` is done. Sessions that are still open after `timeoutMs` are aborted. A second call can shorten that
   * time, and ends the delay.
   *
   * @param options.timeoutMs default: the option `shutdownTimeout`; it starts when the delay is over
   * @throws YodelError `YODEL_INVALID_OPTION`
   */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<void>;
  /**
   * Serves a request for a WebSocket that an HTTP server of the program has received, for servers that live beside one:
   *
   * ```ts
   * http.on('upgrade', (request, socket, head) => {
   *   if (!server.handleUpgrade(request, socket, head)) socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
   * });
   * ```
   *
   * The arguments are those of the event `upgrade` of `node:http` and `node:https`, on both runtimes. All options of the server apply
   * as for its own listeners: limits, origins, `authorizeUpgrade`, time-outs.
   *
   * @returns false if the request is not for this server, because it has another path than the option `upgradePath`, or does not ask
   *   for a WebSocket: nothing was done with it then. True: the socket is the server's; if it refuses the request, it has answered it
   * @throws YodelError `YODEL_INVALID_OPTION` for other arguments than those of that event, and an unknown option
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array, options?: HandleUpgradeOptions): boolean;
  /**
   * Changes the given options; others stay as they are. Resolves when they apply: at once, unless the handler is a new one with a
   * `start`, which is awaited first, for `startTimeout`. Open sessions keep the handler, the codec and the limits that they started with; what rooms are
   * sent is encoded by the new codec. Of `tls`, the certificates and the trusted authorities change. Some settings cannot change: whether client
   * certificates are requested, `alpn`, `backlog`, `handshakeTimeout`, `keepAlive`, `pingInterval` and the longest message of WebSocket.
   *
   * @throws YodelError in the promise: `YODEL_INVALID_OPTION`, `YODEL_INVALID_HANDLER`, `YODEL_TLS`, and what the handler's `start`
   *   throws; `YODEL_HANDLER_TIMEOUT` if that takes too long, and `YODEL_SHUTTING_DOWN` if the server is closed meanwhile; then nothing
   *   has changed
   */
  reload(options: ReloadOptions<Data, C>): Promise<void>;
}

/**
 * Starts a server: calls the handler's `start`, if it has one, and listens. Resolves when it listens on all its addresses.
 *
 * ```ts
 * const server = await serve({ listen: 'tcp://127.0.0.1:7878', handler: (message) => message.text.toUpperCase() });
 * ```
 *
 * @throws YodelError `YODEL_INVALID_OPTION`, `YODEL_INVALID_ADDRESS`, `YODEL_INVALID_HANDLER`, `YODEL_ADDRESS_IN_USE`,
 *   `YODEL_PERMISSION_DENIED`, …; the signal's reason if it is aborted; what the handler's `start` throws, or `YODEL_HANDLER_TIMEOUT` if that
 *   takes longer than `startTimeout`
 */
export async function serve<Data = Record<string, unknown>, C extends MaybeCodec = undefined>(
  options: ServeOptions<Data, C> & WithData<NoInfer<Data>, NoInfer<C>> = {} as ServeOptions<Data, C> &
    WithData<NoInfer<Data>, NoInfer<C>>,
): Promise<Server<Data, C>> {
  checkServeOptions(options);
  const { signal, transport = runtimeTransport } = options;
  signal?.throwIfAborted();
  const server = new MessageServer(options);
  const abort = () => void server.close();
  signal?.addEventListener('abort', abort, { once: true });
  void server.closed.then(() => signal?.removeEventListener('abort', abort));
  try {
    await server.listen(listenAddressesOf(options), transport);
  } catch (error) {
    // Aborted while the handler started: the reason is the signal's.
    signal?.throwIfAborted();
    throw error;
  }
  // It may have been aborted after that.
  if (signal?.aborted) await server.close();
  signal?.throwIfAborted();
  return server as unknown as Server<Data, C>;
}
