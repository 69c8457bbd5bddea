/**
 * WebSockets on connections that belong to an HTTP server of the program: `node:http`, `node:https`, and frameworks on top of them.
 *
 *     HTTP server -> request -> [admission] -> [the rules of upgrade.ts] -> connection
 *
 * The HTTP server has read the head of the request; the socket is ours from then on. On Bun, `node:http` gives such sockets, too.
 */
import type { IncomingMessage } from 'node:http';
import * as net from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { type Address, type SocketAddress, TcpAddress, TlsAddress, UnixAddress } from '../../address.ts';
import { realClock } from '../../clock.ts';
import { textForPeer } from '../../error-for-peer.ts';
import { YodelError } from '../../errors.ts';
import { ownCopy } from '../../framing/slices.ts';
import { keepAliveDelay } from '../keep-alive.ts';
import { stoppedHandshake } from '../listen-errors.ts';
import { connectionOf, endOf, NodeConnection, peerOf, prepareReads } from '../node/connection.ts';
import type { Connection, ListenOptions, Receiver, Security, ServerWebSocket } from '../transport.ts';
import { refuseOn } from './answer.ts';
import { doHandshake } from './handshake.ts';
import { headOf } from './http-head.ts';
import { answerRequest } from './upgrade.ts';

/** How to serve such requests; see {@link ListenOptions}. */
export interface AttachOptions
  extends Pick<ListenOptions, 'accept' | 'admit' | 'failed' | 'handshakeTimeout' | 'keepAlive'> {
  readonly webSocket: ServerWebSocket;
}

/** A request that an HTTP server has read. */
export interface AttachedRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What the client has sent after it. */
  readonly head: Uint8Array;
  /** The IP address of the client, where the program knows it better than the socket. */
  readonly client: string | undefined;
}

/** Serves requests for a WebSocket that an HTTP server has read. */
export class AttachedUpgrades {
  readonly #options: AttachOptions;
  readonly #pending = new Set<Connection>();
  #isAbandoned = false;

  constructor(options: AttachOptions) {
    this.#options = options;
  }

  /** Answers a request, and passes the connection on if the upgrade is granted. */
  async serve({ request, socket, head, client }: AttachedRequest): Promise<void> {
    const { admit, accept, failed, handshakeTimeout, webSocket } = this.#options;
    const { clock = realClock } = webSocket;
    const began = clock.ran();
    await prepareReads();
    const connection = await this.#connectionOf(socket as net.Socket, client);
    // The client has left, before the program passed its request on or since then.
    if (socket.destroyed) return;
    const passing = new Passing();
    connection.start(passing);
    if (client !== undefined && net.isIP(client) === 0) {
      failed(new YodelError('YODEL_INVALID_OPTION', `the client of handleUpgrade() is no IP address: ${client}`));
      return refuse(connection, passing, 400, 'the address of the client is not known');
    }
    let refusal: YodelError | undefined;
    const pending = admit?.(connection.peer, false, (error) => {
      refusal = error;
    });
    if (refusal) return refuse(connection, passing, statusOf(refusal.code), textForPeer(refusal));
    this.#pending.add(connection);
    const fail = (error: Error) => (pending ?? this.#options).failed(this.#isAbandoned ? stoppedHandshake() : error);
    await doHandshake(connection, { accept, handshakeTimeout, client: pending, clock, began, failed: fail }, () =>
      upgradeOn(connection, passing, { request, head, webSocket }),
    );
    this.#pending.delete(connection);
  }

  /** Ends the handshakes that are not complete. */
  abandon(): void {
    this.#isAbandoned = true;
    for (const connection of this.#pending) connection.abort();
  }

  async #connectionOf(socket: net.Socket, client: string | undefined): Promise<Connection> {
    socket.setTimeout?.(0);
    socket.setNoDelay?.(true);
    const address = listenerOf(socket);
    const delay = keepAliveDelay(address, this.#options.keepAlive);
    socket.setKeepAlive?.(delay > 0, delay);
    const isKnown = client === undefined || net.isIP(client) === 0;
    const peer = isKnown ? peerOf(socket, address) : endOf(address, client, 0);
    if (!isSecure(socket)) return hasHandle(socket) ? connectionOf(socket, address, peer) : over(socket, address, peer);
    // Bun's are no sockets of `node:tls`.
    if (!('getPeerCertificate' in socket)) return over(socket, address, peer, securityWithout(socket));
    const { securityOf } = await import('../tls/acceptor.ts');
    const { tlsConnectionOf } = await import('../tls/node-connection.ts');
    return tlsConnectionOf(socket as TLSSocket, address, peer, securityOf(socket as TLSSocket));
  }
}

/** Answers the request. Resolves if the upgrade is granted. @throws YodelError as `upgrade` */
function upgradeOn(
  connection: Connection,
  passing: Passing,
  { request, head, webSocket }: { request: IncomingMessage; head: Uint8Array; webSocket: ServerWebSocket },
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const { method, url, httpVersion, rawHeaders } = request;
    const pairs = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? ''] as const] : []));
    const parsed = headOf(`${method} ${url} HTTP/${httpVersion}`, pairs);
    if (!parsed) {
      const error = new YodelError(
        'YODEL_WEBSOCKET_REFUSED',
        'the WebSocket handshake with the client failed: not valid HTTP',
      );
      passing.next = refuseOn(connection, { status: 400, reason: 'not valid HTTP' }, () => reject(error));
      return;
    }
    const rest = ownCopy(Buffer.from(head.buffer, head.byteOffset, head.byteLength));
    passing.next = answerRequest(connection, parsed, rest, {
      path: '/',
      isSecure: connection.security !== undefined,
      options: webSocket,
      resolve,
      reject,
      pass(receiver) {
        passing.next = receiver;
      },
    });
  });
}

function refuse(connection: Connection, passing: Passing, status: number, reason: string): void {
  passing.next = refuseOn(connection, { status, reason }, () => connection.release());
}

function statusOf(code: string): number {
  if (code === 'YODEL_ADDRESS_DENIED') return 403;
  return code === 'YODEL_CONNECTION_RATE' ? 429 : 503;
}

/** Passes the events of a connection on to one receiver after another. */
class Passing implements Receiver {
  next: Receiver | undefined;

  get keeper(): Receiver['keeper'] {
    return this.next?.keeper;
  }

  onData(chunk: Uint8Array): void {
    this.next?.onData(chunk);
  }

  onEnd(): void {
    this.next?.onEnd();
  }

  onDrain(): void {
    this.next?.onDrain();
  }

  onClose(error?: Error): void {
    this.next?.onClose(error);
  }
}

function isSecure(socket: net.Socket): boolean {
  return (socket as { encrypted?: boolean }).encrypted === true;
}

/** The address of the HTTP server. */
function listenerOf(socket: net.Socket): SocketAddress {
  const bound = (socket as { server?: Partial<net.Server> }).server?.address?.();
  if (typeof bound === 'string') return new UnixAddress(bound);
  const host = socket.localAddress ?? bound?.address ?? 'unknown';
  const port = socket.localPort ?? bound?.port ?? 0;
  return isSecure(socket) ? new TlsAddress(host, port) : new TcpAddress(host, port);
}

/** What is known of TLS where the runtime tells nothing of a handshake. */
function securityWithout(socket: net.Socket): Security {
  const { servername, alpnProtocol } = socket as { servername?: string; alpnProtocol?: string };
  return {
    protocol: 'unknown',
    servername: servername || undefined,
    alpn: alpnProtocol || undefined,
    subject: undefined,
    certificate: undefined,
  };
}

/** Whether it is a socket of `node:net` and not one of another kind, as those of HTTP servers on Bun are. */
function hasHandle(socket: net.Socket): boolean {
  return (socket as { _handle?: unknown })._handle instanceof Object;
}

/** The connection of a stream of another kind. */
function over(socket: net.Socket, address: SocketAddress, peer: Address, security?: Security): Connection {
  return new StreamConnection(socket, address, peer, security);
}

class StreamConnection extends NodeConnection {
  override abort(): void {
    if (typeof this.socket.resetAndDestroy === 'function') super.abort();
    else this.release();
  }

  protected override canBorrow(): boolean {
    return false;
  }
}
